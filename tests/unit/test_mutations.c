#include "../tools/mutations.h"
#include "check.h"
#include "core/util.h"

#include <stdlib.h>

static const char module[] = ".version 8.4\n.target sm_80\n.address_size 64\n"
	".entry other()\n{\n\tadd.s32 \t%r1, %r2, 3;\n\tret;\n}\n"
	".visible .entry kernel(\n\t.param .u64 kernel_param_0\n)\n{\n"
	"\tld.global.s32 \t%r5, [%rd9];\n"            /* 13 */
	"\tld.param.u64 \t%rd1, [kernel_param_0];\n"   /* 14 */
	"\tmov.u32 \t%r1, %tid.x;\n"                   /* 15 */
	"\tmul.wide.s32 \t%rd2, %r1, 4;\n"             /* 16 */
	"\tsub.s64 \t%rd3, %rd1, %rd2;\n"              /* 17 */
	"\tld.global.f32 \t%f1, [%rd3+8]; // add.s32 %r1, %r2, 3;\n" /* 18 */
	"\tsetp.lt.s32 \t%p1, %r5, 32;\n"              /* 19 */
	"\t@%p1 bra \t$L__BB0_2;\n"                    /* 20 */
	"\tbar.sync \t0;\n"                            /* 21 */
	"\tadd.f32 \t%f1, %f1, 0f3F800000;\n"          /* 22 */
	"$L__BB0_2:\n"                                 /* 23 */
	"\t{ cvt.rn.f16.f32 %rs1, %f1;}\n"             /* 24 */
	"\tfma.rn.f32 \t%f2, %f1, %f1, %f1;\n"         /* 25 */
	"\tmin.f32 \t%f3, %f2, %f1;\n"                 /* 26 */
	"\tand.b32 \t%r2, %r1, %r1;\n"                 /* 27 */
	"\tst.global.u16 \t[%rd3], %rs1;\n"            /* 28 */
	"\tret;\n}\n";

/* Whether there is this mutant of line `line`. */
static int has(const struct mutations *all, enum mutation_kind kind, int line, const char *after)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].kind == kind && all->list[i].line == line) {
			char plain[200];
			size_t used = 0;
			for (const char *c = all->list[i].after; *c && used + 1 < sizeof plain; c++)
				if (*c != '\t')
					plain[used++] = *c;
			plain[used] = '\0';
			if (strcmp(plain, after) == 0)
				return 1;
		}
	return 0;
}

static int count(const struct mutations *all, enum mutation_kind kind, int line)
{
	int found = 0;
	for (size_t i = 0; i < all->count; i++)
		found += all->list[i].kind == kind && (!line || all->list[i].line == line);
	return found;
}

static void each_kind(const struct mutations *all)
{
	CHECK(has(all, MUTATE_EXCHANGE, 17, "sub.s64 %rd3, %rd2, %rd1;"));
	CHECK_INT(count(all, MUTATE_EXCHANGE, 27), 0); /* and is symmetric; fma's first two, too */
	CHECK(has(all, MUTATE_REGISTER, 15, "mov.u32 %r1, %ctaid.x;"));
	CHECK(has(all, MUTATE_REGISTER, 17, "sub.s64 %rd3, %rd2, %rd2;"));
	CHECK(has(all, MUTATE_REGISTER, 18, "ld.global.f32 %f1, [%rd2+8]; // add.s32 %r1, %r2, 3;"));
	CHECK(has(all, MUTATE_CONSTANT, 19, "setp.lt.s32 %p1, %r5, 33;"));
	CHECK(has(all, MUTATE_CONSTANT, 19, "setp.lt.s32 %p1, %r5, 31;"));
	CHECK(has(all, MUTATE_CONSTANT, 19, "setp.lt.s32 %p1, %r5, 64;"));
	CHECK(has(all, MUTATE_CONSTANT, 19, "setp.lt.s32 %p1, %r5, 0;"));
	CHECK(has(all, MUTATE_CONSTANT, 22, "add.f32 %f1, %f1, 0f40000000;"));
	CHECK(has(all, MUTATE_CONSTANT, 22, "add.f32 %f1, %f1, 0f00000000;"));
	CHECK(has(all, MUTATE_COMPARISON, 19, "setp.le.s32 %p1, %r5, 32;"));
	CHECK_INT(count(all, MUTATE_COMPARISON, 0), 1);
	CHECK(has(all, MUTATE_ROUNDING, 22, "add.rz.f32 %f1, %f1, 0f3F800000;"));
	CHECK(has(all, MUTATE_ROUNDING, 24, "{ cvt.rm.f16.f32 %rs1, %f1;}"));
	CHECK(has(all, MUTATE_ROUNDING, 25, "fma.rp.f32 %f2, %f1, %f1, %f1;"));
	CHECK(has(all, MUTATE_BARRIER, 21, ""));
	CHECK_INT(count(all, MUTATE_BARRIER, 0), 1);
	CHECK(has(all, MUTATE_SIGN, 19, "setp.lt.u32 %p1, %r5, 32;"));
	CHECK_INT(count(all, MUTATE_SIGN, 16), 0); /* an index of a thread is never so large that it would matter */
	CHECK_INT(count(all, MUTATE_SIGN, 17), 0); /* of a difference the low bits are the same */
	CHECK(has(all, MUTATE_STEP, 16, "mul.wide.s32 %rd2, %r1, 8;") || has(all, MUTATE_CONSTANT, 16, "mul.wide.s32 %rd2, %r1, 8;"));
	CHECK(has(all, MUTATE_STEP, 18, "ld.global.f32 %f1, [%rd3+12]; // add.s32 %r1, %r2, 3;"));
	CHECK(has(all, MUTATE_STEP, 28, "st.global.u16 [%rd3+-2], %rs1;"));
	CHECK(has(all, MUTATE_WIDTH, 28, "st.global.u8 [%rd3], %rs1;"));
	CHECK(has(all, MUTATE_PREDICATE, 20, "@!%p1 bra $L__BB0_2;"));
	CHECK(has(all, MUTATE_DROP, 20, ""));
	CHECK(has(all, MUTATE_DROP, 22, "")); /* it changes what has a value */
	CHECK(has(all, MUTATE_DROP, 28, ""));
	CHECK_INT(count(all, MUTATE_DROP, 16), 0); /* nothing would have a value then */
	CHECK(has(all, MUTATE_MULTIPLY, 25, "mul.rn.f32 %f2, %f1, %f1;"));
	CHECK(has(all, MUTATE_OPERATOR, 26, "max.f32 %f3, %f2, %f1;"));
	CHECK(has(all, MUTATE_OPERATOR, 27, "or.b32 %r2, %r1, %r1;"));
	CHECK(has(all, MUTATE_FLUSH, 22, "add.ftz.f32 %f1, %f1, 0f3F800000;"));
	CHECK(has(all, MUTATE_FLUSH, 26, "min.NaN.f32 %f3, %f2, %f1;"));
	for (int kind = 0; kind < MUTATE_KINDS; kind++)
		CHECK(count(all, (enum mutation_kind)kind, 0) > 0);
}

/* nvcc's choice between divisions of 32 and of 64 bits: both give the same for sizes, so there is nothing to change. */
static void no_choice_of_division(void)
{
	static const char divided[] = ".version 8.4\n.target sm_80\n.entry k()\n{\n"
		"\tor.b64  \t%rd5, %rd1, %rd2;\n\tand.b64  \t%rd6, %rd5, -4294967296;\n\tsetp.eq.s64 \t%p1, %rd6, 0;\n\t@%p1 bra \t$L1;\n"
		"\tdiv.u64 \t%rd7, %rd1, %rd2;\n\tbra.uni \t$L2;\n$L1:\n\tor.b64 \t%rd8, %rd1, %rd2;\n\tsetp.ne.s64 \t%p2, %rd8, 5;\n"
		"\t@%p2 bra \t$L2;\n$L2:\n\tret;\n}\n";
	struct mutations all;
	struct error err = {0};
	CHECK_INT(mutations_find(divided, "k", &all, &err), 0);
	for (size_t i = 0; i < all.count; i++)
		CHECK(all.list[i].line >= 12);
	for (int line = 12; line <= 14; line++)
		CHECK(count(&all, MUTATE_OPERATOR, line) + count(&all, MUTATE_COMPARISON, line) + count(&all, MUTATE_PREDICATE, line) > 0);
	mutations_free(&all);
}

static void one_line_differs(const struct mutations *all)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct mutation *m = &all->list[i];
		char *mutant = mutation_apply(module, m), *probe = mutation_probe(module, m);
		const char *a = module, *b = mutant, *c = probe;
		CHECK(m->line >= 13 && m->line <= 29); /* the body of this entry, not the other's */
		for (int line = 1; mutant && probe && *a; line++) {
			const size_t la = strcspn(a, "\n"), lb = strcspn(b, "\n"), lc = strcspn(c, "\n");
			CHECK_INT(la != lb || memcmp(a, b, la) != 0, line == m->line);
			CHECK_INT(la != lc || memcmp(a, c, la) != 0, line == m->line);
			a += la + 1;
			b += lb + 1;
			c += lc + 1;
		}
		CHECK_CONTAINS(probe, "trap; ");
		for (size_t k = i + 1; k < all->count && all->list[k].line == m->line; k++)
			CHECK(strcmp(all->list[k].after, m->after) != 0);
		free(mutant);
		free(probe);
	}
}

static void orders(const struct mutations *all)
{
	size_t *first = calloc(all->count, sizeof *first), *second = calloc(all->count, sizeof *second);
	unsigned char *taken = calloc(all->count, 1);
	if (first && second && taken) {
		mutations_order(all, 7, first);
		mutations_order(all, 7, second);
		CHECK(memcmp(first, second, all->count * sizeof *first) == 0);
		mutations_order(all, 8, second);
		CHECK(memcmp(first, second, all->count * sizeof *first) != 0);
		unsigned kinds = 0;
		for (size_t i = 0; i < all->count; i++) {
			CHECK(first[i] < all->count && !taken[first[i]]);
			if (first[i] < all->count)
				taken[first[i]] = 1;
			if (i < MUTATE_KINDS)
				kinds |= 1u << all->list[first[i]].kind;
		}
		CHECK_INT(kinds, (1u << MUTATE_KINDS) - 1); /* one of each before a second of any */
	}
	free(first);
	free(second);
	free(taken);
}

int main(void)
{
	struct mutations all;
	struct error err = {0};
	CHECK_INT(mutations_find(module, "kernel", &all, &err), 0);
	each_kind(&all);
	one_line_differs(&all);
	orders(&all);
	no_choice_of_division();
	mutations_free(&all);
	CHECK_INT(mutations_find(module, "kern", &all, &err), -1);
	CHECK_INT(err.kind, ERROR_INPUT);
	CHECK_INT(mutations_find(".entry k() {", "k", &all, &err), -1);
	return check_result();
}
