#include "compare.h"

#include "artifact/fold_name.h"
#include "compare_statistics.h"
#include "core/parallel.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { RESAMPLES = 4000 };

/* Clocks are read in whole MHz and move in steps of 15; what is nearer than this is one step at most of rounding. */
static const double CLOCK_SAME = 5e-4;

const char *timing_verdict_name(enum timing_verdict verdict)
{
	static const char *const names[] = {[TIMING_NONE] = "-", [TIMING_SLOWER] = "SLOWER", [TIMING_FASTER] = "FASTER",
					    [TIMING_SAME] = "SAME", [TIMING_UNSURE] = "UNSURE", [TIMING_REFUSED] = "REFUSED"};
	return (unsigned)verdict < TIMING_VERDICTS ? names[verdict] : "?";
}

enum timing_verdict case_timing(const struct case_comparison *pair)
{
	static const enum timing_verdict order[] = {TIMING_SLOWER, TIMING_FASTER, TIMING_UNSURE, TIMING_SAME, TIMING_REFUSED};
	for (size_t i = 0; i < ARRAY_COUNT(order); i++)
		if (pair->hot.verdict == order[i] || pair->cold.verdict == order[i])
			return order[i];
	return TIMING_NONE;
}

const char *case_dataset_sha256(const struct run_record *run, const struct case_record *record)
{
	if (record->dataset >= 0 && (size_t)record->dataset < run->dataset_count)
		return run->datasets[record->dataset].sha256;
	return run->dataset_sha256;
}

/* ---- which cases belong together ---- */

struct keyed {
	const struct case_record *record;
	const char *artifact;         /* base name */
};

static int by_case(const struct case_record *a, const struct case_record *b)
{
	int order = strcmp(a->family, b->family);
	if (order == 0)
		order = strcmp(a->entry_point, b->entry_point);
	return order ? order : strcmp(a->name, b->name);
}

static int by_key(const void *a, const void *b)
{
	const struct keyed *left = a, *right = b;
	int order = by_case(left->record, right->record);
	if (order == 0)
		order = strcmp(left->artifact, right->artifact);
	if (order == 0)
		order = (left->record->artifact > right->record->artifact) - (left->record->artifact < right->record->artifact);
	return order ? order : (left->record > right->record) - (left->record < right->record);
}

static struct keyed *keys_of(const struct run_record *run)
{
	struct keyed *keys = calloc(run->case_count + 1, sizeof *keys);
	for (size_t i = 0; keys && i < run->case_count; i++) {
		const struct case_record *record = &run->cases[i];
		const int known = record->artifact >= 0 && (size_t)record->artifact < run->artifact_count;
		const char *path = known ? run->artifacts[record->artifact].path : NULL;
		keys[i] = (struct keyed){record, path ? path_base(path) : ""};
	}
	if (keys)
		qsort(keys, run->case_count, sizeof *keys, by_key);
	return keys;
}

static size_t group_length(const struct keyed *keys, size_t count)
{
	size_t length = 1;
	while (length < count && by_case(keys[0].record, keys[length].record) == 0)
		length++;
	return length;
}

static void add_pair(struct comparison *out, const struct case_record *base, const struct case_record *next)
{
	out->cases[out->case_count++] = (struct case_comparison){.base = base, .next = next};
	out->common += base && next;
}

/* Cases of one family, entry point and name. */
static void pair_group(struct comparison *out, const struct keyed *base, size_t base_count, const struct keyed *next,
		       size_t next_count)
{
	if (base_count == 1 && next_count == 1) {
		add_pair(out, base[0].record, next[0].record);
		return;
	}
	for (size_t i = 0, k = 0; i < base_count || k < next_count;) {
		const int order = i >= base_count ? 1 : k >= next_count ? -1 : strcmp(base[i].artifact, next[k].artifact);
		add_pair(out, order <= 0 ? base[i].record : NULL, order >= 0 ? next[k].record : NULL);
		i += order <= 0;
		k += order >= 0;
	}
}

static int pair_cases(struct comparison *out)
{
	const size_t base_count = out->base->case_count, next_count = out->next->case_count;
	struct keyed *base = keys_of(out->base), *next = keys_of(out->next);
	out->cases = calloc(base_count + next_count + 1, sizeof *out->cases);
	const int failed = !base || !next || !out->cases;
	for (size_t i = 0, k = 0; !failed && (i < base_count || k < next_count);) {
		const int order = i >= base_count ? 1 : k >= next_count ? -1 : by_case(base[i].record, next[k].record);
		const size_t old = order <= 0 ? group_length(base + i, base_count - i) : 0;
		const size_t new = order >= 0 ? group_length(next + k, next_count - k) : 0;
		pair_group(out, base + i, old, next + k, new);
		i += old;
		k += new;
	}
	free(base);
	free(next);
	return failed ? -1 : 0;
}

/* ---- one case: verdict, error, bits ---- */

/* How bad a verdict is: what was not run is worse than what passed, a process that died worse than a wrong number. */
static int badness(enum status status)
{
	switch (status) {
	case STATUS_PASS:
		return 0;
	case STATUS_UNSUPPORTED:
	case STATUS_SKIPPED:
		return 1;
	case STATUS_MISTRUSTED:
		return 2;
	case STATUS_FAIL:
		return 3;
	default:
		return 4;
	}
}

/* The figures of a case that was not judged mean nothing. */
static double figure_of(const struct case_record *record, double value)
{
	const enum status status = record->judgement.status;
	const int judged = status == STATUS_PASS || status == STATUS_FAIL || status == STATUS_MISTRUSTED;
	return judged ? value : (double)NAN;
}

static int beyond_bound(double base, double next)
{
	return base <= 1 && next > 1; /* false for NaN on either side: then there is nothing to tell */
}


/* Of the output with the name of one of the base's; -1: there is none. */
static int output_index(const struct case_comparison *pair, int output)
{
	for (int i = 0; i < pair->next->output_count && i < RECORD_OUTPUTS_MAX; i++)
		if (strcmp(pair->base->output_names[output], pair->next->output_names[i]) == 0)
			return i;
	return -1;
}

static enum bits output_bits(const struct case_comparison *pair, int output)
{
	const int other = output_index(pair, output);
	if (other < 0)
		return BITS_UNKNOWN;
	return memcmp(&pair->base->digests[output], &pair->next->digests[other], sizeof pair->base->digests[0]) == 0 ? BITS_SAME
														      : BITS_DIFFER;
}

/* Inputs come of the dataset and the seed: where both are the same, so are they. */
static int same_inputs(const struct comparison *comparison, const struct case_comparison *pair)
{
	const char *base = case_dataset_sha256(comparison->base, pair->base), *next = case_dataset_sha256(comparison->next, pair->next);
	return base[0] && strcmp(base, next) == 0 && comparison->base->seed == comparison->next->seed;
}

static void compare_bits(const struct comparison *comparison, struct case_comparison *pair)
{
	int different = 0, unknown = 0;
	if (!same_inputs(comparison, pair))
		return;
	for (int i = 0; i < pair->base->output_count && i < RECORD_OUTPUTS_MAX; i++) {
		pair->output_bits[i] = output_bits(pair, i);
		if (pair->output_bits[i] == BITS_DIFFER)
			pair->differences[i] = output_compare(&pair->base->outputs[i], &pair->next->outputs[output_index(pair, i)]);
		different += pair->output_bits[i] == BITS_DIFFER;
		unknown += pair->output_bits[i] == BITS_UNKNOWN;
	}
	if (pair->base->output_count > 0)
		pair->bits = different ? BITS_DIFFER : unknown ? BITS_UNKNOWN : BITS_SAME;
}

/* The same kernel of two builds: names of internal linkage hold a hash of the build. */
static int same_kernel(const char *base, const char *next)
{
	if (strcmp(base, next) == 0)
		return 1;
	char *a = fold_kernel_name(base), *b = fold_kernel_name(next);
	const int same = a && b && strcmp(a, b) == 0;
	free(a);
	free(b);
	return same;
}

static int launches_differ(const struct case_record *base, const struct case_record *next)
{
	if (base->launch_count != next->launch_count)
		return 1;
	for (int64_t i = 0; i < base->launch_count && i < RECORD_LAUNCHES_MAX; i++) {
		const struct launch_record *a = &base->launches[i], *b = &next->launches[i];
		if (!same_kernel(a->kernel, b->kernel) || memcmp(a->grid, b->grid, sizeof a->grid) != 0 ||
		    memcmp(a->block, b->block, sizeof a->block) != 0 || a->dynamic_shared != b->dynamic_shared)
			return 1;
	}
	return 0;
}

static void compare_verdicts(struct case_comparison *pair)
{
	const struct judgement *base = &pair->base->judgement, *next = &pair->next->judgement;
	pair->verdict_differs = base->status != next->status;
	pair->verdict_change = badness(next->status) - badness(base->status);
	pair->base_margin = figure_of(pair->base, base->margin);
	pair->next_margin = figure_of(pair->next, next->margin);
	pair->base_lse_margin = figure_of(pair->base, base->lse_margin);
	pair->next_lse_margin = figure_of(pair->next, next->lse_margin);
	if (pair->verdict_change > 0)
		pair->regressions |= REGRESSION_VERDICT;
	/* a case that failed before, by whatever, has no error that could be held against what came after */
	if (base->status == STATUS_PASS &&
	    (beyond_bound(pair->base_margin, pair->next_margin) || beyond_bound(pair->base_lse_margin, pair->next_lse_margin)))
		pair->regressions |= REGRESSION_MARGIN;
}

/* ---- one case: times ---- */

static int by_value(const void *a, const void *b)
{
	const double left = *(const double *)a, right = *(const double *)b;
	return (left > right) - (left < right);
}

enum clock { SM_CLOCK, MEMORY_CLOCK };

/* Median clock of the case, MHz; 0 where none was read or memory runs out. */
static double median_clock(const struct case_record *record, enum clock which)
{
	double *values = record->clock_count > 0 && record->clocks ? calloc((size_t)record->clock_count, sizeof *values) : NULL;
	size_t count = 0;
	double median = 0;
	for (int64_t i = 0; values && i < record->clock_count; i++) {
		const uint32_t mhz = which == SM_CLOCK ? record->clocks[i].sm_clock_mhz : record->clocks[i].memory_clock_mhz;
		if (mhz > 0)
			values[count++] = mhz;
	}
	if (count) {
		qsort(values, count, sizeof *values, by_value);
		median = 0.5 * (values[(count - 1) / 2] + values[count / 2]);
	}
	free(values);
	return median;
}

static void refuse(struct timing_comparison *timing, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void refuse(struct timing_comparison *timing, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(timing->reason, sizeof timing->reason, format, args);
	va_end(args);
	timing->verdict = TIMING_REFUSED;
}

static enum timing_verdict verdict_of(double low, double high, double threshold)
{
	if (low > 1 + threshold)
		return TIMING_SLOWER;
	if (high < 1 / (1 + threshold))
		return TIMING_FASTER;
	return low >= 1 / (1 + threshold) && high <= 1 + threshold ? TIMING_SAME : TIMING_UNSURE;
}

/* Cycles of the SMs can be counted, those of the memory say nothing of what a kernel waits for. */
static int other_memory_clock(const struct case_comparison *pair, double *base, double *next)
{
	*base = median_clock(pair->base, MEMORY_CLOCK);
	*next = median_clock(pair->next, MEMORY_CLOCK);
	return *base > 0 && *next > 0 && fabs(*next / *base - 1) > CLOCK_SAME;
}

/* What speaks against a comparison before samples are looked at; 1 when something does. */
static int is_refused(const struct comparison *comparison, const struct case_comparison *pair,
		      const struct timing_record *base, const struct timing_record *next, struct timing_comparison *timing)
{
	double base_memory, next_memory;
	char devices[sizeof timing->reason];
	if (!base->measured || !next->measured)
		refuse(timing, "timed in the %s run only", base->measured ? "base" : "new");
	else if (pair->base->judgement.status != STATUS_PASS || pair->next->judgement.status != STATUS_PASS)
		refuse(timing, "the case did not pass in both runs");
	else if ((timing->other_device = compare_devices(run_record_device(comparison->base, pair->base),
							 run_record_device(comparison->next, pair->next), devices, sizeof devices)))
		refuse(timing, "%s", devices);
	else if (!same_inputs(comparison, pair))
		refuse(timing, "the case comes of another dataset or seed");
	else if (base->gate_opened_early > 0 || next->gate_opened_early > 0)
		refuse(timing, "launch latency is in %lld of %lld samples of the base and %lld of %lld of the new run (gate opened early)",
		       (long long)base->gate_opened_early, (long long)base->samples, (long long)next->gate_opened_early,
		       (long long)next->samples);
	else if (other_memory_clock(pair, &base_memory, &next_memory))
		refuse(timing, "the memory clock was %.0f MHz in the base and %.0f MHz in the new run", base_memory, next_memory);
	return timing->verdict == TIMING_REFUSED;
}

static uint64_t seed_of(const char *name)
{
	const struct digest digest = digest_bytes(name, strlen(name));
	return digest.half[0];
}

static struct timing_rounds rounds_of(const struct timing_record *timing)
{
	return (struct timing_rounds){timing->raw, timing->samples > 0 ? (size_t)timing->samples : 0, timing->round_samples,
				      timing->rounds > 0 && timing->rounds <= RECORD_ROUNDS_MAX ? (size_t)timing->rounds : 0};
}

/* Rounds of both where there are some, else samples. */
static int interval_of(const struct comparison *comparison, const struct timing_record *base, const struct timing_record *next,
		       const struct ratio_options *how, struct timing_comparison *timing, struct ratio_interval *interval, struct error *err)
{
	const struct timing_rounds old = rounds_of(base), new = rounds_of(next);
	const char *mark = comparison->base->interleaved, *other = comparison->next->interleaved;
	const int in_turns = mark && other && mark[0] && strcmp(mark, other) == 0 && old.rounds == new.rounds;
	timing->in_turns = in_turns && old.rounds >= 2;
	if (old.rounds >= 2 && new.rounds >= 2)
		timing->rounds = (int)(old.rounds < new.rounds ? old.rounds : new.rounds);
	if (timing->rounds)
		return ratio_of_rounds(&old, &new, in_turns, how, interval, err);
	return ratio_of_medians(old.samples, old.count, new.samples, new.count, how, interval, err);
}

static int compare_timing(const struct comparison *comparison, const struct compare_options *options,
			  struct case_comparison *pair, const struct timing_record *base,
			  const struct timing_record *next, struct timing_comparison *timing)
{
	const struct ratio_options how = {.confidence = comparison->confidence,
					  .resamples = options->resamples > 0 ? options->resamples : RESAMPLES,
					  .seed = seed_of(pair->base->name)};
	struct ratio_interval interval;
	struct error err = {0};
	*timing = (struct timing_comparison){.ratio = (double)NAN, .low = (double)NAN, .high = (double)NAN,
					     .cycle_ratio = (double)NAN, .cycle_low = (double)NAN, .cycle_high = (double)NAN};
	if (!base->measured && !next->measured)
		return 0;
	timing->base_median = base->measured ? base->median : 0;
	timing->next_median = next->measured ? next->median : 0;
	timing->base_mhz = median_clock(pair->base, SM_CLOCK);
	timing->next_mhz = median_clock(pair->next, SM_CLOCK);
	if (timing->base_median > 0 && timing->next_median > 0)
		timing->ratio = timing->next_median / timing->base_median;
	if (is_refused(comparison, pair, base, next, timing))
		return 0;
	if (interval_of(comparison, base, next, &how, timing, &interval, &err)) {
		refuse(timing, "%.180s", err.message);
		return err.kind == ERROR_INPUT ? 0 : -1;
	}
	timing->base_median = interval.base_median;
	timing->next_median = interval.next_median;
	timing->ratio = interval.ratio;
	timing->low = interval.low;
	timing->high = interval.high;
	timing->verdict = verdict_of(interval.low, interval.high, comparison->threshold);
	/* what was measured in turns had the same clock, but for what the kernels themselves do to it (power): that is theirs. A few
	 * readings on either side, in steps of the clock, would only add noise */
	const double factor = timing->base_mhz > 0 && timing->next_mhz > 0 ? timing->next_mhz / timing->base_mhz : 1;
	if (!timing->in_turns && fabs(factor - 1) > CLOCK_SAME) {
		timing->is_normalised = 1;
		timing->cycle_ratio = interval.ratio * factor;
		timing->cycle_low = interval.low * factor;
		timing->cycle_high = interval.high * factor;
		if (verdict_of(timing->cycle_low, timing->cycle_high, comparison->threshold) != timing->verdict)
			timing->verdict = TIMING_UNSURE;
	}
	return 0;
}

struct job {
	struct comparison *comparison;
	const struct compare_options *options;
	atomic_int failed;
};

static void compare_some(void *context, int64_t first, int64_t last)
{
	struct job *job = context;
	for (int64_t i = first; i < last; i++) {
		struct case_comparison *pair = &job->comparison->cases[i];
		pair->base_margin = pair->next_margin = pair->base_lse_margin = pair->next_lse_margin = (double)NAN;
		if (!pair->next)
			pair->regressions = REGRESSION_VANISHED;
		if (!pair->base || !pair->next)
			continue;
		compare_verdicts(pair);
		compare_bits(job->comparison, pair);
		pair->launches_differ = pair->base->judgement.status == STATUS_PASS && pair->next->judgement.status == STATUS_PASS &&
					launches_differ(pair->base, pair->next);
		pair->image_differs = strcmp(pair->base->image, pair->next->image) != 0;
		if (compare_timing(job->comparison, job->options, pair, &pair->base->hot, &pair->next->hot, &pair->hot) ||
		    compare_timing(job->comparison, job->options, pair, &pair->base->cold, &pair->next->cold, &pair->cold))
			atomic_store(&job->failed, 1);
		if (pair->hot.verdict == TIMING_SLOWER || pair->cold.verdict == TIMING_SLOWER)
			pair->regressions |= REGRESSION_SLOWER;
	}
}

/* ---- order and totals ---- */

/* 0 is worst. */
static int rank_of(const struct case_comparison *pair)
{
	static const unsigned worst_first[] = {REGRESSION_VERDICT, REGRESSION_MARGIN, REGRESSION_VANISHED, REGRESSION_SLOWER};
	for (int i = 0; i < (int)ARRAY_COUNT(worst_first); i++)
		if (pair->regressions & worst_first[i])
			return i;
	if (!pair->base)
		return 9;
	if (pair->verdict_differs)
		return pair->verdict_change < 0 ? 5 : 4;
	const enum timing_verdict timing = case_timing(pair);
	if (timing == TIMING_FASTER || timing == TIMING_UNSURE)
		return timing == TIMING_FASTER ? 6 : 7;
	return pair->bits == BITS_DIFFER ? 8 : 10;
}

static double slowdown(const struct case_comparison *pair)
{
	const double hot = pair->hot.verdict == TIMING_SLOWER ? pair->hot.ratio : 0;
	const double cold = pair->cold.verdict == TIMING_SLOWER ? pair->cold.ratio : 0;
	return hot > cold ? hot : cold;
}

static int worst_first(const void *a, const void *b)
{
	const struct case_comparison *left = a, *right = b;
	const int ranks[] = {rank_of(left), rank_of(right)};
	if (ranks[0] != ranks[1])
		return ranks[0] - ranks[1];
	if (left->verdict_change != right->verdict_change)
		return right->verdict_change - left->verdict_change;
	const double slow[] = {slowdown(left), slowdown(right)};
	if (slow[0] != slow[1])
		return slow[0] > slow[1] ? -1 : 1;
	const struct case_record *x = left->base ? left->base : left->next, *y = right->base ? right->base : right->next;
	const int order = by_case(x, y);
	return order ? order : (x > y) - (x < y);
}

static int is_judged(const struct case_record *record)
{
	return record->judgement.status != STATUS_SKIPPED && record->judgement.status != STATUS_UNSUPPORTED;
}

static void count_case(struct comparison *out, const struct case_comparison *pair)
{
	out->regressions += pair->regressions != 0;
	out->vanished += pair->next == NULL;
	out->added += pair->base == NULL;
	if (!pair->base || !pair->next)
		return;
	out->worse += pair->verdict_change > 0;
	out->better += pair->verdict_change < 0;
	out->other_verdict += pair->verdict_differs && pair->verdict_change == 0;
	out->margins += (pair->regressions & REGRESSION_MARGIN) != 0;
	out->same_bits += pair->bits == BITS_SAME;
	out->other_bits += pair->bits == BITS_DIFFER;
	out->unknown_bits += pair->bits == BITS_UNKNOWN;
	for (int i = 0; i < RECORD_OUTPUTS_MAX; i++) {
		const struct output_difference *difference = &pair->differences[i];
		if (!difference->is_known)
			continue;
		out->measured_outputs++;
		out->elements += difference->elements;
		out->differing += difference->differing;
		for (int bin = 0; bin < ULP_BINS; bin++)
			out->ulps[bin] += difference->bins[bin];
	}
	out->launches += (size_t)pair->launches_differ;
	out->images += (size_t)pair->image_differs;
	const struct timing_comparison *const timings[] = {&pair->hot, &pair->cold};
	for (int i = 0; i < 2; i++) {
		const enum timing_verdict verdict = timings[i]->verdict;
		const int has_interval = isfinite(timings[i]->low) && verdict != TIMING_NONE && verdict != TIMING_REFUSED;
		out->by_rounds += has_interval && timings[i]->rounds;
		out->by_samples += has_interval && !timings[i]->rounds;
	}
	out->judged += is_judged(pair->base) || is_judged(pair->next);
	out->hot[pair->hot.verdict]++;
	out->cold[pair->cold.verdict]++;
}

static const struct case_record *either(const struct case_comparison *pair)
{
	return pair->base ? pair->base : pair->next;
}

static void count_in_entry(struct entry_comparison *entry, const struct case_comparison *pair, size_t index)
{
	const enum timing_verdict timing = case_timing(pair);
	const int common = pair->base && pair->next;
	entry->base_cases += pair->base != NULL;
	entry->next_cases += pair->next != NULL;
	entry->common += (size_t)common;
	entry->regressions += pair->regressions != 0;
	entry->same_bits += common && pair->bits == BITS_SAME;
	entry->other_bits += common && pair->bits == BITS_DIFFER;
	entry->unknown_bits += common && pair->bits == BITS_UNKNOWN;
	entry->worse += pair->verdict_change > 0;
	entry->better += pair->verdict_change < 0;
	entry->slower += timing == TIMING_SLOWER;
	entry->faster += timing == TIMING_FASTER;
	entry->same += timing == TIMING_SAME;
	entry->unsure += timing == TIMING_UNSURE;
	entry->refused += timing == TIMING_REFUSED;
	if (pair->regressions && index < entry->first_regression)
		entry->first_regression = index;
}

static int by_entry(const void *a, const void *b, void *context)
{
	const struct case_comparison *cases = context;
	const size_t left = *(const size_t *)a, right = *(const size_t *)b;
	const struct case_record *x = either(&cases[left]), *y = either(&cases[right]);
	int order = strcmp(x->family, y->family);
	if (order == 0)
		order = strcmp(x->entry_point, y->entry_point);
	return order ? order : (left > right) - (left < right);
}

/* The entry point in "MODULE: NAME", one of the lines of `missing`, has vanished by its cases too. */
static int is_vanished(const struct comparison *comparison, const char *line, size_t length)
{
	for (size_t i = 0; i < comparison->entry_count; i++)
		if (comparison->entries[i].next_cases == 0 && compare_line_names(line, length, comparison->entries[i].entry_point))
			return 1;
	return 0;
}

static int count_entries(struct comparison *out)
{
	size_t *indices = calloc(out->case_count, sizeof *indices);
	out->entries = calloc(out->case_count, sizeof *out->entries);
	if (!indices || !out->entries) {
		free(indices);
		return -1;
	}
	for (size_t i = 0; i < out->case_count; i++)
		indices[i] = i;
	qsort_r(indices, out->case_count, sizeof *indices, by_entry, out->cases);
	for (size_t i = 0; i < out->case_count; i++) {
		const struct case_comparison *pair = &out->cases[indices[i]];
		const struct case_record *record = either(pair);
		struct entry_comparison *entry = out->entry_count ? &out->entries[out->entry_count - 1] : NULL;
		if (!entry || strcmp(entry->family, record->family) != 0 || strcmp(entry->entry_point, record->entry_point) != 0) {
			entry = &out->entries[out->entry_count++];
			*entry = (struct entry_comparison){.family = record->family, .entry_point = record->entry_point,
							   .first_regression = SIZE_MAX};
		}
		count_in_entry(entry, pair, indices[i]);
	}
	for (size_t i = 0; i < out->entry_count; i++) {
		out->entries_vanished += out->entries[i].next_cases == 0;
		out->entries_added += out->entries[i].base_cases == 0;
	}
	out->entries_gone = out->entries_vanished;
	for (const char *at = out->missing; *at;) {
		const size_t length = strcspn(at, "\n");
		out->entries_gone += length && !is_vanished(out, at, length);
		at += length + (at[length] == '\n');
	}
	free(indices);
	return 0;
}

void comparison_free(struct comparison *comparison)
{
	for (size_t i = 0; i < comparison->artifact_count; i++)
		free(comparison->artifacts[i].changes);
	free(comparison->artifacts);
	compare_resources_free(comparison);
	free(comparison->entries);
	free(comparison->cases);
	free(comparison->conditions);
	free(comparison->timing_refusal);
	free(comparison->missing);
	*comparison = (struct comparison){0};
}

int compare_runs(const struct run_record *base, const struct run_record *next, const struct compare_options *options,
		 struct comparison *out, struct error *err)
{
	*out = (struct comparison){.base = base, .next = next, .threshold = options->threshold,
				   .confidence = options->confidence > 0 ? options->confidence : COMPARE_CONFIDENCE};
	if (pair_cases(out))
		goto no_memory;
	if (out->common == 0) {
		error_set(err, ERROR_INPUT, "none of the %zu cases of the base run is among the %zu of the new run (same family, entry "
			  "point and name): nothing can be compared; give both runs the same dataset and filters",
			  base->case_count, next->case_count);
		comparison_free(out);
		return -1;
	}
	if (compare_conditions(out))
		goto no_memory;
	struct job job = {.comparison = out, .options = options};
	parallel_for((int64_t)out->case_count, 16, compare_some, &job);
	if (atomic_load(&job.failed))
		goto no_memory;
	qsort(out->cases, out->case_count, sizeof *out->cases, worst_first);
	if (compare_resources(out))
		goto no_memory;
	for (size_t i = 0; i < out->case_count; i++)
		count_case(out, &out->cases[i]);
	out->regressions += out->missing_count;
	if (count_entries(out))
		goto no_memory;
	return 0;
no_memory:
	comparison_free(out);
	return error_set(err, ERROR_ENVIRONMENT, "out of memory for the comparison");
}
