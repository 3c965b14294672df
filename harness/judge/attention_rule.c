#include "judge/attention_rule.h"

#include "judge/row_class.h"

#include <math.h>
#include <stdio.h>

static const double unit = 0x1p-23;                 /* u of the derivation */
static const double tanh_approx_error = 0x1p-11;    /* PTX ISA, tanh.approx.f32 */
static const double flush_to_zero = 0x1p-126;       /* smallest normal float32 */
static const double largest_trusted = 0.1;          /* of F and of 2 e(low); DESIGN: beyond it nothing is proved */
static const double largest_exact_logit = 64.0;

struct attention_bounds attention_bounds_of(const struct attention_rule_input *input, int64_t group, double lse_max)
{
	const double logit = input->logit_magnitude[group];
	const double head_dim = (double)input->head_dim, keys = (double)input->keys[group];
	const double tiny = dtype_smallest_subnormal(input->dtype);
	const double times = input->reference == DTYPE_F32 ? 2.0 : 1.0; /* section 6 */
	struct attention_bounds bounds;

	bounds.delta = times * (5.0 * head_dim / 32.0 + 8.0) * unit * logit;
	if (input->softcap > 0)
		bounds.delta += tanh_approx_error * fmin(input->softcap, logit);
	bounds.f = expm1(dtype_epsilon(input->dtype) + times * (keys / 4.0 + 16.0) * unit + 2.0 * bounds.delta);
	bounds.slack = 0.5 * tiny + (0.5 * tiny + flush_to_zero) * input->value_sum[group];
	bounds.lse = bounds.delta + times * (keys / 4.0 + 16.0 + 4.0 * log(fmax(keys, 1.0)) + 2.0 * lse_max) * 0.5 * unit;
	return bounds;
}

void attention_slacks(const struct attention_rule_input *input, double *slacks)
{
	for (int64_t group = 0; group < input->groups; group++)
		slacks[group] = attention_bounds_of(input, group, 0.0).slack;
}

/* "batch 1, head 3, query 17": where row `row` of group `group` lies. */
struct place {
	int64_t batch, head, query, column;
	char text[96];
};

static struct place place_of(const struct attention_rule_input *input, int64_t group, int64_t index, int64_t columns)
{
	struct place place = {.batch = group / input->heads,
			      .head = group % input->heads,
			      .query = index / columns - input->first_row[group],
			      .column = index % columns};
	const int used = snprintf(place.text, sizeof place.text, "batch %lld, head %lld, query %lld", (long long)place.batch,
				  (long long)place.head, (long long)place.query);
	if (columns > 1 && used > 0 && (size_t)used < sizeof place.text)
		snprintf(place.text + used, sizeof place.text - (size_t)used, ", column %lld", (long long)place.column);
	return place;
}

static const char *demand_text(int64_t row_class, int is_lse)
{
	if (row_class & ROW_NAN)
		return is_lse ? "NaN or +inf, as a visible logit is not finite" : "NaN, as a visible logit is not finite";
	if (row_class & ROW_MASKED)
		return is_lse ? "+inf, as no key is visible" : "0, as no key is visible";
	if (row_class & ROW_ALL_MINUS_INF)
		return is_lse ? "NaN or an infinity, as every logit is -inf"
			      : "a row all NaN or all 0, as every logit is -inf";
	return "what a visible value that is not finite makes of it";
}

/* error / bound, +inf where that says nothing. */
static double ratio(double error, double bound)
{
	const double margin = error / bound;
	return isnan(margin) ? (double)INFINITY : margin;
}

/* Non-finite elements and row classes: the same for outputs and LSE. */
static void judge_kinds(const struct judge_numbers *numbers, const struct attention_rule_input *input, int64_t columns,
			int is_lse, struct judgement *judgement)
{
	const char *what = is_lse ? "LSE" : "output";
	const struct judge_group *total = &numbers->total;

	for (int64_t group = 0; group < numbers->group_count; group++) {
		const struct judge_group *of = &numbers->groups[group];
		if (of->not_finite && judgement->checks[CHECK_FINITE].state != CHECK_BROKEN) {
			const struct place place = place_of(input, group, of->not_finite_index, columns);
			judgement_break(judgement, CHECK_FINITE,
					"%s at %s is %g where a number is due; %lld such elements in all", what, place.text,
					of->not_finite_value, (long long)total->not_finite);
		}
		if (of->class_violations && judgement->checks[CHECK_ROW_CLASS].state != CHECK_BROKEN) {
			const struct place place = place_of(input, group, of->class_violation_index, columns);
			judgement_break(judgement, CHECK_ROW_CLASS, "%s at %s is %g where %s is due (reference %g); %lld such elements in all",
					what, place.text, of->class_violation_value,
					demand_text(of->class_violation_class, is_lse), of->class_violation_reference,
					(long long)total->class_violations);
		}
	}
	if (total->elements > 0)
		judgement_hold(judgement, CHECK_FINITE);
	if (total->class_elements > 0)
		judgement_hold(judgement, CHECK_ROW_CLASS);
}

/* What one head's output may be off by. */
struct allowance {
	double f, low; /* F, and e(low): +inf where it is not known */
	int excused;   /* e(low) counts */
	double bound;
};

static struct allowance allowance_of(const struct judge_numbers *low, const struct attention_rule_input *input,
				     int64_t group)
{
	struct allowance allowance = {.f = attention_bounds_of(input, group, 0.0).f,
				      .low = low ? low->groups[group].scaled_max : (double)INFINITY};
	allowance.excused = 2.0 * allowance.low <= largest_trusted;
	allowance.bound = allowance.excused ? 2.0 * allowance.low + allowance.f : allowance.f;
	return allowance;
}

static void judge_output(const struct judge_numbers *out, const struct judge_numbers *low,
			 const struct attention_rule_input *input, struct judgement *judgement)
{
	/* The head to tell of in figures is the worst of all; the one to tell of in CHECK_NUMBERS is the worst by its finite
	 * elements, since the others belong to CHECK_FINITE. */
	int64_t beyond = 0, worst = -1, farthest = -1;
	double farthest_margin = 0.0;

	for (int64_t group = 0; group < out->group_count; group++) {
		const struct judge_group *of = &out->groups[group];
		if (of->elements == 0 && of->not_finite == 0)
			continue;
		const struct allowance allowance = allowance_of(low, input, group);
		if (!(allowance.f <= largest_trusted))
			judgement_mistrust(judgement,
					   "float32 rounding alone may make an error of %.3g in batch %lld, head %lld (logits of "
					   "magnitude %.3g): a wrong kernel could pass",
					   allowance.f, (long long)(group / input->heads),
					   (long long)(group % input->heads), input->logit_magnitude[group]);
		const double margin = ratio(of->scaled_max, allowance.bound);
		if (worst < 0 || margin > judgement->margin) {
			worst = group;
			judgement->margin = margin;
			judgement->scaled_max = of->scaled_max;
			judgement->scaled_bound = allowance.bound;
			judgement->low_scaled_max = allowance.low;
		}
		if (of->elements == 0 || of->finite_scaled_max <= allowance.bound)
			continue;
		beyond++;
		const double finite_margin = ratio(of->finite_scaled_max, allowance.bound);
		if (farthest < 0 || finite_margin > farthest_margin) {
			farthest = group;
			farthest_margin = finite_margin;
		}
	}
	if (worst >= 0) {
		const struct judge_group *of = &out->groups[worst];
		const struct place place = place_of(input, worst, of->not_finite ? of->not_finite_index : of->scaled_max_index,
						    input->head_dim);
		judgement->worst_index[0] = place.batch;
		judgement->worst_index[1] = place.head;
		judgement->worst_index[2] = place.query;
		judgement->worst_index[3] = place.column;
		judgement->worst_value = of->not_finite ? of->not_finite_value : of->scaled_max_value;
		judgement->worst_reference = of->not_finite ? of->not_finite_reference : of->scaled_max_reference;
	}
	if (farthest >= 0) {
		const struct judge_group *of = &out->groups[farthest];
		const struct allowance allowance = allowance_of(low, input, farthest);
		const struct place place = place_of(input, farthest, of->scaled_max_index, input->head_dim);
		judgement_break(judgement, CHECK_NUMBERS,
				"%s is %.9g instead of %.9g: scaled error %.3g > %.3g (F %.3g + 2 * %.3g of the unfused chain%s); "
				"%lld of %lld heads are beyond their bound",
				place.text, of->scaled_max_value, of->scaled_max_reference, of->finite_scaled_max,
				allowance.bound, allowance.f, allowance.low,
				allowance.excused ? "" : ", which does not count", (long long)beyond,
				(long long)out->group_count);
	} else if (out->total.elements > 0) {
		judgement_hold(judgement, CHECK_NUMBERS);
	}
}

static void judge_exact(const struct judge_numbers *out, const struct attention_rule_input *input,
			struct judgement *judgement)
{
	if (input->softcap > 0)
		return;
	for (int64_t group = 0; group < out->group_count; group++) {
		const struct judge_group *of = &out->groups[group];
		if (of->exact_elements == 0 || !(input->logit_max[group] <= largest_exact_logit))
			continue;
		if (of->exact_mismatches == 0) {
			judgement_hold(judgement, CHECK_EXACT);
			continue;
		}
		const struct place place = place_of(input, group, of->exact_mismatch_index, input->head_dim);
		judgement_break(judgement, CHECK_EXACT,
				"%s is %.9g where %.9g is the only right answer; %lld of %lld such elements of this head differ",
				place.text, of->exact_mismatch_value, of->exact_mismatch_reference,
				(long long)of->exact_mismatches, (long long)of->exact_elements);
	}
}

static void judge_lse(const struct judge_numbers *lse, const struct attention_rule_input *input,
		      struct judgement *judgement)
{
	judgement->lse_absolute_max = lse->total.absolute_max;
	judgement->lse_margin = 0.0;
	for (int64_t group = 0; group < lse->group_count; group++) {
		const struct judge_group *of = &lse->groups[group];
		if (of->elements == 0 && of->not_finite == 0)
			continue;
		const double size = fmax(fabs(of->reference_min), fabs(of->reference_max));
		const double bound = attention_bounds_of(input, group, size).lse;
		judgement->lse_margin = fmax(judgement->lse_margin, ratio(of->scaled_max, bound));
		if (of->elements == 0)
			continue;
		if (of->finite_scaled_max <= bound) {
			judgement_hold(judgement, CHECK_LSE);
			continue;
		}
		const struct place place = place_of(input, group, of->scaled_max_index, 1);
		judgement_break(judgement, CHECK_LSE, "LSE at %s is %.9g instead of %.9g: off by %.3g > %.3g", place.text,
				of->scaled_max_value, of->scaled_max_reference, of->finite_scaled_max, bound);
	}
}

/* Everything that is compared is the same number: rows, heads and keys could be mixed up unseen. */
static int is_constant(const struct judge_group *total)
{
	return total->elements > 1 && total->reference_min == total->reference_max;
}

static int belong_together(const struct judge_numbers *numbers, const struct attention_rule_input *input)
{
	return numbers->group_count == input->groups && numbers->groups;
}

int attention_judge(const struct judge_numbers *out, const struct judge_numbers *low, const struct judge_numbers *lse,
		    const struct attention_rule_input *input, struct judgement *judgement, struct error *err)
{
	if (input->groups < 1 || input->heads < 1 || input->head_dim < 1 ||
	    (input->dtype != DTYPE_F16 && input->dtype != DTYPE_BF16) || !(input->softcap >= 0) ||
	    (input->reference != DTYPE_INVALID && input->reference != DTYPE_F32 && input->reference != DTYPE_F64))
		return error_set(err, ERROR_INTERNAL, "attention rule: %lld groups of %lld heads of %lld %s, softcap %g",
				 (long long)input->groups, (long long)input->heads, (long long)input->head_dim,
				 dtype_name(input->dtype), input->softcap);
	if (!belong_together(out, input) || (low && !belong_together(low, input)) || (lse && !belong_together(lse, input)))
		return error_set(err, ERROR_INTERNAL, "attention rule: measurements of another number of heads");
	for (int64_t group = 0; group < input->groups; group++)
		if (!(input->logit_magnitude[group] >= 0) || !(input->value_sum[group] >= 0) || input->keys[group] < 0)
			return error_set(err, ERROR_INTERNAL, "attention rule: head %lld has magnitudes %g and %g, %lld keys",
					 (long long)group, input->logit_magnitude[group], input->value_sum[group],
					 (long long)input->keys[group]);

	const struct judge_group *total = &out->total;
	judgement->absolute_max = total->absolute_max;
	judgement->relative_max = total->relative_max;
	judgement->relative_l2 = total->not_finite ? (double)INFINITY
				 : total->error_square_sum == 0.0
					 ? 0.0
					 : sqrt(total->error_square_sum / total->reference_square_sum);
	judgement->ulp_max = total->ulp_max;
	judgement->elements = total->elements;
	judgement->nan_count = total->nan_count;
	judgement->inf_count = total->inf_count;
	for (int bin = 0; bin < JUDGE_HISTOGRAM_BINS; bin++)
		judgement->histogram[bin] = out->histogram[bin];
	for (int i = 0; i < 4; i++)
		judgement->worst_index[i] = -1;

	judge_kinds(out, input, input->head_dim, 0, judgement);
	judge_output(out, low, input, judgement);
	judge_exact(out, input, judgement);
	if (lse) {
		judge_kinds(lse, input, 1, 1, judgement);
		judge_lse(lse, input, judgement);
	}

	if (total->elements + total->not_finite + total->class_elements == 0)
		judgement_mistrust(judgement, "no element of the output could be compared");
	else if (is_constant(total) && (total->reference_min == 0.0 || !lse || is_constant(&lse->total)))
		judgement_mistrust(judgement, "every element of the output ought to be %g: rows, heads and keys could be mixed up "
					      "unseen", total->reference_min);
	return 0;
}
