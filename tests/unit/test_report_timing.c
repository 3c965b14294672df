/* What reports say of a run's time, energy and baselines, on records that are made up. */
#include "check.h"
#include "report_timing.h"

#include <math.h>
#include <string.h>

static void samples_are_summed_over_long_cases(void)
{
	double hot[] = {1e-3, 1e-3, 2e-3}, cold[] = {3e-3}, beside[] = {0.5e-3, 0.5e-3}, small[] = {1e-6};
	struct case_record cases[4];
	memset(cases, 0, sizeof cases);
	cases[0].judgement.status = STATUS_PASS;
	cases[0].hot = (struct timing_record){.measured = 1, .median = 1e-3, .samples = 3, .raw = hot};
	cases[0].cold = (struct timing_record){.measured = 1, .median = 3e-3, .samples = 1, .raw = cold};
	snprintf(case_record_add_baseline(&cases[0], "unfused")->note, 8, "cuBLAS");
	cases[0].baselines[0].hot = (struct timing_record){.measured = 1, .median = 0.5e-3, .samples = 2, .raw = beside};
	cases[0].wall_seconds = 0.016;
	cases[1] = cases[0]; /* shorter than what counts */
	cases[1].hot = (struct timing_record){.measured = 1, .median = 1e-6, .samples = 1, .raw = small};
	cases[2] = cases[0]; /* failed: its time does not count */
	cases[2].judgement.status = STATUS_FAIL;
	cases[3] = cases[0]; /* read from a file without its samples */
	cases[3].hot.raw = cases[3].cold.raw = cases[3].baselines[0].hot.raw = NULL;
	const struct run_record run = {.cases = cases, .case_count = 3};
	const struct timing_share share = timing_share_of(&run, 100e-6);
	CHECK_INT(share.cases, 1);
	CHECK_NEAR(share.sampled, 8e-3, 1e-9);
	CHECK_NEAR(share.wall, 0.016, 1e-9);
	const struct run_record without = {.cases = &cases[3], .case_count = 1};
	CHECK_NEAR(timing_share_of(&without, 100e-6).sampled, 0, 0);
	CHECK_INT(timing_share_of(&(struct run_record){0}, 0).cases, 0);
	CHECK_NEAR(baseline_speedup(&cases[0], &cases[0].baselines[0]), 0.5, 1e-12);
	CHECK(isnan(baseline_speedup(&cases[2], &cases[2].baselines[0]))); /* what failed is faster than nothing */
	CHECK(isnan(baseline_speedup(&cases[0], NULL)));
	cases[0].baselines[0].hot.measured = 0;
	CHECK(isnan(baseline_speedup(&cases[0], &cases[0].baselines[0])));
}

static void energy_is_put_against_work_and_time(void)
{
	struct case_record record;
	memset(&record, 0, sizeof record);
	record.judgement.status = STATUS_PASS;
	record.flops = 5e11;
	record.hot = (struct timing_record){.measured = 1, .median = 1e-3};
	CHECK(isnan(case_joules_per_teraflop(&record)) && isnan(case_watts(&record)));
	record.energy_joules = 0.6;
	CHECK_NEAR(case_joules_per_teraflop(&record), 1.2, 1e-12);
	CHECK_NEAR(case_watts(&record), 600, 1e-9);
	record.flops = 0;
	CHECK(isnan(case_joules_per_teraflop(&record)));
	record.energy_joules = (double)NAN;
	CHECK(isnan(case_watts(&record)));
}

int main(void)
{
	samples_are_summed_over_long_cases();
	energy_is_put_against_work_and_time();
	return check_result();
}
