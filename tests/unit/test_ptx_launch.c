/* Launches of the PTX machine: configuration, parameters, blocks and their order, what stops them, and what the driver gives
 * device code. */
#include "ptx_machine.h"

/* ---- parameters ---- */

static const char parameters[] = PTX_HEAD
	".visible .entry odd(.param .u8 a, .param .u16 b, .param .u64 out, .param .f32 c, .param .align 16 .b8 d[20], .param .u8 e, .param .f64 f)\n{\n"
	".reg .b16 %h<4>;\n.reg .b32 %r<16>;\n.reg .f32 %f<2>;\n.reg .f64 %d<2>;\n.reg .b64 %rd<4>;\n"
	"ld.param.u64 %rd1, [out];\n ld.param.u8 %r1, [a];\n st.global.u32 [%rd1], %r1;\n ld.param.u16 %r2, [b];\n st.global.u32 [%rd1+4], %r2;\n"
	"ld.param.f32 %f1, [c];\n st.global.f32 [%rd1+8], %f1;\n ld.param.u32 %r3, [d+16];\n st.global.u32 [%rd1+12], %r3;\n"
	"ld.param.v4.u32 {%r4, %r5, %r6, %r7}, [d];\n st.global.u32 [%rd1+16], %r7;\n ld.param.u8 %r8, [e];\n st.global.u32 [%rd1+20], %r8;\n"
	"ld.param.f64 %d1, [f];\n st.global.f64 [%rd1+24], %d1;\n mov.u64 %rd2, d;\n cvta.param.u64 %rd2, %rd2;\n ld.u32 %r9, [%rd2+4];\n st.global.u32 [%rd1+32], %r9;\n ret;\n}\n";

static void test_parameters(void)
{
	union { uint32_t word[10]; float real[10]; double wide[5]; } out = {{0}};
	uint8_t a = 200, e = 7;
	uint16_t b = 60000;
	uint64_t to = (uint64_t)(uintptr_t)&out;
	float c = 1.5f;
	uint32_t d[5] = {11, 22, 33, 44, 55};
	double f = -2.25;
	void *arguments[] = {&a, &b, &to, &c, d, &e, &f};
	struct machine machine = {0};
	machine_launch(&machine, parameters, "odd", &(struct machine_buffer){&out, sizeof out, DEVICE_MEMORY_OUTPUT}, 1, arguments);
	machine_clean(&machine, "odd");
	CHECK_INT(out.word[0], 200);
	CHECK_INT(out.word[1], 60000);
	CHECK_NEAR(out.real[2], 1.5, 0);
	CHECK_INT(out.word[3], 55);
	CHECK_INT(out.word[4], 44);
	CHECK_INT(out.word[5], 7);
	CHECK_NEAR(out.wide[3], -2.25, 0);
	CHECK_INT(out.word[8], 22);
}

/* ---- blocks ---- */

static const char blocks[] = PTX_HEAD
	".visible .entry count(.param .u64 out)\n{\n.reg .b32 %r<16>;\n.reg .b64 %rd<4>;\n"
	"ld.param.u64 %rd1, [out];\n mov.u32 %r1, %ctaid.x;\n mov.u32 %r2, %ctaid.y;\n mov.u32 %r3, %ctaid.z;\n mov.u32 %r4, %nctaid.x;\n mov.u32 %r5, %nctaid.y;\n"
	"mad.lo.u32 %r6, %r3, %r5, %r2;\n mad.lo.u32 %r6, %r6, %r4, %r1;\n"
	"mul.wide.u32 %rd2, %r6, 8;\n add.s64 %rd1, %rd1, %rd2;\n atom.global.add.u32 %r7, [%rd1], 1;\n mov.u32 %r8, %tid.z;\n mov.u32 %r9, %ntid.y;\n mov.u32 %r10, %tid.y;\n"
	"mad.lo.u32 %r8, %r8, %r9, %r10;\n mov.u32 %r9, %ntid.x;\n mov.u32 %r10, %tid.x;\n mad.lo.u32 %r8, %r8, %r9, %r10;\n red.global.add.u32 [%rd1+4], %r8;\n ret;\n}\n";

static void test_blocks(void)
{
	enum { COUNT = 7 * 5 * 3, THREADS = 5 * 3 * 4 };
	for (uint64_t seed = 0; seed < 4; seed++)
		for (int threads = 1; threads <= 3; threads++) {
			uint32_t out[COUNT][2] = {{0}};
			struct machine machine = {.grid = {7, 5, 3}, .block = {5, 3, 4}, .seed = seed, .threads = threads};
			machine_run(&machine, blocks, "count", out[0], 2 * COUNT);
			machine_clean(&machine, "count");
			for (int i = 0; i < COUNT; i++) {
				CHECK_INT(out[i][0], THREADS);
				CHECK_INT(out[i][1], THREADS * (THREADS - 1) / 2);
			}
			CHECK_INT(machine.result.counts.blocks, COUNT);
			CHECK_INT(machine.result.counts.warps, 2 * COUNT);
			CHECK_INT(machine.result.counts.lane_instructions[PTX_CLASS_ATOMIC], 2 * THREADS * COUNT);
			CHECK_INT(machine.result.counts.warp_instructions[PTX_CLASS_ATOMIC], 2 * 2 * COUNT);
		}
}

/* The order in which blocks of one thread run, by a ticket. */
static const char order[] = PTX_HEAD
	PTX_KERNEL("ticket", "add.s64 %rd1, %rd1, 4;\n atom.global.add.u32 %r10, [%rd0], 1;");

static void test_order(void)
{
	enum { COUNT = 1000 };
	uint32_t out[3][COUNT + 1];
	for (int run = 0; run < 3; run++) {
		memset(out[run], 0, sizeof out[run]);
		struct machine machine = {.grid = {COUNT}, .block = {1}, .seed = run == 2 ? 0 : 99, .threads = 1, .unchecked = 1};
		machine_run(&machine, order, "ticket", out[run], COUNT + 1);
		machine_clean(&machine, "ticket");
	}
	CHECK(memcmp(out[0], out[1], sizeof out[0]) == 0); /* the same seed, the same order */
	uint32_t moved = 0;
	for (uint32_t i = 0; i < COUNT; i++) {
		CHECK_INT(out[2][i + 1], i); /* seed 0: in order */
		moved += out[0][i + 1] != i;
	}
	CHECK(moved > COUNT * 9 / 10);
}

/* ---- configurations that a driver refuses ---- */

static const char limits[] = PTX_HEAD
	".visible .entry small() .maxntid 64, 1, 1\n{\nret;\n}\n.visible .entry exact() .reqntid 32, 2, 1\n{\nret;\n}\n.visible .entry plain()\n{\nret;\n}\n"
	".visible .entry clusters() .reqnctapercluster 2, 1, 1\n{\nret;\n}\n"
	".visible .entry full()\n{\n.shared .align 4 .b8 a[40000];\n.reg .b32 %r<2>;\nmov.u32 %r1, a;\nst.shared.u32 [%r1], %r1;\nret;\n}\n";

static void refused(const char *kernel, struct machine machine, int code)
{
	machine_launch(&machine, limits, kernel, NULL, 0, NULL);
	CHECK_INT(machine.status, code ? -1 : 0);
	CHECK_INT(machine.err.device_code, code);
	if (code)
		CHECK_INT(machine.err.kind, ERROR_DEVICE);
}

static void test_limits(void)
{
	refused("plain", (struct machine){.block = {1024}}, 0);
	refused("plain", (struct machine){.block = {1025}}, 1);
	refused("plain", (struct machine){.block = {32, 33}}, 1);
	refused("plain", (struct machine){.block = {1, 1, 65}}, 1);
	refused("plain", (struct machine){.grid = {1, 65536}}, 1);
	refused("plain", (struct machine){.grid = {1, 1, 65536}}, 1);
	refused("plain", (struct machine){.grid = {0x80000000u}}, 1);
	refused("plain", (struct machine){.dynamic_shared = 227 << 10}, 0);
	refused("plain", (struct machine){.dynamic_shared = (227 << 10) + 1}, 1);
	refused("full", (struct machine){.dynamic_shared = (227 << 10) - 40000}, 0);
	refused("full", (struct machine){.dynamic_shared = (227 << 10) - 39999}, 1);
	refused("small", (struct machine){.block = {64}}, 0);
	refused("small", (struct machine){.block = {65}}, 701);
	refused("exact", (struct machine){.block = {32, 2}}, 0);
	refused("exact", (struct machine){.block = {64}}, 1);
	struct machine machine = {0};
	machine_launch(&machine, limits, "clusters", NULL, 0, NULL);
	CHECK_INT(machine.err.kind, ERROR_UNSUPPORTED);
	machine_launch(&machine, limits, "missing", NULL, 0, NULL);
	CHECK_INT(machine.err.kind, ERROR_INPUT);
	CHECK_INT(machine.err.device_code, 500);
}

/* ---- what stops a launch, and what is only told ---- */

static const char faults[] = PTX_HEAD
	PTX_KERNEL("endless", "A: add.u32 %r10, %r10, 1;\n bra A;")
	PTX_KERNEL("endless_half", "setp.lt.u32 %p1, %r1, 16;\n @%p1 bra B;\nA: add.u32 %r10, %r10, 1;\n bra A;\nB:")
	PTX_KERNEL("trapped", "setp.eq.u32 %p1, %r1, 37;\n @%p1 trap;")
	PTX_KERNEL("undefined_branch", "setp.eq.u32 %p1, %r20, 3;\n @%p1 bra A;\n st.global.u32 [%rd1], %r1;\nA:")
	PTX_KERNEL("undefined_loop", "A: add.u32 %r10, %r10, 1;\n setp.eq.u32 %p1, %r20, 3;\n @%p1 bra A;")
	/* decides a value only, which is not used by the lanes in question, then is, then decides a store */
	PTX_KERNEL("undefined_choice",
		   "setp.lt.u32 %p2, %r1, 7;\n @%p2 mov.u32 %r20, 3;\n setp.eq.u32 %p1, %r20, 3;\n mov.u32 %r21, 5;\n @%p1 bra A;\n setp.gt.u32 %p3, %r20, 9;\n @%p3 bra A;\n mov.u32 %r21, 6;\n"
		   "A: add.u32 %r21, %r21, 1;\n @%p2 add.u32 %r10, %r10, %r21;")
	PTX_KERNEL("undefined_use",
		   "setp.lt.u32 %p2, %r1, 7;\n @%p2 mov.u32 %r20, 3;\n setp.eq.u32 %p1, %r20, 3;\n mov.u32 %r21, 5;\n @%p1 bra A;\n mov.u32 %r21, 6;\nA: setp.eq.u32 %p4, %r21, 5;\n"
		   "@%p4 bra B;\n st.global.u32 [%rd1], %r1;\nB:")
	PTX_KERNEL("undefined_unused", "add.u32 %r21, %r20, 3;\n setp.lt.u32 %p1, %r1, 1000;\n @%p1 bra A;\n mov.u32 %r10, %r21;\nA:")
	PTX_KERNEL("undefined_guard", "setp.eq.u32 %p1, %r20, 3;\n @%p1 mov.u32 %r21, 4;\n setp.eq.u32 %p2, %r21, 4;\n @%p2 bra A;\n bar.warp.sync -1;\nA:");

static void test_faults(void)
{
	enum { THREADS = 64 };
	uint32_t out[THREADS] = {0};
	for (int k = 0; k < 2; k++) {
		struct machine machine = {.block = {THREADS}, .budget = 200000};
		machine_run(&machine, faults, k ? "endless_half" : "endless", out, THREADS);
		CHECK(machine_found(&machine, PTX_FIND_BUDGET));
		CHECK_INT(machine.result.device_code, 702);
	}
	struct machine machine = {.block = {THREADS}};
	machine_run(&machine, faults, "trapped", out, THREADS);
	CHECK(machine_found(&machine, PTX_FIND_TRAP));
	CHECK_INT(machine.result.device_code, 719);
	CHECK_INT(machine.result.findings[0].thread[0], 37);
	CHECK_TEXT(machine.result.findings[0].kernel, "trapped");
	CHECK_TEXT(machine.result.findings[0].mnemonic, "trap");
	machine_run(&machine, faults, "undefined_branch", out, THREADS);
	CHECK(machine_found(&machine, PTX_FIND_UNDEFINED_BRANCH));
	CHECK_INT(machine.result.device_code, 0);
	CHECK_INT(machine.result.findings[0].count, 2); /* one a warp */
	machine_run(&machine, faults, "undefined_loop", out, THREADS);
	CHECK(machine_found(&machine, PTX_FIND_UNDEFINED_BRANCH));
	machine_run(&machine, faults, "undefined_choice", out, THREADS);
	machine_clean(&machine, "undefined_choice");
	CHECK_INT(out[6], 6);
	CHECK_INT(out[7], 0);
	machine_run(&machine, faults, "undefined_use", out, THREADS);
	CHECK_INT(machine.result.finding_count, 1);
	CHECK(machine_found(&machine, PTX_FIND_UNDEFINED_BRANCH));
	CHECK_INT(machine.result.findings[0].thread[0], 7);
	machine_run(&machine, faults, "undefined_unused", out, THREADS);
	machine_clean(&machine, "undefined_unused");
	machine_run(&machine, faults, "undefined_guard", out, THREADS);
	CHECK(machine_found(&machine, PTX_FIND_UNDEFINED_BRANCH)); /* what an undefined guard may have written is undefined */
	machine.unchecked = 1;
	machine_run(&machine, faults, "undefined_guard", out, THREADS);
	machine_clean(&machine, "undefined_guard, unchecked");
}

static const char many_faults[] = PTX_HEAD
	".visible .entry many(.param .u64 out)\n{\n.reg .pred %p<4>;\n.reg .b32 %r<8>;\n.reg .b64 %rd<4>;\n ld.param.u64 %rd1, [out];\n"
#define FAULT(n) "setp.eq.u32 %p1, %r7, " #n ";\n @%p1 bra L" #n ";\n st.global.u32 [%rd1], %r1;\nL" #n ":\n"
#define TEN(n) FAULT(n##0) FAULT(n##1) FAULT(n##2) FAULT(n##3) FAULT(n##4) FAULT(n##5) FAULT(n##6) FAULT(n##7) FAULT(n##8) FAULT(n##9)
	TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) TEN(7) "ret;\n}\n";

static void test_many_findings(void)
{
	uint32_t out[1] = {0};
	struct machine machine = {.grid = {50}, .block = {32}, .threads = 2, .seed = 3};
	machine_run(&machine, many_faults, "many", out, 1);
	CHECK_INT(machine.result.finding_count, PTX_FINDINGS_MAX);
	CHECK_INT(machine.result.findings_left_out, 70 - PTX_FINDINGS_MAX);
	for (int i = 0; i < machine.result.finding_count; i++) {
		CHECK_INT(machine.result.findings[i].kind, PTX_FIND_UNDEFINED_BRANCH);
		CHECK_INT(machine.result.findings[i].count, 50);
		if (i > 0)
			CHECK(machine.result.findings[i].position.line > machine.result.findings[i - 1].position.line);
	}
}

/* ---- images ---- */

static const char images[] = PTX_HEAD
	".global .align 4 .u32 word = 42;\n.global .align 8 .u64 pointer = generic(word);\n.const .align 4 .u32 table[4] = {1, 2, 3, 4};\n"
	".extern .shared .align 16 .b8 dynamic[];\n.shared .align 8 .b8 unused[5000];\n"
	".func (.param .b32 result) part(.param .b32 n)\n{\n.shared .align 4 .u32 own;\n.reg .b32 %r<4>;\n mov.u32 %r2, own;\n ld.param.b32 %r1, [n];\n st.shared.u32 [%r2], %r1;\n"
	"ld.shared.u32 %r1, [own];\n st.param.b32 [result], %r1;\n ret;\n}\n"
	PTX_KERNEL("variables",
		   "ld.global.u64 %rd3, [pointer];\n ld.u32 %r4, [%rd3];\n ld.const.u32 %r5, [table+8];\n add.u32 %r10, %r4, %r5;\n mov.u32 %r6, 43;\n st.global.u32 [word], %r6;")
	PTX_KERNEL("shared",
		   ".shared .align 1 .b8 byte;\n .shared .align 16 .b8 wide[32];\n mov.u32 %r4, byte;\n mov.u32 %r5, wide;\n mov.u32 %r6, dynamic;\n and.b32 %r7, %r5, 15;\n and.b32 %r8, %r6, 15;\n"
		   "{ .param .b32 a; .param .b32 b;\n st.param.b32 [a], 9;\n call (b), part, (a);\n ld.param.b32 %r9, [b]; }\n"
		   "mov.u32 %r11, %dynamic_smem_size;\n mov.u32 %r12, %total_smem_size;\n add.u32 %r13, %r6, %r11;\n setp.ne.u32 %p1, %r13, %r12;\n add.u32 %r10, %r7, %r8;\n add.u32 %r10, %r10, %r9;\n"
		   "add.u32 %r10, %r10, %r11;\n setp.eq.u32 %p2, %r4, %r5;\n @%p1 mov.u32 %r10, 5000;\n @%p2 mov.u32 %r10, 6000;");

static void test_images(void)
{
	uint32_t out[1] = {0};
	struct machine machine = {.dynamic_shared = 100};
	machine_run(&machine, images, "variables", out, 1);
	machine_clean(&machine, "variables");
	CHECK_INT(out[0], 45);
	machine_run(&machine, images, "shared", out, 1);
	machine_clean(&machine, "shared");
	CHECK_INT(out[0], 109);

	struct ptx_memory *const memory = ptx_memory_create();
	struct ptx_image *image = NULL;
	struct error err = {0};
	CHECK_INT(ptx_image_load(images, memory, &image, &err), 0);
	uint64_t address = 0;
	size_t bytes = 0;
	CHECK_INT(ptx_image_global(image, "table", &address, &bytes, &err), 0);
	CHECK_INT(bytes, 16);
	CHECK(address && ((const uint32_t *)(uintptr_t)address)[3] == 4);
	CHECK_INT(ptx_image_global(image, "dynamic", &address, &bytes, &err), -1);
	struct ptx_kernel *kernel = NULL;
	CHECK_INT(ptx_image_kernel(image, "shared", &kernel, &err), 0);
	struct ptx_kernel_facts facts;
	ptx_kernel_facts(kernel, &facts);
	CHECK(facts.shared_bytes >= 37 && facts.shared_bytes < 200);
	CHECK_INT(facts.isa, 83);
	CHECK_INT(facts.target, 90);
	CHECK_INT(facts.const_bytes, 16);
	CHECK_INT(facts.max_threads, 1024);
	ptx_image_free(image);
	ptx_memory_destroy(memory);
}

/* ---- what the driver gives device code ---- */

static const char builtins[] = PTX_HEAD
	".extern .func (.param .b32 r) vprintf(.param .b64 a, .param .b64 b);\n"
	".extern .func __assertfail(.param .b64 a, .param .b64 b, .param .b32 c, .param .b64 d, .param .b64 e);\n"
	".extern .func (.param .b64 r) malloc(.param .b64 n);\n.extern .func free(.param .b64 p);\n"
	".global .align 1 .b8 format[] = {37,100,32,37,53,46,50,102,32,37,115,32,37,108,108,120,32,37,99,32,37,37,10,0};\n" /* "%d %5.2f %s %llx %c %%\n" */
	".global .align 1 .b8 word[4] = {97,98,99,0};\n.global .align 1 .b8 file[5] = {120,46,99,117,0};\n"
	PTX_KERNEL("print",
		   ".local .align 8 .b8 pack[40];\n mov.u64 %rd2, pack;\n cvta.local.u64 %rd3, %rd2;\n sub.u32 %r4, %r1, 2;\n st.local.u32 [%rd2], %r4;\n mov.b64 %rd4, 0d400C000000000000;\n"
		   "st.local.u64 [%rd2+8], %rd4;\n mov.u64 %rd5, word;\n cvta.global.u64 %rd5, %rd5;\n st.local.u64 [%rd2+16], %rd5;\n mov.u64 %rd6, 0xabcdef0123;\n st.local.u64 [%rd2+24], %rd6;\n"
		   "mov.u32 %r5, 90;\n st.local.u32 [%rd2+32], %r5;\n mov.u64 %rd7, format;\n cvta.global.u64 %rd7, %rd7;\n"
		   "{ .param .b64 a; .param .b64 b; .param .b32 r;\n st.param.b64 [a], %rd7;\n st.param.b64 [b], %rd3;\n call.uni (r), vprintf, (a, b);\n ld.param.b32 %r10, [r]; }")
	PTX_KERNEL("assert",
		   "setp.ne.u32 %p1, %r1, 1;\n @%p1 bra OK;\n mov.u64 %rd5, word;\n cvta.global.u64 %rd5, %rd5;\n mov.u64 %rd6, file;\n cvta.global.u64 %rd6, %rd6;\n"
		   "{ .param .b64 a; .param .b64 b; .param .b32 c; .param .b64 d; .param .b64 e;\n st.param.b64 [a], %rd5;\n st.param.b64 [b], %rd6;\n st.param.b32 [c], 12;\n st.param.b64 [d], %rd5;\n"
		   "st.param.b64 [e], 1;\n call.uni __assertfail, (a, b, c, d, e); }\nOK:")
	PTX_KERNEL("heap",
		   "{ .param .b64 n; .param .b64 r;\n st.param.b64 [n], 24;\n call.uni (r), malloc, (n);\n ld.param.b64 %rd4, [r]; }\n st.u32 [%rd4+20], %r1;\n ld.u32 %r10, [%rd4+20];\n"
		   "{ .param .b64 p;\n st.param.b64 [p], %rd4;\n call.uni free, (p); }\n setp.ne.u32 %p1, %r2, 1;\n @%p1 bra OK;\n { .param .b64 p;\n st.param.b64 [p], %rd4;\n call.uni free, (p); }\nOK:")
	PTX_KERNEL("too_much", "{ .param .b64 n; .param .b64 r;\n st.param.b64 [n], 10000000;\n call.uni (r), malloc, (n);\n ld.param.b64 %rd4, [r]; }\n cvt.u32.u64 %r10, %rd4;");

static void test_builtins(void)
{
	uint32_t out[64] = {0};
	struct machine machine = {.block = {2}};
	machine_run(&machine, builtins, "print", out, 2);
	machine_clean(&machine, "print");
	CHECK_TEXT(machine.printed, "-2  3.50 abc abcdef0123 Z %\n-1  3.50 abc abcdef0123 Z %\n");
	CHECK_INT(out[1], 5);
	machine_run(&machine, builtins, "assert", out, 2);
	CHECK(machine_found(&machine, PTX_FIND_ASSERT));
	CHECK_INT(machine.result.device_code, 710);
	CHECK_INT(machine.result.findings[0].thread[0], 1);
	CHECK_CONTAINS(machine.result.findings[0].text, "x.cu:12");
	machine.block[0] = 64;
	machine_run(&machine, builtins, "heap", out, 64);
	machine_clean(&machine, "heap");
	for (uint32_t i = 0; i < 64; i++)
		CHECK_INT(out[i], i);
	uint32_t more[128] = {0};
	machine.grid[0] = 2;
	machine_run(&machine, builtins, "heap", more, 128);
	CHECK(machine_found(&machine, PTX_FIND_INVALID)); /* freed twice */
	machine.grid[0] = 1;
	out[0] = 1;
	machine_run(&machine, builtins, "too_much", out, 64);
	machine_clean(&machine, "too_much");
	CHECK_INT(out[0], 0);
}

/* ---- stopping on request ---- */

static void test_cancel(void)
{
	struct ptx_memory *const memory = ptx_memory_create();
	struct ptx_image *image = NULL;
	struct error err = {0};
	static struct ptx_launch_result result;
	static uint32_t out[32];
	uint64_t address = (uint64_t)(uintptr_t)out;
	void *arguments[] = {&address};
	const volatile int cancel = 1;
	struct ptx_launch launch = {.memory = memory, .grid = {1, 1, 1}, .block = {32, 1, 1}, .arguments = arguments, .cancel = &cancel};
	CHECK_INT(ptx_image_load(faults, memory, &image, &err), 0);
	CHECK_INT(ptx_image_kernel(image, "endless", &launch.kernel, &err), 0);
	CHECK_INT(ptx_launch(&launch, &result, &err), -1);
	CHECK_INT(err.kind, ERROR_TIMEOUT);
	ptx_image_free(image);
	ptx_memory_destroy(memory);
}

int main(void)
{
	test_parameters();
	test_blocks();
	test_order();
	test_limits();
	test_faults();
	test_many_findings();
	test_images();
	test_builtins();
	test_cancel();
	return check_result();
}
