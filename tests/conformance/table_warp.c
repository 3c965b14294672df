/* Exchange between lanes, atomics, barriers (manual 9.7.9, 9.7.13). */
#include "tables.h"

/* lanes of odd number alone, in a branch of their own */
#define ODD_LANES(code) "and.b32 %x, %t, 1; setp.eq.u32 %p, %x, 1; mov.b32 %d, %a; @!%p bra EVEN; " code " EVEN:"
#define WITH_PREDICATE(code) code " selp.u32 %y, 1, 0, %p; mov.b64 %d, {%x, %y};"

const struct row rows_exchange[] = {
	{"shfl.sync.{up,down,bfly,idx}.b32 {0,1,5,16,31}, {0x1f,0x1807,0x181f,0}", "b64 b32",
	 WITH_PREDICATE("shfl.sync.$1.b32 %x|%p, %a, $2, $3, -1;")},
	{"shfl.sync.{up,down,bfly,idx}.b32 lane", "b64 b32 small", WITH_PREDICATE("and.b32 %b, %b, 31; shfl.sync.$1.b32 %x|%p, %a, %b, 0x1f, -1;")},
	{"shfl.sync.{up,down,bfly,idx}.b32 without predicate", "b32 f32", "mov.b32 %x, %a; shfl.sync.$1.b32 %d, %x, 3, 31, 0xffffffff;"},
	{"shfl.sync.bfly.b32 odd lanes", "b32 b32", ODD_LANES("shfl.sync.bfly.b32 %d, %a, 2, 0x1f, 0xaaaaaaaa;")},
	{"vote.sync.{any,all,uni}.pred", "p b32", "setp.lt.s32 %q, %a, 1000; vote.sync.$1.pred %p, %q, -1; selp.u16 %d, 1, 0, %p;"},
	{"vote.sync.{any,all,uni}.pred !", "p b32", "setp.ne.s32 %q, %a, %a; vote.sync.$1.pred %p, !%q, -1; selp.u16 %d, 1, 0, %p;"},
	{"vote.sync.ballot.b32", "b32 b32", "setp.lt.s32 %q, %a, 0; vote.sync.ballot.b32 %d, %q, -1;"},
	{"vote.sync.ballot.b32 odd lanes", "b32 b32", ODD_LANES("setp.lt.s32 %q, %a, 0; vote.sync.ballot.b32 %d, %q, 0xaaaaaaaa;")},
	{"match.any.sync.{b32,b64}", "b32 $1", "and.$1 %a, %a, 5; match.any.sync.$1 %d, %a, -1;"},
	{"match.all.sync.{b32,b64} {0,1}", "b64 $1", WITH_PREDICATE("and.$1 %a, %a, $2; match.all.sync.$1 %x|%p, %a, -1;")},
	{"match.any.sync.b32 odd lanes", "b32 b32", ODD_LANES("and.b32 %a, %a, 3; match.any.sync.b32 %d, %a, 0xaaaaaaaa;")},
	{"redux.sync.{add,min,max}.{u32,s32}", "$2 $2", "$0 %d, %a, -1;"}, {"redux.sync.{and,or,xor}.b32", "b32 b32", "$0 %d, %a, -1;"},
	{"redux.sync.add.u32 odd lanes", "b32 b32", ODD_LANES("redux.sync.add.u32 %d, %a, 0xaaaaaaaa;")},
	{"activemask.b32", "b32 b32", ODD_LANES("activemask.b32 %d;")},
	{"elect.sync", "p b32", "elect.sync _|%p, -1; selp.u32 %x, 1, 0, %p; redux.sync.add.u32 %x, %x, -1; cvt.u16.u32 %d, %x;"},
	{"bar.red.popc.u32", "b32 b32", "setp.lt.s32 %p, %a, 0; bar.red.popc.u32 %d, 0, %p;"},
	{"bar.red.{and,or}.pred", "p b32", "setp.lt.s32 %p, %a, 1000; bar.red.$1.pred %q, 0, %p; selp.u16 %d, 1, 0, %q;"},
	{"barrier.cta.red.popc.aligned.u32", "b32 b32", "setp.lt.s32 %p, %a, 0; barrier.cta.red.popc.aligned.u32 %d, 1, %p;"},
	{"bar.warp.sync", "b32 b32",
	 ".shared .align 4 .b32 cell[128]; mov.u32 %y, cell; mad.lo.u32 %x, %t, 4, %y; st.shared.b32 [%x], %a; bar.warp.sync -1; "
	 "xor.b32 %z, %t, 7; mad.lo.u32 %x, %z, 4, %y; ld.shared.b32 %d, [%x];"},
	{"{bar.sync 0,bar.sync 3,barrier.sync 1,barrier.cta.sync.aligned 2,bar.sync 4\\, 128}", "b32 b32",
	 ".shared .align 4 .b32 cell[128]; mov.u32 %y, cell; mad.lo.u32 %x, %t, 4, %y; st.shared.b32 [%x], %a; $1; "
	 "xor.b32 %z, %t, 127; mad.lo.u32 %x, %z, 4, %y; ld.shared.b32 %d, [%x];"},
	{"bar.arrive bar.sync", "b32 b32", /* the first two warps write, the others read */
	 ".shared .align 4 .b32 cell[128]; mov.u32 %y, cell; mad.lo.u32 %x, %t, 4, %y; setp.ge.u32 %p, %t, 64; mov.b32 %d, %a; @%p bra READ; "
	 "st.shared.b32 [%x], %a; membar.cta; bar.arrive 5, 128; bra DONE; READ: bar.sync 5, 128; ld.shared.b32 %d, [%x+-256]; DONE:"},
	{"barrier.cta.sync 64", "b32 b32", /* pairs of warps by themselves */
	 ".shared .align 4 .b32 cell[128]; mov.u32 %y, cell; mad.lo.u32 %x, %t, 4, %y; st.shared.b32 [%x], %a; shr.u32 %z, %t, 6; add.u32 %z, %z, 1; "
	 "barrier.cta.sync %z, 64; xor.b32 %z, %t, 63; mad.lo.u32 %x, %z, 4, %y; ld.shared.b32 %d, [%x];"},
};
const int rows_exchange_count = ROWS(rows_exchange);

/* Each thread has a cell of its own: the old value and the new one are both known. */
#define SHARED_CELL ".shared .align 8 .b64 cell[128]; mov.u32 %x, cell; mad.lo.u32 %x, %t, 8, %x; "
#define IN_SHARED(type, operation) SHARED_CELL "st.shared." type " [%x], %a; " operation " ld.shared." type " %d1, [%x];"
#define IN_GLOBAL(type, operation) "st.global." type " [%ld], %a; " operation " ld.global." type " %d1, [%ld];"
/* All threads of a block on one cell: only the end is known. */
#define TOGETHER(type, start, operation)                                                                                              \
	".shared .align 8 .b64 cell; mov.u32 %x, cell; setp.eq.u32 %p, %t, 0; mov." type " %d, " start "; @%p st.shared." type " [%x], %d; " \
	"bar.sync 0; " operation " bar.sync 0; ld.shared." type " %d, [%x];"

const struct row rows_atomic[] = {
	{"atom.shared.{add,min,max}.{u32,s32,u64}", "$2*2 $2 $2", IN_SHARED("$2", "$0 %d0, [%x], %b;")},
	{"atom.shared.{min,max}.s64", "s64*2 s64 s64", IN_SHARED("s64", "$0 %d0, [%x], %b;")},
	{"atom.shared.{and,or,xor,exch}.{b32,b64}", "$2*2 $2 $2", IN_SHARED("$2", "$0 %d0, [%x], %b;")},
	{"atom.shared.{inc,dec}.u32", "u32*2 small small", IN_SHARED("u32", "$0 %d0, [%x], %b;")},
	{"atom.shared.cas.{b32,b64}", "$1*2 $1 $1 $1", IN_SHARED("$1", "and.$1 %b, %b, 1; and.$1 %a, %a, 1; st.shared.$1 [%x], %a; $0 %d0, [%x], %b, %c;")},
	{"atom.shared.cas.b16", "b16*2 b16 b16 b16", IN_SHARED("b16", "and.b16 %b, %b, 1; and.b16 %a, %a, 1; st.shared.b16 [%x], %a; $0 %d0, [%x], %b, %c;")},
	{"atom.shared.add.{f32,f64}", "$1*2 $1 $1", IN_SHARED("$1", "$0 %d0, [%x], %b;")},
	{"atom.shared.add.noftz.{f16,f16x2,bf16,bf16x2}", "$1*2 $1 $1", IN_SHARED("$m1", "$0 %d0, [%x], %b;")},
	{"atom.global.{add,min,max}.{u32,s32,u64}", "$2*2 $2 $2", IN_GLOBAL("$2", "$0 %d0, [%ld], %b;")},
	{"atom.global.{min,max}.s64", "s64*2 s64 s64", IN_GLOBAL("s64", "$0 %d0, [%ld], %b;")},
	{"atom.global.{and,or,xor,exch}.{b32,b64}", "$2*2 $2 $2", IN_GLOBAL("$2", "$0 %d0, [%ld], %b;")},
	{"atom.global.{inc,dec}.u32", "u32*2 small small", IN_GLOBAL("u32", "$0 %d0, [%ld], %b;")},
	{"atom.global.cas.{b32,b64}", "$1*2 $1 $1 $1", IN_GLOBAL("$1", "and.$1 %b, %b, 1; and.$1 %a, %a, 1; st.global.$1 [%ld], %a; $0 %d0, [%ld], %b, %c;")},
	{"atom.global.add.{f32,f64}", "$1*2 $1 $1", IN_GLOBAL("$1", "$0 %d0, [%ld], %b;")},
	{"atom.global.add.noftz.{f16,f16x2,bf16,bf16x2}", "$1*2 $1 $1", IN_GLOBAL("$m1", "$0 %d0, [%ld], %b;")},
	{"atom.add.{u32,f32}", "$1*2 $1 $1", IN_GLOBAL("$1", "cvta.global.u64 %lx, %ld; $0 %d0, [%lx], %b;")},
	{"atom.add.noftz.{f16,bf16}", "$1*2 $1 $1", IN_GLOBAL("$m1", "cvta.global.u64 %lx, %ld; $0 %d0, [%lx], %b;")},
	{"atom.{relaxed,acquire,release,acq_rel}.{cta,gpu,sys}.global.add.u32", "u32*2 u32 u32", IN_GLOBAL("u32", "$0 %d0, [%ld], %b;")},
	{"red.shared.{add,min,max}.{u32,s32,u64}", "$2*2 $2 $2", IN_SHARED("$2", "$0 [%x], %b; mov.$2 %d0, %b;")},
	{"red.global.{and,or,xor}.{b32,b64}", "$2*2 $2 $2", IN_GLOBAL("$2", "$0 [%ld], %b; mov.$2 %d0, %b;")},
	{"red.global.{inc,dec}.u32", "u32*2 small small", IN_GLOBAL("u32", "$0 [%ld], %b; mov.u32 %d0, %b;")},
	{"red.global.add.{f32,f64}", "$1*2 $1 $1", IN_GLOBAL("$1", "$0 [%ld], %b; mov.$1 %d0, %b;")},
	{"red.relaxed.gpu.global.add.{u32,s32,f32}", "$1*2 $1 $1", IN_GLOBAL("$1", "$0 [%ld], %b; mov.$1 %d0, %b;")},
	{"red.shared.add.u32 together", "u32 u32", TOGETHER("u32", "7", "red.shared.add.u32 [%x], %a;")},
	{"atom.shared.{min,max}.s32 together", "s32 s32", TOGETHER("s32", "7", "atom.shared.$1.s32 %y, [%x], %a;")},
	{"red.shared.{and,or,xor}.b32 together", "b32 b32", TOGETHER("b32", "-1", "red.shared.$1.b32 [%x], %a;")},
	{"atom.shared.inc.u32 together", "u32 u32", TOGETHER("u32", "0", "atom.shared.inc.u32 %y, [%x], 50;")},
	{"red.shared.add.f32 together", "f32 f32", /* small whole numbers: exact in any order */
	 TOGETHER("f32", "0f00000000", "cvt.rn.f32.u32 %fx, %t; red.shared.add.f32 [%x], %fx;")},
	{"red.shared.add.u64 together", "u64 u64", TOGETHER("u64", "1", "red.shared.add.u64 [%x], %a;")},
};
const int rows_atomic_count = ROWS(rows_atomic);
