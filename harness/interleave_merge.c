/* Rounds of a measurement put together: see interleave.h. */
#include "interleave.h"

#include "measure/statistics.h"

#include <stdlib.h>
#include <string.h>

/* As the sampler's (measure/sampler.h). */
static const double CONFIDENCE = 0.95;

int timing_add_round(struct timing_record *into, struct timing_record *from, struct error *err)
{
	if (!from->measured || !from->raw || from->samples <= 0 || from->samples > UINT32_MAX)
		return error_set(err, ERROR_INPUT, "a round without samples");
	if (into->rounds < 0 || into->rounds >= RECORD_ROUNDS_MAX)
		return error_set(err, ERROR_INPUT, "a measurement has at most %d rounds", RECORD_ROUNDS_MAX);
	const size_t old = (size_t)into->samples, added = (size_t)from->samples;
	double *raw = reallocarray(into->raw, old + added, sizeof *raw);
	if (!raw)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory for %zu samples", old + added);
	memcpy(raw + old, from->raw, added * sizeof *raw);
	free(from->raw);
	from->raw = NULL;
	into->raw = raw;
	into->measured = 1;
	into->samples = (int64_t)(old + added);
	into->gate_opened_early += from->gate_opened_early;
	into->round_samples[into->rounds++] = (uint32_t)added;
	return 0;
}

int timing_summarise(struct timing_record *timing, double target, struct error *err)
{
	struct statistics statistics;
	if (!timing->measured)
		return 0;
	if (statistics_of(timing->raw, (size_t)timing->samples, CONFIDENCE, &statistics, err))
		return -1;
	timing->median = statistics.median;
	timing->low = statistics.median_low;
	timing->high = statistics.median_high;
	timing->confidence = statistics.coverage;
	timing->minimum = statistics.minimum;
	timing->maximum = statistics.maximum;
	timing->converged = statistics.relative_ci <= target;
	return 0;
}

static int all_measured(struct case_record *const *from, size_t count, size_t offset)
{
	int measured = 0;
	for (size_t i = 0; i < count; i++) {
		const struct timing_record *timing = from[i] ? (const void *)((const char *)from[i] + offset) : NULL;
		if (timing && (!timing->measured || !timing->raw))
			return 0;
		measured |= timing != NULL;
	}
	return measured;
}

static int add_timings(struct case_record *const *into, struct case_record *const *from, size_t count, size_t offset,
		       struct error *err)
{
	if (!all_measured(from, count, offset))
		return 0;
	for (size_t i = 0; i < count; i++)
		if (from[i] && timing_add_round((void *)((char *)into[i] + offset), (void *)((char *)from[i] + offset), err))
			return -1;
	return 0;
}

/* Readings of later rounds come later; the time between rounds is left out. */
static int add_clocks(struct case_record *into, struct case_record *from, struct error *err)
{
	if (from->clock_count <= 0 || !from->clocks)
		return 0;
	const size_t old = (size_t)into->clock_count, added = (size_t)from->clock_count;
	const double before = old ? into->clocks[old - 1].at : 0;
	struct clock_reading *clocks = reallocarray(into->clocks, old + added, sizeof *clocks);
	if (!clocks)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory for %zu clock readings", old + added);
	memcpy(clocks + old, from->clocks, added * sizeof *clocks);
	for (size_t i = old; i < old + added; i++)
		clocks[i].at += before;
	into->clocks = clocks;
	into->clock_count = (int64_t)(old + added);
	return 0;
}

int records_add_round(struct case_record *const *into, struct case_record *const *from, size_t count, struct error *err)
{
	if (add_timings(into, from, count, offsetof(struct case_record, hot), err) ||
	    add_timings(into, from, count, offsetof(struct case_record, cold), err))
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (!from[i])
			continue;
		if (add_clocks(into[i], from[i], err))
			return -1;
		if (into[i]->hot.rounds <= 1) {
			into[i]->enqueue_seconds = from[i]->enqueue_seconds;
			into[i]->ungated_seconds = from[i]->ungated_seconds;
			into[i]->event_overhead_seconds = from[i]->event_overhead_seconds;
			into[i]->flops = from[i]->flops;
			into[i]->bytes = from[i]->bytes;
		}
		into[i]->wall_seconds += from[i]->wall_seconds;
	}
	return 0;
}
