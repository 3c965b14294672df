#include "matrix.h"

#include "artifact/artifact.h"
#include "artifact_images.h"
#include "compare_statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct matrix_cell *matrix_cell(const struct matrix *matrix, size_t device, size_t dataset, size_t artifact)
{
	return &matrix->cells[(device * matrix->dataset_count + dataset) * matrix->artifact_count + artifact];
}

int matrix_dataset_shares_name(const struct matrix *matrix, size_t dataset)
{
	const char *path = matrix->datasets[dataset];
	for (size_t i = 0; path && i < matrix->dataset_count; i++)
		if (i != dataset && matrix->datasets[i] && strcmp(path_base(matrix->datasets[i]), path_base(path)) == 0)
			return 1;
	return 0;
}

const char *matrix_dataset_name(const struct matrix *matrix, size_t dataset)
{
	const char *path = matrix->datasets[dataset];
	return !path ? "default" : matrix_dataset_shares_name(matrix, dataset) ? path : path_base(path);
}

void matrix_free(struct matrix *matrix)
{
	for (size_t i = 0; matrix->cells && i < matrix->artifact_count * matrix->dataset_count * matrix->device_count; i++) {
		run_record_free(&matrix->cells[i].run);
		free(matrix->cells[i].file);
		free(matrix->cells[i].incomparable);
	}
	for (size_t i = 0; matrix->artifacts && i < matrix->artifact_count; i++) {
		struct matrix_artifact *artifact = &matrix->artifacts[i];
		free(artifact->files);
		free(artifact->toolkit);
		free(artifact->images);
		free(artifact->built);
		free(artifact->driver);
		free(artifact->problem);
	}
	free(matrix->cells);
	free(matrix->artifacts);
	matrix->cells = NULL;
	matrix->artifacts = NULL;
}

/* ---- what the artifacts are ---- */

static int has_item(const char *list, const char *item, size_t length)
{
	for (const char *at = list ? list : ""; *at;) {
		const size_t here = strcspn(at, ",");
		if (here == length && strncmp(at, item, length) == 0)
			return 1;
		at += here + strspn(at + here, ", ");
	}
	return 0;
}

/* Adds what is not yet among "a, b, c". */
static void add_item(struct text *list, const char *item, size_t length)
{
	if (length && !has_item(list->data, item, length))
		text_append(list, "%s%.*s", list->length ? ", " : "", (int)length, item);
}

static char *taken(struct text *text)
{
	if (text->failed) {
		text_free(text);
		return NULL;
	}
	return text->data ? text->data : strdup("");
}

static void describe_file(struct artifact *artifact, struct text *toolkit, struct text *images, struct text *driver)
{
	struct artifact_driver_needs needs;
	struct error ignored;
	char *targets = artifact_images_text(artifact);
	for (const char *at = targets ? targets : ""; *at;) {
		const size_t length = strcspn(at, "\n");
		add_item(images, at, length);
		at += length + (at[length] == '\n');
	}
	images->failed |= targets == NULL;
	free(targets);
	if (artifact_driver_needs(artifact, &needs, &ignored) == 0) {
		char text[64];
		for (int i = 0; i < 2; i++) {
			const unsigned release = i ? needs.toolkit_max : needs.toolkit_min;
			snprintf(text, sizeof text, "CUDA %u.%u", release / 10, release % 10);
			if (release)
				add_item(toolkit, text, strlen(text));
		}
		if (needs.to_load) {
			snprintf(text, sizeof text, "%.30s to load", needs.to_load);
			add_item(driver, text, strlen(text));
		}
		if (needs.to_compile) {
			snprintf(text, sizeof text, "%.30s to compile PTX", needs.to_compile);
			add_item(driver, text, strlen(text));
		}
	}
}

int matrix_inspect(struct matrix_artifact *out, struct error *err)
{
	struct text files = {0}, toolkit = {0}, images = {0}, driver = {0}, problem = {0};
	struct artifact_list list = {0};
	struct error failure = {0};
	if (artifact_discover(out->path, &list, &failure))
		text_append(&problem, "%s", failure.message);
	for (int i = 0; i < list.count; i++) {
		struct artifact artifact;
		if (artifact_open(list.paths[i], &artifact, &failure)) {
			text_append(&problem, "%s%s", problem.length ? "; " : "", failure.message);
			continue;
		}
		const char *name = path_base(list.paths[i]);
		add_item(&files, name, strlen(name));
		describe_file(&artifact, &toolkit, &images, &driver);
		artifact_close(&artifact);
	}
	artifact_list_free(&list);
	out->files = taken(&files);
	out->toolkit = taken(&toolkit);
	out->images = taken(&images);
	out->built = strdup("");
	out->driver = taken(&driver);
	out->problem = taken(&problem);
	if (!out->files || !out->toolkit || !out->images || !out->built || !out->driver || !out->problem)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	return 0;
}

/* ---- relative throughput ---- */

static int is_counted(const struct case_comparison *pair)
{
	const enum timing_verdict verdict = pair->hot.verdict;
	return verdict != TIMING_NONE && verdict != TIMING_REFUSED && pair->hot.ratio > 0 && pair->hot.low > 0;
}

static struct timing_rounds rounds_of(const struct timing_record *timing)
{
	return (struct timing_rounds){timing->raw, (size_t)timing->samples, timing->round_samples, (size_t)timing->rounds};
}

/* Rounds that every counted case of both runs has; 0: not so, or not in turns. */
static int32_t common_rounds(const struct comparison *comparison)
{
	const char *mark = comparison->base->interleaved, *other = comparison->next->interleaved;
	int32_t rounds = 0;
	if (!mark || !other || !mark[0] || strcmp(mark, other) != 0)
		return 0;
	for (size_t i = 0; i < comparison->case_count; i++) {
		const struct case_comparison *pair = &comparison->cases[i];
		if (!is_counted(pair))
			continue;
		const int32_t here = pair->base->hot.rounds;
		if (here < 2 || here > RECORD_ROUNDS_MAX || pair->next->hot.rounds != here || (rounds && here != rounds))
			return 0;
		rounds = here;
	}
	return rounds;
}

/* Adds to sums[round] how much shorter the new one's median is, as logarithms. */
static int add_rounds(const struct case_comparison *pair, double *sums, int32_t rounds, struct error *err)
{
	const struct timing_rounds base = rounds_of(&pair->base->hot), next = rounds_of(&pair->next->hot);
	double *old = timing_round_medians(&base, "base", err);
	double *new = old ? timing_round_medians(&next, "new", err) : NULL;
	for (int32_t i = 0; new && i < rounds; i++)
		sums[i] += old[i] - new[i];
	const int result = new ? 0 : -1;
	free(old);
	free(new);
	return result;
}

int matrix_relative_of(const struct comparison *comparison, struct matrix_relative *out, struct error *err)
{
	const int32_t rounds = common_rounds(comparison);
	double sums[RECORD_ROUNDS_MAX] = {0}, sum = 0, square = 0;
	*out = (struct matrix_relative){.by_rounds = rounds > 0};
	for (size_t i = 0; i < comparison->case_count; i++) {
		const struct case_comparison *pair = &comparison->cases[i];
		if (!is_counted(pair))
			continue;
		const double faster = 1 / pair->hot.ratio, half = 0.5 * log(pair->hot.high / pair->hot.low);
		if (out->cases == 0 || faster < out->least) {
			out->least = faster;
			out->least_case = pair->base->name;
		}
		if (out->cases == 0 || faster > out->most) {
			out->most = faster;
			out->most_case = pair->base->name;
		}
		sum += log(faster);
		square += half * half;
		out->cases++;
		if (rounds && add_rounds(pair, sums, rounds, err))
			return -1;
	}
	if (out->cases == 0)
		return 0;
	struct mean_interval mean = {sum / (double)out->cases, sqrt(square) / (double)out->cases};
	if (rounds) {
		for (int32_t i = 0; i < rounds; i++)
			sums[i] /= (double)out->cases;
		mean = mean_of(sums, (size_t)rounds, comparison->confidence);
	}
	out->mean = exp(mean.mean);
	out->low = exp(mean.mean - mean.half);
	out->high = exp(mean.mean + mean.half);
	return 0;
}

/* ---- cells ---- */

static int is_judged(enum status status)
{
	return status == STATUS_PASS || status == STATUS_FAIL || status == STATUS_MISTRUSTED;
}

static void count_cell(struct matrix_cell *cell)
{
	cell->worst = (double)NAN;
	cell->load_seconds = (double)NAN;
	for (size_t i = 0; i < cell->run.case_count; i++) {
		const struct case_record *record = &cell->run.cases[i];
		const struct judgement *judgement = &record->judgement;
		cell->statuses[judgement->status]++;
		cell->cases++;
		if (!is_judged(judgement->status))
			continue;
		const double margins[] = {judgement->margin, judgement->lse_margin};
		for (int k = 0; k < 2; k++)
			if (!(margins[k] <= cell->worst) && !isnan(margins[k])) {
				cell->worst = margins[k];
				cell->worst_case = record->name;
			}
	}
	for (size_t i = 0; i < cell->run.artifact_count; i++)
		if (cell->run.artifacts[i].load_seconds > 0)
			cell->load_seconds = (isnan(cell->load_seconds) ? 0 : cell->load_seconds) + cell->run.artifacts[i].load_seconds;
}

static int compare_cell(struct matrix_cell *cell, const struct matrix_cell *first, double threshold, struct error *err)
{
	const struct compare_options options = {.threshold = threshold};
	struct comparison comparison;
	struct error problem = {0};
	const char *why = "";
	int result = 0;
	if (cell->problem.kind || first->problem.kind)
		why = cell->problem.kind ? "it was not run" : "the first column was not run";
	else if (compare_runs(&first->run, &cell->run, &options, &comparison, &problem)) {
		if (problem.kind != ERROR_INPUT) {
			*err = problem;
			return -1;
		}
		why = "no case in common with the first column";
	} else {
		result = matrix_relative_of(&comparison, &cell->relative, err);
		memcpy(cell->hot, comparison.hot, sizeof cell->hot);
		cell->regressions = comparison.regressions;
		comparison_free(&comparison);
	}
	cell->incomparable = strdup(why);
	return result ? result : cell->incomparable ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

/* What Cargo's files beside the artifacts said when they were run. */
static int note_build(struct matrix_artifact *artifact, const struct run_record *run, struct error *err)
{
	struct text built = {0};
	if (artifact->built[0])
		return 0;
	for (size_t i = 0; i < run->artifact_count; i++) {
		const char *provenance = run->artifacts[i].provenance;
		if (provenance && provenance[0] && (!built.data || !strstr(built.data, provenance)))
			text_append(&built, "%s%s", built.length ? "; " : "", provenance);
	}
	char *text = taken(&built);
	if (!text)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	free(artifact->built);
	artifact->built = text;
	return 0;
}

int matrix_summarise(struct matrix *matrix, struct error *err)
{
	for (size_t d = 0; d < matrix->device_count; d++)
		for (size_t s = 0; s < matrix->dataset_count; s++)
			for (size_t a = 0; a < matrix->artifact_count; a++) {
				struct matrix_cell *cell = matrix_cell(matrix, d, s, a);
				count_cell(cell);
				if (note_build(&matrix->artifacts[a], &cell->run, err) ||
				    compare_cell(cell, matrix_cell(matrix, d, s, 0), matrix->threshold, err))
					return -1;
			}
	return 0;
}

int matrix_exit_code(const struct matrix *matrix)
{
	const size_t count = matrix->artifact_count * matrix->dataset_count * matrix->device_count;
	int bad = 0, passed = 0, failed = 0;
	for (size_t i = 0; i < count; i++) {
		const struct matrix_cell *cell = &matrix->cells[i];
		failed |= cell->problem.kind != ERROR_NONE;
		passed |= cell->statuses[STATUS_PASS] > 0;
		bad |= cell->problem.kind == ERROR_NONE && run_record_exit_code(&cell->run, 0) == 1;
	}
	return bad ? 1 : failed || !passed ? 3 : 0;
}
