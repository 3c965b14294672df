/* Loads, stores, addresses, copies, and control flow (manual 9.7.9, 9.7.12). */
#include "tables.h"

#define CELL ".shared .align 16 .b8 cell[4096]; mov.u32 %x, cell; mad.lo.u32 %x, %t, 32, %x; "
#define LOCAL_CELL ".local .align 16 .b8 cell[64]; mov.u64 %lx, cell; "

const struct row rows_memory[] = {
	{"ld.global.{b8,u8,s8,b16,u16,s16,b32,u32,s32,b64,u64,s64}", "b64 b64", "$0 %d, [%la];"},
	{"ld.global.{b8,u8,s8,u16,s16}+2", "b32 b64", "ld.global.$1 %d, [%la+2];"},
	{"ld.global{.nc,.ca,.cg,.cs,.cv,.lu}.{u32,s16,f64}", "$2 $2", "$0 %d, [%la];"},
	{"ld.{volatile.global,relaxed.gpu.global,acquire.sys.global,weak.global}.u32", "b32 b32", "$0 %d, [%la];"},
	{"ld.global.nc.L1::no_allocate.L2::128B.u32", "b32 b32", "$0 %d, [%la];"},
	{"ld.global.v2.{u8,s8}", "b64 b64", "ld.global.v2.$1 {%x, %y}, [%la]; mov.b64 %d, {%y, %x};"},
	{"ld.global.v2.{u16,s16,u32,b32}", "b64 b64", "ld.global.v2.$1 {%x, %y}, [%la]; mov.b64 %d, {%y, %x};"},
	{"ld.global.v4.{u8,s8,u16,s16,u32}", "b32*4 b32*4", "ld.global.v4.$1 {%d3, %d2, %d1, %d0}, [%la];"},
	{"ld.global.v2.{u64,f64}", "$1*2 $1*2", "ld.global.v2.$1 {%d1, %d0}, [%la];"},
	{"ld.global.nc.v4.f32", "f32*4 f32*4", "$0 {%d1, %d0, %d3, %d2}, [%la];"},
	{"ld.{u8,s16,u32,u64} generic", "b64 b64", "cvta.global.u64 %lx, %la; ld.$1 %d, [%lx];"},
	{"st.global.{b8,b16,b32,b64}", "b64 b64 b64", "st.global.b64 [%ld], %a; $0 [%ld], %b; ld.global.b64 %d, [%ld];"},
	{"st.global{.wb,.cg,.cs,.wt}.u32", "b32 b32", "$0 [%ld], %a; ld.global.u32 %d, [%ld]; not.b32 %d, %d;"},
	{"st.{volatile.global,relaxed.gpu.global,release.sys.global}.u32", "b32 b32", "$0 [%ld], %a; ld.global.u32 %d, [%ld]; not.b32 %d, %d;"},
	{"st.shared.{b8,u8,s8,b16,u16,b32,b64}", "b64 b64 b64", CELL "st.shared.b64 [%x], %a; $0 [%x], %b; ld.shared.b64 %d, [%x];"},
	{"st.shared.b8+3", "b64 b64 b64", CELL "st.shared.b64 [%x], %a; st.shared.b8 [%x+3], %b; ld.shared.b64 %d, [%x];"},
	{"st.shared.v2.{b8,b16,b32}", "b64 b64 b32", CELL "st.shared.b64 [%x], %a; mov.b64 {%y, %z}, %a; $0 [%x], {%z, %b}; ld.shared.b64 %d, [%x];"},
	{"st.shared.v4.{b8,b16,b32}", "b64*2 b64 b32", CELL "st.shared.v2.b64 [%x], {%a, %a}; mov.b64 {%y, %z}, %a; $0 [%x], {%z, %b, %y, %b}; "
								 "ld.shared.v2.b64 {%d0, %d1}, [%x];"},
	{"ld.shared.{u8,s8,u16,s16,u32,s32,u64}", "b64 b64", CELL "st.shared.b64 [%x], %a; $0 %d, [%x];"},
	{"ld.volatile.shared.u32", "b32 b32", CELL "st.volatile.shared.u32 [%x], %a; $0 %d, [%x];"},
	{"st.local.{b8,b16,b32,b64}", "b64 b64 b64", LOCAL_CELL "st.local.b64 [%lx], %a; $0 [%lx], %b; ld.local.b64 %d, [%lx];"},
	{"ld.local.{u8,s8,u16,s16,u32,s32}", "b64 b64", LOCAL_CELL "st.local.b64 [%lx+8], %a; $0 %d, [%lx+8];"},
	{"ld.local indexed", "b32 b32 small",
	 LOCAL_CELL "st.local.v4.b32 [cell], {%a, %t, %a, %b}; st.local.v4.b32 [cell+16], {%b, %i, 3, 4}; and.b32 %x, %b, 7; "
		    "mul.wide.u32 %ly, %x, 4; add.u64 %lx, %lx, %ly; ld.local.b32 %d, [%lx];"},
	{"ld.const.{u8,s8,u16,s16,u32,s32,u64}", "b64 small", "and.b32 %x, %a, 7; mul.wide.u32 %lx, %x, 8; mov.u64 %ly, constants; add.u64 %lx, %lx, %ly; $0 %d, [%lx];"},
	{"ld.const.v2.u32", "b64 b32", "ld.const.v2.u32 {%x, %y}, [constants+8]; mov.b64 %d, {%x, %y};"},
	{"ld.global initialised", "b64 small",
	 "and.b32 %x, %a, 7; mul.wide.u32 %lx, %x, 8; mov.u64 %ly, numbers; add.u64 %lx, %lx, %ly; ld.global.u64 %d, [%lx];"},
	{"ld.global through a pointer", "b64 b32",
	 "ld.global.u64 %lx, [pointers]; ld.u64 %ly, [%lx+8]; ld.global.u64 %lx, [pointers+8]; ld.global.u64 %lz, [%lx]; add.u64 %d, %ly, %lz;"},
	{"cvta.shared.u64", "b64 b64", CELL "st.shared.b64 [%x], %a; cvt.u64.u32 %lx, %x; cvta.shared.u64 %lx, %lx; ld.u64 %d, [%lx];"},
	{"cvta.to.shared.u64", "b32 b32", CELL "cvt.u64.u32 %lx, %x; cvta.shared.u64 %lx, %lx; cvta.to.shared.u64 %ly, %lx; cvt.u32.u64 %y, %ly; sub.u32 %d, %y, %x;"},
	{"cvta.local.u64", "b64 b64", LOCAL_CELL "st.local.b64 [%lx], %a; cvta.local.u64 %lx, %lx; ld.u64 %d, [%lx];"},
	{"cvta.const.u64", "b64 b32", "mov.u64 %lx, constants; cvta.const.u64 %lx, %lx; ld.u64 %d, [%lx+16];"},
	{"isspacep.{shared,global,local}", "b32 b32",
	 CELL ".local .align 8 .b64 mine; cvt.u64.u32 %lx, %x; cvta.shared.u64 %lx, %lx; isspacep.$1 %p, %lx; selp.u32 %y, 1, 0, %p; "
	      "cvta.global.u64 %lx, %la; isspacep.$1 %p, %lx; selp.u32 %z, 2, 0, %p; or.b32 %y, %y, %z; mov.u64 %lx, mine; cvta.local.u64 %lx, %lx; "
	      "isspacep.$1 %p, %lx; selp.u32 %z, 4, 0, %p; or.b32 %d, %y, %z; st.local.b32 [mine], %d;"},
	{"mov.u32 %{tid.x,tid.y,ntid.x,ntid.y,ntid.z,ctaid.x,ctaid.y,nctaid.x,nctaid.z,laneid,lanemask_eq,lanemask_lt,lanemask_le,lanemask_gt,lanemask_ge}",
	 "b32 b32", "mov.u32 %d, %$1;"},
	{"mov.u32 WARP_SZ", "b32 b32", "mov.u32 %d, WARP_SZ;"}, {"mov.u32 %dynamic_smem_size", "b32 b32", "mov.u32 %d, %dynamic_smem_size;"},
	{"prefetch", "b32 b32", "prefetch.global.L2 [%la]; prefetch.global.L1 [%la]; mov.b32 %d, %a;"},
	{"nanosleep.u32", "b32 b32", "nanosleep.u32 20; mov.b32 %d, %a;"},
	{"{membar.cta,membar.gl,membar.sys,fence.acq_rel.gpu,fence.sc.cta}", "b32 b32", CELL "st.shared.b32 [%x], %a; $1; ld.shared.b32 %d, [%x];"},
};
const int rows_memory_count = ROWS(rows_memory);

#define COPY(copy, bytes) CELL "st.shared.v4.b32 [%x], {%t, %t, %t, %t}; " copy " cp.async.wait_all; ld.shared.v4.b32 {%d0, %d1, %d2, %d3}, [%x];"

const struct row rows_async[] = {
	{"cp.async.ca.shared.global {4,8,16}", "b32*4 b32*4", COPY("cp.async.ca.shared.global [%x], [%la], $1;", "$1")},
	{"cp.async.cg.shared.global 16", "b32*4 b32*4", COPY("cp.async.cg.shared.global [%x], [%la], 16;", "16")},
	{"cp.async.cg.shared.global.L2::128B 16", "b32*4 b32*4", COPY("cp.async.cg.shared.global.L2::128B [%x], [%la], 16;", "16")},
	{"cp.async.ca.shared.global 16 of {0,4,7,16}", "b32*4 b32*4", COPY("cp.async.ca.shared.global [%x], [%la], 16, $1;", "16")},
	{"cp.async ignored source", "b32*4 b32*4", COPY("setp.lt.u32 %p, %t, 50; cp.async.cg.shared.global [%x], [%la], 16, %p;", "16")},
	{"cp.async groups", "b32*4 b32*4 b32*4",
	 CELL "cp.async.ca.shared.global [%x], [%la], 16; cp.async.commit_group; cp.async.ca.shared.global [%x+16], [%lb], 16; cp.async.commit_group; "
	      "cp.async.wait_group 1; ld.shared.v4.b32 {%d0, %d1, %d2, %d3}, [%x]; cp.async.wait_group 0; ld.shared.b32 %y, [%x+16]; xor.b32 %d0, %d0, %y;"},
	{"mbarrier.init arrive test_wait", "b32 b32",
	 ".shared .align 8 .b64 barrier; .shared .align 4 .b32 cell[128]; mov.u32 %x, barrier; setp.eq.u32 %p, %t, 0; @%p mbarrier.init.shared.b64 [%x], 128; "
	 "bar.sync 0; mov.u32 %y, cell; mad.lo.u32 %z, %t, 4, %y; st.shared.b32 [%z], %a; mbarrier.arrive.shared.b64 %lx, [%x]; "
	 "AGAIN: mbarrier.test_wait.shared.b64 %q, [%x], %lx; @!%q bra AGAIN; xor.b32 %z, %t, 127; mad.lo.u32 %z, %z, 4, %y; ld.shared.b32 %d, [%z];"},
	{"mbarrier.try_wait.parity", "b32 b32",
	 ".shared .align 8 .b64 barrier; .shared .align 4 .b32 cell[128]; mov.u32 %x, barrier; setp.eq.u32 %p, %t, 0; @%p mbarrier.init.shared.b64 [%x], 128; "
	 "bar.sync 0; mov.u32 %y, cell; mad.lo.u32 %z, %t, 4, %y; st.shared.b32 [%z], %a; mbarrier.arrive.shared.b64 _, [%x]; "
	 "AGAIN: mbarrier.try_wait.parity.shared.b64 %q, [%x], 0; @!%q bra AGAIN; xor.b32 %z, %t, 127; mad.lo.u32 %z, %z, 4, %y; ld.shared.b32 %d, [%z];"},
	{"cp.async.mbarrier.arrive.noinc", "b32*4 b32*4",
	 CELL ".shared .align 8 .b64 barrier; mov.u32 %y, barrier; setp.eq.u32 %p, %t, 0; @%p mbarrier.init.shared.b64 [%y], 128; bar.sync 0; "
	      "cp.async.ca.shared.global [%x], [%la], 16; cp.async.mbarrier.arrive.noinc.shared.b64 [%y]; "
	      "AGAIN: mbarrier.try_wait.parity.shared.b64 %q, [%y], 0; @!%q bra AGAIN; ld.shared.v4.b32 {%d0, %d1, %d2, %d3}, [%x];"},
	{"cp.async.bulk.shared::cluster.global", "b32*4 b32*4",
	 ".shared .align 16 .b8 cells[2048]; .shared .align 8 .b64 barrier; mov.u32 %x, cells; mov.u32 %y, barrier; setp.eq.u32 %p, %t, 0; "
	 "@%p mbarrier.init.shared.b64 [%y], 1; @%p fence.proxy.async; bar.sync 0; @!%p bra AGAIN; mbarrier.arrive.expect_tx.shared.b64 _, [%y], 2048; "
	 "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%x], [%la], 2048, [%y]; "
	 "AGAIN: mbarrier.try_wait.parity.shared.b64 %q, [%y], 0; @!%q bra AGAIN; mad.lo.u32 %x, %t, 16, %x; ld.shared.v4.b32 {%d0, %d1, %d2, %d3}, [%x];"},
	{"cp.async.bulk.global.shared::cta", "b32*4 b32*4",
	 ".shared .align 16 .b8 cells[2048]; mov.u32 %x, cells; mad.lo.u32 %y, %t, 16, %x; st.shared.v4.b32 [%y], {%a3, %a2, %a1, %a0}; fence.proxy.async; "
	 "bar.sync 0; setp.eq.u32 %p, %t, 0; @!%p bra DONE; cp.async.bulk.global.shared::cta.bulk_group [%ld], [%x], 2048; cp.async.bulk.commit_group; "
	 "cp.async.bulk.wait_group 0; DONE: fence.proxy.async; bar.sync 0; ld.global.v4.b32 {%d0, %d1, %d2, %d3}, [%ld];"},
};
const int rows_async_count = ROWS(rows_async);

const struct row rows_control[] = {
	{"bra loop", "b32 b32 small", "mov.b32 %d, %a; mov.u32 %x, 0; LOOP: setp.ge.u32 %p, %x, %b; @%p bra DONE; mad.lo.u32 %d, %d, 1664525, 1013904223; "
				       "add.u32 %x, %x, 1; bra LOOP; DONE:"},
	{"bra nested", "b32 b32 small small",
	 "mov.b32 %d, %a; mov.u32 %x, 0; OUTER: setp.ge.u32 %p, %x, %b; @%p bra DONE; and.b32 %y, %c, 7; INNER: setp.eq.u32 %q, %y, 0; @%q bra NEXT; "
	 "xor.b32 %d, %d, %y; and.b32 %z, %d, 16; setp.ne.u32 %r, %z, 0; @%r bra SKIP; mad.lo.u32 %d, %d, 22695477, 1; SKIP: sub.u32 %y, %y, 1; bra INNER; "
	 "NEXT: add.u32 %x, %x, 1; bra.uni OUTER; DONE:"},
	{"@p", "b32 b32 b32", "setp.lt.s32 %p, %a, %b; mov.b32 %d, %b; @%p mov.b32 %d, %a; @!%p add.u32 %d, %d, 1;"},
	{"brx.idx", "b32 b32 small",
	 "and.b32 %x, %b, 3; mov.b32 %d, %a; TABLE: .branchtargets ZERO, ONE, TWO, ONE; brx.idx %x, TABLE; ZERO: add.u32 %d, %d, 5; bra DONE; "
	 "ONE: mul.lo.u32 %d, %d, 3; bra DONE; TWO: not.b32 %d, %d; DONE:"},
	{"exit early", "b32 b32", "mov.b32 %d, %a; st.global.b32 [%ld], %a; and.b32 %x, %t, 3; setp.eq.u32 %p, %x, 1; @%p exit; redux.sync.add.u32 %d, 1, 0xdddddddd;"},
	{"call", "b32 b32 b32",
	 "{ .param .b32 first; .param .b32 second; .param .b32 result; st.param.b32 [first], %a; st.param.b32 [second], %b; "
	 "call.uni (result), add_twice, (first, second); ld.param.b32 %d, [result]; }"},
	{"call diverged", "b32 b32 b32",
	 "mov.b32 %d, %b; setp.lt.s32 %p, %a, 100; @%p bra SKIP; { .param .b32 first; .param .b32 second; .param .b32 result; st.param.b32 [first], %a; "
	 "st.param.b32 [second], %b; call (result), add_twice, (first, second); ld.param.b32 %d, [result]; } SKIP: add.u32 %d, %d, 1;"},
	{"call recursive", "b32 small",
	 "and.b32 %x, %a, 15; { .param .b32 n; .param .b32 result; st.param.b32 [n], %x; call (result), factorial, (n); ld.param.b32 %d, [result]; }"},
	{"call indirect", "b32 b32 b32",
	 "mov.u64 %lx, add_twice; and.b32 %x, %t, 1; setp.eq.u32 %p, %x, 1; @%p mov.u64 %lx, subtract; PROTOTYPE: .callprototype (.param .b32 _) _ (.param .b32 _, .param .b32 _); "
	 "{ .param .b32 first; .param .b32 second; .param .b32 result; st.param.b32 [first], %a; st.param.b32 [second], %b; "
	 "call (result), %lx, (first, second), PROTOTYPE; ld.param.b32 %d, [result]; }"},
	{"call of an array", "b64 b64 b64",
	 "{ .param .align 8 .b8 pair[16]; .param .align 8 .b8 result[16]; st.param.b64 [pair], %a; st.param.b64 [pair+8], %b; call.uni (result), exchange, (pair); "
	 "ld.param.b64 %lx, [result]; ld.param.b64 %ly, [result+8]; sub.u64 %d, %lx, %ly; }"},
};
const int rows_control_count = ROWS(rows_control);
