#include "session_baseline.h"

#include "cli.h"

#include <stdlib.h>
#include <string.h>

struct side {
	struct plan plan;
	struct run_record run;   /* what planning says of the artifact; nothing is kept of it */
	const struct job *job;   /* of the plan */
	struct runner *runner;   /* NULL before the first case */
	char name[sizeof((struct baseline_record *)0)->name];
	char refusal[sizeof((struct baseline_record *)0)->note]; /* why it cannot be run, or "" */
};

struct session_baselines {
	const char *device;
	size_t count;
	struct side sides[SESSION_BASELINES_MAX];
};

void session_baselines_close(struct session_baselines *baselines)
{
	for (size_t i = 0; baselines && i < baselines->count; i++) {
		struct side *side = &baselines->sides[i];
		runner_close(side->runner);
		plan_free(&side->plan);
		run_record_free(&side->run);
	}
	free(baselines);
}

/* The name of the file; of the folder it lies in, where it has the name of a baseline before it. */
static void name_side(struct session_baselines *baselines, struct side *side)
{
	const char *path = side->job->artifact_path;
	snprintf(side->name, sizeof side->name, "%.*s", (int)sizeof side->name - 1, path_base(path));
	for (const struct side *other = baselines->sides; other < side; other++)
		if (strcmp(other->name, side->name) == 0)
			snprintf(side->name, sizeof side->name, "%.20s (%d)", path_base(path), (int)(side - baselines->sides) + 1);
}

static int open_side(struct session_baselines *baselines, struct side *side, const struct session *session, const char *path,
		     struct error *err)
{
	const struct plan_options options = {.abi = session->options->abi, .paths = &path, .path_count = 1};
	const struct job *refused = NULL;
	if (plan_make(&side->plan, &options, &side->run, err))
		return error_context(err, "--baseline");
	for (size_t i = 0; i < side->plan.count && !side->job; i++) {
		const struct job *job = &side->plan.jobs[i];
		if (job->family && !job->reason[0])
			side->job = job;
		else
			refused = job;
	}
	if (!side->job)
		return error_set(err, ERROR_INPUT, "--baseline %s: %.400s", path,
				 refused && refused->reason[0] ? refused->reason
							       : "has no host function that a family knows, as run_mha; for kernels use assay compare");
	name_side(baselines, side);
	return 0;
}

int session_baselines_open(struct session_baselines **out, const struct session *session, const char *device, struct error *err)
{
	const struct session_options *options = session->options;
	*out = NULL;
	if (options->baseline_count == 0)
		return 0;
	if (options->baseline_count > SESSION_BASELINES_MAX)
		return error_set(err, ERROR_USAGE, "--baseline can be given %d times", SESSION_BASELINES_MAX);
	struct session_baselines *baselines = calloc(1, sizeof *baselines);
	if (!baselines)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	baselines->device = device;
	for (int i = 0; i < options->baseline_count; i++)
		if (open_side(baselines, &baselines->sides[baselines->count++], session, options->baselines[i], err)) {
			session_baselines_close(baselines);
			return -1;
		}
	*out = baselines;
	return 0;
}

static int start(struct side *side, const struct session *session, const char *device, struct error *err)
{
	const struct session_options *options = session->options;
	const struct runner_options runner_options = make_runner_options(options, 0, device, NULL);
	struct worker_setup *setup = calloc(1, sizeof *setup);
	struct error refusal = {0};
	int result = -1;
	if (!setup)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (make_setup(options, side->job, session->run->datasets[session->selection->attention.dataset].path, device, setup, err))
		goto done;
	setup->keep_failures[0] = '\0';
	setup->baseline = 0;
	setup->skip_rates = 1;
	setup->beside = 1;
	if (runner_open(&side->runner, setup, &runner_options, err))
		goto done;
	result = 0;
	if (runner_start(side->runner, &refusal) == 0)
		goto done;
	if (refusal.kind != ERROR_UNSUPPORTED && refusal.kind != ERROR_INPUT) {
		*err = refusal;
		error_context(err, "--baseline %s", side->job->artifact_path);
		result = -1;
	}
	snprintf(side->refusal, sizeof side->refusal, "%.*s", (int)sizeof side->refusal - 1, refusal.message);
	runner_close(side->runner);
	side->runner = NULL;
done:
	free(setup);
	return result;
}

static void take(struct baseline_record *baseline, struct case_record *from)
{
	const int passed = from->judgement.status == STATUS_PASS;
	if (passed && from->hot.measured) {
		baseline->hot = from->hot;
		from->hot.raw = NULL;
		snprintf(baseline->note, sizeof baseline->note, "passed, error over bound %.3g; %.100s", from->judgement.margin, from->image);
		return;
	}
	/* the archive may have had a word in the reason */
	struct text words = {0};
	const char *why = passed ? from->note : from->judgement.reason;
	cli_append_clean(&words, why, strlen(why));
	snprintf(baseline->note, sizeof baseline->note, "%s: %.150s", status_name(from->judgement.status), words.data ? words.data : "");
	text_free(&words);
}

int session_baselines_case(struct session_baselines *baselines, const struct session *session,
			   const struct runner_request *request, struct case_record *record, struct error *err)
{
	if (!baselines || record->judgement.status != STATUS_PASS || !request->want_bench)
		return 0;
	struct case_record *other = calloc(1, sizeof *other);
	if (!other)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	int result = 0;
	for (size_t i = 0; result == 0 && i < baselines->count; i++) {
		struct side *side = &baselines->sides[i];
		struct baseline_record *baseline = case_record_add_baseline(record, side->name);
		if (!baseline)
			break; /* the family has more of its own than expected: those are there */
		if (!side->runner && !side->refusal[0] && start(side, session, baselines->device, err)) {
			result = -1;
			break;
		}
		if (side->refusal[0]) {
			snprintf(baseline->note, sizeof baseline->note, "%s", side->refusal);
			continue;
		}
		struct runner_request with = *request;
		with.entry_point = side->job->entry_point;
		result = runner_case(side->runner, &with, other, err);
		if (result)
			break;
		take(baseline, other);
		record->bench_seconds += other->wall_seconds;
		record->wall_seconds += other->wall_seconds;
		case_record_free(other);
	}
	free(other);
	return result;
}
