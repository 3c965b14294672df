/* The execution core of the PTX machine: lanes that part and meet, calls, barriers, exchange between lanes. */
#include "ptx_machine.h"

enum { THREADS = 96, BLOCKS = 3 };

/* ---- divergence ---- */

struct shape {
	const char *name, *text;
	uint32_t (*model)(uint32_t thread, uint32_t block);
};

static uint32_t nested(uint32_t thread, uint32_t block)
{
	(void)block;
	uint32_t x = 1;
	if (thread & 1) {
		x = thread & 2 ? 10 : thread & 4 ? 20 : 30;
		x += 1;
	} else if (thread & 8) {
		x = 40;
	}
	return x * 2;
}
static uint32_t trips(uint32_t thread, uint32_t block)
{
	uint32_t x = block;
	for (uint32_t i = 0; i < thread % 7; i++)
		for (uint32_t j = 0; j <= i; j++)
			x = 3 * x + j;
	return x;
}
static uint32_t leave(uint32_t thread, uint32_t block)
{
	(void)block;
	return thread % 3 == 0 ? 777 : thread + 5; /* 777: what the host wrote */
}
static uint32_t jumps(uint32_t thread, uint32_t block)
{
	(void)block;
	uint32_t x = 0;
	for (uint32_t i = 0; i < 20; i++) {
		if ((i + thread) % 3 == 0)
			continue;
		if (x > thread)
			break;
		x += i;
	}
	return x;
}
static uint32_t table(uint32_t thread, uint32_t block)
{
	(void)block;
	static const uint32_t value[4] = {100, 207, 7, 300};
	return value[thread & 3] + thread;
}
static uint32_t all_meet(uint32_t thread, uint32_t block)
{
	(void)thread;
	(void)block;
	return ~0u;
}

static const struct shape shapes[] = {
	{"nested", PTX_HEAD PTX_KERNEL("nested",
	 "mov.u32 %r10, 1;\n and.b32 %r4, %r1, 1;\n setp.eq.u32 %p1, %r4, 0;\n @%p1 bra EVEN;\n"
	 "and.b32 %r4, %r1, 2;\n setp.ne.u32 %p1, %r4, 0;\n @%p1 bra TEN;\n and.b32 %r4, %r1, 4;\n setp.ne.u32 %p1, %r4, 0;\n @%p1 bra TWENTY;\n"
	 "mov.u32 %r10, 30;\n bra.uni ODD;\nTEN: mov.u32 %r10, 10;\n bra.uni ODD;\nTWENTY: mov.u32 %r10, 20;\n"
	 "ODD: add.u32 %r10, %r10, 1;\n bra.uni END;\n"
	 "EVEN: and.b32 %r4, %r1, 8;\n setp.eq.u32 %p1, %r4, 0;\n @%p1 bra END;\n mov.u32 %r10, 40;\nEND: shl.b32 %r10, %r10, 1;"), nested},
	{"trips", PTX_HEAD PTX_KERNEL("trips",
	 "mov.u32 %r10, %r2;\n rem.u32 %r4, %r1, 7;\n mov.u32 %r5, 0;\n"
	 "OUTER: setp.ge.u32 %p1, %r5, %r4;\n @%p1 bra END;\n mov.u32 %r6, 0;\n"
	 "INNER: setp.gt.u32 %p2, %r6, %r5;\n @%p2 bra NEXT;\n mad.lo.u32 %r10, %r10, 3, %r6;\n add.u32 %r6, %r6, 1;\n bra INNER;\n"
	 "NEXT: add.u32 %r5, %r5, 1;\n bra.uni OUTER;\nEND:"), trips},
	{"leave", PTX_HEAD PTX_KERNEL("leave",
	 "rem.u32 %r4, %r1, 3;\n setp.eq.u32 %p1, %r4, 0;\n @%p1 exit;\n add.u32 %r10, %r1, 5;"), leave},
	{"leave_ret", PTX_HEAD PTX_KERNEL("leave_ret",
	 "rem.u32 %r4, %r1, 3;\n setp.ne.u32 %p1, %r4, 0;\n @!%p1 ret;\n add.u32 %r10, %r1, 5;"), leave},
	{"jumps", PTX_HEAD PTX_KERNEL("jumps",
	 "mov.u32 %r5, 0;\n"
	 "LOOP: setp.ge.u32 %p1, %r5, 20;\n @%p1 bra END;\n add.u32 %r4, %r5, %r1;\n rem.u32 %r4, %r4, 3;\n setp.eq.u32 %p2, %r4, 0;\n @%p2 bra NEXT;\n"
	 "setp.gt.u32 %p3, %r10, %r1;\n @%p3 bra END;\n add.u32 %r10, %r10, %r5;\nNEXT: add.u32 %r5, %r5, 1;\n bra LOOP;\nEND:"), jumps},
	{"table", PTX_HEAD PTX_KERNEL("table",
	 "TARGETS: .branchtargets A, B, C, D;\n and.b32 %r4, %r1, 3;\n brx.idx %r4, TARGETS;\n"
	 "A: mov.u32 %r10, 100;\n bra END;\nB: mov.u32 %r10, 200;\nC: add.u32 %r10, %r10, 7;\n bra END;\nD: mov.u32 %r10, 300;\nEND: add.u32 %r10, %r10, %r1;"), table},
	/* lanes that parted are together again after if/else, after loops of different length and after both kinds of leaving one */
	{"meet_if", PTX_HEAD PTX_KERNEL("meet_if",
	 "and.b32 %r4, %r1, 5;\n setp.eq.u32 %p1, %r4, 0;\n @%p1 bra A;\n add.u32 %r5, %r4, 1;\n bra B;\nA: add.u32 %r5, %r4, 2;\n"
	 "B: activemask.b32 %r10;"), all_meet},
	{"meet_loop", PTX_HEAD PTX_KERNEL("meet_loop",
	 "mov.u32 %r5, 0;\nA: add.u32 %r5, %r5, 1;\n setp.le.u32 %p1, %r5, %r1;\n @%p1 bra A;\n activemask.b32 %r10;"), all_meet},
	{"meet_break", PTX_HEAD PTX_KERNEL("meet_break",
	 "mov.u32 %r5, 0;\nA: add.u32 %r5, %r5, 1;\n setp.gt.u32 %p1, %r5, %r1;\n @%p1 bra B;\n setp.lt.u32 %p2, %r5, 17;\n @%p2 bra A;\n add.u32 %r6, %r5, 1;\n"
	 "B: activemask.b32 %r10;"), all_meet},
};

static void test_divergence(void)
{
	for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
		for (int unchecked = 0; unchecked < 2; unchecked++) {
			static uint32_t out[THREADS * BLOCKS];
			for (int i = 0; i < THREADS * BLOCKS; i++)
				out[i] = 777;
			struct machine machine = {.grid = {BLOCKS}, .block = {THREADS}, .unchecked = unchecked};
			machine_run(&machine, shapes[s].text, shapes[s].name, out, THREADS * BLOCKS);
			machine_clean(&machine, shapes[s].name);
			int wrong = 0;
			for (uint32_t i = 0; i < THREADS * BLOCKS && !wrong; i++)
				if (out[i] != shapes[s].model(i % THREADS, i / THREADS)) {
					fprintf(stderr, "%s: thread %u: %u, expected %u\n", shapes[s].name, i, out[i],
						shapes[s].model(i % THREADS, i / THREADS));
					wrong = 1;
				}
			CHECK(!wrong);
		}
}

/* ---- calls ---- */

static const char calls[] = PTX_HEAD
	".func (.param .b32 result) fib(.param .b32 n)\n{\n.reg .pred %p<2>;\n.reg .b32 %r<8>;\n"
	"ld.param.b32 %r1, [n];\n setp.lt.u32 %p1, %r1, 2;\n @%p1 bra SMALL;\n sub.u32 %r2, %r1, 1;\n"
	"{ .param .b32 a; .param .b32 b;\n st.param.b32 [a], %r2;\n call.uni (b), fib, (a);\n ld.param.b32 %r3, [b]; }\n sub.u32 %r2, %r1, 2;\n"
	"{ .param .b32 a; .param .b32 b;\n st.param.b32 [a], %r2;\n call.uni (b), fib, (a);\n ld.param.b32 %r4, [b]; }\n"
	"add.u32 %r1, %r3, %r4;\nSMALL: st.param.b32 [result], %r1;\n ret;\n}\n"
	".func (.param .b32 result) twice(.param .b32 n)\n{\n.reg .b32 %r<4>;\n ld.param.b32 %r1, [n];\n shl.b32 %r1, %r1, 1;\n st.param.b32 [result], %r1;\n ret;\n}\n"
	".func (.param .b32 result) plus100(.param .b32 n)\n{\n.reg .b32 %r<4>;\n ld.param.b32 %r1, [n];\n add.u32 %r1, %r1, 100;\n st.param.b32 [result], %r1;\n ret;\n}\n"
	".func (.param .b32 result) endless(.param .b32 n)\n{\n.reg .b32 %r<4>;\n ld.param.b32 %r1, [n];\n"
	"{ .param .b32 a; .param .b32 b;\n st.param.b32 [a], %r1;\n call.uni (b), endless, (a);\n ld.param.b32 %r1, [b]; }\n add.u32 %r1, %r1, 1;\n"
	"st.param.b32 [result], %r1;\n ret;\n}\n"
	PTX_KERNEL("recursion", "rem.u32 %r4, %r1, 12;\n { .param .b32 a; .param .b32 b;\n st.param.b32 [a], %r4;\n call.uni (b), fib, (a);\n ld.param.b32 %r10, [b]; }")
	PTX_KERNEL("parted",
		   "and.b32 %r4, %r1, 1;\n setp.ne.u32 %p1, %r4, 0;\n @%p1 bra ODD;\n"
		   "{ .param .b32 a; .param .b32 b;\n st.param.b32 [a], %r1;\n call (b), twice, (a);\n ld.param.b32 %r10, [b]; }\n bra END;\n"
		   "ODD: { .param .b32 a; .param .b32 b;\n st.param.b32 [a], %r1;\n call (b), plus100, (a);\n ld.param.b32 %r10, [b]; }\n"
		   "END: activemask.b32 %r5;\n setp.ne.s32 %p2, %r5, -1;\n @%p2 mov.u32 %r10, 0;")
	PTX_KERNEL("pointers",
		   "and.b32 %r4, %r1, 1;\n setp.ne.u32 %p1, %r4, 0;\n mov.u64 %rd3, twice;\n mov.u64 %rd4, plus100;\n selp.b64 %rd5, %rd4, %rd3, %p1;\n"
		   "P: .callprototype (.param .b32 _) _ (.param .b32 _);\n"
		   "{ .param .b32 a; .param .b32 b;\n st.param.b32 [a], %r1;\n call (b), %rd5, (a), P;\n ld.param.b32 %r10, [b]; }")
	PTX_KERNEL("nowhere",
		   "mov.u64 %rd5, 4096;\n P: .callprototype (.param .b32 _) _ (.param .b32 _);\n"
		   "{ .param .b32 a; .param .b32 b;\n st.param.b32 [a], %r1;\n call (b), %rd5, (a), P;\n ld.param.b32 %r10, [b]; }")
	PTX_KERNEL("overflow", "{ .param .b32 a; .param .b32 b;\n st.param.b32 [a], %r1;\n call (b), endless, (a);\n ld.param.b32 %r10, [b]; }");

static void test_calls(void)
{
	static const uint32_t fib[] = {0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89};
	for (int unchecked = 0; unchecked < 2; unchecked++) {
		uint32_t out[THREADS] = {0};
		struct machine machine = {.block = {THREADS}, .unchecked = unchecked};
		machine_run(&machine, calls, "recursion", out, THREADS);
		machine_clean(&machine, "recursion");
		for (uint32_t i = 0; i < THREADS; i++)
			CHECK_INT(out[i], fib[i % 12]);
		static const char *const both[] = {"parted", "pointers"};
		for (int k = 0; k < 2; k++) {
			machine_run(&machine, calls, both[k], out, THREADS);
			machine_clean(&machine, both[k]);
			for (uint32_t i = 0; i < THREADS; i++)
				CHECK_INT(out[i], i & 1 ? i + 100 : 2 * i);
		}
		machine_run(&machine, calls, "nowhere", out, THREADS);
		CHECK(machine_found(&machine, PTX_FIND_INVALID));
		machine_run(&machine, calls, "overflow", out, THREADS);
		CHECK(machine_found(&machine, PTX_FIND_BOUNDS));
		CHECK_INT(machine.result.device_code, 700);
	}
}

/* ---- waiting for others ---- */

/* out[0]: the lock, out[1]: what it protects, out[2...]: by thread. */
static const char locks[] = PTX_HEAD
	PTX_KERNEL("lock",
		   "TRY: atom.global.cas.b32 %r4, [%rd0], 0, 1;\n setp.ne.u32 %p1, %r4, 0;\n @%p1 bra TRY;\n membar.gl;\n"
		   "ld.volatile.global.u32 %r5, [%rd0+4];\n add.u32 %r5, %r5, 1;\n st.volatile.global.u32 [%rd0+4], %r5;\n membar.gl;\n"
		   "atom.global.exch.b32 %r4, [%rd0], 0;\n add.u64 %rd1, %rd1, 8;\n mov.u32 %r10, %r5;")
	/* every block waits for the one before it */
	PTX_KERNEL("chain",
		   "setp.eq.u32 %p2, %r2, 0;\n @%p2 bra GO;\n mul.wide.u32 %rd2, %r2, 4;\n add.s64 %rd2, %rd0, %rd2;\n"
		   "WAIT: ld.volatile.global.u32 %r4, [%rd2+-4];\n setp.eq.u32 %p1, %r4, 0;\n @%p1 bra WAIT;\n add.u32 %r10, %r4, %r2;\n bra STORE;\nGO: mov.u32 %r10, 1;\n"
		   "STORE: mul.wide.u32 %rd1, %r2, 4;\n add.s64 %rd1, %rd0, %rd1;\n membar.gl;")
	PTX_KERNEL("sleep",
		   "setp.ne.u32 %p1, %r2, 0;\n @%p1 bra SET;\nWAIT: nanosleep.u32 100;\n ld.volatile.global.u32 %r4, [%rd0+4];\n setp.eq.u32 %p2, %r4, 0;\n @%p2 bra WAIT;\n"
		   "mov.u32 %r10, 5;\n bra END;\nSET: mov.u32 %r10, 9;\nEND:");

static void test_waiting(void)
{
	enum { LOCKERS = 2 * 64, CHAIN = 50 };
	for (int threads = 1; threads <= 2; threads++) {
		uint32_t out[LOCKERS + 2] = {0}, links[CHAIN] = {0}, flags[2] = {0};
		struct machine machine = {.grid = {2}, .block = {64}, .threads = threads, .seed = 5};
		machine_run(&machine, locks, "lock", out, LOCKERS + 2);
		machine_clean(&machine, "lock");
		CHECK_INT(out[0], 0);
		CHECK_INT(out[1], LOCKERS);
		unsigned char seen[LOCKERS + 1] = {0};
		for (int i = 0; i < LOCKERS; i++)
			if (out[2 + i] >= 1 && out[2 + i] <= LOCKERS)
				seen[out[2 + i]]++;
		for (int i = 1; i <= LOCKERS; i++)
			CHECK_INT(seen[i], 1);
		machine = (struct machine){.grid = {CHAIN}, .block = {1}, .threads = threads, .seed = 77, .unchecked = 1};
		machine_run(&machine, locks, "chain", links, CHAIN);
		machine_clean(&machine, "chain");
		for (uint32_t i = 0, sum = 1; i < CHAIN; i++, sum += i)
			CHECK_INT(links[i], sum);
		machine = (struct machine){.grid = {2}, .block = {1}, .threads = threads};
		machine_run(&machine, locks, "sleep", flags, 2);
		machine_clean(&machine, "sleep");
		CHECK_INT(flags[0], 5);
	}
}

/* ---- barriers ---- */

static const char barriers[] = PTX_HEAD ".shared .align 4 .b8 tile[4096];\n"
	/* each thread reads what its mirror image wrote */
	PTX_KERNEL("mirror",
		   "mov.u32 %r4, tile;\n shl.b32 %r5, %r1, 2;\n add.u32 %r5, %r5, %r4;\n st.shared.u32 [%r5], %r0;\n bar.sync 0;\n sub.u32 %r6, %r3, %r1;\n sub.u32 %r6, %r6, 1;\n"
		   "shl.b32 %r6, %r6, 2;\n add.u32 %r6, %r6, %r4;\n ld.shared.u32 %r10, [%r6];")
	PTX_KERNEL("barrier_register",
		   "mov.u32 %r4, tile;\n shl.b32 %r5, %r1, 2;\n add.u32 %r5, %r5, %r4;\n st.shared.u32 [%r5], %r0;\n mov.u32 %r7, 3;\n barrier.cta.sync %r7, %r3;\n sub.u32 %r6, %r3, %r1;\n"
		   "sub.u32 %r6, %r6, 1;\n shl.b32 %r6, %r6, 2;\n add.u32 %r6, %r6, %r4;\n ld.shared.u32 %r10, [%r6];")
	/* warps that have ended are not waited for */
	PTX_KERNEL("ended", "setp.lt.u32 %p1, %r1, 40;\n @%p1 exit;\n bar.sync 0;\n mov.u32 %r10, 6;")
	/* warp 0 produces for warp 1, again and again */
	PTX_KERNEL("producer",
		   "mov.u32 %r4, tile;\n and.b32 %r5, %r1, 31;\n shl.b32 %r5, %r5, 2;\n add.u32 %r5, %r5, %r4;\n mov.u32 %r6, 0;\n setp.ge.u32 %p1, %r1, 32;\n @%p1 bra CONSUME;\n"
		   "MAKE: bar.sync 2, 64;\n add.u32 %r7, %r6, %r1;\n st.shared.u32 [%r5], %r7;\n bar.arrive 1, 64;\n add.u32 %r6, %r6, 1;\n setp.lt.u32 %p2, %r6, 10;\n @%p2 bra MAKE;\n bra END;\n"
		   "CONSUME: bar.arrive 2, 64;\n TAKE: bar.sync 1, 64;\n ld.shared.u32 %r7, [%r5];\n add.u32 %r10, %r10, %r7;\n add.u32 %r6, %r6, 1;\n setp.ge.u32 %p2, %r6, 10;\n @%p2 bra END;\n"
		   "bar.arrive 2, 64;\n bra TAKE;\nEND:")
	PTX_KERNEL("reduce",
		   "setp.lt.u32 %p1, %r1, 40;\n bar.red.popc.u32 %r10, 0, %p1;\n bar.red.and.pred %p2, 1, %p1;\n bar.red.or.pred %p3, 2, %p1;\n bar.red.and.pred %p4, 3, !%p1;\n"
		   "setp.lt.u32 %p6, %r1, 1000;\n bar.red.and.pred %p5, 4, %r3, %p6;\n"
		   "@%p2 add.u32 %r10, %r10, 1000;\n @%p3 add.u32 %r10, %r10, 2000;\n @%p4 add.u32 %r10, %r10, 4000;\n @%p5 add.u32 %r10, %r10, 8000;")
	/* not aligned: halves of a warp come from different places */
	PTX_KERNEL("halves",
		   "mov.u32 %r4, tile;\n shl.b32 %r5, %r1, 2;\n add.u32 %r5, %r5, %r4;\n st.shared.u32 [%r5], %r0;\n and.b32 %r6, %r1, 16;\n setp.eq.u32 %p1, %r6, 0;\n @%p1 bra A;\n"
		   "barrier.sync 0;\n bra B;\nA: barrier.sync 0;\nB: sub.u32 %r6, %r3, %r1;\n sub.u32 %r6, %r6, 1;\n shl.b32 %r6, %r6, 2;\n add.u32 %r6, %r6, %r4;\n ld.shared.u32 %r10, [%r6];")
	PTX_KERNEL("cluster",
		   "mov.u32 %r4, tile;\n shl.b32 %r5, %r1, 2;\n add.u32 %r5, %r5, %r4;\n st.shared.u32 [%r5], %r0;\n barrier.cluster.arrive.aligned;\n barrier.cluster.wait.aligned;\n"
		   "sub.u32 %r6, %r3, %r1;\n sub.u32 %r6, %r6, 1;\n shl.b32 %r6, %r6, 2;\n add.u32 %r6, %r6, %r4;\n ld.shared.u32 %r10, [%r6];")
	/* one mask, two places */
	PTX_KERNEL("warp_sync",
		   "and.b32 %r6, %r1, 16;\n setp.eq.u32 %p1, %r6, 0;\n @%p1 bra A;\n bar.warp.sync 0xffffffff;\n add.u32 %r10, %r10, 1;\n bra B;\n"
		   "A: bar.warp.sync 0xffffffff;\n add.u32 %r10, %r10, 2;\nB: bar.warp.sync 0xffffffff;\n activemask.b32 %r5;\n setp.eq.s32 %p2, %r5, -1;\n @%p2 add.u32 %r10, %r10, 8;")
	PTX_KERNEL("deadlock", "setp.lt.u32 %p1, %r1, 32;\n @%p1 bra A;\n bar.sync 1;\n bra B;\nA: bar.sync 2;\nB:")
	PTX_KERNEL("part", "and.b32 %r6, %r1, 16;\n setp.eq.u32 %p1, %r6, 0;\n @%p1 bra A;\n bar.sync 0;\n mov.u32 %r10, 1;\n bra B;\nA: bar.sync 0;\n mov.u32 %r10, 2;\nB:")
	PTX_KERNEL("guarded", "and.b32 %r6, %r1, 16;\n setp.eq.u32 %p1, %r6, 0;\n @%p1 bar.sync 0;\n bar.sync 0;")
	PTX_KERNEL("never", "setp.lt.u32 %p1, %r1, 5;\n @%p1 bra A;\n bar.warp.sync 0xffffffff;\n bra B;\nA: barrier.sync 0;\nB:")
	PTX_KERNEL("seventeen", "mov.u32 %r4, 16;\n bar.sync %r4;")
	PTX_KERNEL("odd_count", "bar.sync 1, 33;")
	/* one lane loops longer than a slice while the others wait at an aligned barrier: no finding */
	PTX_KERNEL("late", "setp.ne.u32 %p1, %r1, 3;\n @%p1 bra END;\n mov.u32 %r4, 0;\nA: add.u32 %r4, %r4, 1;\n setp.lt.u32 %p2, %r4, 100000;\n @%p2 bra A;\nEND: bar.sync 0;\n activemask.b32 %r10;");

static void test_barriers(void)
{
	static const char *const mirrors[] = {"mirror", "barrier_register", "halves", "cluster"};
	for (int unchecked = 0; unchecked < 2; unchecked++) {
		uint32_t out[THREADS] = {0};
		struct machine machine = {.block = {THREADS}, .unchecked = unchecked};
		for (int k = 0; k < 4; k++) {
			memset(out, 0, sizeof out);
			machine_run(&machine, barriers, mirrors[k], out, THREADS);
			machine_clean(&machine, mirrors[k]);
			for (uint32_t i = 0; i < THREADS; i++)
				CHECK_INT(out[i], THREADS - 1 - i);
		}
		memset(out, 0, sizeof out);
		machine_run(&machine, barriers, "ended", out, THREADS);
		machine_clean(&machine, "ended");
		for (uint32_t i = 0; i < THREADS; i++)
			CHECK_INT(out[i], i < 40 ? 0 : 6);
		machine_run(&machine, barriers, "reduce", out, THREADS);
		machine_clean(&machine, "reduce");
		for (uint32_t i = 0; i < THREADS; i++)
			CHECK_INT(out[i], 40 + 2000 + 8000);
		machine_run(&machine, barriers, "late", out, THREADS);
		machine_clean(&machine, "late");
		CHECK_INT(out[3], 0xffffffffu);

		machine_run(&machine, barriers, "deadlock", out, THREADS);
		CHECK(machine_found(&machine, PTX_FIND_DEADLOCK));
		CHECK_INT(machine.result.device_code, 702);
		CHECK(machine.result.finding_count && strstr(machine.result.findings[machine.result.finding_count - 1].text, "barrier 2: warps 0x1 wait, 0x6 do not"));
		memset(out, 0, sizeof out);
		machine_run(&machine, barriers, "part", out, THREADS);
		CHECK(machine_found(&machine, PTX_FIND_DIVERGENT_BARRIER));
		CHECK_INT(machine.result.device_code, 0); /* noted, and gone on with as hardware does */
		for (uint32_t i = 0; i < THREADS; i++)
			CHECK_INT(out[i], i & 16 ? 1 : 2);
		machine_run(&machine, barriers, "guarded", out, THREADS);
		CHECK(machine_found(&machine, PTX_FIND_DIVERGENT_BARRIER));
		machine_run(&machine, barriers, "never", out, THREADS);
		CHECK(machine_found(&machine, PTX_FIND_DIVERGENT_BARRIER));
		CHECK(machine_found(&machine, PTX_FIND_DEADLOCK));
		machine_run(&machine, barriers, "seventeen", out, THREADS);
		CHECK(machine_found(&machine, PTX_FIND_INVALID));
		machine_run(&machine, barriers, "odd_count", out, THREADS);
		CHECK(machine_found(&machine, PTX_FIND_INVALID));

		machine.block[0] = 64;
		machine_run(&machine, barriers, "producer", out, THREADS);
		machine_clean(&machine, "producer");
		for (uint32_t i = 32; i < 64; i++)
			CHECK_INT(out[i], 45 + 10 * (i - 32));
		machine_run(&machine, barriers, "warp_sync", out, THREADS);
		machine_clean(&machine, "warp_sync");
		for (uint32_t i = 0; i < 64; i++)
			CHECK_INT(out[i], i & 16 ? 9 : 10);
	}
}

/* ---- exchange ---- */

/* in: a, b, c by thread; out: value and predicate by thread. */
#define SHFL_KERNEL(mode)                                                                                               \
	".visible .entry shfl_" mode "(.param .u64 out, .param .u64 in)\n{\n.reg .pred %p<4>;\n.reg .b32 %r<16>;\n.reg .b64 %rd<8>;\n" \
	"ld.param.u64 %rd1, [out];\n ld.param.u64 %rd2, [in];\n mov.u32 %r1, %tid.x;\n mul.wide.u32 %rd3, %r1, 12;\n add.s64 %rd2, %rd2, %rd3;\n" \
	"ld.global.u32 %r2, [%rd2];\n ld.global.u32 %r3, [%rd2+4];\n ld.global.u32 %r4, [%rd2+8];\n"                    \
	"shfl.sync." mode ".b32 %r5|%p1, %r2, %r3, %r4, 0xffffffff;\n selp.u32 %r6, 1, 0, %p1;\n mul.wide.u32 %rd3, %r1, 8;\n add.s64 %rd1, %rd1, %rd3;\n" \
	"st.global.v2.u32 [%rd1], {%r5, %r6};\n ret;\n}\n"

static const char shuffles[] = PTX_HEAD SHFL_KERNEL("up") SHFL_KERNEL("down") SHFL_KERNEL("bfly") SHFL_KERNEL("idx");

static void test_shuffles(void)
{
	static const char *const modes[] = {"shfl_up", "shfl_down", "shfl_bfly", "shfl_idx"};
	uint32_t random = 12345;
	for (int mode = 0; mode < 4; mode++)
		for (int round = 0; round < 8; round++) {
			uint32_t in[32][3], out[32][2];
			for (int lane = 0; lane < 32; lane++)
				for (int k = 0; k < 3; k++) {
					random = 1664525 * random + 1013904223;
					in[lane][k] = k == 0 ? random : k == 1 ? random >> 20 : round < 4 ? (random >> 8 & 0x1f1f) : (mode == 0 ? 0 : 31) | (32u - (1u << (round - 3))) << 8;
				}
			uint64_t to = (uint64_t)(uintptr_t)out, from = (uint64_t)(uintptr_t)in;
			void *arguments[] = {&to, &from};
			const struct machine_buffer buffers[] = {{out, sizeof out, DEVICE_MEMORY_OUTPUT}, {in, sizeof in, DEVICE_MEMORY_INPUT}};
			struct machine machine = {.block = {32}};
			machine_launch(&machine, shuffles, modes[mode], buffers, 2, arguments);
			machine_clean(&machine, modes[mode]);
			for (int lane = 0; lane < 32; lane++) { /* manual 9.7.9.6 */
				const int b = (int)(in[lane][1] & 31), c = (int)(in[lane][2] & 31), segment = (int)(in[lane][2] >> 8 & 31);
				const int max = (lane & segment) | (c & ~segment), min = lane & segment;
				int j, p;
				if (mode == 0) {
					j = lane - b;
					p = j >= max;
				} else {
					j = mode == 1 ? lane + b : mode == 2 ? lane ^ b : min | (b & ~segment);
					p = j <= max;
				}
				if (!p)
					j = lane;
				CHECK_INT(out[lane][0], in[j][0]);
				CHECK_INT(out[lane][1], p);
			}
		}
}

static const char exchange[] = PTX_HEAD
	PTX_KERNEL("ballot", "and.b32 %r4, %r1, 5;\n setp.eq.u32 %p1, %r4, 0;\n vote.sync.ballot.b32 %r10, %p1, 0xffffffff;")
	PTX_KERNEL("votes",
		   "setp.lt.u32 %p1, %r1, 40;\n vote.sync.all.pred %p2, %p1, -1;\n vote.sync.any.pred %p3, %p1, -1;\n vote.sync.uni.pred %p4, %p1, -1;\n vote.sync.any.pred %p5, !%p1, -1;\n"
		   "@%p2 add.u32 %r10, %r10, 1;\n @%p3 add.u32 %r10, %r10, 2;\n @%p4 add.u32 %r10, %r10, 4;\n @%p5 add.u32 %r10, %r10, 8;")
	/* each half names itself only, by a register */
	PTX_KERNEL("halves", "and.b32 %r4, %r1, 16;\n shl.b32 %r5, 0xffff, %r4;\n and.b32 %r6, %r1, 1;\n setp.eq.u32 %p1, %r6, 0;\n vote.sync.ballot.b32 %r10, %p1, %r5;")
	PTX_KERNEL("match_any", "rem.u32 %r4, %r1, 5;\n match.any.sync.b32 %r10, %r4, 0xffffffff;")
	PTX_KERNEL("match_all", "shr.u32 %r4, %r1, 5;\n cvt.u64.u32 %rd4, %r4;\n match.all.sync.b64 %r10|%p1, %rd4, 0xffffffff;\n @%p1 add.u32 %r10, %r10, 2;")
	PTX_KERNEL("redux", "sub.u32 %r4, %r1, 20;\n redux.sync.add.s32 %r5, %r4, -1;\n redux.sync.min.s32 %r6, %r4, -1;\n redux.sync.max.u32 %r7, %r4, -1;\n redux.sync.xor.b32 %r8, %r4, -1;\n"
			    "mad.lo.u32 %r10, %r5, 3, %r6;\n mad.lo.u32 %r10, %r10, 5, %r7;\n mad.lo.u32 %r10, %r10, 7, %r8;")
	PTX_KERNEL("elect", "elect.sync %r4|%p1, 0xffffffff;\n @%p1 mov.u32 %r10, 1;")
	/* lanes come to the shuffle one after the other */
	PTX_KERNEL("late", "mov.u32 %r4, 0;\nA: add.u32 %r4, %r4, 1;\n setp.le.u32 %p1, %r4, %r1;\n @%p1 bra A;\n shfl.sync.bfly.b32 %r10, %r4, 1, 31, 0xffffffff;")
	/* one half has left: the named lanes that live are enough */
	PTX_KERNEL("left", "and.b32 %r4, %r1, 16;\n setp.eq.u32 %p1, %r4, 0;\n @%p1 exit;\n shfl.sync.idx.b32 %r10, %r1, 20, 31, 0xffffffff;")
	PTX_KERNEL("alone", "setp.lt.u32 %p1, %r1, 16;\n @%p1 bra A;\n bar.sync 0;\n bra B;\nA: shfl.sync.idx.b32 %r10, %r1, 20, 31, 0xffffffff;\nB:")
	PTX_KERNEL("two_places", "setp.lt.u32 %p1, %r1, 16;\n @%p1 bra A;\n shfl.sync.idx.b32 %r10, %r1, 20, 31, 0xffffffff;\n bra B;\nA: shfl.sync.idx.b32 %r10, %r1, 3, 31, 0xffffffff;\nB:")
	PTX_KERNEL("constants",
		   "shfl.sync.up.b32 %r4|%p1, %r1, 3, 0, -1;\n shfl.sync.down.b32 %r5|%p2, %r1, 5, 0x101f, -1;\n shfl.sync.bfly.b32 %r6, %r1, 9, 31, -1;\n shfl.sync.idx.b32 %r7, %r1, 2, 0x181f, -1;\n"
		   "mad.lo.u32 %r10, %r4, 64, %r5;\n mad.lo.u32 %r10, %r10, 64, %r6;\n mad.lo.u32 %r10, %r10, 64, %r7;\n @%p1 add.u32 %r10, %r10, 0x1000000;\n @%p2 add.u32 %r10, %r10, 0x2000000;")
	PTX_KERNEL("special",
		   "mov.u32 %r4, %laneid;\n mov.u32 %r5, %lanemask_lt;\n popc.b32 %r5, %r5;\n setp.ne.u32 %p1, %r4, %r5;\n mov.u32 %r6, %lanemask_ge;\n popc.b32 %r6, %r6;\n add.u32 %r6, %r6, %r4;\n"
		   "setp.ne.u32 %p2, %r6, WARP_SZ;\n mov.u32 %r7, %warpid;\n mad.lo.u32 %r10, %r7, 32, %r4;\n mov.u64 %rd3, %clock64;\n mov.u64 %rd4, %globaltimer;\n mov.u64 %rd5, %clock64;\n"
		   "setp.lt.u64 %p3, %rd5, %rd3;\n @%p1 mov.u32 %r10, 1000;\n @%p2 mov.u32 %r10, 2000;\n @%p3 mov.u32 %r10, 3000;\n mov.u32 %r8, %nctaid.x;\n mad.lo.u32 %r10, %r8, 100, %r10;");

static void test_exchange(void)
{
	for (int unchecked = 0; unchecked < 2; unchecked++) {
		uint32_t out[64] = {0};
		struct machine machine = {.block = {64}, .unchecked = unchecked};
		machine_run(&machine, exchange, "ballot", out, 64);
		machine_clean(&machine, "ballot");
		uint32_t expected = 0;
		for (uint32_t lane = 0; lane < 32; lane++)
			expected |= (uint32_t)((lane & 5) == 0) << lane;
		CHECK_INT(out[40], expected);
		machine_run(&machine, exchange, "votes", out, 64);
		machine_clean(&machine, "votes");
		CHECK_INT(out[0], 1 + 2 + 4);
		CHECK_INT(out[63], 2 + 8);
		machine_run(&machine, exchange, "halves", out, 64);
		machine_clean(&machine, "halves");
		CHECK_INT(out[3], 0x5555);
		CHECK_INT(out[60], 0x55550000);
		machine_run(&machine, exchange, "match_any", out, 64);
		machine_clean(&machine, "match_any");
		expected = 0;
		for (uint32_t lane = 0; lane < 32; lane++)
			expected |= (uint32_t)(lane % 5 == 7 % 5) << lane;
		CHECK_INT(out[7], expected);
		machine_run(&machine, exchange, "match_all", out, 64);
		machine_clean(&machine, "match_all");
		CHECK_INT(out[7], 0xffffffffu + 2);
		machine_run(&machine, exchange, "redux", out, 64);
		machine_clean(&machine, "redux");
		uint32_t sum = 0, high = 0, parity = 0;
		int32_t low = 100;
		for (uint32_t lane = 0; lane < 32; lane++) {
			sum += lane - 20;
			high = lane - 20 > high ? lane - 20 : high;
			low = (int32_t)(lane - 20) < low ? (int32_t)(lane - 20) : low;
			parity ^= lane - 20;
		}
		CHECK_INT(out[9], ((sum * 3 + (uint32_t)low) * 5 + high) * 7 + parity);
		machine_run(&machine, exchange, "elect", out, 64);
		machine_clean(&machine, "elect");
		for (int i = 0; i < 64; i++)
			CHECK_INT(out[i], i % 32 == 0);
		machine_run(&machine, exchange, "late", out, 64);
		machine_clean(&machine, "late");
		for (uint32_t i = 0; i < 64; i++)
			CHECK_INT(out[i], (i ^ 1) + 1);
		machine_run(&machine, exchange, "left", out, 64);
		machine_clean(&machine, "left");
		CHECK_INT(out[17], 20);
		CHECK_INT(out[49], 52);
		machine.block[0] = 32;
		machine_run(&machine, exchange, "two_places", out, 64);
		CHECK(machine_found(&machine, PTX_FIND_DIVERGENT_BARRIER));
		CHECK_INT(machine.result.device_code, 0);
		CHECK_INT(out[2], 3);
		CHECK_INT(out[31], 20);
		machine_run(&machine, exchange, "constants", out, 64);
		machine_clean(&machine, "constants");
		for (uint32_t lane = 0; lane < 32; lane++) {
			const uint32_t up = lane >= 3 ? lane - 3 : lane, inside = lane + 5 <= (lane | 15), down = inside ? lane + 5 : lane;
			CHECK_INT(out[lane], (((up * 64 + down) * 64 + (lane ^ 9)) * 64 + ((lane & 24) | 2)) + (lane >= 3) * 0x1000000 + inside * 0x2000000);
		}
		machine.block[0] = 64;
		machine_run(&machine, exchange, "special", out, 64);
		machine_clean(&machine, "special");
		for (uint32_t i = 0; i < 64; i++)
			CHECK_INT(out[i], 100 + i);
		machine.block[0] = 32;
		machine_run(&machine, exchange, "alone", out, 64);
		CHECK(machine_found(&machine, PTX_FIND_DIVERGENT_BARRIER));
		CHECK(machine_found(&machine, PTX_FIND_DEADLOCK));
	}
}

int main(void)
{
	test_divergence();
	test_calls();
	test_waiting();
	test_barriers();
	test_shuffles();
	test_exchange();
	return check_result();
}
