#include "interleave_private.h"

#include "core/digest.h"
#include "output_copy.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* As many processes compile side by side as in a session. */
enum { PRELOADERS_MAX = 16 };

/* Seconds for one figure of a case, all rounds together. A round of a case of 100 us then has some hundred samples of it, and one
 * of 10 ms its three; of operators there are a thousand and more. */
static const double SECONDS = 0.6, SECONDS_OPERATORS = 0.12;

/* Samples of a round go on until its median is known to this, or its time is up: below the scatter of rounds, which is
 * what is left then. */
static const double TARGET = 0.004;
/* Of all rounds together: what counts as converged elsewhere. */
static const double TARGET_ALL = 0.01;

/* ---- verification -------------------------------------------------------------------------------------------------- */

/* To standard error, of a run that nobody sees the progress of otherwise. */
static void say(struct interleave *all, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct interleave *all, const char *format, ...)
{
	va_list args;
	if (!all->session.verbose)
		return;
	progress_clear(&all->progress);
	va_start(args, format);
	fprintf(stderr, "assay: ");
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

static int name_set(struct side *side, struct error *err)
{
	for (size_t i = 0; side->given->set && i < side->run->artifact_count; i++) {
		char *set = strdup(side->given->set);
		if (!set)
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		free(side->run->artifacts[i].set);
		side->run->artifacts[i].set = set;
	}
	return 0;
}

/* What is known of the side so far, or all of it. There is a file of either name, whole, at any time from the first call on. */
static int save(const struct interleave *all, const struct side *side, int is_complete, struct error *err)
{
	struct run_record *run = side->run;
	const int complete = run->complete;
	char *partial;
	if (!side->is_here || !side->given->out)
		return 0;
	if (asprintf(&partial, "%s.partial", side->given->out) < 0)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	run->complete = is_complete;
	const int result = (all->options->keep_copies ? record_write : record_write_without_copies)(partial, run, err);
	run->complete = complete;
	if (result == 0 && is_complete)
		return temporary_commit(partial, side->given->out, err);
	free(partial);
	return result;
}

static int is_timed(const struct interleave *all)
{
	return all->rounds && !all->options->no_timing;
}

static int verify_sides(struct interleave *all, struct run_record *runs, struct error *err)
{
	size_t here = 0;
	for (size_t i = 0; i < all->count; i++) {
		struct side *side = &all->sides[i];
		struct session_options options = all->session;
		struct error problem = {0};
		options.kind = SESSION_VERIFY;
		options.paths = side->given->paths;
		options.path_count = side->given->path_count;
		options.out = NULL;
		options.gbench_json = options.keep_failures = NULL;
		options.verbose = 0;
		if (session_run(&options, side->run, &problem) == 0 && name_set(side, &problem) == 0) {
			side->is_here = 1;
			here++;
			say(all, "%s: %zu cases verified, %.1f s", side->given->paths[0], side->run->case_count, side->run->wall_seconds);
			if (!all->options->keep_copies)
				runs_drop_same_outputs(runs, i + 1, i + 1 == all->count);
			if ((is_timed(all) || i + 1 < all->count) && save(all, side, 0, err))
				return -1;
			continue;
		}
		run_record_free(side->run);
		if (!all->options->errors) {
			*err = problem;
			return error_context(err, "%s", side->given->paths[0]);
		}
		all->options->errors[i] = problem;
	}
	if (here == 0 && all->count) {
		*err = all->options->errors[0];
		return error_context(err, "%s", all->sides[0].given->paths[0]);
	}
	return 0;
}

/* ---- workers -------------------------------------------------------------------------------------------------------- */

static int open_runner(const struct interleave *all, const struct side *side, const struct job *job, int round,
		       struct runner **runner, struct error *err)
{
	struct session_options options = all->session;
	struct worker_setup *setup = calloc(1, sizeof *setup);
	const struct run_record *run = side->run;
	const char *dataset = run->datasets[job ? side->attention_dataset : side->timed_dataset].path;
	int result = -1;
	if (!setup)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	options.kind = SESSION_RUN;
	options.keep_failures = NULL;
	options.no_baseline = 1;
	options.verbose = 0;
	if (make_setup(&options, job, dataset, all->device, setup, err))
		goto done;
	const double seconds = options.bench_seconds > 0 ? options.bench_seconds : job ? SECONDS : SECONDS_OPERATORS;
	setup->bench = round >= 0;
	setup->skip_rates = run->device_count && run_record_device(run, NULL)->matrix_product_flops > 0;
	if (round != 0)
		setup->keep_outputs = 0;
	setup->bench_seconds = seconds / all->rounds;
	setup->bench_target = TARGET;
	const struct runner_options how = make_runner_options(&options, !job, all->device, NULL);
	result = runner_open(runner, setup, &how, err);
done:
	free(setup);
	return result;
}

static size_t symbols_of(const struct interleave *all, const struct group *group, size_t index, const char **symbols)
{
	const struct job_entry *last = NULL;
	size_t count = 0;
	for (size_t i = group->first; i < group->first + group->count; i++) {
		const struct place *place = &all->items[i].places[index];
		if (place->is_wanted && place->entry != last && count < ENTRIES_TOGETHER) {
			last = place->entry;
			symbols[count++] = last->symbol;
		}
	}
	return count;
}

static int load(struct runner *runner, const struct job *job, const char *const *symbols, size_t count, struct error *err)
{
	struct wire_loaded loaded;
	const struct runner_unit unit = {
		.path = job->artifact_path,
		.donor = job->donor_path,
		.symbols = symbols,
		.symbol_count = count,
		.abi = job->abi,
		.is_archive = job->is_archive,
		.runtime_major = job->runtime_major,
	};
	return runner_load(runner, &unit, &loaded, err);
}

static int is_refusal(const struct error *err)
{
	return err->kind == ERROR_INPUT || err->kind == ERROR_UNSUPPORTED;
}

/* What the first worker of a side measured of the card goes into its record. Processes of others are what the very first one saw:
 * later ones also see those of the other sides, where process numbers do not tell whose they are (containers). */
static int note_rates(struct interleave *all, struct side *side, struct error *err)
{
	const struct worker_ready *ready = runner_ready(side->runner);
	if (!ready || (side->run->device_count && run_record_device(side->run, NULL)->matrix_product_flops > 0))
		return 0;
	const int index = run_record_add_device(side->run, &ready->device, "", err);
	if (index < 0)
		return -1;
	struct run_device *device = &side->run->devices[index];
	device->properties = ready->device;
	device->matrix_product_flops = ready->matrix_product_flops;
	device->matrix_product_flops_bf16 = ready->matrix_product_flops_bf16;
	device->copy_bytes_per_second = ready->copy_bytes_per_second;
	if (!all->has_seen_others) {
		all->other_processes = ready->other_processes;
		all->has_seen_others = 1;
	}
	device->other_processes = all->other_processes;
	return 0;
}

/* Workers of kernels by name live for a round, those of an archive for its group. */
static int open_side(struct interleave *all, struct side *side, const struct group *group, size_t index, int round,
		     struct error *err)
{
	const struct job *job = group->jobs[index];
	const int stays = side->runner && group->is_operators && side->loaded->is_operators;
	struct error ignored;
	if (side->runner && !stays) {
		runner_close(side->runner);
		side->runner = NULL;
	}
	side->is_alone = 0;
	side->alone = NULL;
	if (!job)
		return 0;
	side->loaded = group;
	if (side->runner)
		return 0;
	if (open_runner(all, side, group->is_operators ? NULL : job, round, &side->runner, err))
		return -1;
	runner_begin(side->runner, &ignored); /* what goes wrong is told when it is needed */
	return 0;
}

static int enter_side(struct interleave *all, struct side *side, const struct group *group, size_t index, struct error *err)
{
	struct error problem = {0};
	const size_t count = group->jobs[index] && group->is_operators ? symbols_of(all, group, index, side->symbols) : 0;
	if (!count || load(side->runner, group->jobs[index], side->symbols, count, &problem) == 0)
		return 0;
	side->is_alone = 1; /* one bad kernel must not cost those that are compiled with it */
	if (is_refusal(&problem))
		return 0;
	*err = problem;
	return -1;
}

static int enter_group(struct interleave *all, const struct group *group, int round, struct error *err)
{
	/* opening a context takes longer than anything else here: all of them at once */
	for (size_t i = 0; i < all->count; i++)
		if (open_side(all, &all->sides[i], group, i, round, err))
			return -1;
	for (size_t i = 0; i < all->count; i++)
		if (enter_side(all, &all->sides[i], group, i, err))
			return -1;
	return 0;
}

static void leave_round(struct interleave *all)
{
	for (size_t i = 0; i < all->count; i++) {
		runner_close(all->sides[i].runner);
		all->sides[i].runner = NULL;
		all->sides[i].loaded = NULL;
	}
}

/* ---- one case ------------------------------------------------------------------------------------------------------- */

static const char *entry_point_of(const struct job *job, const struct place *place)
{
	return place->entry ? place->entry->symbol : job->entry_point;
}

static int run_place(struct interleave *all, const struct group *group, const struct item *item, size_t index, struct error *err)
{
	struct side *side = &all->sides[index];
	struct place *place = &item->places[index];
	const struct job *job = group->jobs[index];
	const struct case_source *source = group->is_operators ? all->selection.timed.source : all->selection.attention.source;
	struct error problem = {0};
	const struct runner_request request = {
		.index = group->is_operators ? case_source_place(source, item->source_index) : item->source_index,
		.name = case_source_name(source, item->source_index),
		.family = group->is_operators ? place->entry->family->name : job->family->name,
		.entry_point = entry_point_of(job, place),
		.want_bench = 1,
		/* a case is in turn as long as it passes */
		.verified = place->record == SIZE_MAX ? NULL : &side->run->cases[place->record],
	};
	if (side->is_alone && side->alone != place->entry) {
		side->symbols[0] = place->entry->symbol;
		side->alone = place->entry;
		if (load(side->runner, job, side->symbols, 1, &problem)) {
			if (!is_refusal(&problem)) {
				*err = problem;
				return -1;
			}
			side->alone = NULL;
			*side->record = (struct case_record){.dtype = DTYPE_INVALID};
			snprintf(side->record->name, sizeof side->record->name, "%s", request.name);
			snprintf(side->record->family, sizeof side->record->family, "%s", request.family);
			snprintf(side->record->entry_point, sizeof side->record->entry_point, "%s", request.entry_point);
			side->record->judgement.status = runner_refusal(side->runner);
			snprintf(side->record->judgement.reason, sizeof side->record->judgement.reason, "not loaded: %.480s", problem.message);
			return 0;
		}
	}
	return runner_case(side->runner, &request, side->record, err);
}

/* A case that was not verified before: its record of the first round, without the times, which are added like those of others. */
static int keep_new(struct interleave *all, const struct group *group, const struct item *item, size_t index, size_t number,
		    struct error *err)
{
	struct side *side = &all->sides[index];
	struct place *place = &item->places[index];
	const struct job *job = group->jobs[index];
	struct case_record *added = malloc(sizeof *added);
	if (!added)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	*added = *side->record;
	case_record_forget(added);
	added->hot = added->cold = (struct timing_record){0};
	memset(added->baselines, 0, sizeof added->baselines);
	added->baseline_count = 0;
	added->clock_count = 0;
	added->wall_seconds = 0;
	/* copies of outputs are the new record's, samples go into it with those of the other sides */
	memcpy(added->outputs, side->record->outputs, sizeof added->outputs);
	memset(side->record->outputs, 0, sizeof side->record->outputs);
	const uint64_t bytes = case_record_output_bytes(added);
	if (bytes > OUTPUT_RUN_BYTES_MAX - side->held_outputs)
		case_record_drop_outputs(added);
	else
		side->held_outputs += bytes;
	added->artifact = job->artifact;
	added->dataset = group->is_operators ? side->timed_dataset : side->attention_dataset;
	added->case_index = item->source_index;
	added->order = (UINT64_C(2) << 40) + number; /* as a session orders what it times */
	if (place->entry) {
		snprintf(added->module, sizeof added->module, "%s", place->entry->module);
		added->fast_math = place->entry->fast;
	}
	int result = 0;
	struct artifact_record *artifact = &side->run->artifacts[job->artifact];
	for (int64_t i = 0; result == 0 && i < added->launch_count && i < RECORD_LAUNCHES_MAX; i++)
		if (added->launches[i].device_code == 0)
			result = artifact_record_mark(artifact, added->launches[i].kernel, err);
	if (result == 0)
		result = run_record_add(side->run, added, err);
	if (result == 0)
		place->record = side->run->case_count - 1;
	free(added);
	return result;
}

static void drop_timing(struct timing_record *timing)
{
	free(timing->raw);
	*timing = (struct timing_record){0};
}

/* It passed before and does not now: the worse verdict stands, and there is no time. */
static void take_verdict(struct case_record *kept, const struct case_record *seen, int round)
{
	char reason[sizeof kept->judgement.reason];
	kept->judgement = seen->judgement;
	snprintf(reason, sizeof reason, "in round %d: %.480s", round + 1, seen->judgement.reason);
	memcpy(kept->judgement.reason, reason, sizeof reason);
	drop_timing(&kept->hot);
	drop_timing(&kept->cold);
}

/* Copies of outputs of cases that this round was the first to run; `added`: a bit for each side. */
static void drop_same_outputs(struct interleave *all, const struct item *item, unsigned added)
{
	struct case_record *records[INTERLEAVE_SIDES_MAX] = {NULL};
	uint64_t held[INTERLEAVE_SIDES_MAX] = {0};
	for (size_t i = 0; i < all->count; i++)
		if (added & 1u << i) {
			records[i] = &all->sides[i].run->cases[item->places[i].record];
			held[i] = case_record_output_bytes(records[i]);
		}
	case_records_drop_same(records, all->count, 1);
	for (size_t i = 0; i < all->count; i++)
		if (records[i])
			all->sides[i].held_outputs -= held[i] - case_record_output_bytes(records[i]);
}

static int run_item(struct interleave *all, const struct group *group, size_t number, int round, struct error *err)
{
	const struct item *item = &all->items[number];
	struct case_record *into[INTERLEAVE_SIDES_MAX] = {NULL}, *from[INTERLEAVE_SIDES_MAX] = {NULL};
	int result = 0, bad = 0;
	unsigned added = 0;
	const int backwards = (round + (int)(number & 1)) & 1;
	for (size_t k = 0; result == 0 && k < all->count; k++) {
		const size_t i = backwards ? all->count - 1 - k : k;
		struct side *side = &all->sides[i];
		struct place *place = &item->places[i];
		if (!place->is_wanted || !side->runner)
			continue;
		result = run_place(all, group, item, i, err);
		if (result)
			break;
		from[i] = side->record;
		result = note_rates(all, side, err);
		if (result == 0 && place->record == SIZE_MAX) {
			result = keep_new(all, group, item, i, number, err);
			added |= 1u << i;
		}
		if (result)
			break;
		into[i] = &side->run->cases[place->record];
		if (side->record->judgement.status != STATUS_PASS) {
			if (into[i]->judgement.status == STATUS_PASS)
				take_verdict(into[i], side->record, round);
			place->is_wanted = 0;
			bad = 1;
			case_record_free(side->record);
			from[i] = into[i] = NULL;
		}
	}
	/* a record may have moved when another was added to its run: never within one item, since each side has a run of its own */
	if (result == 0 && added && !all->options->keep_copies)
		drop_same_outputs(all, item, added);
	if (result == 0)
		result = records_add_round(into, from, all->count, err);
	for (size_t i = 0; i < all->count; i++)
		if (from[i]) {
			if (into[i] && !into[i]->note[0] && from[i]->note[0])
				memcpy(into[i]->note, from[i]->note, sizeof into[i]->note);
			case_record_free(from[i]);
		}
	progress_step(&all->progress, bad, case_source_name(group->is_operators ? all->selection.timed.source
										: all->selection.attention.source, item->source_index));
	return result;
}

static int run_round(struct interleave *all, int round, struct error *err)
{
	int result = 0;
	for (size_t g = 0; result == 0 && g < all->group_count; g++) {
		const struct group *group = &all->groups[g];
		size_t wanted = 0;
		for (size_t i = group->first; i < group->first + group->count; i++)
			for (size_t s = 0; s < all->count; s++)
				wanted += (size_t)all->items[i].places[s].is_wanted;
		if (!wanted)
			continue;
		result = enter_group(all, group, round, err);
		for (size_t i = group->first; result == 0 && i < group->first + group->count; i++)
			result = run_item(all, group, i, round, err);
	}
	leave_round(all);
	return result;
}

/* ---- compiling beforehand --------------------------------------------------------------------------------------------- */

/* The driver compiles the kernels of a module one after the other, and processes side by side: what the rounds load is in its
 * cache after this. Failures are the rounds' to tell. */
struct preload {
	struct interleave *all;
	pthread_mutex_t mutex;
	size_t next;
};

static void *preload_some(void *context)
{
	struct preload *preload = context;
	struct interleave *all = preload->all;
	const char *symbols[ENTRIES_TOGETHER];
	struct runner *runner = NULL;
	size_t owner = SIZE_MAX;
	for (;;) {
		pthread_mutex_lock(&preload->mutex);
		const size_t at = preload->next++;
		pthread_mutex_unlock(&preload->mutex);
		if (at >= all->group_count * all->count)
			break;
		const struct group *group = &all->groups[at % all->group_count];
		const size_t index = at / all->group_count;
		const struct job *job = group->is_operators ? group->jobs[index] : NULL;
		struct error ignored;
		if (!job || job->is_archive)
			continue;
		const size_t count = symbols_of(all, group, index, symbols);
		if (runner && owner != index) {
			runner_close(runner);
			runner = NULL;
		}
		owner = index;
		if (!count || (!runner && open_runner(all, &all->sides[index], NULL, -1, &runner, &ignored)))
			continue;
		load(runner, job, symbols, count, &ignored);
	}
	runner_close(runner);
	return NULL;
}

static void preload(struct interleave *all)
{
	struct preload work = {.all = all, .mutex = PTHREAD_MUTEX_INITIALIZER};
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t wanted = processors > 0 ? (size_t)processors : 1, modules = 0, started = 0;
	pthread_t threads[PRELOADERS_MAX];
	for (size_t i = 0; i < all->group_count; i++)
		modules += (size_t)all->groups[i].is_operators;
	wanted = wanted < PRELOADERS_MAX ? wanted : PRELOADERS_MAX;
	wanted = wanted < modules * all->count ? wanted : modules * all->count;
	while (started < wanted && pthread_create(&threads[started], NULL, preload_some, &work) == 0)
		started++;
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

/* Before the first round: what a kill leaves is of rounds that belong together, too. */
static int mark_runs(struct interleave *all, struct error *err)
{
	char mark[33];
	struct text what = {0};
	text_append(&what, "%lld %ld %.9f", (long long)time(NULL), (long)getpid(), monotonic_seconds());
	if (what.failed)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	digest_hex(digest_bytes(what.data, what.length), mark);
	text_free(&what);
	for (size_t i = 0; i < all->count; i++) {
		struct run_record *run = all->sides[i].run;
		if (!all->sides[i].is_here)
			continue;
		free(run->interleaved);
		run->interleaved = strdup(mark);
		if (!run->interleaved)
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	}
	return 0;
}

static int describe(struct interleave *all, struct error *err)
{
	for (size_t i = 0; i < all->count; i++) {
		struct run_record *run = all->sides[i].run;
		struct text notes = {0};
		size_t others = 0;
		if (!all->sides[i].is_here)
			continue;
		text_append(&notes, "%s%stimed in %d rounds", run->notes ? run->notes : "", run->notes && run->notes[0] ? "\n" : "",
			    all->rounds);
		for (size_t k = 0; k < all->count; k++)
			if (k != i && all->sides[k].is_here)
				text_append(&notes, "%s%s", others++ ? ", " : ", in turns with ", all->sides[k].given->paths[0]);
		if (notes.failed)
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		free(run->notes);
		run->notes = notes.data;
	}
	return 0;
}

/* Of all rounds so far. */
static int summarise(struct run_record *run, struct error *err)
{
	for (size_t k = 0; k < run->case_count; k++)
		if (timing_summarise(&run->cases[k].hot, TARGET_ALL, err) || timing_summarise(&run->cases[k].cold, TARGET_ALL, err))
			return -1;
	return 0;
}

static int save_round(struct interleave *all, struct error *err)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->sides[i].given->out && (summarise(all->sides[i].run, err) || save(all, &all->sides[i], 0, err)))
			return -1;
	return 0;
}

static int time_sides(struct interleave *all, struct error *err)
{
	const double start = monotonic_seconds();
	int result = interleave_plan(all, err);
	if (result == 0)
		result = mark_runs(all, err);
	if (result == 0 && strcmp(all->device, "cpu") != 0)
		preload(all);
	say(all, "%zu cases to be timed in %d rounds; compiling: %.1f s", all->item_count, all->rounds, monotonic_seconds() - start);
	progress_start(&all->progress, all->item_count * (size_t)all->rounds);
	for (int round = 0; result == 0 && round < all->rounds; round++) {
		const double begun = monotonic_seconds();
		result = run_round(all, round, err);
		if (result == 0 && round + 1 < all->rounds)
			result = save_round(all, err);
		say(all, "round %d of %d: %.1f s", round + 1, all->rounds, monotonic_seconds() - begun);
	}
	progress_clear(&all->progress);
	for (size_t i = 0; result == 0 && i < all->count; i++) {
		struct run_record *run = all->sides[i].run;
		result = summarise(run, err);
		run_record_sort(run);
		run->wall_seconds += monotonic_seconds() - start;
	}
	return result ? result : describe(all, err);
}

int interleave_is_one_device(const char *device)
{
	const char *number = strncmp(device, "cuda:", 5) == 0 ? device + 5 : NULL;
	const int is_number = number && number[0] && strspn(number, "0123456789") == strlen(number);
	return strcmp(device, "cpu") == 0 || strcmp(device, "cuda") == 0 || is_number;
}

int interleave_run(const struct interleave_options *options, struct run_record *runs, struct error *err)
{
	struct interleave *all = calloc(1, sizeof *all);
	int result = -1;
	memset(runs, 0, options->count * sizeof *runs);
	if (!all)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (options->count < 1 || options->count > INTERLEAVE_SIDES_MAX || options->rounds < 0 || options->rounds > RECORD_ROUNDS_MAX) {
		error_set(err, ERROR_USAGE, "1 to %d sides can be measured in turns, in 1 to %d rounds", INTERLEAVE_SIDES_MAX,
			  RECORD_ROUNDS_MAX);
		goto done;
	}
	all->options = options;
	all->session = options->session;
	all->count = options->count;
	all->device = options->session.device ? options->session.device : device_default_id();
	all->rounds = options->rounds ? options->rounds : strcmp(all->device, "cpu") == 0 ? 0 : INTERLEAVE_ROUNDS;
	all->session.device = all->device;
	if (is_timed(all) && !interleave_is_one_device(all->device)) {
		error_set(err, ERROR_USAGE, "--device %s: artifacts are timed in turns on one device; name it, as cuda:0", all->device);
		goto done;
	}
	for (size_t i = 0; i < options->count; i++) {
		all->sides[i].given = &options->sides[i];
		all->sides[i].run = &runs[i];
		if (options->sides[i].out && path_can_be_written(options->sides[i].out, err))
			goto done;
	}
	if (verify_sides(all, runs, err) || (is_timed(all) && time_sides(all, err)))
		goto done;
	for (size_t i = 0; i < all->count; i++)
		if (save(all, &all->sides[i], 1, err))
			goto done;
	result = 0;
done:
	leave_round(all);
	for (size_t i = 0; i < all->count; i++) {
		struct side *side = &all->sides[i];
		free(side->sorted);
		free(side->symbols);
		free(side->record);
		plan_free(&side->plan);
		run_record_free(&side->scratch);
	}
	cases_by_entry_free(&all->timed);
	selection_free(&all->selection);
	free(all->groups);
	free(all->items);
	free(all->places);
	free(all);
	return result;
}
