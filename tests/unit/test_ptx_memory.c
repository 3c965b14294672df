/* Memory of the PTX machine: what loads, stores and atomics move, by width, vector, space and pattern. */
#include "ptx_memory_run.h"

static void test_buffers(void)
{
	struct ptx_memory *memory = ptx_memory_create();
	struct error err = {0};
	CHECK_INT(ptx_memory_add(memory, 0x10000, 4096, PTX_BUFFER_ALLOCATION, "first", &err), 0);
	CHECK_INT(ptx_memory_add(memory, 0x12000, 100, PTX_BUFFER_ALLOCATION, NULL, &err), 0);
	CHECK_INT(ptx_memory_add(memory, 0x11000, 0, PTX_BUFFER_ALLOCATION, NULL, &err), 0); /* nothing, right behind the first */
	/* overlaps of every kind, and what just touches */
	CHECK_INT(ptx_memory_add(memory, 0x10000, 1, PTX_BUFFER_ALLOCATION, NULL, &err), -1);
	CHECK_INT(ptx_memory_add(memory, 0x10fff, 1, PTX_BUFFER_ALLOCATION, NULL, &err), -1);
	CHECK_INT(ptx_memory_add(memory, 0xf000, 0x1001, PTX_BUFFER_ALLOCATION, NULL, &err), -1);
	CHECK_INT(ptx_memory_add(memory, 0xf000, 0x1000, PTX_BUFFER_ALLOCATION, NULL, &err), 0);
	CHECK_INT(ptx_memory_add(memory, UINT64_MAX - 10, 20, PTX_BUFFER_ALLOCATION, NULL, &err), -1);
	CHECK_INT(ptx_memory_add(memory, 0, 20, PTX_BUFFER_ALLOCATION, NULL, &err), -1);
	CHECK_INT(ptx_memory_remove(memory, 0x10001), -1);
	CHECK_INT(ptx_memory_remove(memory, 0x10000), 0);
	CHECK_INT(ptx_memory_remove(memory, 0x10000), -1);
	CHECK_INT(ptx_memory_add(memory, 0x10000, 16, PTX_BUFFER_ALLOCATION, NULL, &err), 0);
	ptx_memory_mark(memory, 0, SIZE_MAX, DEVICE_MEMORY_PLAIN); /* ranges that wrap or hit nothing */
	ptx_memory_mark(memory, UINT64_MAX - 5, 10, DEVICE_MEMORY_PLAIN);
	ptx_memory_host_write(memory, 0x5000, 100);
	ptx_memory_host_copy(memory, 0x5000, 0x6000, 100);
	struct ptx_finding finding;
	CHECK_INT(ptx_memory_host_read(memory, 0x10000, 16, &finding, 1), 0);
	ptx_memory_destroy(memory);
}

/* Every type and vector, from one buffer to another: consecutive, reversed, scattered, all at one place, and in part of the warp. */
static void test_copies(void)
{
	static const struct {
		const char *type, *registers;
		unsigned width;
	} types[] = {{"u8", "h", 1}, {"b8", "r", 1}, {"u16", "h", 2}, {"b16", "r", 2}, {"u32", "r", 4}, {"s32", "d", 4},
		     {"f32", "f", 4}, {"u64", "d", 8}, {"f64", "g", 8}, {"b128", "q", 16}};
	static const struct {
		const char *name, *index;
	} patterns[] = {
		{"consecutive", "mov.u32 %r30, %t;"},
		{"reversed", "sub.u32 %r30, 31, %t;"},
		{"scattered", "mul.lo.u32 %r30, %t, 5; and.b32 %r30, %r30, 31;"},
		{"strided", "mul.lo.u32 %r30, %t, 3;"},
		{"uniform", "mov.u32 %r30, 7;"},
		{"part", "setp.lt.u32 %b1, %t, 13; mov.u32 %r30, %t; @!%b1 bra done;"},
		{"odd lanes", "and.b32 %r29, %t, 1; setp.eq.u32 %b1, %r29, 0; mov.u32 %r30, %t; @%b1 bra done;"},
	};
	static const char *const spaces[] = {".global", ""};
	struct world world;
	world_open(&world);
	for (size_t t = 0; t < sizeof types / sizeof *types; t++)
		for (unsigned vector = 1; vector <= 8 && vector * types[t].width <= 32; vector *= 2)
			for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++)
				for (int checks = 0; checks < 2; checks++) {
					char body[4096], list[128] = "";
					const unsigned bytes = vector * types[t].width;
					if ((vector == 8 && types[t].width != 4) || (vector == 4 && types[t].width == 16) || (vector == 2 && types[t].width == 16))
						continue;
					for (unsigned e = 0; e < vector; e++)
						sprintf(list + strlen(list), "%s%%%s%u", e ? ", " : vector > 1 ? "{" : "", types[t].registers, e);
					if (vector > 1)
						strcat(list, "}");
					const char *const space = spaces[p % 2];
					snprintf(body, sizeof body,
						 "%s\nmul.wide.u32 %%d30, %%r30, %u;\nadd.u64 %%d31, %%p0, %%d30;\nadd.u64 %%d32, %%p1, %%d30;\n"
						 "ld%s%s.%s %s, [%%d31+%u];\nst%s%s.%s [%%d32+%u], %s;\ndone:\n",
						 patterns[p].index, bytes, space, vector == 1 ? "" : vector == 2 ? ".v2" : vector == 4 ? ".v4" : ".v8",
						 types[t].type, list, bytes, space, vector == 1 ? "" : vector == 2 ? ".v2" : vector == 4 ? ".v4" : ".v8",
						 types[t].type, bytes, list);
					memset(world.buffer[1], 0xee, WORLD_BYTES);
					ptx_memory_host_write(world.memory, world_address(&world, 0), WORLD_BYTES);
					ptx_memory_host_write(world.memory, world_address(&world, 1), WORLD_BYTES);
					world_run(&world, (struct world_launch){.body = body, .no_checks = !checks});
					world_expect(&world, -1, NULL);
					unsigned char expected[WORLD_BYTES];
					memset(expected, 0xee, sizeof expected);
					for (unsigned l = 0; l < 32; l++) {
						unsigned i = l;
						switch (p) {
						case 1: i = 31 - l; break;
						case 2: i = l * 5 & 31; break;
						case 3: i = 3 * l; break;
						case 4: i = 7; break;
						case 5: if (l >= 13) continue; break;
						case 6: if (l % 2 == 0) continue; break;
						default: break;
						}
						memcpy(expected + (i + 1) * bytes, world.buffer[0] + (i + 1) * bytes, bytes);
					}
					if (memcmp(expected, world.buffer[1], WORLD_BYTES) != 0)
						fprintf(stderr, "  %s x%u %s checks %d\n", types[t].type, vector, patterns[p].name, checks);
					CHECK(memcmp(expected, world.buffer[1], WORLD_BYTES) == 0);
				}
	world_close(&world);
}

/* Narrow values in wider registers: zeros or signs above them, and stores of their low part. */
static void test_extension(void)
{
	static const struct {
		const char *load, *to, *store, *from;
		uint64_t value, expected;
		unsigned bytes;
	} cases[] = {
		{"ld.global.u8", "%r1", "st.global.u32", "%r1", 0x80, 0x80, 4},
		{"ld.global.s8", "%r1", "st.global.u32", "%r1", 0x80, 0xffffff80, 4},
		{"ld.global.s8", "%r1", "st.global.u32", "%r1", 0x7f, 0x7f, 4},
		{"ld.global.s8", "%h1", "st.global.u16", "%h1", 0x81, 0xff81, 2},
		{"ld.global.b8", "%h1", "st.global.u16", "%h1", 0x81, 0x81, 2},
		{"ld.global.s16", "%r1", "st.global.u32", "%r1", 0x8000, 0xffff8000, 4},
		{"ld.global.u16", "%r1", "st.global.u32", "%r1", 0x8000, 0x8000, 4},
		{"ld.global.s16", "%d1", "st.global.u64", "%d1", 0x8000, 0xffffffffffff8000, 8},
		{"ld.global.s32", "%d1", "st.global.u64", "%d1", 0x80000000, 0xffffffff80000000, 8},
		{"ld.global.u32", "%d1", "st.global.u64", "%d1", 0x80000000, 0x80000000, 8},
		{"ld.global.s8", "%d1", "st.global.u64", "%d1", 0x80, 0xffffffffffffff80, 8},
		{"ld.global.u32", "%r1", "st.global.u8", "%r1", 0x12345678, 0x78, 1},
		{"ld.global.u64", "%d1", "st.global.u16", "%d1", 0x123456789abcdef0, 0xdef0, 2},
	};
	struct world world;
	world_open(&world);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char body[512];
		memcpy(world.buffer[0], &cases[i].value, 8);
		memset(world.buffer[1], 0, 16);
		ptx_memory_host_write(world.memory, world_address(&world, 0), 16);
		snprintf(body, sizeof body, "%s %s, [%%p0];\n%s [%%p1], %s;\n", cases[i].load, cases[i].to, cases[i].store, cases[i].from);
		world_run(&world, (struct world_launch){.body = body, .threads = 1});
		world_expect(&world, -1, NULL);
		uint64_t found;
		memcpy(&found, world.buffer[1], 8);
		if (found != cases[i].expected)
			fprintf(stderr, "  %s\n", cases[i].load);
		CHECK_INT(found, cases[i].expected);
	}
	/* a sign goes as far as the register's type, not its slot */
	memcpy(world.buffer[0], "\x80", 1);
	world_run(&world, (struct world_launch){.body = "ld.global.s8 %h1, [%p0];\nmov.b32 %r1, {%h1, 0};\nst.global.u32 [%p1], %r1;\n", .threads = 1});
	world_expect(&world, -1, NULL);
	uint32_t word;
	memcpy(&word, world.buffer[1], 4);
	CHECK_INT(word, 0xff80);
	world_close(&world);
}

/* Shared, local, constant and parameter memory, by their own addresses and by generic ones. */
static void test_spaces(void)
{
	struct world world;
	world_open(&world);
	ptx_memory_host_write(world.memory, world_address(&world, 0), WORLD_BYTES);
	uint32_t *out = (uint32_t *)(void *)world.buffer[1];

	/* each thread's word through static and dynamic shared memory, reversed */
	world_run(&world, (struct world_launch){
		.declarations = ".extern .shared .align 16 .b8 dynamic[];", .variables = ".shared .align 8 .b8 fixed[512];", .threads = 128,
		.dynamic_shared = 512,
		.body = "mov.u32 %r1, fixed;\nmad.lo.u32 %r2, %t, 4, %r1;\nmul.lo.u32 %r3, %t, 3;\nst.shared.u32 [%r2], %r3;\nbar.sync 0;\n"
			"sub.u32 %r4, 127, %t;\nmov.u64 %d1, fixed;\nmul.wide.u32 %d2, %r4, 4;\nadd.u64 %d3, %d1, %d2;\nld.shared.u32 %r5, [%d3];\n"
			"mov.u64 %d4, dynamic;\ncvta.shared.u64 %d5, %d4;\nadd.u64 %d6, %d5, %d2;\nst.u32 [%d6], %r5;\nbar.sync 0;\n"
			"cvta.to.shared.u64 %d7, %d5;\nmul.wide.u32 %d8, %t, 4;\nadd.u64 %d9, %d7, %d8;\nld.shared.u32 %r6, [%d9];\n"
			"add.u64 %d10, %p1, %d8;\nst.global.u32 [%d10], %r6;\n"});
	world_expect(&world, -1, NULL);
	for (uint32_t i = 0; i < 128; i++)
		CHECK_INT(out[i], 3 * i);

	/* local memory: every lane has its own; dynamic index; generic too */
	world_run(&world, (struct world_launch){
		.variables = ".local .align 16 .b8 mine[64];",
		.body = "mov.u64 %d1, mine;\nmov.u32 %r1, 0;\nloop:\nmul.wide.u32 %d2, %r1, 4;\nadd.u64 %d3, %d1, %d2;\nmad.lo.u32 %r2, %t, 100, %r1;\n"
			"st.local.u32 [%d3], %r2;\nadd.u32 %r1, %r1, 1;\nsetp.lt.u32 %b1, %r1, 16;\n@%b1 bra loop;\n"
			"cvta.local.u64 %d4, %d1;\nand.b32 %r3, %t, 15;\nmul.wide.u32 %d5, %r3, 4;\nadd.u64 %d6, %d4, %d5;\nld.u32 %r4, [%d6];\n"
			"mul.wide.u32 %d7, %t, 4;\nadd.u64 %d8, %p1, %d7;\nst.global.u32 [%d8], %r4;\n"});
	world_expect(&world, -1, NULL);
	for (uint32_t i = 0; i < 32; i++)
		CHECK_INT(out[i], i * 100 + i % 16);

	/* lanes whose generic addresses lie in three spaces at once */
	world_run(&world, (struct world_launch){
		.variables = ".local .align 4 .b8 mine[4];\n.shared .align 4 .b8 ours[4];",
		.body = "mov.u32 %r1, 111;\nst.local.u32 [mine], %r1;\nmov.u32 %r2, 222;\nst.shared.u32 [ours], %r2;\nmov.u32 %r3, 333;\n"
			"st.global.u32 [%p2], %r3;\ncvta.local.u64 %d1, mine;\ncvta.shared.u64 %d2, ours;\nrem.u32 %r4, %t, 3;\nsetp.eq.u32 %b1, %r4, 0;\n"
			"setp.eq.u32 %b2, %r4, 1;\nselp.b64 %d3, %d1, %p2, %b1;\nselp.b64 %d4, %d2, %d3, %b2;\nld.u32 %r5, [%d4];\n"
			"mul.wide.u32 %d7, %t, 4;\nadd.u64 %d8, %p1, %d7;\nst.global.u32 [%d8], %r5;\n"
			"isspacep.shared %b3, %d4;\nisspacep.local %b4, %d4;\nisspacep.global %b5, %d4;\nselp.u32 %r6, 1, 0, %b3;\nselp.u32 %r7, 2, 0, %b4;\n"
			"selp.u32 %r8, 4, 0, %b5;\nor.b32 %r9, %r6, %r7;\nor.b32 %r9, %r9, %r8;\nst.global.u32 [%d8+128], %r9;\n"});
	world_expect(&world, -1, NULL);
	for (uint32_t i = 0; i < 32; i++) {
		CHECK_INT(out[i], i % 3 == 0 ? 111 : i % 3 == 1 ? 222 : 333);
		CHECK_INT(out[32 + i], i % 3 == 0 ? 2 : i % 3 == 1 ? 1 : 4);
	}

	/* constants and variables of the module; the kernel's parameters by address, in their own space and as generic ones */
	world_run(&world, (struct world_launch){
		.declarations = ".const .align 4 .u32 table[4] = {10, 20, 30, 40};\n.global .align 4 .u32 sum = 5;",
		.body = "and.b32 %r1, %t, 3;\nmov.u64 %d1, table;\nmul.wide.u32 %d2, %r1, 4;\nadd.u64 %d3, %d1, %d2;\nld.const.u32 %r2, [%d3];\n"
			"ld.const.u32 %r3, [table+8];\nld.global.u32 %r4, [sum];\nadd.u32 %r2, %r2, %r3;\nadd.u32 %r2, %r2, %r4;\n"
			"cvta.const.u64 %d4, %d1;\nld.u32 %r5, [%d4+4];\nadd.u32 %r2, %r2, %r5;\n"
			"mov.b64 %d5, p1;\nld.param.u64 %d6, [%d5];\ncvta.param.u64 %d10, %d5;\nld.u64 %d11, [%d10];\nsetp.ne.u64 %b1, %d6, %d11;\n@%b1 bra done;\n"
			"isspacep.const %b2, %d4;\n@!%b2 bra done;\nisspacep.param %b2, %d10;\n@!%b2 bra done;\n"
			"mul.wide.u32 %d7, %t, 4;\nadd.u64 %d8, %d11, %d7;\nst.global.u32 [%d8], %r2;\ndone:\n"});
	world_expect(&world, -1, NULL);
	for (uint32_t i = 0; i < 32; i++)
		CHECK_INT(out[i], (i % 4 + 1) * 10 + 30 + 5 + 20);
	world_close(&world);
}

static void test_atomics(void)
{
	static const struct {
		const char *operation, *type, *registers;
		unsigned width;
		uint64_t start, operand, after; /* by 32 lanes */
		uint64_t third;            /* what lane 3 reads */
	} cases[] = {
		{"add", "u32", "r", 4, 5, 3, 5 + 96, 5 + 9},
		{"add", "s32", "r", 4, 0xffffffff, 1, 31, 2},
		{"add", "u64", "d", 8, 0xffffffff, 1, 0x10000001f, 0x100000002},
		{"min", "u32", "r", 4, 0x80000000, 7, 7, 7},
		{"min", "s32", "r", 4, 0x80000000, 7, 0x80000000, 0x80000000},
		{"max", "u32", "r", 4, 0x80000000, 7, 0x80000000, 0x80000000},
		{"max", "s32", "r", 4, 0x80000000, 7, 7, 7},
		{"min", "s64", "d", 8, 5, 0x8000000000000000, 0x8000000000000000, 0x8000000000000000},
		{"max", "u64", "d", 8, 5, 0x8000000000000000, 0x8000000000000000, 0x8000000000000000},
		{"inc", "u32", "r", 4, 0, 4, 32 % 5, 3},
		{"dec", "u32", "r", 4, 0, 4, 3, 2}, /* 0 4 3 2 1 0 ... */
		{"and", "b32", "r", 4, 0xff, 0x3c, 0x3c, 0x3c},
		{"or", "b32", "r", 4, 0x01, 0x30, 0x31, 0x31},
		{"xor", "b64", "d", 8, 0x01, 0x30, 0x01, 0x31},
		{"exch", "b32", "r", 4, 1, 9, 9, 9},
		{"exch", "b64", "d", 8, 1, 9, 9, 9},
		{"add.noftz", "f16", "h", 2, 0x3c00, 0x3c00, 0x5020, 0x4400},        /* 1 + 32, 1 + 3 */
		{"add.noftz", "bf16", "h", 2, 0x3f80, 0x3f80, 0x4204, 0x4080},
		{"add.noftz", "f16x2", "r", 4, 0x3c000000, 0x3c003c00, 0x50205000, 0x44004200},
		{"add.noftz", "bf16x2", "r", 4, 0x3f800000, 0x3f803f80, 0x42044200, 0x40804040},
		{"add", "f32", "f", 4, 0x3f800000, 0x3f800000, 0x42040000, 0x40800000},
		{"add", "f64", "g", 8, 0x3ff0000000000000, 0x3ff0000000000000, 0x4040800000000000, 0x4010000000000000},
	};
	static const char *const spaces[] = {".global", ".shared", ""};
	struct world world;
	world_open(&world);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int s = 0; s < 3; s++) {
			char body[2048];
			const unsigned bits = 8 * cases[i].width;
			memset(world.buffer[0], 0, 64);
			memset(world.buffer[1], 0, 64);
			memcpy(world.buffer[0], &cases[i].start, 8);
			memcpy(world.buffer[0] + 8, &cases[i].operand, 8);
			ptx_memory_host_write(world.memory, world_address(&world, 0), 64);
			/* lane 3 tells what it read; global ones work on the second buffer */
			snprintf(body, sizeof body,
				 "ld.global.b%u %%%s1, [%%p0];\nld.global.b%u %%%s2, [%%p0+8];\nsetp.eq.u32 %%b2, %%t, 0;\n"
				 "@%%b2 st%s.b%u [%s], %%%s1;\nbar.warp.sync -1;\natom%s.%s.%s %%%s3, [%s], %%%s2;\nsetp.eq.u32 %%b1, %%t, 3;\n"
				 "@%%b1 st.global.b%u [%%p1+8], %%%s3;\nbar.warp.sync -1;\nld%s.b%u %%%s4, [%s];\n@%%b1 st.global.b%u [%%p1+16], %%%s4;\n",
				 bits, cases[i].registers, bits, cases[i].registers, spaces[s], bits, s == 1 ? "word" : "%p1", cases[i].registers,
				 spaces[s], cases[i].operation, cases[i].type, cases[i].registers, s == 1 ? "word" : "%p1", cases[i].registers, bits,
				 cases[i].registers, spaces[s], bits, cases[i].registers, s == 1 ? "word" : "%p1", bits, cases[i].registers);
			world_run(&world, (struct world_launch){.variables = ".shared .align 8 .b8 word[8];", .body = body});
			world_expect(&world, -1, NULL);
			uint64_t third = 0, after = 0;
			memcpy(&third, world.buffer[1] + 8, 8);
			memcpy(&after, world.buffer[1] + 16, 8);
			if (after != cases[i].after || third != cases[i].third)
				fprintf(stderr, "  atom%s.%s.%s\n", spaces[s], cases[i].operation, cases[i].type);
			CHECK_INT(after, cases[i].after);
			CHECK_INT(third, cases[i].third);
		}

	/* cas: of 32 lanes that expect 0, the first succeeds; widths 2, 4, 8, 16 */
	static const struct {
		const char *type, *registers;
		unsigned width;
	} widths[] = {{"b16", "h", 2}, {"b32", "r", 4}, {"b64", "d", 8}};
	for (size_t i = 0; i < 3; i++) {
		char body[1024];
		const char *const r = widths[i].registers;
		memset(world.buffer[1], 0, 512);
		ptx_memory_host_write(world.memory, world_address(&world, 1), 512);
		snprintf(body, sizeof body,
			 "cvt.u%u.u32 %%%s1, %%t;\nadd.u%u %%%s1, %%%s1, 100;\natom.global.cas.%s %%%s2, [%%p1], 0, %%%s1;\n"
			 "mul.wide.u32 %%d8, %%t, %u;\nadd.u64 %%d8, %%d8, %%p1;\nst.global.%s [%%d8+64], %%%s2;\n",
			 8 * widths[i].width, r, 8 * widths[i].width, r, r, widths[i].type, r, r, widths[i].width, widths[i].type, r);
		world_run(&world, (struct world_launch){.body = body});
		world_expect(&world, -1, NULL);
		uint64_t now = 0, first = 0, last = 0;
		memcpy(&now, world.buffer[1], widths[i].width);
		memcpy(&first, world.buffer[1] + 64, widths[i].width);
		memcpy(&last, world.buffer[1] + 64 + 31 * widths[i].width, widths[i].width);
		CHECK_INT(now, 100);
		CHECK_INT(first, 0);
		CHECK_INT(last, 100);
	}
	memset(world.buffer[1], 0x11, 64);
	ptx_memory_host_write(world.memory, world_address(&world, 1), 64);
	world_run(&world, (struct world_launch){.body =
		"ld.global.b128 %q0, [%p1];\nmov.u64 %d1, 1;\nmov.u64 %d2, 2;\nmov.b128 %q1, {%d1, %d2};\natom.global.cas.b128 %q2, [%p1], %q0, %q1;\n"
		"atom.global.exch.b128 %q3, [%p1+16], %q2;\nst.global.b128 [%p1+32], %q3;\n", .threads = 1});
	world_expect(&world, -1, NULL);
	uint64_t pair[2];
	memcpy(pair, world.buffer[1], 16);
	CHECK_INT(pair[0], 1);
	CHECK_INT(pair[1], 2);
	CHECK(memcmp(world.buffer[1] + 32, world.buffer[1] + 16, 16) == 0);

	/* a vector of sums, without results; subnormals vanish in global memory and stay in shared memory */
	float four[4] = {1, 2, 3, 4};
	memcpy(world.buffer[1], four, 16);
	world_run(&world, (struct world_launch){.body = "mov.f32 %f1, 0f3F800000;\nred.global.v4.f32.add [%p1], {%f1, %f1, %f1, %f1};\n"});
	world_expect(&world, -1, NULL);
	memcpy(four, world.buffer[1], 16);
	CHECK_NEAR(four[0], 33, 0);
	CHECK_NEAR(four[3], 36, 0);
	memset(world.buffer[1], 0, 16);
	world_run(&world, (struct world_launch){
		.variables = ".shared .align 4 .b8 word[4];",
		.body = "mov.f32 %f1, 0f00000001;\nred.global.add.f32 [%p1], %f1;\nmov.f32 %f2, 0f00000000;\nst.shared.f32 [word], %f2;\n"
			"red.shared.add.f32 [word], %f1;\nld.shared.f32 %f3, [word];\nst.global.f32 [%p1+4], %f3;\n", .threads = 1});
	world_expect(&world, -1, NULL);
	uint32_t words[2];
	memcpy(words, world.buffer[1], 8);
	CHECK_INT(words[0], 0);
	CHECK_INT(words[1], 1);

	/* many blocks on one word */
	memset(world.buffer[1], 0, 16);
	world_run(&world, (struct world_launch){.body = "mov.u32 %r1, 1;\natom.global.add.u32 %r2, [%p1], %r1;\nred.add.u32 [%p1+4], %r1;\n", .threads = 96, .blocks = 64, .workers = 4});
	world_expect(&world, -1, NULL);
	memcpy(words, world.buffer[1], 8);
	CHECK_INT(words[0], 96 * 64);
	CHECK_INT(words[1], 96 * 64);
	world_close(&world);
}

static void test_counts(void)
{
	static const struct {
		const char *body;
		uint64_t requests, sectors, ideal, wavefronts, shared_requests;
	} cases[] = {
		{"mul.wide.u32 %d1, %t, 4;\nadd.u64 %d1, %d1, %p0;\nld.global.u32 %r1, [%d1];\n", 1, 4, 4, 0, 0},
		{"mul.wide.u32 %d1, %t, 4;\nadd.u64 %d1, %d1, %p0;\nld.global.u32 %r1, [%d1+4];\n", 1, 5, 4, 0, 0},
		{"mul.wide.u32 %d1, %t, 128;\nadd.u64 %d1, %d1, %p0;\nld.global.u32 %r1, [%d1];\n", 1, 32, 4, 0, 0},
		{"mul.wide.u32 %d1, %t, 8;\nadd.u64 %d1, %d1, %p0;\nld.global.u32 %r1, [%d1];\n", 1, 8, 4, 0, 0},
		{"ld.global.u32 %r1, [%p0];\n", 1, 1, 1, 0, 0},
		{"mul.wide.u32 %d1, %t, 16;\nadd.u64 %d1, %d1, %p0;\nld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%d1];\n", 1, 16, 16, 0, 0},
		{"mul.lo.u32 %r1, %t, 4;\nst.shared.u32 [%r1], %t;\n", 0, 0, 0, 1, 1},
		{"mul.lo.u32 %r1, %t, 8;\nst.shared.u32 [%r1], %t;\n", 0, 0, 0, 2, 1},
		{"mul.lo.u32 %r1, %t, 128;\nst.shared.u32 [%r1], %t;\n", 0, 0, 0, 32, 1},
		{"mul.lo.u32 %r1, %t, 132;\nst.shared.u32 [%r1], %t;\n", 0, 0, 0, 1, 1},
		{"mov.u32 %r1, 64;\nst.shared.u32 [%r1], 1;\n", 0, 0, 0, 1, 1},
		{"mul.lo.u32 %r1, %t, 2;\nst.shared.u16 [%r1], %t;\n", 0, 0, 0, 1, 1},
		{"mul.lo.u32 %r1, %t, 16;\nst.shared.v4.u32 [%r1], {%t, %t, %t, %t};\n", 0, 0, 0, 4, 4},
		{"mul.lo.u32 %r1, %t, 128;\nst.shared.v4.u32 [%r1], {%t, %t, %t, %t};\n", 0, 0, 0, 32, 4},
		{"mul.lo.u32 %r1, %t, 16;\nst.shared.u64 [%r1], %p0;\n", 0, 0, 0, 4, 2},
	};
	struct world world;
	world_open(&world);
	ptx_memory_host_write(world.memory, world_address(&world, 0), WORLD_BYTES);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		world_run(&world, (struct world_launch){.body = cases[i].body, .dynamic_shared = 8192});
		world_expect(&world, -1, NULL);
		const struct ptx_counts *counts = &world.result->counts;
		if (counts->global_read_sectors != cases[i].sectors || counts->shared_wavefronts != cases[i].wavefronts)
			fprintf(stderr, "  %s", cases[i].body);
		CHECK_INT(counts->global_requests, cases[i].requests);
		CHECK_INT(counts->global_read_sectors, cases[i].sectors);
		CHECK_INT(counts->global_ideal_sectors, cases[i].ideal);
		CHECK_INT(counts->shared_wavefronts, cases[i].wavefronts);
		CHECK_INT(counts->shared_requests, cases[i].shared_requests);
	}
	world_close(&world);
}

int main(void)
{
	test_buffers();
	test_copies();
	test_extension();
	test_spaces();
	test_atomics();
	test_counts();
	return check_result();
}
