/* Runs to be held against each other: cases that all passed and were timed. */
#ifndef ASSAY_TESTS_COMPARE_SAMPLES_H
#define ASSAY_TESTS_COMPARE_SAMPLES_H

#include "check.h"

#include "compare.h"
#include "record_samples.h"

enum { SAMPLES = 24 };

static inline double uniform(uint64_t *state)
{
	*state += DIGEST_KEY_0;
	return ((double)(digest_mix(*state) >> 11) + 0.5) * 0x1p-53;
}

static inline double normal(uint64_t *state)
{
	const double radius = sqrt(-2 * log(uniform(state)));
	return radius * cos(6.283185307179586 * uniform(state));
}

/* `noise` is the relative deviation of one sample; one in ten lies in a tail. */
static inline struct timing_record times(double seconds, double noise, int64_t samples, uint64_t *state)
{
	struct timing_record timing = {.measured = 1, .median = seconds, .samples = samples, .converged = 1, .confidence = 0.95};
	timing.raw = calloc((size_t)samples + 1, sizeof *timing.raw);
	if (!timing.raw)
		exit(1);
	for (int64_t i = 0; i < samples; i++)
		timing.raw[i] = seconds * (1 + noise * normal(state) + (uniform(state) < 0.1 ? 5 * noise * uniform(state) : 0));
	return timing;
}

static inline struct case_record passed_case(int index)
{
	struct case_record record = {.output_count = 1, .artifact = index % 2};
	snprintf(record.name, sizeof record.name, "uexp_f32/case:%d", index);
	snprintf(record.family, sizeof record.family, "unary");
	snprintf(record.entry_point, sizeof record.entry_point, "uexp_f%d", index % 4);
	snprintf(record.output_names[0], sizeof record.output_names[0], "out");
	record.digests[0] = (struct digest){{(uint64_t)index, 5}};
	judgement_hold(&record.judgement, CHECK_NUMBERS);
	judgement_decide(&record.judgement, NULL);
	record.judgement.margin = 0.25;
	return record;
}

/* Cases that all passed and were timed; `scale` and `seed` are those of their samples. */
static inline struct run_record timed_run(int cases, double scale, double noise, uint64_t seed)
{
	struct run_record run = sample_run(0);
	uint64_t state = seed;
	for (int i = 0; i < cases; i++) {
		struct case_record record = passed_case(i);
		record.hot = times(scale * 1e-4 * (1 + i % 5), noise, SAMPLES, &state);
		if (run_record_add(&run, &record, NULL))
			exit(1);
	}
	return run;
}

static inline struct comparison compared(const struct run_record *base, const struct run_record *next)
{
	const struct compare_options options = {.threshold = 0.01, .resamples = 2000};
	struct comparison comparison;
	struct error err = {0};
	CHECK_INT(compare_runs(base, next, &options, &comparison, &err), 0);
	if (err.kind)
		fprintf(stderr, "%s\n", err.message);
	return comparison;
}

static inline const struct case_comparison *pair_named(const struct comparison *comparison, const char *name)
{
	for (size_t i = 0; i < comparison->case_count; i++) {
		const struct case_comparison *pair = &comparison->cases[i];
		if (strcmp((pair->base ? pair->base : pair->next)->name, name) == 0)
			return pair;
	}
	fprintf(stderr, "no case %s\n", name);
	exit(1);
}

static inline void set_status(struct case_record *record, enum status status)
{
	record->judgement.status = status;
	snprintf(record->judgement.reason, sizeof record->judgement.reason, "because <it> & \"that\" is %s", status_name(status));
}

static inline void set_text(char **field, const char *text)
{
	free(*field);
	*field = sample_text(text);
}

#endif
