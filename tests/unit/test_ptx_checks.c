/* The checks of the PTX machine: each finding, and beside each what comes near it and is none. */
#include "ptx_memory_run.h"

/* What the host would be told when it reads the range. */
static int host_reads(struct world *world, int buffer, size_t offset, size_t bytes, struct ptx_finding *first)
{
	struct ptx_finding findings[4];
	const int count = ptx_memory_host_read(world->memory, world_address(world, buffer) + offset, bytes, findings, 4);
	if (first && count > 0)
		*first = findings[0];
	return count;
}

struct expectation {
	const char *body;
	int kind;                  /* -1: no finding */
	int code;
	const char *text;
	uint32_t threads;
};

static void expect(struct world *world, const struct expectation *cases, size_t count, const char *variables, uint32_t dynamic_shared)
{
	for (size_t i = 0; i < count; i++) {
		const int failures = check_failures;
		world_run(world, (struct world_launch){.variables = variables, .body = cases[i].body, .threads = cases[i].threads, .dynamic_shared = dynamic_shared});
		world_expect(world, cases[i].kind, cases[i].text);
		CHECK_INT(world->result->device_code, cases[i].code);
		if (check_failures != failures)
			fprintf(stderr, "  in: %s", cases[i].body);
	}
}
#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_bounds(void)
{
	struct world world;
	world_open(&world);
	for (int i = 0; i < 2; i++)
		ptx_memory_host_write(world.memory, world_address(&world, i), WORLD_BYTES);
	/* buffer 2: 100 bytes, named; buffer 3: freed */
	ptx_memory_remove(world.memory, world_address(&world, 2));
	ptx_memory_remove(world.memory, world_address(&world, 3));
	CHECK_INT(ptx_memory_add(world.memory, world_address(&world, 2), 100, PTX_BUFFER_ALLOCATION, "weights", NULL), 0);
	ptx_memory_host_write(world.memory, world_address(&world, 2), 100);
	const struct expectation cases[] = {
		{"ld.global.u32 %r1, [%p0+16380];\n", -1, 0, NULL, 1},
		{"ld.global.u32 %r1, [%p2+100];\n", PTX_FIND_BOUNDS, 700, "reads 4 bytes at offset 100, just past the end of a buffer of 100 bytes (weights)", 1},
		{"ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%p2+80];\n", -1, 0, NULL, 1},
		{"ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%p2+96];\n", PTX_FIND_BOUNDS, 700, "offset 96, 12 of them past the end of a buffer of 100 bytes", 1},
		{"st.global.u8 [%p2+99], 1;\n", -1, 0, NULL, 1},
		{"st.global.u8 [%p2+100], 1;\n", PTX_FIND_BOUNDS, 700, "writes 1 bytes", 1},
		{"st.global.u16 [%p2+104], 1;\n", PTX_FIND_BOUNDS, 700, "4 bytes past the end", 1},
		{"ld.global.u32 %r1, [%p2+-4];\n", PTX_FIND_BOUNDS, 700, "buffer of 100 bytes", 1},
		{"mov.u64 %d1, 0;\nld.global.u32 %r1, [%d1];\n", PTX_FIND_BOUNDS, 700, "a null pointer", 1},
		{"mov.u64 %d1, 0x123456789abc;\nld.global.u32 %r1, [%d1];\n", PTX_FIND_BOUNDS, 700, "in no buffer", 1},
		{"mov.u64 %d1, -4;\nld.global.u32 %r1, [%d1];\n", PTX_FIND_BOUNDS, 700, NULL, 1},
		{"ld.global.u32 %r1, [%p3+8];\n", PTX_FIND_BOUNDS, 700, "offset 8 of a buffer of 16384 bytes that was freed", 1},
		{"atom.global.add.u32 %r1, [%p2+100], 1;\n", PTX_FIND_BOUNDS, 700, "changes 4 bytes", 1},
		{"ld.global.u32 %r1, [%p0+2];\n", PTX_FIND_MISALIGNED, 716, "not a multiple of 4", 1},
		{"ld.global.u16 %h1, [%p0+2];\n", -1, 0, NULL, 1},
		{"ld.global.v2.u32 {%r1, %r2}, [%p0+4];\n", PTX_FIND_MISALIGNED, 716, "not a multiple of 8", 1},
		{"st.global.v4.f32 [%p0+8], {%f1, %f1, %f1, %f1};\n", PTX_FIND_MISALIGNED, 716, NULL, 1},
		{"atom.global.add.u64 %d1, [%p0+4], 1;\n", PTX_FIND_MISALIGNED, 716, NULL, 1},
		/* one lane of a warp that would be consecutive; a lane that is masked away */
		{"mul.wide.u32 %d1, %t, 4;\nadd.u64 %d1, %d1, %p2;\nld.global.u32 %r1, [%d1];\n", PTX_FIND_BOUNDS, 700, NULL, 32},
		{"mul.wide.u32 %d1, %t, 4;\nadd.u64 %d1, %d1, %p2;\nsetp.lt.u32 %b1, %t, 25;\n@%b1 ld.global.u32 %r1, [%d1];\n", -1, 0, NULL, 32},
		{"mul.wide.u32 %d1, %t, 4;\nadd.u64 %d1, %d1, %p2;\nsetp.lt.u32 %b1, %t, 26;\n@%b1 ld.global.u32 %r1, [%d1];\n", PTX_FIND_BOUNDS, 700, "offset 100", 32},
		/* gaps between far lanes are nobody's business */
		{"setp.eq.u32 %b1, %t, 9;\nselp.b64 %d1, %p0, %p2, %b1;\nld.global.u32 %r1, [%d1];\n", -1, 0, NULL, 32},
	};
	expect(&world, cases, COUNT(cases), NULL, 0);

	const struct expectation near[] = {
		{"ld.shared.u32 %r1, [508];\n", -1, 0, NULL, 1},
		{"ld.shared.u32 %r1, [512];\n", PTX_FIND_BOUNDS, 700, "offset 512 of the 512 bytes of shared memory", 1},
		{"mov.u32 %r1, -4;\nst.shared.u32 [%r1], 1;\n", PTX_FIND_BOUNDS, 700, "shared memory", 1},
		{"mul.lo.u32 %r1, %t, 16;\nld.shared.v4.u32 {%r2, %r3, %r4, %r5}, [%r1];\n", -1, 0, NULL, 32},
		{"mul.lo.u32 %r1, %t, 16;\nld.shared.v4.u32 {%r2, %r3, %r4, %r5}, [%r1+16];\n", PTX_FIND_BOUNDS, 700, "offset 512", 32},
		{"mul.lo.u32 %r1, %t, 16;\nld.shared.v4.u32 {%r2, %r3, %r4, %r5}, [%r1+8];\n", PTX_FIND_MISALIGNED, 716, NULL, 32},
		{"mov.u64 %d1, mine;\nld.local.u32 %r1, [%d1+12];\n", -1, 0, NULL, 32},
		{"mov.u64 %d1, mine;\nst.local.u32 [%d1+65536], 1;\n", PTX_FIND_BOUNDS, 700, "local memory", 32},
		{"mov.u64 %d1, mine;\ncvta.local.u64 %d2, %d1;\nst.u32 [%d2+65536], 1;\n", PTX_FIND_BOUNDS, 700, "local memory", 32},
		{"mov.u64 %d1, 0;\ncvta.shared.u64 %d2, %d1;\nst.u32 [%d2+512], 1;\n", PTX_FIND_BOUNDS, 700, "shared memory", 1},
	};
	expect(&world, near, COUNT(near), ".local .align 4 .b8 mine[16];", 512);

	/* without checks bounds still hold */
	world_run(&world, (struct world_launch){.body = "st.global.u32 [%p2+100], 1;\n", .no_checks = 1});
	CHECK_INT(world.result->device_code, 700);
	world_close(&world);
}

static void test_uses(void)
{
	struct world world;
	world_open(&world);
	for (int i = 0; i < 2; i++)
		ptx_memory_host_write(world.memory, world_address(&world, i), WORLD_BYTES);
	const uint64_t in = world_address(&world, 0), out = world_address(&world, 1);
	ptx_memory_mark(world.memory, in, WORLD_BYTES, DEVICE_MEMORY_INPUT);
	ptx_memory_mark(world.memory, out, WORLD_BYTES, DEVICE_MEMORY_NO_ACCESS);
	ptx_memory_mark(world.memory, out + 64, 33, DEVICE_MEMORY_OUTPUT);
	ptx_memory_mark(world.memory, out + 8192, 128, DEVICE_MEMORY_OUTPUT);
	const struct expectation cases[] = {
		{"ld.global.u32 %r1, [%p0];\n", -1, 0, NULL, 1},
		{"st.global.u32 [%p0+4], 7;\n", PTX_FIND_READ_ONLY, 0, "writes 4 bytes at offset 4 of a buffer of 16384 bytes (input)", 1},
		{"red.global.add.u32 [%p0+8], 7;\n", PTX_FIND_READ_ONLY, 0, "changes 4 bytes", 1},
		{"st.global.u8 [%p1+64], 1;\nst.global.u8 [%p1+96], 1;\n", -1, 0, NULL, 1},
		{"st.global.u8 [%p1+63], 1;\n", PTX_FIND_BOUNDS, 0, "writes 1 bytes at 1 bytes before the start of an output of 33 bytes", 1},
		{"st.global.u8 [%p1+97], 1;\n", PTX_FIND_BOUNDS, 0, "offset 33, just past the end of an output of 33 bytes", 1},
		{"ld.global.u32 %r1, [%p1+96];\n", PTX_FIND_BOUNDS, 0, "reads 4 bytes", 1},
		{"mul.wide.u32 %d1, %t, 4;\nadd.u64 %d1, %d1, %p1;\nst.global.u32 [%d1+8192], %t;\n", -1, 0, NULL, 32},
		{"mul.wide.u32 %d1, %t, 4;\nadd.u64 %d1, %d1, %p1;\nst.global.u32 [%d1+8196], %t;\n", PTX_FIND_BOUNDS, 0, "offset 128, just past the end of an output of 128 bytes", 32},
	};
	expect(&world, cases, COUNT(cases), NULL, 0);
	/* what is forbidden happens as on a GPU, so that canaries show it too */
	uint32_t word;
	memcpy(&word, world.buffer[0] + 4, 4);
	CHECK_INT(word, 7);
	/* constants stay */
	world_run(&world, (struct world_launch){.declarations = ".const .align 4 .u32 table[4] = {10, 20, 30, 40};",
		.body = "mov.u64 %d1, table;\ncvta.const.u64 %d1, %d1;\nst.u32 [%d1], 5;\nld.u32 %r1, [%d1];\nst.global.u32 [%p1+64], %r1;\n", .threads = 1});
	world_expect(&world, PTX_FIND_READ_ONLY, "constant memory");
	memcpy(&word, world.buffer[1] + 64, 4);
	CHECK_INT(word, 10);
	world_run(&world, (struct world_launch){.body = "mov.b64 %d1, p0;\ncvta.param.u64 %d1, %d1;\nst.u32 [%d1], 5;\n", .threads = 1});
	world_expect(&world, PTX_FIND_READ_ONLY, "kernel parameters");
	/* marks are taken back */
	ptx_memory_mark(world.memory, out, WORLD_BYTES, DEVICE_MEMORY_PLAIN);
	world_run(&world, (struct world_launch){.body = "st.global.u8 [%p1+63], 1;\nld.global.u32 %r1, [%p1+128];\n", .threads = 1});
	world_expect(&world, -1, NULL);
	world_close(&world);
}

static void test_undefined(void)
{
	struct world world;
	world_open(&world);
	/* buffer 0: nobody wrote it; buffer 1: defined */
	ptx_memory_host_write(world.memory, world_address(&world, 1), WORLD_BYTES);
	const struct expectation cases[] = {
		{"ld.global.u32 %r1, [%p0];\nadd.u32 %r1, %r1, 1;\n", -1, 0, NULL, 32},
		{"ld.global.u32 %r1, [%p0];\nsetp.eq.u32 %b1, %r1, 0;\n@%b1 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n", PTX_FIND_UNDEFINED_BRANCH, 0, NULL, 32},
		{"ld.global.u32 %r1, [%p0];\nand.b32 %r1, %r1, 0;\nsetp.eq.u32 %b1, %r1, 0;\n@%b1 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n", -1, 0, NULL, 32},
		{"ld.global.u32 %r1, [%p1];\nsetp.eq.u32 %b1, %r1, 0;\n@%b1 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n", -1, 0, NULL, 32},
		{"ld.global.u32 %r1, [%p0];\nand.b32 %r1, %r1, 12;\nmul.wide.u32 %d1, %r1, 1;\nadd.u64 %d1, %d1, %p1;\nld.global.u32 %r2, [%d1];\n",
		 PTX_FIND_UNDEFINED_ADDRESS, 0, NULL, 32},
		/* masked away: a tail that is loaded as a whole word and cut */
		{"ld.global.u32 %r1, [%p0];\nshl.b32 %r1, %r1, 16;\nand.b32 %r1, %r1, 65535;\nmul.wide.u32 %d1, %r1, 4;\nadd.u64 %d1, %d1, %p1;\nld.global.u32 %r2, [%d1];\n",
		 -1, 0, NULL, 32},
		/* chosen by a predicate that is defined */
		{"ld.global.u32 %r1, [%p0];\nsetp.eq.u32 %b1, %t, 99;\nselp.u32 %r2, %r1, 5, %b1;\nsetp.eq.u32 %b2, %r2, 5;\n@%b2 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n",
		 -1, 0, NULL, 32},
		/* one lane only, and that lane does not take part in the branch */
		{"mov.u32 %r1, 5;\nsetp.eq.u32 %b1, %t, 3;\n@%b1 ld.global.u32 %r1, [%p0];\nsetp.eq.u32 %b2, %r1, 5;\nmov.u32 %r2, 0;\n@%b1 bra done;\n@%b2 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n",
		 -1, 0, NULL, 32},
		{"mov.u32 %r1, 5;\nsetp.eq.u32 %b1, %t, 3;\n@%b1 ld.global.u32 %r1, [%p0];\nsetp.eq.u32 %b2, %r1, 5;\n@%b2 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n",
		 PTX_FIND_UNDEFINED_BRANCH, 0, NULL, 32},
		/* shared and local memory begin undefined */
		{"ld.shared.u32 %r1, [ours];\nsetp.eq.u32 %b1, %r1, 0;\n@%b1 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n", PTX_FIND_UNDEFINED_BRANCH, 0, NULL, 1},
		{"st.shared.u32 [ours], %t;\nld.shared.u32 %r1, [ours];\nsetp.eq.u32 %b1, %r1, 0;\n@%b1 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n", -1, 0, NULL, 1},
		{"st.shared.u16 [ours], %t;\nld.shared.u32 %r1, [ours];\nand.b32 %r1, %r1, 65535;\nsetp.eq.u32 %b1, %r1, 0;\n@%b1 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n", -1, 0, NULL, 1},
		{"st.shared.u16 [ours], %t;\nld.shared.u32 %r1, [ours];\nand.b32 %r1, %r1, 131071;\nsetp.eq.u32 %b1, %r1, 0;\n@%b1 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n",
		 PTX_FIND_UNDEFINED_BRANCH, 0, NULL, 1},
		{"ld.local.u32 %r1, [mine];\nsetp.eq.u32 %b1, %r1, 0;\n@%b1 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n", PTX_FIND_UNDEFINED_BRANCH, 0, NULL, 1},
		{"st.local.u32 [mine], %t;\nld.local.u32 %r1, [mine];\nsetp.eq.u32 %b1, %r1, 0;\n@%b1 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n", -1, 0, NULL, 1},
		/* an undefined value travels through shared memory */
		{"ld.global.u32 %r1, [%p0];\nst.shared.u32 [ours], %r1;\nld.shared.u32 %r2, [ours];\nsetp.eq.u32 %b1, %r2, 0;\n@%b1 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n",
		 PTX_FIND_UNDEFINED_BRANCH, 0, NULL, 1},
		/* a sign-extended byte is as undefined as its sign */
		{"ld.global.s8 %r1, [%p0];\nshr.u32 %r1, %r1, 31;\nsetp.eq.u32 %b1, %r1, 0;\n@%b1 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n", PTX_FIND_UNDEFINED_BRANCH, 0, NULL, 1},
		{"ld.global.u8 %r1, [%p0];\nshr.u32 %r1, %r1, 31;\nsetp.eq.u32 %b1, %r1, 0;\n@%b1 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n", -1, 0, NULL, 1},
		/* atomics */
		{"atom.global.add.u32 %r1, [%p0+512], 1;\nsetp.eq.u32 %b1, %r1, 0;\n@%b1 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n", PTX_FIND_UNDEFINED_BRANCH, 0, NULL, 1},
		{"atom.global.exch.b32 %r1, [%p0+516], 1;\natom.global.add.u32 %r1, [%p0+516], 1;\nsetp.eq.u32 %b1, %r1, 0;\n@%b1 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n", -1, 0, NULL, 1},
		{"atom.global.and.b32 %r1, [%p0+520], 1;\natom.global.add.u32 %r1, [%p0+520], 1;\nshr.u32 %r1, %r1, 8;\nsetp.eq.u32 %b1, %r1, 0;\n@%b1 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n",
		 -1, 0, NULL, 1},
	};
	expect(&world, cases, COUNT(cases), ".shared .align 4 .b8 ours[4];\n.local .align 4 .b8 mine[4];", 0);

	/* what the host sees */
	struct ptx_finding finding;
	ptx_memory_mark(world.memory, world_address(&world, 0), WORLD_BYTES, DEVICE_MEMORY_SCRATCH);
	ptx_memory_mark(world.memory, world_address(&world, 1), WORLD_BYTES, DEVICE_MEMORY_OUTPUT);
	world_run(&world, (struct world_launch){.body = "ld.global.u32 %r1, [%p0];\nmul.wide.u32 %d1, %t, 4;\nadd.u64 %d1, %d1, %p1;\nst.global.u32 [%d1], %t;\n"
							"setp.eq.u32 %b1, %t, 5;\n@%b1 st.global.u16 [%d1], %r1;\n"});
	world_expect(&world, -1, NULL);
	CHECK_INT(host_reads(&world, 1, 0, 20, NULL), 0);
	CHECK_INT(host_reads(&world, 1, 0, WORLD_BYTES, &finding), 1); /* bytes nobody wrote are not told */
	CHECK_INT(finding.kind, PTX_FIND_UNDEFINED_OUTPUT);
	CHECK_INT(finding.count, 2);
	CHECK_INT(finding.address, world_address(&world, 1) + 20);
	CHECK_INT(finding.thread[0], 5);
	CHECK_TEXT(finding.kernel, "k");
	CHECK_CONTAINS(finding.text, "2 undefined bytes");
	CHECK_CONTAINS(finding.text, "offset 20 of a buffer of 16384 bytes (output)");
	CHECK_INT(host_reads(&world, 1, 22, WORLD_BYTES - 22, NULL), 0);
	/* copies take it along, and stores of defined values end it */
	ptx_memory_host_copy(world.memory, world_address(&world, 2) + 100, world_address(&world, 1), 128);
	CHECK_INT(host_reads(&world, 2, 0, WORLD_BYTES, &finding), 1);
	CHECK_INT(finding.address, world_address(&world, 2) + 120);
	ptx_memory_host_copy(world.memory, world_address(&world, 1) + 8, world_address(&world, 1), 128); /* overlapping, upwards */
	CHECK_INT(host_reads(&world, 1, 28, 2, NULL), 1);
	CHECK_INT(host_reads(&world, 1, 20, 8, NULL), 0);
	world_run(&world, (struct world_launch){.body = "st.global.u32 [%p1+28], %t;\n", .threads = 1});
	CHECK_INT(host_reads(&world, 1, 0, WORLD_BYTES, NULL), 0);
	ptx_memory_host_write(world.memory, world_address(&world, 2), 121);
	CHECK_INT(host_reads(&world, 2, 0, WORLD_BYTES, &finding), 1);
	CHECK_INT(finding.count, 1);
	ptx_memory_mark(world.memory, world_address(&world, 2), WORLD_BYTES, DEVICE_MEMORY_SCRATCH);
	CHECK_INT(host_reads(&world, 2, 0, WORLD_BYTES, NULL), 0);
	/* into memory that was wholly defined, at the edge of a page */
	ptx_memory_mark(world.memory, world_address(&world, 1), WORLD_BYTES, DEVICE_MEMORY_PLAIN);
	world_run(&world, (struct world_launch){.body = "ld.global.u64 %d1, [%p0];\nst.global.u64 [%p1+4088], %d1;\nst.global.u32 [%p1+4096], 1;\n", .threads = 1});
	CHECK_INT(host_reads(&world, 1, 0, 4088, NULL), 0);
	CHECK_INT(host_reads(&world, 1, 4096, 4096, NULL), 0);
	CHECK_INT(host_reads(&world, 1, 4000, 200, &finding), 1);
	CHECK_INT(finding.count, 8);
	/* two stores are told apart */
	world_run(&world, (struct world_launch){.body = "ld.global.u64 %d1, [%p0];\nst.global.u64 [%p1], %d1;\nst.global.u64 [%p1+64], %d1;\n", .threads = 1});
	CHECK_INT(host_reads(&world, 1, 0, 128, NULL), 2);
	/* blocks in several threads: each its byte of shared pages, every other one undefined */
	ptx_memory_mark(world.memory, world_address(&world, 2), WORLD_BYTES, DEVICE_MEMORY_PLAIN);
	world_run(&world, (struct world_launch){.body = "ld.global.u8 %r1, [%p0];\nmov.u32 %r2, %ctaid.x;\nshl.b32 %r2, %r2, 6;\nadd.u32 %r2, %r2, %t;\n"
		"cvt.u64.u32 %d1, %r2;\nadd.u64 %d1, %d1, %p2;\nand.b32 %r3, %t, 1;\nsetp.eq.u32 %b1, %r3, 0;\nselp.u32 %r4, %r1, 3, %b1;\nst.global.u8 [%d1], %r4;\n",
		.threads = 64, .blocks = 128, .workers = 4});
	world_expect(&world, -1, NULL);
	CHECK_INT(host_reads(&world, 2, 0, WORLD_BYTES, &finding), 1);
	CHECK_INT(finding.count, 64 * 128 / 2);
	int odd = 0;
	for (size_t i = 1; i < 64 * 128; i += 2)
		odd += host_reads(&world, 2, i, 1, NULL);
	CHECK_INT(odd, 0);
	/* kernels find what another one left */
	world_run(&world, (struct world_launch){.body = "ld.global.u32 %r1, [%p1+68];\nsetp.eq.u32 %b1, %r1, 0;\n@%b1 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n", .threads = 1});
	world_expect(&world, PTX_FIND_UNDEFINED_BRANCH, NULL);
	world_close(&world);
}

static void test_races(void)
{
	struct world world;
	world_open(&world);
	for (int i = 0; i < 2; i++)
		ptx_memory_host_write(world.memory, world_address(&world, i), WORLD_BYTES);
#define OWN_WORD "shl.b32 %r1, %t, 2;\n"
#define OTHER_WORD "xor.b32 %r2, %t, 32;\nshl.b32 %r2, %r2, 2;\n"
#define WARP "shr.u32 %r10, %t, 5;\nsetp.eq.u32 %b1, %r10, 0;\nsetp.eq.u32 %b2, %r10, 1;\n"
	const struct expectation cases[] = {
		/* read of another warp's word, with and without a barrier */
		{OWN_WORD OTHER_WORD "st.shared.u32 [%r1], %t;\nbar.sync 0;\nld.shared.u32 %r3, [%r2];\n", -1, 0, NULL, 64},
		{OWN_WORD OTHER_WORD "st.shared.u32 [%r1], %t;\nld.shared.u32 %r3, [%r2];\n", PTX_FIND_RACE, 0, NULL, 64},
		/* the warp's own words need none */
		{OWN_WORD OTHER_WORD "st.shared.u32 [%r1], %t;\nxor.b32 %r2, %r1, 4;\nbar.warp.sync -1;\nld.shared.u32 %r3, [%r2];\nst.shared.u32 [%r1], %r3;\n", -1, 0, NULL, 64},
		/* write after read */
		{OWN_WORD OTHER_WORD "st.shared.u32 [%r1], %t;\nbar.sync 0;\nld.shared.u32 %r3, [%r2];\nst.shared.u32 [%r1], %r3;\n", PTX_FIND_RACE, 0, NULL, 64},
		{OWN_WORD OTHER_WORD "st.shared.u32 [%r1], %t;\nbar.sync 0;\nld.shared.u32 %r3, [%r2];\nbar.sync 0;\nst.shared.u32 [%r1], %r3;\n", -1, 0, NULL, 64},
		/* all read the same word, then one writes */
		{WARP "@%b1 st.shared.u32 [0], 5;\nbar.sync 0;\nld.shared.u32 %r3, [0];\nbar.sync 0;\n@%b2 st.shared.u32 [0], %r10;\n", -1, 0, NULL, 256},
		{WARP "@%b1 st.shared.u32 [0], 5;\nbar.sync 0;\nld.shared.u32 %r3, [0];\n@%b1 st.shared.u32 [0], %r10;\n", PTX_FIND_RACE, 0, NULL, 256},
		/* writes of two warps: different values, the same value */
		{WARP "st.shared.u32 [0], %r10;\n", PTX_FIND_RACE, 0, "wrote at line", 64},
		{"st.shared.u32 [0], 5;\n", -1, 0, NULL, 64},
		/* neighbouring bytes and halves */
		{WARP "mad.lo.u32 %r1, %r10, 1, 16;\nst.shared.u8 [%r1], %r10;\n", -1, 0, NULL, 64},
		{WARP "mad.lo.u32 %r1, %r10, 2, 16;\nst.shared.u16 [%r1], %r10;\n", -1, 0, NULL, 64},
		{WARP "mad.lo.u32 %r1, %r10, 2, 16;\nst.shared.u16 [%r1], %r10;\nbar.sync 0;\nld.shared.u32 %r3, [16];\n", -1, 0, NULL, 64},
		{WARP "mad.lo.u32 %r1, %r10, 2, 16;\nst.shared.u16 [%r1], %r10;\nld.shared.u32 %r3, [16];\n", PTX_FIND_RACE, 0, NULL, 64},
		{WARP "@%b1 st.shared.u32 [16], %t;\nbar.sync 0;\n@%b1 st.shared.u8 [16], 1;\n@%b2 ld.shared.u8 %r3, [17];\n", -1, 0, NULL, 64},
		{WARP "@%b1 st.shared.u32 [16], %t;\nbar.sync 0;\n@%b1 st.shared.u8 [16], 77;\n@%b2 ld.shared.u8 %r3, [16];\n", PTX_FIND_RACE, 0, "offset 16", 64},
		{"mov.u32 %r1, %t;\nst.shared.u8 [%r1], %t;\n", -1, 0, NULL, 128},
		{"mul.lo.u32 %r1, %t, 2;\nst.shared.u16 [%r1+2], %t;\n", -1, 0, NULL, 128},
		/* atomics among themselves, with a plain read */
		{"red.shared.add.u32 [0], 1;\n", -1, 0, NULL, 64},
		{WARP "@%b1 st.shared.u32 [0], 0;\nbar.sync 0;\nred.shared.add.u32 [0], 1;\nbar.sync 0;\nld.shared.u32 %r3, [0];\n", -1, 0, NULL, 64},
		{WARP "@%b1 st.shared.u32 [0], 0;\nbar.sync 0;\nred.shared.add.u32 [0], 1;\nld.shared.u32 %r3, [0];\n", PTX_FIND_RACE, 0, NULL, 64},
		/* volatile accesses race with plain ones only */
		{WARP "@%b1 st.volatile.shared.u32 [0], 7;\n@%b2 ld.volatile.shared.u32 %r3, [0];\n", -1, 0, NULL, 64},
		{WARP "@%b1 st.shared.u32 [0], 7;\n@%b2 ld.volatile.shared.u32 %r3, [0];\n", PTX_FIND_RACE, 0, NULL, 64},
		/* release and acquire order what is around them */
		{WARP "@%b1 st.shared.u32 [4], 7;\n@%b1 st.release.cta.shared.u32 [0], 1;\n@%b2 ld.acquire.cta.shared.u32 %r3, [0];\n@%b2 ld.shared.u32 %r4, [4];\n", -1, 0, NULL, 64},
		{WARP "@%b1 st.shared.u32 [4], 7;\n@%b1 st.relaxed.cta.shared.u32 [0], 1;\n@%b2 ld.relaxed.cta.shared.u32 %r3, [0];\n@%b2 ld.shared.u32 %r4, [4];\n", PTX_FIND_RACE, 0, "offset 4", 64},
		{WARP "@%b1 st.shared.u32 [4], 7;\n@%b1 membar.cta;\n@%b1 st.volatile.shared.u32 [0], 1;\n@%b2 ld.volatile.shared.u32 %r3, [0];\n@%b2 membar.cta;\n@%b2 ld.shared.u32 %r4, [4];\n",
		 -1, 0, NULL, 64},
		{WARP "@%b1 st.shared.u32 [4], 7;\n@%b1 membar.cta;\n@%b1 st.shared.u32 [0], 1;\n@%b2 ld.volatile.shared.u32 %r3, [0];\n", PTX_FIND_RACE, 0, "offset 0", 64},
		/* four lanes fill 16 bytes that another warp reads as one, before and after a barrier */
		{WARP "shl.b32 %r1, %t, 2;\nxor.b32 %r1, %r1, 16;\n@%b1 st.shared.u32 [%r1], %t;\nbar.sync 0;\n@%b2 ld.shared.v4.u32 {%r3, %r4, %r5, %r6}, [32];\n", -1, 0, NULL, 64},
		{WARP "shl.b32 %r1, %t, 2;\nxor.b32 %r1, %r1, 16;\n@%b1 st.shared.u32 [%r1], %t;\n@%b2 ld.shared.v4.u32 {%r3, %r4, %r5, %r6}, [32];\n", PTX_FIND_RACE, 0, NULL, 64},
		{OWN_WORD "xor.b32 %r2, %t, 32;\nshl.b32 %r2, %r2, 2;\nadd.u32 %r1, %r1, 4;\nst.shared.u32 [%r1], %t;\nbar.sync 0;\nld.shared.u32 %r3, [%r2];\nbar.sync 0;\nst.shared.u32 [%r1], %r3;\n", -1, 0, NULL, 64},
		/* named barriers: pairs of warps that synchronise by themselves */
		{OWN_WORD OTHER_WORD "shr.u32 %r5, %t, 6;\nadd.u32 %r5, %r5, 1;\nst.shared.u32 [%r1], %t;\nbar.sync %r5, 64;\nld.shared.u32 %r3, [%r2];\n", -1, 0, NULL, 128},
		{OWN_WORD "xor.b32 %r2, %t, 64;\nshl.b32 %r2, %r2, 2;\nshr.u32 %r5, %t, 6;\nadd.u32 %r5, %r5, 1;\nst.shared.u32 [%r1], %t;\nbar.sync %r5, 64;\nld.shared.u32 %r3, [%r2];\n",
		 PTX_FIND_RACE, 0, NULL, 128},
		/* producer and consumer */
		{WARP "@%b1 st.shared.u32 [0], 9;\n@%b1 bar.arrive 1, 64;\n@%b2 bar.sync 1, 64;\n@%b2 ld.shared.u32 %r3, [0];\n", -1, 0, NULL, 64},
		/* readers that are in different epochs, and a writer that waited for one of them only */
		{WARP "setp.eq.u32 %b3, %r10, 2;\n@%b1 bar.sync 2, 64;\n@%b2 bar.sync 2, 64;\nld.shared.u32 %r3, [0];\nbar.sync 0;\nst.shared.u32 [0], 3;\n", -1, 0, NULL, 96},
		{WARP "setp.eq.u32 %b3, %r10, 2;\n@%b1 bar.sync 2, 64;\n@%b2 bar.sync 2, 64;\nld.shared.u32 %r3, [0];\n@%b1 bar.sync 3, 64;\n@%b2 bar.sync 3, 64;\n@%b1 st.shared.u32 [0], 3;\n",
		 PTX_FIND_RACE, 0, "which warp 2 read", 96},
		/* a vector over words that others own */
		{WARP "@%b1 st.shared.u32 [12], %t;\n@%b2 ld.shared.v4.u32 {%r3, %r4, %r5, %r6}, [0];\n", PTX_FIND_RACE, 0, "offset 12", 64},
		{WARP "@%b1 st.shared.u32 [16], %t;\n@%b2 ld.shared.v4.u32 {%r3, %r4, %r5, %r6}, [0];\n", -1, 0, NULL, 64},
	};
	expect(&world, cases, COUNT(cases), NULL, 1024);
	/* shared memory of one block is not that of the next one in its place */
	world_run(&world, (struct world_launch){.body = OWN_WORD OTHER_WORD "st.shared.u32 [%r1], %t;\nbar.sync 0;\nld.shared.u32 %r3, [%r2];\n"
							"st.shared.u8 [%r1+512], 1;\n", .threads = 64, .blocks = 50, .dynamic_shared = 1024});
	world_expect(&world, -1, NULL);
	world_close(&world);
}

static void test_async(void)
{
	struct world world;
	world_open(&world);
	for (int i = 0; i < 2; i++)
		ptx_memory_host_write(world.memory, world_address(&world, i), WORLD_BYTES);
	ptx_memory_remove(world.memory, world_address(&world, 2));
	CHECK_INT(ptx_memory_add(world.memory, world_address(&world, 2), 100, PTX_BUFFER_ALLOCATION, NULL, NULL), 0);
	ptx_memory_host_write(world.memory, world_address(&world, 2), 100);
#define COPY "mul.lo.u32 %r1, %t, 16;\nmul.wide.u32 %d1, %t, 16;\nadd.u64 %d2, %p0, %d1;\ncp.async.cg.shared.global [%r1], [%d2], 16;\n"
#define BRANCH "setp.eq.u32 %b1, %r2, 0;\n@%b1 bra done;\nst.global.u32 [%p1+8000], 1;\ndone:\n"
	const struct expectation cases[] = {
		{COPY "cp.async.commit_group;\ncp.async.wait_group 0;\nld.shared.u32 %r2, [%r1+12];\n" BRANCH, -1, 0, NULL, 32},
		{COPY "cp.async.wait_all;\nld.shared.u32 %r2, [%r1+12];\n" BRANCH, -1, 0, NULL, 32},
		{COPY "cp.async.commit_group;\nld.shared.u32 %r2, [%r1+12];\n" BRANCH, PTX_FIND_UNDEFINED_BRANCH, 0, NULL, 32},
		{COPY "cp.async.commit_group;\ncp.async.wait_group 1;\nld.shared.u32 %r2, [%r1+12];\n" BRANCH, PTX_FIND_UNDEFINED_BRANCH, 0, NULL, 32},
		{COPY "cp.async.wait_group 0;\nld.shared.u32 %r2, [%r1+12];\n" BRANCH, PTX_FIND_UNDEFINED_BRANCH, 0, NULL, 32}, /* never committed */
		/* two groups, one waited for */
		{COPY "cp.async.commit_group;\nadd.u32 %r3, %r1, 512;\ncp.async.ca.shared.global [%r3], [%d2+4], 4;\ncp.async.commit_group;\ncp.async.wait_group 1;\nld.shared.u32 %r2, [%r1+12];\n" BRANCH,
		 -1, 0, NULL, 32},
		{COPY "cp.async.commit_group;\nadd.u32 %r3, %r1, 512;\ncp.async.ca.shared.global [%r3], [%d2+4], 4;\ncp.async.commit_group;\ncp.async.wait_group 1;\nld.shared.u32 %r2, [%r3];\n" BRANCH,
		 PTX_FIND_UNDEFINED_BRANCH, 0, NULL, 32},
		/* tails: 100 bytes are 6 whole pieces and 4 bytes; the rest is zero and not read */
		{"mul.lo.u32 %r1, %t, 16;\nmul.wide.u32 %d1, %t, 16;\nadd.u64 %d2, %p2, %d1;\nsub.s32 %r3, 100, %r1;\nmax.s32 %r3, %r3, 0;\nmin.s32 %r3, %r3, 16;\n"
		 "cp.async.cg.shared.global.L2::128B [%r1], [%d2], 16, %r3;\ncp.async.wait_all;\nld.shared.u32 %r2, [%r1+12];\n" BRANCH, -1, 0, NULL, 32},
		{"mul.lo.u32 %r1, %t, 16;\nmul.wide.u32 %d1, %t, 16;\nadd.u64 %d2, %p2, %d1;\nsub.s32 %r3, 104, %r1;\nmax.s32 %r3, %r3, 0;\nmin.s32 %r3, %r3, 16;\n"
		 "cp.async.cg.shared.global [%r1], [%d2], 16, %r3;\ncp.async.wait_all;\n", PTX_FIND_BOUNDS, 700, "4 of them past the end", 32},
		/* ignore-src */
		{"mov.u64 %d2, 0;\nsetp.eq.u32 %b2, 0, 0;\ncp.async.cg.shared.global [0], [%d2], 16, %b2;\ncp.async.wait_all;\nld.shared.u32 %r2, [12];\n" BRANCH, -1, 0, NULL, 1},
		{"mov.u64 %d2, 0;\nsetp.ne.u32 %b2, 0, 0;\ncp.async.cg.shared.global [0], [%d2], 16, %b2;\ncp.async.wait_all;\n", PTX_FIND_BOUNDS, 700, NULL, 1},
		{"cp.async.ca.shared.global [8], [%p0], 16;\n", PTX_FIND_MISALIGNED, 716, NULL, 1},
		{"cp.async.ca.shared.global [8], [%p0+4], 8;\n", PTX_FIND_MISALIGNED, 716, NULL, 1},
		{"cp.async.ca.shared.global [1020], [%p0+4], 4;\n", -1, 0, NULL, 1},
		{"cp.async.ca.shared.global [1024], [%p0+4], 4;\n", PTX_FIND_BOUNDS, 700, "shared memory", 1},
		/* undefined bytes are copied as such */
		{"cp.async.ca.shared.global [0], [%p3], 4;\ncp.async.wait_all;\nld.shared.u32 %r2, [0];\n" BRANCH, PTX_FIND_UNDEFINED_BRANCH, 0, NULL, 1},
		/* others must not look before the barrier that follows the wait */
		{"shl.b32 %r1, %t, 2;\ncvt.u64.u32 %d1, %r1;\nadd.u64 %d2, %p0, %d1;\ncp.async.ca.shared.global [%r1], [%d2], 4;\ncp.async.wait_all;\nbar.sync 0;\n"
		 "xor.b32 %r3, %r1, 128;\nld.shared.u32 %r2, [%r3];\n" BRANCH, -1, 0, NULL, 64},
		{"shl.b32 %r1, %t, 2;\ncvt.u64.u32 %d1, %r1;\nadd.u64 %d2, %p0, %d1;\ncp.async.ca.shared.global [%r1], [%d2], 4;\ncp.async.wait_all;\n"
		 "xor.b32 %r3, %r1, 128;\nld.shared.u32 %r2, [%r3];\nbar.sync 0;\n", PTX_FIND_RACE, 0, NULL, 64},
	};
	expect(&world, cases, COUNT(cases), NULL, 1024);
	/* the numbers, with a zero tail */
	world_run(&world, (struct world_launch){.dynamic_shared = 1024,
		.body = "mul.lo.u32 %r1, %t, 16;\nmul.wide.u32 %d1, %t, 16;\nadd.u64 %d2, %p2, %d1;\nsub.s32 %r3, 100, %r1;\nmax.s32 %r3, %r3, 0;\nmin.s32 %r3, %r3, 16;\n"
			"cp.async.cg.shared.global [%r1], [%d2], 16, %r3;\ncp.async.commit_group;\ncp.async.wait_group 0;\n"
			"ld.shared.v2.u64 {%d3, %d4}, [%r1];\nadd.u64 %d5, %p1, %d1;\nst.global.v2.u64 [%d5], {%d3, %d4};\n"});
	world_expect(&world, -1, NULL);
	unsigned char expected[512] = {0};
	memcpy(expected, world.buffer[2], 100);
	CHECK(memcmp(expected, world.buffer[1], sizeof expected) == 0);

	/* mbarriers */
#define INIT "setp.eq.u32 %b1, %t, 0;\n@%b1 mbarrier.init.shared::cta.b64 [0], 64;\nbar.sync 0;\n"
#define INIT_ONE "setp.eq.u32 %b1, %t, 0;\n@%b1 mbarrier.init.shared::cta.b64 [0], 1;\nbar.sync 0;\n"
#define WAIT "mbarrier.test_wait.shared::cta.b64 %b2, [0], %d3;\n"
	const struct expectation barriers[] = {
		{INIT "shl.b32 %r1, %t, 2;\nst.shared.u32 [%r1+64], %t;\nmbarrier.arrive.shared::cta.b64 %d3, [0];\nwait:\n" WAIT "@!%b2 bra wait;\nxor.b32 %r3, %r1, 128;\nld.shared.u32 %r2, [%r3+64];\n",
		 -1, 0, NULL, 64},
		{INIT "mbarrier.arrive.shared::cta.b64 _, [0];\nwait:\nmbarrier.try_wait.parity.shared::cta.b64 %b2, [0], 0;\n@!%b2 bra wait;\n"
		      "mbarrier.arrive.shared::cta.b64 _, [0];\nagain:\nmbarrier.try_wait.parity.shared::cta.b64 %b2, [0], 1;\n@!%b2 bra again;\n", -1, 0, NULL, 64},
		{INIT "mul.lo.u32 %r1, %t, 4;\ncvt.u64.u32 %d1, %r1;\nadd.u64 %d2, %p0, %d1;\ncp.async.ca.shared.global [%r1+64], [%d2], 4;\n"
		      "cp.async.mbarrier.arrive.noinc.shared.b64 [0];\nwait:\nmbarrier.test_wait.parity.shared.b64 %b2, [0], 0;\n@!%b2 bra wait;\nxor.b32 %r3, %r1, 128;\nld.shared.u32 %r2, [%r3+64];\n" BRANCH,
		 -1, 0, NULL, 64},
		/* bulk copies: one thread copies, all wait; one that does not */
		{INIT_ONE "@%b1 mbarrier.arrive.expect_tx.shared::cta.b64 %d3, [0], 256;\n@%b1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [64], [%p0], 256, [0];\n"
		 "wait:\nmbarrier.try_wait.parity.shared::cta.b64 %b2, [0], 0;\n@!%b2 bra wait;\nshl.b32 %r1, %t, 2;\nld.shared.u32 %r2, [%r1+64];\n" BRANCH, -1, 0, NULL, 64},
		{INIT_ONE "@%b1 mbarrier.arrive.expect_tx.shared::cta.b64 %d3, [0], 256;\n@%b1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [64], [%p0], 256, [0];\n"
		 "shl.b32 %r1, %t, 2;\nld.shared.u32 %r2, [%r1+64];\nbar.sync 0;\n", PTX_FIND_RACE, 0, NULL, 64},
		{INIT_ONE "@%b1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [64], [%p2], 112, [0];\n", PTX_FIND_BOUNDS, 700, NULL, 32},
		{INIT_ONE "@%b1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [64], [%p0], 24, [0];\n", PTX_FIND_INVALID, 715, "multiple of 16", 32},
		{"st.shared.v4.u32 [0], {%t, %t, %t, %t};\ncp.async.bulk.global.shared::cta.bulk_group [%p1], [0], 16;\ncp.async.bulk.commit_group;\ncp.async.bulk.wait_group.read 0;\n", -1, 0, NULL, 1},
		{"mbarrier.arrive.shared::cta.b64 %d3, [0];\n", PTX_FIND_INVALID, 715, "no mbarrier", 1},
		{"mbarrier.init.shared.b64 [0], 0;\n", PTX_FIND_INVALID, 715, NULL, 1},
		{"mbarrier.init.shared.b64 [0], 1;\nmbarrier.arrive.shared.b64 %d3, [0], 2;\n", PTX_FIND_INVALID, 715, "more arrivals", 1},
		{"mbarrier.init.shared.b64 [4], 1;\n", PTX_FIND_MISALIGNED, 716, NULL, 1},
		{"mbarrier.init.shared.b64 [0], 3;\nmbarrier.arrive.noComplete.shared.b64 %d3, [0], 2;\nmbarrier.pending_count.b64 %r2, %d3;\nsetp.eq.u32 %b1, %r2, 3;\n@%b1 bra done;\nst.global.u32 [%p2+100], 1;\ndone:\n",
		 -1, 0, NULL, 1},
		/* never complete */
		{"mbarrier.init.shared.b64 [0], 2;\nmbarrier.arrive.shared.b64 %d3, [0];\nwait:\n" WAIT "@!%b2 bra wait;\n", PTX_FIND_BUDGET, 702, NULL, 1},
	};
	expect(&world, barriers, COUNT(barriers), NULL, 1024);
	world_close(&world);
}

int main(void)
{
	test_bounds();
	test_uses();
	test_undefined();
	test_races();
	test_async();
	return check_result();
}
