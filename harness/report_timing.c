#include "report_timing.h"

#include "report_figures.h"

#include <math.h>

static double sum_of(const struct timing_record *timing)
{
	double sum = 0;
	for (int64_t i = 0; timing->raw && i < timing->samples; i++)
		sum += timing->raw[i];
	return sum;
}

struct timing_share timing_share_of(const struct run_record *run, double least)
{
	struct timing_share share = {0};
	for (size_t i = 0; i < run->case_count; i++) {
		const struct case_record *record = &run->cases[i];
		if (!case_is_timed(record) || !(record->hot.median >= least))
			continue;
		share.cases++;
		share.sampled += sum_of(&record->hot) + sum_of(&record->cold);
		for (int b = 0; b < record->baseline_count && b < RECORD_BASELINES_MAX; b++)
			share.sampled += sum_of(&record->baselines[b].hot);
		share.wall += record->wall_seconds;
	}
	return share;
}

double case_joules_per_teraflop(const struct case_record *record)
{
	return record->energy_joules > 0 && record->flops > 0 ? record->energy_joules / (record->flops / 1e12) : (double)NAN;
}

double case_watts(const struct case_record *record)
{
	return record->energy_joules > 0 && case_is_timed(record) ? record->energy_joules / record->hot.median : (double)NAN;
}

double baseline_speedup(const struct case_record *record, const struct baseline_record *baseline)
{
	return case_is_timed(record) && baseline && baseline->hot.measured && baseline->hot.median > 0
		       ? baseline->hot.median / record->hot.median : (double)NAN;
}
