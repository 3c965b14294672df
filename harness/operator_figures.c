#include "operator_figures.h"

#include "report_figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int case_is_operator(const struct case_record *record)
{
	return record->module[0] != '\0';
}

int case_is_unjudged(const struct case_record *record)
{
	return record->judgement.status == STATUS_SKIPPED && record->judgement.checks[CHECK_LAUNCH].state == CHECK_HELD;
}

/* The graver, the higher: what a set of cases comes to. Of refusals and passes the passes speak: something was run. */
static int gravity(enum status status)
{
	static const int order[STATUS_COUNT] = {
		[STATUS_SKIPPED] = 0, [STATUS_UNSUPPORTED] = 1, [STATUS_PASS] = 2, [STATUS_MISTRUSTED] = 3,
		[STATUS_ERROR] = 4, [STATUS_TIMEOUT] = 5, [STATUS_CRASHED] = 6, [STATUS_FAIL] = 7,
	};
	return order[status];
}

static int has_numbers(const struct judgement *judgement)
{
	return judgement->checks[CHECK_NUMBERS].state == CHECK_HELD || judgement->checks[CHECK_NUMBERS].state == CHECK_BROKEN;
}

/* fmax that keeps a NaN of `a` only while there is nothing else, and takes a NaN of `b` for infinite: it is no margin that holds. */
static double larger(double a, double b)
{
	const double value = isnan(b) ? (double)INFINITY : b;
	return isnan(a) || value > a ? value : a;
}

static void take_case(struct entry_summary *entry, const struct case_record *record)
{
	const struct judgement *judgement = &record->judgement;
	const int first = entry->cases++ == 0;
	entry->statuses[judgement->status]++;
	if (first || gravity(judgement->status) > gravity(entry->status) ||
	    (judgement->status == entry->status && judgement->status == STATUS_PASS && has_numbers(judgement) &&
	     !(judgement->margin <= entry->worst->judgement.margin))) {
		entry->status = judgement->status;
		entry->worst = record;
	}
	if (judgement->status != STATUS_PASS && judgement->status != STATUS_FAIL)
		return;
	if (has_numbers(judgement)) {
		entry->margin = larger(entry->margin, judgement->margin);
		entry->precise_margin = larger(entry->precise_margin, judgement->precise_margin);
	}
	if (judgement->ulp_max > entry->ulp_max)
		entry->ulp_max = judgement->ulp_max;
}

static int by_entry(const void *a, const void *b)
{
	const struct case_record *x = *(const struct case_record *const *)a, *y = *(const struct case_record *const *)b;
	if (x->artifact != y->artifact)
		return x->artifact < y->artifact ? -1 : 1;
	const int order = strcmp(x->entry_point, y->entry_point);
	return order ? order : (x > y) - (x < y);
}

static int by_first_case(const void *a, const void *b)
{
	const struct entry_summary *x = a, *y = b;
	if (x->artifact != y->artifact)
		return x->artifact < y->artifact ? -1 : 1;
	const int families_differ = strcmp(x->family, y->family);
	return families_differ ? families_differ : strcmp(x->symbol, y->symbol);
}

int entry_summaries(const struct run_record *run, struct entry_summary **out, size_t *count)
{
	const struct case_record **cases = calloc(run->case_count + 1, sizeof *cases);
	struct entry_summary *entries = calloc(run->case_count + 1, sizeof *entries);
	size_t found = 0;
	*out = NULL;
	*count = 0;
	if (!cases || !entries) {
		free(cases);
		free(entries);
		return -1;
	}
	for (size_t i = 0; i < run->case_count; i++)
		if (case_is_operator(&run->cases[i]))
			cases[found++] = &run->cases[i];
	qsort(cases, found, sizeof *cases, by_entry);
	for (size_t i = 0; i < found; i++) {
		struct entry_summary *last = *count ? &entries[*count - 1] : NULL;
		if (!last || last->artifact != cases[i]->artifact || strcmp(last->symbol, cases[i]->entry_point) != 0) {
			last = &entries[(*count)++];
			*last = (struct entry_summary){.family = cases[i]->family, .module = cases[i]->module, .symbol = cases[i]->entry_point,
						       .artifact = cases[i]->artifact, .fast_math = cases[i]->fast_math,
						       .margin = (double)NAN, .precise_margin = (double)NAN};
		}
		take_case(last, cases[i]);
	}
	free(cases);
	qsort(entries, *count, sizeof *entries, by_first_case);
	*out = entries;
	return 0;
}

int family_summaries(const struct entry_summary *entries, size_t count, struct family_summary **out, size_t *family_count)
{
	struct family_summary *list = calloc(count + 1, sizeof *list);
	*out = list;
	*family_count = 0;
	if (!list)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const struct entry_summary *entry = &entries[i];
		size_t at = 0;
		while (at < *family_count && (strcmp(list[at].family, entry->family) != 0 || strcmp(list[at].module, entry->module) != 0))
			at++;
		struct family_summary *family = &list[at];
		if (at == *family_count) {
			(*family_count)++;
			*family = (struct family_summary){.family = entry->family, .module = entry->module, .margin = (double)NAN,
							  .precise_margin = (double)NAN, .worst = ""};
		}
		family->entries++;
		family->statuses[entry->status]++;
		family->cases += entry->cases;
		family->fast += entry->fast_math != 0;
		if (entry->status != STATUS_PASS)
			continue;
		if (!isnan(entry->margin) && !(entry->margin <= family->margin)) {
			family->margin = entry->margin;
			family->worst = entry->worst->name;
		}
		if (!isnan(entry->precise_margin))
			family->precise_margin = larger(family->precise_margin, entry->precise_margin);
		if (entry->ulp_max > family->ulp_max)
			family->ulp_max = entry->ulp_max;
	}
	return 0;
}

struct operator_rate operator_rate_of(const struct run_record *run, const struct case_record *record)
{
	struct operator_rate rate = {.rate = (double)NAN, .share = (double)NAN};
	if (record->unit == WORK_FLOPS) {
		rate.rate = case_flop_rate(record);
		rate.share = case_roof_share(run, record);
		return rate;
	}
	rate.is_cold = record->cold.measured && record->cold.median > 0;
	if (record->bytes > 0)
		rate.rate = record->bytes / (rate.is_cold ? record->cold.median : record->hot.median);
	const double copy = run_record_device(run, record)->copy_bytes_per_second;
	if (copy > 0)
		rate.share = rate.rate / copy;
	return rate;
}
