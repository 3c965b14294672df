/* One PTX instruction at a time, on 32 lanes of chosen values, by every level of the host's instruction set that there is. Registers
 * are named by letter and number: %p (predicate), %h (16 bits), %r (32), %d (64). */
#ifndef ASSAY_TESTS_PTX_ALU_RUN_H
#define ASSAY_TESTS_PTX_ALU_RUN_H

#include "device/ptx/alu.h"
#include "device/ptx/number.h"

#include "check.h"

#include <stdlib.h>

struct one {
	const char *text;
	struct ptx_module *module;
	const struct ptx_function *function;
	struct ptx_program *program;
	const struct ptx_insn *insn;
	unsigned char *registers, *undefined;
	struct ptx_warp warp;
	struct ptx_frame frame;
	struct error err;
};

static inline void one_close(struct one *one)
{
	if (one->program)
		ptx_program_free(one->program);
	if (one->module)
		ptx_module_free(one->module);
	free(one->registers);
	free(one->undefined);
}

/* -1 with one->err where the instruction is not accepted. */
static inline int one_open(struct one *one, const char *text)
{
	static const char head[] = ".version 8.6\n.target sm_90\n.address_size 64\n.visible .entry k()\n{\n"
				   ".reg .pred %p<6>; .reg .b16 %h<6>; .reg .b32 %r<6>; .reg .b64 %d<6>; .reg .b128 %q<4>;\n";
	char source[1024];
	memset(one, 0, sizeof *one);
	one->text = text;
	snprintf(source, sizeof source, "%s%s\nret;\n}\n", head, text);
	if (ptx_module_index(source, &one->module, &one->err))
		return -1;
	one->function = ptx_module_function(one->module, "k", &one->err);
	if (!one->function || ptx_lower(one->function, NULL, &one->program, &one->err))
		return -1;
	one->insn = &one->program->code[0];
	one->registers = calloc(1, one->function->register_file_bytes + 16 * PTX_UNIT);
	one->undefined = calloc(1, one->function->register_file_bytes + 16 * PTX_UNIT);
	one->warp.file[PTX_FILE_REGISTERS] = one->registers;
	one->warp.file[PTX_FILE_CONSTANTS] = one->program->constants;
	one->warp.frame = &one->frame;
	return 0;
}

/* The lanes of a register; NULL when the instruction does not use it. */
static inline void *one_lanes(struct one *one, const char *name)
{
	for (int i = 0; i < one->function->register_count; i++)
		if (strcmp(one->function->registers[i].name, name) == 0)
			return one->registers + one->function->registers[i].slot;
	return NULL;
}

static inline uint64_t one_get(struct one *one, const char *name, int lane)
{
	const void *lanes = one_lanes(one, name);
	if (!lanes)
		return 0;
	if (name[1] == 'p')
		return *(const uint32_t *)lanes >> lane & 1;
	return name[1] == 'd' ? ((const uint64_t *)lanes)[lane] : ((const uint32_t *)lanes)[lane];
}

static inline void one_set(struct one *one, const char *name, int lane, uint64_t value)
{
	void *lanes = one_lanes(one, name);
	if (!lanes)
		return;
	if (name[1] == 'p')
		*(uint32_t *)lanes = (*(uint32_t *)lanes & ~(1u << lane)) | (uint32_t)(value & 1) << lane;
	else if (name[1] == 'd')
		((uint64_t *)lanes)[lane] = value;
	else
		((uint32_t *)lanes)[lane] = (uint32_t)value;
}

static const char *const one_levels[] = {"baseline", "v3", "v4"};
enum { ONE_LEVELS = 3 };

/* The handler of `level` that stands where the chosen one stands in its table; NULL where the level cannot run here. */
static inline ptx_execute one_handler(const struct one *one, const char *level)
{
	const struct alu_tables *best = ptx_alu_tables(), *tables = ptx_alu_level(level);
	if (!tables)
		return NULL;
	const struct {
		const ptx_execute *from, *to;
		int count;
	} groups[] = {{best->integer, tables->integer, ALU_INTEGER_COUNT}, {best->real, tables->real, ALU_REAL_COUNT},
		      {best->compare, tables->compare, ALU_COMPARE_COUNT}, {best->convert, tables->convert, ALU_CONVERT_COUNT}};
	for (unsigned g = 0; g < 4; g++)
		for (int i = 0; i < groups[g].count; i++)
			if (groups[g].from[i] == one->insn->execute)
				return groups[g].to[i];
	return one->insn->execute; /* of no level: alu_rounded.c */
}

static uint64_t one_random_state = 0x9e3779b97f4a7c15ull;
static inline uint64_t one_random(void)
{
	/* xorshift64* (Vigna 2016) */
	one_random_state ^= one_random_state >> 12;
	one_random_state ^= one_random_state << 25;
	one_random_state ^= one_random_state >> 27;
	return one_random_state * 0x2545f4914f6cdd1dull;
}

/* Values by kind: h r d integers of 16, 32, 64 bits; s a shift count or position; p a bit; e f16 in %h, b bf16 in %h, x two f16
 * and y two bf16 in %r, f f32, F f64: half of them from the edges. n: 16 bits in %h, all values in turn. */
static uint16_t one_counter;
static inline uint64_t one_value(char kind)
{
	static const uint64_t whole[] = {0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffff, 0x800000,
					 0xffffff, 0x1000000, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
					 0x8000000000000000, 0x8000000000000001, 0xfffffffffffffffe, 0xffffffffffffffff, 0xffffffff80000000, 0xffffffffffff8000};
	static const uint32_t f32[] = {0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x807fffff, 0x00800000, 0x80800000, 0x00800001, 0x3f800000, 0xbf800000,
				       0x3f7fffff, 0x3f800001, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001,
				       0x7fffffff, 0xff812345, 0x3f000000, 0x40000000, 0x40490fdb, 0x7e800000, 0x7e800001, 0x7f000000, 0x4b000000,
				       0x4b7fffff, 0x4f000000, 0xcf000000, 0x4f800000, 0x5f000000, 0xdf000000, 0x5f800000, 0x34000000, 0x33800000};
	static const uint64_t f64[] = {0, 0x8000000000000000, 1, 0x8000000000000001, 0x000fffffffffffff, 0x0010000000000000, 0x8010000000000000,
				       0x3ff0000000000000, 0xbff0000000000000, 0x3fefffffffffffff, 0x3ff0000000000001, 0x7fefffffffffffff, 0xffefffffffffffff,
				       0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0x7ff8000000012345, 0x7ff0000000000001, 0xfff8000000000000,
				       0x41dfffffffc00000, 0x41e0000000000000, 0xc1e0000000000000, 0x41f0000000000000, 0x43e0000000000000, 0xc3e0000000000000,
				       0x43f0000000000000, 0x3fe0000000000000, 0x36a0000000000000, 0x3690000000000001, 0x47efffffe0000000, 0x47efffffefffffff,
				       0x47effffff0000000, 0x380fffffffffffff, 0x37f0000000000000};
	static const uint16_t f16[] = {0, 0x8000, 1, 0x8001, 0x3ff, 0x83ff, 0x400, 0x8400, 0x3c00, 0xbc00, 0x3bff, 0x3c01, 0x7bff, 0xfbff, 0x7c00, 0xfc00,
				       0x7e00, 0x7c01, 0xfe01, 0x7fff, 0xffff, 0x6400, 0x6800};
	static const uint16_t bf16[] = {0, 0x8000, 1, 0x8001, 0x7f, 0x80, 0x8080, 0x3f80, 0xbf80, 0x3f7f, 0x3f81, 0x7f7f, 0xff7f, 0x7f80, 0xff80, 0x7fc0,
					0x7f81, 0xffc1, 0x7fff, 0xffff, 0x4300, 0x4380};
#define PICK(list) (list)[one_random() % (sizeof(list) / sizeof *(list))]
	const uint64_t random = one_random();
	const int edge = random >> 60 & 1;
	switch (kind) {
	case 'n':
		return one_counter++;
	case 'p':
		return random & 1;
	case 's':
		return edge ? random & 31 : random & 1 << 8 ? (uint32_t)PICK(whole) : random & 127;
	case 'h':
		return (uint16_t)(edge ? PICK(whole) : random);
	case 'r':
		return (uint32_t)(edge ? PICK(whole) : random);
	case 'd':
		return edge ? PICK(whole) : random & 1 << 20 ? random : random >> (random & 63);
	case 'e':
		return edge ? PICK(f16) : (uint16_t)random;
	case 'b':
		return edge ? PICK(bf16) : (uint16_t)random;
	case 'x':
		return one_value('e') | one_value('e') << 16;
	case 'y':
		return one_value('b') | one_value('b') << 16;
	case 'f': {
		if (edge)
			return PICK(f32);
		/* exponents close to each other, and any */
		const uint32_t bits = (uint32_t)random;
		return random >> 40 & 1 ? bits : (bits & 0x807fffff) | (uint32_t)(112 + (random >> 42) % 32) << 23;
	}
	default: {
		if (edge)
			return PICK(f64);
		const uint64_t bits = one_random();
		return random >> 40 & 1 ? bits : (bits & 0x800fffffffffffff) | (uint64_t)(1000 + (random >> 42) % 48) << 52;
	}
	}
#undef PICK
}

/* Register number n of the kind's letter. */
static inline void one_name(char *name, char kind, int n)
{
	const char letter = strchr("ebhn", kind) ? 'h' : strchr("frsxy", kind) ? 'r' : kind == 'p' ? 'p' : 'd';
	snprintf(name, 8, "%%%c%d", letter, n);
}


/* Runs `text`, whose result is register 0 of kind kinds[0] (or the second, where two are written, also register `second`) and
 * whose sources are registers 1, 2 ... of kinds[1] ...; compares every lane with `expected` in terms of a, b, c, e, over
 * `batches` times 32 lanes, and once more under masks: lanes outside keep what they had. `same` compares two results. */
#define ONE_CASE_SAME(text_, kinds_, batches_, same_, ...)                                                              \
	do {                                                                                                            \
		struct one one;                                                                                         \
		const char *const one_kinds = (kinds_);                                                                     \
		check_count++;                                                                                          \
		if (one_open(&one, text_)) {                                                                            \
			fprintf(stderr, "%s: %s\n", text_, one.err.message);                                            \
			check_failures++;                                                                               \
			one_close(&one);                                                                                \
			break;                                                                                          \
		}                                                                                                       \
		int wrong = 0;                                                                                          \
		for (int batch = 0; batch < (batches_) && !wrong; batch++) {                                            \
			uint64_t in[4][PTX_LANES] = {{0}}, before[PTX_LANES];                                           \
			char name[8], zero[8];                                                                          \
			const uint32_t active = batch % 4 == 3 && !strchr(one_kinds, 'n') ? (uint32_t)one_random() | 1 : ~0u; \
			one_name(zero, one_kinds[0], 0);                                                                \
			for (int s = 1; one_kinds[s]; s++)                                                                  \
				for (int l = 0; l < PTX_LANES; l++)                                                     \
					in[s - 1][l] = one_value(one_kinds[s]);                                             \
			for (int l = 0; l < PTX_LANES; l++)                                                             \
				before[l] = one_value(one_kinds[0]);                                                        \
			for (int level = 0; level < ONE_LEVELS; level++) {                                              \
				const ptx_execute execute = one_handler(&one, one_levels[level]);                       \
				if (!execute)                                                                           \
					continue;                                                                       \
				for (int l = 0; l < PTX_LANES; l++) {                                                   \
					one_set(&one, zero, l, before[l]);                                              \
					for (int s = 1; one_kinds[s]; s++) {                                                \
						one_name(name, one_kinds[s], s);                                            \
						one_set(&one, name, l, in[s - 1][l]);                                   \
					}                                                                               \
				}                                                                                       \
				execute(&one.warp, one.insn, active);                                                   \
				for (int l = 0; l < PTX_LANES && !wrong; l++) {                                         \
					const uint64_t a = in[0][l], b = in[1][l], c = in[2][l], e = in[3][l];          \
					(void)a, (void)b, (void)c, (void)e;                                             \
					const uint64_t got = one_get(&one, zero, l);                                    \
					const uint64_t want = active >> l & 1 ? (uint64_t)(__VA_ARGS__) : before[l];    \
					check_count++;                                                                  \
					if (!(active >> l & 1 ? same_(got, want) : got == want)) {                      \
						wrong = 1;                                                              \
						fprintf(stderr, "%s (%s, lane %d%s): %#llx %#llx %#llx %#llx give %#llx, expected %#llx\n", text_, \
							one_levels[level], l, active >> l & 1 ? "" : ", masked", (unsigned long long)a, \
							(unsigned long long)b, (unsigned long long)c, (unsigned long long)e, \
							(unsigned long long)got, (unsigned long long)want);             \
					}                                                                               \
				}                                                                                       \
			}                                                                                               \
		}                                                                                                       \
		check_failures += wrong;                                                                                \
		one_close(&one);                                                                                        \
	} while (0)
#define ONE_EQUAL(got, want) ((got) == (want))
#define ONE_CASE(text, kinds, ...) ONE_CASE_SAME(text, kinds, 40, ONE_EQUAL, __VA_ARGS__)

#endif
