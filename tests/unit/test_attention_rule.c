/* The rule for attention: what it lets pass and what it does not, on a small attention computed here in float64, with a
 * kernel-like result made from it and faults planted into that. Measured by the judge on the cpu device. */
#include "check.h"

#include "core/digest.h"
#include "core/util.h"
#include "judge/attention_rule.h"
#include "judge/row_class.h"

#include <stdlib.h>

enum { BATCH = 2, HEADS = 3, GROUPS = BATCH * HEADS, SEQLEN_Q = 9, SEQLEN_K = 21, HEAD_DIM = 16 };
enum { ROWS = GROUPS * SEQLEN_Q, ELEMENTS = ROWS * HEAD_DIM };

struct problem {
	enum dtype dtype;
	double q[GROUPS][SEQLEN_Q][HEAD_DIM], k[GROUPS][SEQLEN_K][HEAD_DIM], v[GROUPS][SEQLEN_K][HEAD_DIM];
	double scale, softcap;
	int causal;
};

/* Results of one computation, and what the rule wants to know beside them. */
struct result {
	double o[ROWS][HEAD_DIM], lse[ROWS];
	double magnitude[ROWS][HEAD_DIM];
	double logit_magnitude[GROUPS], logit_max[GROUPS], value_sum[GROUPS];
	unsigned char row_class[ROWS];
};

static double rounded(enum dtype dtype, double value)
{
	uint64_t bits;
	dtype_store(dtype, &bits, 0, value);
	return dtype_load(dtype, &bits, 0);
}

static double normal(uint64_t *state)
{
	double sum = -6.0;
	for (int i = 0; i < 12; i++)
		sum += (double)(digest_mix((*state)++) >> 11) * 0x1p-53;
	return sum;
}

static struct problem *problem_of(enum dtype dtype, double logit_scale, uint64_t seed)
{
	struct problem *problem = calloc(1, sizeof *problem);
	if (!problem)
		exit(1);
	uint64_t state = seed << 40;
	problem->dtype = dtype;
	problem->scale = 0.25;
	for (int g = 0; g < GROUPS; g++) {
		for (int i = 0; i < SEQLEN_Q; i++)
			for (int c = 0; c < HEAD_DIM; c++)
				problem->q[g][i][c] = rounded(dtype, logit_scale * normal(&state));
		for (int j = 0; j < SEQLEN_K; j++)
			for (int c = 0; c < HEAD_DIM; c++) {
				problem->k[g][j][c] = rounded(dtype, normal(&state));
				problem->v[g][j][c] = rounded(dtype, normal(&state));
			}
	}
	return problem;
}

/* What a computation does otherwise than the reference. */
struct manner {
	int low;             /* scores, probabilities and output rounded to the type */
	int kernel;          /* probabilities and output rounded, scores in float32 */
	int drop_last_key;   /* fault: the last visible key is forgotten */
	int causal_off_by_one;
	double scale_factor; /* fault: of the softmax scale; 0 is 1 */
	int no_softcap;
};

static void attend(const struct problem *problem, struct manner manner, struct result *result)
{
	memset(result, 0, sizeof *result);
	const double factor = manner.scale_factor != 0 ? manner.scale_factor : 1.0;
	for (int g = 0; g < GROUPS; g++) {
		for (int c = 0; c < HEAD_DIM; c++) {
			double sum = 0;
			for (int j = 0; j < SEQLEN_K; j++)
				sum += fabs(problem->v[g][j][c]);
			result->value_sum[g] = fmax(result->value_sum[g], sum);
		}
		for (int i = 0; i < SEQLEN_Q; i++) {
			double s[SEQLEN_K], max = -INFINITY, l = 0;
			int visible = problem->causal ? i + SEQLEN_K - SEQLEN_Q + 1 + manner.causal_off_by_one : SEQLEN_K;
			visible = visible > SEQLEN_K ? SEQLEN_K : visible;
			visible -= manner.drop_last_key;
			const int row = g * SEQLEN_Q + i;
			for (int j = 0; j < visible; j++) {
				double dot = 0, size = 0;
				for (int c = 0; c < HEAD_DIM; c++) {
					dot += problem->q[g][i][c] * problem->k[g][j][c];
					size += fabs(problem->q[g][i][c] * problem->k[g][j][c]);
				}
				s[j] = factor * problem->scale * dot;
				if (problem->softcap > 0 && !manner.no_softcap)
					s[j] = problem->softcap * tanh(s[j] / problem->softcap);
				if (manner.low)
					s[j] = rounded(problem->dtype, s[j]);
				if (manner.kernel)
					s[j] = (double)(float)s[j];
				result->logit_magnitude[g] = fmax(result->logit_magnitude[g], problem->scale * size);
				result->logit_max[g] = fmax(result->logit_max[g], fabs(s[j]));
				max = fmax(max, s[j]);
			}
			double p[SEQLEN_K];
			for (int j = 0; j < visible; j++) {
				p[j] = exp(s[j] - max);
				l += p[j];
			}
			for (int c = 0; c < HEAD_DIM; c++) {
				double o = 0;
				for (int j = 0; j < visible; j++) {
					double weight = p[j];
					if (manner.low)
						weight = rounded(problem->dtype, p[j] / l);
					else if (manner.kernel)
						weight = rounded(problem->dtype, p[j]) / l;
					else
						weight = p[j] / l;
					o += weight * problem->v[g][j][c];
					result->magnitude[row][c] += p[j] / l * fabs(problem->v[g][j][c]);
				}
				result->o[row][c] = manner.low || manner.kernel ? rounded(problem->dtype, o) : o;
			}
			result->lse[row] = max + log(l);
		}
	}
}

struct court {
	struct device *device;
	struct judge *judge;
};

/* Measures o (rounded to dtype) and lse against the reference and applies the rule. */
static struct judgement *decide(const struct court *court, const struct problem *problem, const struct result *out,
				const struct result *low, const struct result *reference)
{
	static double low_o[ROWS][HEAD_DIM];
	struct error err = {0};
	struct judgement *judgement = calloc(1, sizeof *judgement);
	uint16_t *value = calloc(ELEMENTS, sizeof *value);
	float lse[ROWS];
	int32_t row_group[ROWS];
	int64_t keys[GROUPS], first_row[GROUPS];
	double slacks[GROUPS];
	struct judge_numbers numbers[3];
	if (!judgement || !value)
		exit(1);
	for (int row = 0; row < ROWS; row++) {
		row_group[row] = row / SEQLEN_Q;
		lse[row] = (float)out->lse[row];
		for (int c = 0; c < HEAD_DIM; c++)
			dtype_store(problem->dtype, value, (size_t)(row * HEAD_DIM + c), out->o[row][c]);
	}
	for (int g = 0; g < GROUPS; g++) {
		keys[g] = SEQLEN_K;
		first_row[g] = g * SEQLEN_Q;
	}
	memcpy(low_o, low->o, sizeof low_o);
	const struct attention_rule_input input = {.dtype = problem->dtype,
						   .groups = GROUPS,
						   .heads = HEADS,
						   .head_dim = HEAD_DIM,
						   .softcap = problem->softcap,
						   .logit_magnitude = reference->logit_magnitude,
						   .logit_max = reference->logit_max,
						   .value_sum = reference->value_sum,
						   .keys = keys,
						   .first_row = first_row};
	attention_slacks(&input, slacks);
	/* on the cpu device an address of this process is a device pointer */
	const struct judge_input of_out = {.dtype = problem->dtype,
					   .value = (device_pointer)(uintptr_t)value,
					   .rows = ROWS,
					   .columns = HEAD_DIM,
					   .groups = GROUPS,
					   .reference = (device_pointer)(uintptr_t)reference->o,
					   .magnitude = (device_pointer)(uintptr_t)reference->magnitude,
					   .row_class = (device_pointer)(uintptr_t)reference->row_class,
					   .row_group = (device_pointer)(uintptr_t)row_group,
					   .absolute_slack = slacks};
	struct judge_input of_low = of_out, of_lse = of_out;
	of_low.dtype = DTYPE_F64;
	of_low.value = (device_pointer)(uintptr_t)low_o;
	of_lse.dtype = DTYPE_F32;
	of_lse.value = (device_pointer)(uintptr_t)lse;
	of_lse.columns = 1;
	of_lse.reference = (device_pointer)(uintptr_t)reference->lse;
	of_lse.magnitude = 0;
	of_lse.absolute_slack = NULL;
	of_lse.is_lse = 1;
	if (judge_compare(court->judge, &of_out, &numbers[0], &err) || judge_compare(court->judge, &of_low, &numbers[1], &err) ||
	    judge_compare(court->judge, &of_lse, &numbers[2], &err) ||
	    attention_judge(&numbers[0], &numbers[1], &numbers[2], &input, judgement, &err)) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	for (int i = 0; i < 3; i++)
		judge_numbers_free(&numbers[i]);
	judgement_decide(judgement, NULL);
	free(value);
	return judgement;
}

struct trial {
	const struct court *court;
	struct problem *problem;
	struct result out, low, reference;
};

static struct trial *trial_of(const struct court *court, enum dtype dtype, double logit_scale, uint64_t seed)
{
	struct trial *trial = calloc(1, sizeof *trial);
	if (!trial)
		exit(1);
	trial->court = court;
	trial->problem = problem_of(dtype, logit_scale, seed);
	return trial;
}

static void trial_compute(struct trial *trial)
{
	attend(trial->problem, (struct manner){0}, &trial->reference);
	attend(trial->problem, (struct manner){.low = 1}, &trial->low);
	attend(trial->problem, (struct manner){.kernel = 1}, &trial->out);
}

static struct judgement *trial_decide(struct trial *trial)
{
	return decide(trial->court, trial->problem, &trial->out, &trial->low, &trial->reference);
}

static void trial_free(struct trial *trial)
{
	free(trial->problem);
	free(trial);
}

/* Decides, checks status and the one broken check (or none), frees. */
static void expect(struct trial *trial, enum status status, enum check broken, const char *reason)
{
	struct judgement *judgement = trial_decide(trial);
	CHECK_TEXT(status_name(judgement->status), status_name(status));
	if (reason)
		CHECK_CONTAINS(judgement->reason, reason);
	for (int check = 0; check < CHECK_NAMES_COUNT; check++)
		CHECK_INT(judgement->checks[check].state == CHECK_BROKEN, broken == (enum check)check);
	if (judgement->status != status)
		fprintf(stderr, "  %s (margin %g, LSE margin %g)\n", judgement->reason, judgement->margin,
			judgement->lse_margin);
	free(judgement);
}

/* ---- right results pass, with room -------------------------------------------------------------------------------- */

static void test_right(const struct court *court)
{
	static const double scales[] = {0.01, 1.0, 8.0, 60.0};
	for (int type = 0; type < 2; type++)
		for (size_t s = 0; s < ARRAY_COUNT(scales); s++)
			for (int causal = 0; causal < 2; causal++) {
				struct trial *trial = trial_of(court, type ? DTYPE_BF16 : DTYPE_F16, scales[s], 7 + s);
				trial->problem->causal = causal;
				trial->problem->softcap = s == 2 ? 5.0 : 0.0;
				trial_compute(trial);
				struct judgement *judgement = trial_decide(trial);
				CHECK_TEXT(judgement->reason, "");
				CHECK_INT(judgement->status, STATUS_PASS);
				CHECK(judgement->margin > 0 && judgement->margin < 0.7);
				CHECK(judgement->lse_margin < 0.7);
				CHECK_INT(judgement->elements, ELEMENTS);
				CHECK_INT(judgement->checks[CHECK_NUMBERS].state, CHECK_HELD);
				CHECK_INT(judgement->checks[CHECK_LSE].state, CHECK_HELD);
				CHECK_INT(judgement->checks[CHECK_FINITE].state, CHECK_HELD);
				CHECK_INT(judgement->checks[CHECK_ROW_CLASS].state, CHECK_NOT_MADE);
				CHECK_INT(judgement->checks[CHECK_EXACT].state, CHECK_NOT_MADE);
				CHECK(judgement->relative_l2 > 0 && judgement->relative_l2 < (type ? 0.02 : 0.002));
				free(judgement);
				trial_free(trial);
			}
}

/* ---- faults ------------------------------------------------------------------------------------------------------- */

static void test_faults(const struct court *court)
{
	for (int type = 0; type < 2; type++) {
		const enum dtype dtype = type ? DTYPE_BF16 : DTYPE_F16;
		struct trial *trial = trial_of(court, dtype, 1.0, 3);
		trial->problem->causal = 1;
		trial_compute(trial);
		const struct result right = trial->out;

		struct result wrong;
		attend(trial->problem, (struct manner){.kernel = 1, .drop_last_key = 1}, &wrong);
		memcpy(trial->out.o, wrong.o, sizeof wrong.o);
		expect(trial, STATUS_FAIL, CHECK_NUMBERS, "numbers: batch ");
		memcpy(trial->out.lse, wrong.lse, sizeof wrong.lse);
		trial->out = right;

		attend(trial->problem, (struct manner){.kernel = 1, .causal_off_by_one = 1}, &wrong);
		memcpy(trial->out.lse, wrong.lse, sizeof wrong.lse);
		expect(trial, STATUS_FAIL, CHECK_LSE, "lse: LSE at batch 0, head 0, query 0 is ");
		trial->out = right;

		/* a scale that is one percent off: seen in f16, where eps is 0.1 % */
		if (dtype == DTYPE_F16) {
			attend(trial->problem, (struct manner){.kernel = 1, .scale_factor = 1.01}, &wrong);
			memcpy(trial->out.o, wrong.o, sizeof wrong.o);
			expect(trial, STATUS_FAIL, CHECK_NUMBERS, "unfused chain");
			trial->out = right;
		}

		/* the last head is another's: hidden in any norm over all */
		memcpy(&trial->out.o[(GROUPS - 1) * SEQLEN_Q], &right.o[0], SEQLEN_Q * sizeof right.o[0]);
		expect(trial, STATUS_FAIL, CHECK_NUMBERS, "batch 1, head 2, query ");
		trial->out = right;

		/* two rows of one head change places */
		memcpy(trial->out.o[20], right.o[21], sizeof right.o[0]);
		memcpy(trial->out.o[21], right.o[20], sizeof right.o[0]);
		expect(trial, STATUS_FAIL, CHECK_NUMBERS, "batch 0, head 2, query ");
		trial->out = right;

		/* zeros are no answer */
		memset(trial->out.o, 0, sizeof trial->out.o);
		expect(trial, STATUS_FAIL, CHECK_NUMBERS, "6 of 6 heads");
		trial->out = right;

		/* base 2 instead of e */
		for (int row = 0; row < ROWS; row++)
			trial->out.lse[row] = right.lse[row] / log(2.0);
		expect(trial, STATUS_FAIL, CHECK_LSE, "off by ");
		trial->out = right;

		/* logits without their scale */
		for (int row = 0; row < ROWS; row++)
			trial->out.lse[row] += 1e-3;
		expect(trial, STATUS_FAIL, CHECK_LSE, NULL);
		trial->out = right;

		/* one element that is no number, among right ones: its own check, and no other */
		trial->out.o[40][3] = (double)NAN;
		expect(trial, STATUS_FAIL, CHECK_FINITE, "output at batch 1, head 1, query 4, column 3 is nan");
		struct judgement *judgement = trial_decide(trial);
		CHECK(isinf(judgement->margin) && isinf(judgement->scaled_max) && isinf(judgement->absolute_max));
		CHECK_INT(judgement->worst_index[0], 1);
		CHECK_INT(judgement->worst_index[1], 1);
		CHECK_INT(judgement->worst_index[2], 4);
		CHECK_INT(judgement->worst_index[3], 3);
		CHECK(isnan(judgement->worst_value) && judgement->worst_reference == trial->reference.o[40][3]);
		CHECK_INT(judgement->nan_count, 1);
		judgement_decide(judgement, &(struct judge_policy){.disabled_checks = 1u << CHECK_FINITE});
		CHECK_INT(judgement->status, STATUS_PASS);
		free(judgement);
		trial->out.o[40][3] = -(double)INFINITY;
		expect(trial, STATUS_FAIL, CHECK_FINITE, "is -inf");
		trial->out = right;
		trial->out.lse[5] = (double)NAN;
		expect(trial, STATUS_FAIL, CHECK_FINITE, "LSE at batch 0, head 0, query 5 is nan");
		trial->out = right;

		/* NaN everywhere */
		for (int row = 0; row < ROWS; row++) {
			trial->out.lse[row] = (double)NAN;
			for (int c = 0; c < HEAD_DIM; c++)
				trial->out.o[row][c] = (double)NAN;
		}
		expect(trial, STATUS_FAIL, CHECK_FINITE, NULL);
		judgement = trial_decide(trial);
		judgement_decide(judgement, &(struct judge_policy){.disabled_checks = 1u << CHECK_FINITE});
		CHECK(judgement->status != STATUS_PASS); /* with that check off nothing is left that held */
		free(judgement);
		trial->out = right;

		expect(trial, STATUS_PASS, CHECK_NAMES_COUNT, NULL);
		trial_free(trial);
	}
}

static void test_softcap_fault(const struct court *court)
{
	struct trial *trial = trial_of(court, DTYPE_F16, 4.0, 5);
	trial->problem->softcap = 6.0;
	trial_compute(trial);
	expect(trial, STATUS_PASS, CHECK_NAMES_COUNT, NULL);
	struct result wrong;
	attend(trial->problem, (struct manner){.kernel = 1, .no_softcap = 1}, &wrong);
	memcpy(trial->out.o, wrong.o, sizeof wrong.o);
	expect(trial, STATUS_FAIL, CHECK_NUMBERS, NULL);
	trial_free(trial);
}

/* ---- the bound itself: an error just below passes, just above fails, in every head ----------------------------------- */

static void test_edge(const struct court *court)
{
	struct trial *trial = trial_of(court, DTYPE_F16, 1.0, 11);
	trial_compute(trial);
	for (int g = 0; g < GROUPS; g++) {
		struct result planted = trial->reference;
		struct judgement *judgement = decide(court, trial->problem, &trial->reference, &trial->low, &trial->reference);
		CHECK_INT(judgement->status, STATUS_PASS);
		free(judgement);
		/* the bound of this head, from the figures of a run whose worst element is there */
		planted.o[g * SEQLEN_Q + 2][1] += 100.0;
		judgement = decide(court, trial->problem, &planted, &trial->low, &trial->reference);
		CHECK_INT(judgement->status, STATUS_FAIL);
		CHECK_INT(judgement->worst_index[0], g / HEADS);
		CHECK_INT(judgement->worst_index[1], g % HEADS);
		CHECK_INT(judgement->worst_index[2], 2);
		CHECK_INT(judgement->worst_index[3], 1);
		const double bound = judgement->scaled_bound;
		CHECK_NEAR(judgement->scaled_max / bound, judgement->margin, 1e-12 * judgement->margin);
		CHECK(bound > 0x1p-10 && bound < 0.01);
		const int64_t keys[GROUPS] = {SEQLEN_K, SEQLEN_K, SEQLEN_K, SEQLEN_K, SEQLEN_K, SEQLEN_K};
		const struct attention_rule_input input = {.dtype = DTYPE_F16, .groups = GROUPS, .heads = HEADS,
							   .head_dim = HEAD_DIM, .keys = keys,
							   .logit_magnitude = trial->reference.logit_magnitude,
							   .logit_max = trial->reference.logit_max,
							   .value_sum = trial->reference.value_sum};
		CHECK_NEAR(bound, 2.0 * judgement->low_scaled_max + attention_bounds_of(&input, g, 0.0).f, 1e-15);
		free(judgement);
		/* the value is stored in f16: make the wanted error by moving the reference instead */
		for (int above = 0; above < 2; above++) {
			struct result reference = trial->reference;
			const int row = g * SEQLEN_Q + 2;
			const double value = rounded(DTYPE_F16, trial->reference.o[row][1]);
			const double slack = 0.5 * 0x1p-24 + (0.5 * 0x1p-24 + 0x1p-126) * reference.value_sum[g];
			/* low has to keep its error in this head: it is far below half of this one */
			reference.o[row][1] = value - (bound * (above ? 1.0001 : 0.9999) * reference.magnitude[row][1] + slack);
			struct result low = trial->low;
			low.o[row][1] = reference.o[row][1];
			judgement = decide(court, trial->problem, &trial->reference, &low, &reference);
			CHECK_INT(judgement->status, above ? STATUS_FAIL : STATUS_PASS);
			CHECK_NEAR(judgement->margin, above ? 1.0001 : 0.9999, 1e-7);
			CHECK_INT(judgement->checks[CHECK_NUMBERS].state, above ? CHECK_BROKEN : CHECK_HELD);
			free(judgement);
		}
	}
	trial_free(trial);
}

static void test_lse_edge(const struct court *court)
{
	struct trial *trial = trial_of(court, DTYPE_BF16, 1.0, 12);
	trial_compute(trial);
	const int64_t keys[GROUPS] = {SEQLEN_K, SEQLEN_K, SEQLEN_K, SEQLEN_K, SEQLEN_K, SEQLEN_K};
	const struct attention_rule_input input = {.dtype = DTYPE_BF16, .groups = GROUPS, .heads = HEADS, .head_dim = HEAD_DIM,
						   .logit_magnitude = trial->reference.logit_magnitude,
						   .logit_max = trial->reference.logit_max,
						   .value_sum = trial->reference.value_sum, .keys = keys};
	for (int above = 0; above < 2; above++) {
		const int row = 4 * SEQLEN_Q + 7;
		struct result reference = trial->reference;
		for (int i = 0; i < ROWS; i++)
			reference.lse[i] = (double)(float)reference.lse[i];
		double size = 0;
		for (int i = 4 * SEQLEN_Q; i < 5 * SEQLEN_Q; i++)
			size = fmax(size, fabs(reference.lse[i]));
		trial->out.lse[row] = reference.lse[row];
		const double bound = attention_bounds_of(&input, 4, size).lse;
		CHECK(bound > 1e-7 && bound < 1e-4);
		reference.lse[row] += bound * (above ? 1.01 : 0.97);
		struct judgement *judgement = decide(court, trial->problem, &trial->out, &trial->low, &reference);
		CHECK_INT(judgement->checks[CHECK_LSE].state, above ? CHECK_BROKEN : CHECK_HELD);
		CHECK_INT(judgement->lse_margin > 1.0, above);
		CHECK_NEAR(judgement->lse_absolute_max, bound * (above ? 1.01 : 0.97), 1e-12);
		free(judgement);
	}
	trial_free(trial);
}

/* ---- the unfused chain ------------------------------------------------------------------------------------------------ */

static void test_low(const struct court *court)
{
	struct trial *trial = trial_of(court, DTYPE_F16, 1.0, 13);
	trial_compute(trial);
	struct judgement *judgement = trial_decide(trial);
	const double margin = judgement->margin;
	free(judgement);
	/* a chain that is not finite excuses nothing: F alone */
	for (int row = 0; row < ROWS; row++)
		trial->low.o[row][0] = (double)NAN;
	judgement = trial_decide(trial);
	CHECK_INT(judgement->status, STATUS_PASS);
	CHECK(judgement->margin > margin);
	CHECK(isinf(judgement->low_scaled_max));
	free(judgement);
	/* nor one that is wildly wrong, else zeros would pass */
	for (int row = 0; row < ROWS; row++)
		for (int c = 0; c < HEAD_DIM; c++)
			trial->low.o[row][c] = 0.0;
	memset(trial->out.o, 0, sizeof trial->out.o);
	expect(trial, STATUS_FAIL, CHECK_NUMBERS, "which does not count");
	trial_free(trial);
}

/* ---- classes, exact rows ------------------------------------------------------------------------------------------------ */

static void test_classes(const struct court *court)
{
	struct trial *trial = trial_of(court, DTYPE_F16, 1.0, 17);
	trial_compute(trial);
	const int masked = 3 * SEQLEN_Q, nan_row = masked + 1, exact = masked + 2;
	trial->reference.row_class[masked] = ROW_MASKED;
	trial->reference.row_class[nan_row] = ROW_NAN;
	trial->reference.row_class[exact] = ROW_EXACT;
	trial->out.lse[masked] = (double)INFINITY;
	trial->out.lse[nan_row] = (double)INFINITY;
	for (int c = 0; c < HEAD_DIM; c++) {
		trial->reference.o[masked][c] = trial->low.o[masked][c] = trial->out.o[masked][c] = 0.0;
		trial->reference.o[nan_row][c] = trial->low.o[nan_row][c] = trial->out.o[nan_row][c] = (double)NAN;
		trial->reference.o[exact][c] = trial->out.o[exact][c] = trial->problem->v[3][0][c];
		trial->low.o[exact][c] = trial->reference.o[exact][c];
	}
	struct judgement *judgement = trial_decide(trial);
	CHECK_TEXT(judgement->reason, "");
	CHECK_INT(judgement->status, STATUS_PASS);
	CHECK_INT(judgement->checks[CHECK_ROW_CLASS].state, CHECK_HELD);
	CHECK_INT(judgement->checks[CHECK_EXACT].state, CHECK_HELD);
	CHECK_INT(judgement->elements, ELEMENTS - 2 * HEAD_DIM);
	free(judgement);

	const struct result right = trial->out;
	trial->out.o[masked][5] = 1e-3;
	expect(trial, STATUS_FAIL, CHECK_ROW_CLASS, "output at batch 1, head 0, query 0, column 5 is 0.00100");
	trial->out = right;
	trial->out.lse[masked] = 0.0;
	expect(trial, STATUS_FAIL, CHECK_ROW_CLASS, "LSE at batch 1, head 0, query 0 is 0 where +inf, as no key is visible");
	trial->out = right;
	trial->out.o[nan_row][0] = 0.0;
	expect(trial, STATUS_FAIL, CHECK_ROW_CLASS, "where NaN, as a visible logit is not finite");
	trial->out = right;
	/* one step of the type: within any tolerance, but not the answer */
	trial->out.o[exact][9] = rounded(DTYPE_F16, trial->out.o[exact][9] * (1 + 0x1p-10));
	expect(trial, STATUS_FAIL, CHECK_EXACT, "batch 1, head 0, query 2, column 9 is ");
	/* where the exponent's argument is inexact, exactness is not asked for */
	trial->reference.logit_max[3] = 64.5;
	expect(trial, STATUS_PASS, CHECK_NAMES_COUNT, NULL);
	trial->reference.logit_max[3] = 10;
	trial->problem->softcap = 1e6;
	struct judgement *capped = trial_decide(trial);
	CHECK_INT(capped->checks[CHECK_EXACT].state, CHECK_NOT_MADE);
	free(capped);
	trial_free(trial);
}

/* ---- mistrust ----------------------------------------------------------------------------------------------------------- */

static void test_mistrust(const struct court *court)
{
	/* logits so large that float32 says nothing about their difference */
	struct trial *trial = trial_of(court, DTYPE_F16, 1.0, 19);
	trial_compute(trial);
	trial->reference.logit_magnitude[2] = 1e5;
	expect(trial, STATUS_MISTRUSTED, CHECK_NAMES_COUNT, "batch 0, head 2");
	trial->reference.logit_magnitude[2] = (double)INFINITY;
	expect(trial, STATUS_MISTRUSTED, CHECK_NAMES_COUNT, "logits of magnitude inf");
	/* a fault in another head is a failure all the same */
	trial->out.o[0][0] += 1.0;
	expect(trial, STATUS_FAIL, CHECK_NUMBERS, NULL);
	trial_free(trial);

	/* all values equal: any mixture of keys gives the same */
	trial = trial_of(court, DTYPE_F16, 1.0, 23);
	for (int g = 0; g < GROUPS; g++)
		for (int j = 0; j < SEQLEN_K; j++)
			for (int c = 0; c < HEAD_DIM; c++)
				trial->problem->v[g][j][c] = 0.0;
	trial_compute(trial);
	expect(trial, STATUS_MISTRUSTED, CHECK_NAMES_COUNT, "ought to be 0");
	trial_free(trial);
	trial = trial_of(court, DTYPE_F16, 0.0, 23);
	trial_compute(trial);
	for (int row = 0; row < ROWS; row++) {
		trial->out.lse[row] = trial->reference.lse[row] = 3.0;
		for (int c = 0; c < HEAD_DIM; c++)
			trial->out.o[row][c] = trial->low.o[row][c] = trial->reference.o[row][c] = 0.5;
	}
	expect(trial, STATUS_MISTRUSTED, CHECK_NAMES_COUNT, "ought to be 0.5");
	/* ... unless the LSE tells the rows apart */
	trial->out.lse[7] = trial->reference.lse[7] = 2.0;
	expect(trial, STATUS_PASS, CHECK_NAMES_COUNT, NULL);
	trial_free(trial);
}

/* ---- figures of the derivation, worked out by hand ------------------------------------------------------------------------ */

static void test_bounds(void)
{
	const double logit = 8.0, logit_max = 3.0, value_sum = 100.0;
	const int64_t keys = 1024;
	struct attention_rule_input input = {.dtype = DTYPE_F16, .groups = 1, .heads = 1, .head_dim = 128,
					     .logit_magnitude = &logit, .logit_max = &logit_max, .value_sum = &value_sum,
					     .keys = &keys};
	struct attention_bounds bounds = attention_bounds_of(&input, 0, 10.0);
	/* (20 + 8) * 2^-23 * 8 */
	CHECK_NEAR(bounds.delta, 2.6702880859375e-05, 1e-18);
	/* 2^-10 + 272 * 2^-23 + 2 delta = 1.0623931884765625e-3, and half its square */
	CHECK_NEAR(bounds.f, 1.0623931884765625e-3 + 5.6434e-7, 1e-9);
	CHECK_NEAR(bounds.slack, 0x1p-25 + 0x1p-25 * 100.0, 1e-20);
	/* delta + (256 + 16 + 4 ln 1024 + 20) * 2^-24 */
	CHECK_NEAR(bounds.lse, 2.6702880859375e-05 + (292 + 27.725887222397812) * 0x1p-24, 1e-16);
	/* a float32 reference: 2 delta, 2 * 272 u */
	input.reference = DTYPE_F32;
	bounds = attention_bounds_of(&input, 0, 10.0);
	CHECK_NEAR(bounds.delta, 5.340576171875e-05, 1e-18);
	CHECK_NEAR(log1p(bounds.f), 0x1p-10 + 2 * 272 * 0x1p-23 + 2 * 5.340576171875e-05, 1e-15);
	CHECK_NEAR(bounds.slack, 0x1p-25 + 0x1p-25 * 100.0, 1e-20);
	CHECK_NEAR(bounds.lse, 2 * (2.6702880859375e-05 + (292 + 27.725887222397812) * 0x1p-24), 1e-16);
	input.reference = DTYPE_F64;
	input.softcap = 5.0;
	bounds = attention_bounds_of(&input, 0, 10.0);
	CHECK_NEAR(bounds.delta, 2.6702880859375e-05 + 5.0 / 2048.0, 1e-15);
	input.softcap = 50.0; /* never reached: the logits are at most 8 */
	bounds = attention_bounds_of(&input, 0, 10.0);
	CHECK_NEAR(bounds.delta, 2.6702880859375e-05 + 8.0 / 2048.0, 1e-15);
}

static void test_bad_input(void)
{
	struct judge_group groups[2] = {{0}};
	const struct judge_numbers numbers = {.groups = groups, .group_count = 2};
	const struct judge_numbers other = {.groups = groups, .group_count = 1};
	const double zeros[2] = {0};
	const int64_t keys[2] = {1, 1};
	struct attention_rule_input input = {.dtype = DTYPE_F16, .groups = 2, .heads = 1, .head_dim = 8,
					     .logit_magnitude = zeros, .logit_max = zeros, .value_sum = zeros,
					     .keys = keys, .first_row = keys};
	struct error err = {0};
	struct judgement judgement = {0};
	CHECK_INT(attention_judge(&numbers, &other, NULL, &input, &judgement, &err), -1);
	CHECK_INT(attention_judge(&other, NULL, NULL, &input, &judgement, &err), -1);
	CHECK_INT(attention_judge(&numbers, NULL, &other, &input, &judgement, &err), -1);
	/* nothing compared is not a pass */
	CHECK_INT(attention_judge(&numbers, &numbers, &numbers, &input, &judgement, &err), 0);
	judgement_decide(&judgement, NULL);
	CHECK_INT(judgement.status, STATUS_MISTRUSTED);
	CHECK_CONTAINS(judgement.reason, "no element");
	const double not_a_number[2] = {0, (double)NAN};
	input.logit_magnitude = not_a_number;
	CHECK_INT(attention_judge(&numbers, NULL, NULL, &input, &judgement, &err), -1);
	CHECK_CONTAINS(err.message, "head 1 has magnitudes");
	input.logit_magnitude = zeros;
	input.dtype = DTYPE_F32;
	CHECK_INT(attention_judge(&numbers, NULL, NULL, &input, &judgement, &err), -1);
	input.dtype = DTYPE_F16;
	input.softcap = (double)NAN;
	CHECK_INT(attention_judge(&numbers, NULL, NULL, &input, &judgement, &err), -1);
}

int main(void)
{
	struct error err = {0};
	struct court court = {0};
	if (device_open(&court.device, "cpu", NULL, &err) || judge_open(&court.judge, court.device, &err)) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	test_bounds();
	test_bad_input();
	test_right(&court);
	test_faults(&court);
	test_softcap_fault(&court);
	test_edge(&court);
	test_lse_edge(&court);
	test_low(&court);
	test_classes(&court);
	test_mistrust(&court);
	judge_close(court.judge);
	device_close(court.device);
	return check_result();
}
