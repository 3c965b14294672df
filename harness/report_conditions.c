#include "report_conditions.h"

#include "report_figures.h"

#include <stdarg.h>
#include <stdlib.h>

/* Within one case the clock should stand still: 3 % of it are 3 % of the time of a kernel that computes, three times what
 * comparisons take for a difference by default. */
static const double unsteady_share = 0.03;
/* Between cases it may follow the load; from a tenth on, cases of one run are no longer comparable as they stand. */
static const double wandering_share = 0.10;
/* A hint only: whether the card did slow down is what its throttle reasons say. */
static const double hot_celsius = 85;

/* nvmlClocksEventReason* of nvml.h */
enum {
	REASON_APPLICATION_CLOCKS = 0x2, REASON_POWER_CAP = 0x4, REASON_HARDWARE = 0x8, REASON_THERMAL_SOFTWARE = 0x20,
	REASON_THERMAL_HARDWARE = 0x40, REASON_POWER_BRAKE = 0x80,
	REASONS_GRAVE = REASON_HARDWARE | REASON_THERMAL_SOFTWARE | REASON_THERMAL_HARDWARE | REASON_POWER_BRAKE
};

struct conditions {
	size_t timed, slowed, capped, set_lower, unsteady, hot, latency, wide;
	uint64_t grave_reasons;
	double lowest_mhz, highest_mhz, hottest;
};

static void take_clocks(struct conditions *conditions, const struct case_record *record)
{
	double low = 0, high = 0, hottest = 0;
	uint64_t reasons = 0;
	for (int64_t i = 0; i < record->clock_count; i++) {
		const struct clock_reading *reading = &record->clocks[i];
		const double mhz = reading->sm_clock_mhz, celsius = reading->temperature_celsius;
		low = i == 0 || mhz < low ? mhz : low;
		high = mhz > high ? mhz : high;
		hottest = celsius > hottest ? celsius : hottest;
		reasons |= reading->throttle_reasons;
	}
	if (record->clock_count == 0)
		return;
	conditions->slowed += (reasons & REASONS_GRAVE) != 0;
	conditions->capped += (reasons & REASON_POWER_CAP) != 0;
	conditions->set_lower += (reasons & REASON_APPLICATION_CLOCKS) != 0;
	conditions->grave_reasons |= reasons & REASONS_GRAVE;
	/* at its power limit a card cannot but change its clock: that is told by itself */
	conditions->unsteady += high - low > unsteady_share * high && !(reasons & REASON_POWER_CAP);
	conditions->hot += hottest > hot_celsius;
	conditions->hottest = hottest > conditions->hottest ? hottest : conditions->hottest;
	conditions->lowest_mhz = conditions->lowest_mhz <= 0 || low < conditions->lowest_mhz ? low : conditions->lowest_mhz;
	conditions->highest_mhz = high > conditions->highest_mhz ? high : conditions->highest_mhz;
}

struct list {
	struct run_warning *warnings;
	int count;
};

static void warn(struct list *list, int is_grave, const char *remedy, const char *format, ...) __attribute__((format(printf, 4,
		5)));

static void warn(struct list *list, int is_grave, const char *remedy, const char *format, ...)
{
	va_list args;
	if (list->count == RUN_WARNINGS_MAX)
		return;
	struct run_warning *warning = &list->warnings[list->count++];
	*warning = (struct run_warning){.is_grave = is_grave};
	va_start(args, format);
	vsnprintf(warning->what, sizeof warning->what, format, args);
	va_end(args);
	snprintf(warning->remedy, sizeof warning->remedy, "%s", remedy);
}

static void warn_gravely(struct list *list, const struct run_record *run, const struct conditions *of)
{
	const uint32_t others = run_other_processes(run);
	if (of->timed && others)
		warn(list, 1, others == 1 ? "End it (nvidia-smi lists it) and time again: whatever it does is in these times."
					  : "End them (nvidia-smi lists them) and time again: whatever they do is in these times.",
		     "%u other process%s used the card while it was timed", others, others == 1 ? "" : "es");
	if (of->slowed) {
		struct text reasons = {0};
		append_throttle_reasons(of->grave_reasons, &reasons);
		warn(list, 1, "Look after cooling and power supply (nvidia-smi -q -d PERFORMANCE,TEMPERATURE) and time again.",
		     "the card slowed itself down in %zu of %zu timed cases (%s)", of->slowed, of->timed, reasons.data ? reasons.data : "");
		text_free(&reasons);
	}
	if (of->unsteady)
		warn(list, 1, "Lock the clock (nvidia-smi -lgc MHZ, as root; -rgc gives it free again) or let the card warm up first.",
		     "the clock was unsteady within %zu of %zu timed cases (more than %.0f %%)", of->unsteady, of->timed, 100 * unsteady_share);
	if (of->latency)
		warn(list, 1, "Such a call waits for the device or queues more than fits: time it by what surrounds it.",
		     "the time of launching is in the figures of %zu of %zu timed cases, because the call blocked", of->latency, of->timed);
}

static void warn_mildly(struct list *list, const struct conditions *of)
{
	if (of->capped)
		warn(list, 0, "Compare only with runs under the same power limit, or lock a clock that it can hold (nvidia-smi -lgc MHZ).",
		     "the card was at its power limit in %zu of %zu timed cases, where its clock follows the load", of->capped, of->timed);
	if (of->set_lower)
		warn(list, 0, "nvidia-smi -rac takes the setting back.", "somebody had set the card's clocks (%zu of %zu timed cases)",
				of->set_lower,
		     of->timed);
	if (of->highest_mhz - of->lowest_mhz > wandering_share * of->highest_mhz)
		warn(list, 0, "Lock the clock (nvidia-smi -lgc MHZ) where cases of one run are to be compared with each other.",
		     "the clock went from %.0f to %.0f MHz between cases", of->lowest_mhz, of->highest_mhz);
	if (of->hot && !of->slowed)
		warn(list, 0, "Look after its cooling before it slows down.", "the card was hot: up to %.0f °C", of->hottest);
	if (of->wide)
		warn(list, 0, "Give each case more time (--bench-seconds).",
		     "the interval of the median did not become as narrow as asked for in %zu of %zu timed cases", of->wide, of->timed);
}

int run_warnings_of(const struct run_record *run, struct run_warning warnings[RUN_WARNINGS_MAX])
{
	struct conditions conditions = {0};
	struct list list = {.warnings = warnings};
	for (size_t i = 0; i < run->case_count; i++) {
		const struct case_record *record = &run->cases[i];
		if (!case_is_timed(record))
			continue;
		conditions.timed++;
		conditions.latency += 2 * record->hot.gate_opened_early >= record->hot.samples; /* half of them spoil a median */
		conditions.wide += !record->hot.converged;
		take_clocks(&conditions, record);
	}
	warn_gravely(&list, run, &conditions);
	warn_mildly(&list, &conditions);
	return list.count;
}

void run_append_warnings(const struct run_record *run, struct text *out)
{
	struct run_warning warnings[RUN_WARNINGS_MAX];
	const int count = run_warnings_of(run, warnings);
	for (int i = 0; i < count; i++)
		text_append(out, "%s%s", i ? "; " : "", warnings[i].what);
}

enum run_conditions run_conditions_of(const struct run_record *run)
{
	struct run_warning warnings[RUN_WARNINGS_MAX];
	const int count = run_warnings_of(run, warnings);
	return count == 0 ? CONDITIONS_GOOD : warnings[0].is_grave ? CONDITIONS_POOR : CONDITIONS_FAIR;
}
