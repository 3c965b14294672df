#include "merge.h"

#include "core/util.h"
#include "record_match.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static int set_copy(char **to, const char *from, struct error *err)
{
	free(*to);
	*to = strdup(or_empty(from));
	return *to ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

static int append_line(char **to, const char *line, struct error *err)
{
	char *text = NULL;
	if (asprintf(&text, "%s%s%s", or_empty(*to), *to && **to ? "\n" : "", line) < 0)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	free(*to);
	*to = text;
	return 0;
}

static int has_line(const char *lines, const char *line, size_t length)
{
	for (const char *at = or_empty(lines); *at;) {
		const size_t here = strcspn(at, "\n");
		if (here == length && strncmp(at, line, length) == 0)
			return 1;
		at += here + (at[here] == '\n');
	}
	return 0;
}

/* Adds the lines that are not there yet. */
static int add_lines(char **to, const char *from, struct error *err)
{
	for (const char *at = or_empty(from); *at;) {
		const size_t length = strcspn(at, "\n");
		if (length && !has_line(*to, at, length)) {
			char *line = copy_text(at, length);
			const int failed = !line ? error_set(err, ERROR_ENVIRONMENT, "out of memory") : append_line(to, line, err);
			free(line);
			if (failed)
				return -1;
		}
		at += length + (at[length] == '\n');
	}
	return 0;
}

/* ---- which shards there are ----------------------------------------------------------------------------------------- */

static int check_parts(const struct run_record *parts, const char *const *names, size_t count, const struct merge_options *options,
		       char **notes, struct error *err)
{
	const int64_t shards = parts[0].shard_count > 1 ? parts[0].shard_count : 1;
	struct text missing = {0};
	int result = 0;
	int64_t missing_count = 0, named = 0;
	for (size_t i = 1; i < count; i++)
		if (record_same_run(&parts[0], &parts[i], names[i], RECORD_SAME_MERGED, err))
			return -1;
	for (size_t i = 0; i < count && shards > 1; i++) {
		if (parts[i].shard_index < 1 || parts[i].shard_index > shards)
			return error_set(err, ERROR_INPUT, "%s: says that it is shard %" PRId64 "/%" PRId64 "; a merged file cannot be merged again: "
					 "merge the parts that it was made of with those that were missing", names[i], parts[i].shard_index, shards);
		for (size_t k = 0; k < i && !options->overlap; k++)
			if (parts[k].shard_index == parts[i].shard_index)
				return error_set(err, ERROR_INPUT, "%s, %s: both are shard %" PRId64 "/%" PRId64 "; with --overlap the cases of both are "
						 "taken where they agree", names[k], names[i], parts[i].shard_index, shards);
	}
	/* a file may speak of any number of shards: those that are there are counted, and no more are gone through than are named */
	missing_count = shards > 1 ? shards : 0;
	for (size_t i = 0; i < count && shards > 1; i++) {
		int is_first = 1;
		for (size_t k = 0; k < i; k++)
			is_first &= parts[k].shard_index != parts[i].shard_index;
		missing_count -= is_first;
	}
	for (int64_t shard = 1; named < missing_count && named < 20; shard++) {
		int is_there = 0;
		for (size_t i = 0; i < count; i++)
			is_there |= parts[i].shard_index == shard;
		if (is_there)
			continue;
		text_append(&missing, "%s%" PRId64 "/%" PRId64, missing.length ? ", " : "", shard, shards);
		named++;
	}
	if (missing_count > named)
		text_append(&missing, " and %" PRId64 " more", missing_count - named);
	struct text lines = {0};
	if (missing_count)
		text_append(&lines, "missing: %s %s", missing_count > 1 ? "shards" : "shard", missing.data);
	for (size_t i = 0; i < count; i++)
		if (!parts[i].complete)
			text_append(&lines, "%scut short after %zu cases: %s", lines.length ? "\n" : "", parts[i].case_count, names[i]);
	if (missing.failed || lines.failed) {
		result = error_set(err, ERROR_ENVIRONMENT, "out of memory");
	} else if (lines.length && !options->partial) {
		for (char *at = lines.data; *at; at++)
			if (*at == '\n')
				*at = ';';
		result = error_set(err, ERROR_INPUT, "not all of the run is there (%.700s): run the rest (--resume goes on with what was cut short), or "
				   "merge what there is with --partial", lines.data);
	} else if (lines.length) {
		*notes = lines.data;
		lines = (struct text){0};
	}
	text_free(&lines);
	text_free(&missing);
	return result;
}

/* ---- conditions ----------------------------------------------------------------------------------------------------- */

static double larger(double a, double b)
{
	return a > b ? a : b;
}

static int take_device(struct run_record *out, const struct run_record *part, const struct run_device *device, int32_t *index, struct error *err)
{
	const char *host = device->host[0] ? device->host : or_empty(part->host);
	if (strcmp(host, or_empty(out->host)) == 0)
		host = "";
	*index = run_record_add_device(out, &device->properties, host, err);
	if (*index < 0)
		return -1;
	/* one card may have run several parts: its best rate is what it can do */
	struct run_device *to = &out->devices[*index];
	to->place = (uint32_t)*index;
	to->matrix_product_flops = larger(to->matrix_product_flops, device->matrix_product_flops);
	to->matrix_product_flops_bf16 = larger(to->matrix_product_flops_bf16, device->matrix_product_flops_bf16);
	to->copy_bytes_per_second = larger(to->copy_bytes_per_second, device->copy_bytes_per_second);
	if (device->other_processes > to->other_processes)
		to->other_processes = device->other_processes;
	return 0;
}

int merge_artifact(struct artifact_record *to, const struct artifact_record *from, struct error *err)
{
	to->link_seconds = larger(to->link_seconds, from->link_seconds);
	to->load_longest_seconds = larger(to->load_longest_seconds, from->load_longest_seconds);
	to->load_wall_seconds = larger(to->load_wall_seconds, from->load_wall_seconds);
	/* modules are loaded in parts, other ones in that of an archive; an archive is loaded by each anew */
	if (to->load_parts || from->load_parts)
		to->load_seconds += from->load_seconds;
	else
		to->load_seconds = larger(to->load_seconds, from->load_seconds);
	to->load_parts += from->load_parts;
	char *const *const only_one[] = {&from->cudart, &from->donor, &from->images, &from->abi};
	char **const into[] = {&to->cudart, &to->donor, &to->images, &to->abi};
	for (size_t i = 0; i < ARRAY_COUNT(into); i++)
		if (!or_empty(*into[i])[0] && set_copy(into[i], *only_one[i], err))
			return -1;
	return add_lines(&to->refused, from->refused, err) || add_lines(&to->stubbed, from->stubbed, err) ||
	       artifact_record_merge_kernels(to, from, err) ? -1 : 0;
}

static int same_inventory(const struct inventory_record *a, const struct inventory_record *b)
{
	return strcmp(or_empty(a->profile), or_empty(b->profile)) == 0 && strcmp(or_empty(a->claim), or_empty(b->claim)) == 0 &&
	       strcmp(or_empty(a->modules), or_empty(b->modules)) == 0 && strcmp(or_empty(a->missing), or_empty(b->missing)) == 0 &&
	       strcmp(or_empty(a->unknown), or_empty(b->unknown)) == 0 && a->architecture == b->architecture && a->expected == b->expected &&
	       a->present == b->present && a->missing_count == b->missing_count && a->unknown_count == b->unknown_count &&
	       a->without_case == b->without_case && a->cases_without_entry == b->cases_without_entry;
}

/* What every part says alike is said once; a part on another architecture expects other entry points. */
static int take_inventory(struct run_record *out, const struct inventory_record *from, struct error *err)
{
	for (size_t i = 0; i < out->inventory_count; i++)
		if (same_inventory(&out->inventories[i], from))
			return 0;
	struct inventory_record *to = run_record_add_inventory(out, err);
	if (!to)
		return -1;
	to->architecture = from->architecture;
	to->expected = from->expected;
	to->present = from->present;
	to->missing_count = from->missing_count;
	to->unknown_count = from->unknown_count;
	to->without_case = from->without_case;
	to->cases_without_entry = from->cases_without_entry;
	return set_copy(&to->folder, from->folder, err) || set_copy(&to->profile, from->profile, err) ||
	       set_copy(&to->evidence, from->evidence, err) || set_copy(&to->claim, from->claim, err) ||
	       set_copy(&to->modules, from->modules, err) || set_copy(&to->missing, from->missing, err) ||
	       set_copy(&to->unknown, from->unknown, err) ? -1 : 0;
}

static int note_part(struct run_record *out, const struct run_record *part, const char *name, struct error *err)
{
	char *line = NULL;
	const int is_shard = part->shard_count > 1;
	char shard[64] = "";
	if (is_shard)
		snprintf(shard, sizeof shard, "shard %" PRId64 "/%" PRId64 ", ", part->shard_index, part->shard_count);
	if (asprintf(&line, "merged: %s (%s%zu cases, %.1f s on %s, %s)", name, shard, part->case_count, part->wall_seconds, or_empty(part->host),
		     or_empty(part->date)) < 0)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	const int failed = append_line(&out->notes, line, err);
	free(line);
	return failed || add_lines(&out->notes, part->notes, err) ? -1 : 0;
}

/* ---- cases ----------------------------------------------------------------------------------------------------------- */

static int same_digests(const struct case_record *a, const struct case_record *b)
{
	return a->output_count == b->output_count &&
	       memcmp(a->digests, b->digests, (size_t)a->output_count * sizeof a->digests[0]) == 0;
}

/* Records of one case: 1 when they agree. Between architectures bits may differ. */
static int agree(const struct run_record *run, const struct case_record *a, const struct case_record *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->entry_point, b->entry_point) == 0 && a->artifact == b->artifact &&
	       a->judgement.status == b->judgement.status &&
	       (!run_devices_are_alike(run_record_device(run, a), run_record_device(run, b)) || same_digests(a, b));
}

/* One that was not run elsewhere was at least not run there. */
static int drop_duplicates(struct run_record *run, const struct merge_options *options, struct error *err)
{
	size_t kept = 0;
	for (size_t i = 0; i < run->case_count; i++) {
		struct case_record *record = &run->cases[i];
		struct case_record *before = kept ? &run->cases[kept - 1] : NULL;
		if (!before || before->order != record->order) {
			if (kept != i) {
				run->cases[kept] = *record;
				case_record_forget(record);
			}
			kept++;
			continue;
		}
		if (!agree(run, before, record))
			return error_set(err, ERROR_INPUT, "the parts contradict each other: %s is %s in one and %s%s is %s%s in another", before->name,
					 status_name(before->judgement.status), strcmp(before->name, record->name) ? record->name : "",
					 strcmp(before->name, record->name) ? "" : "it", status_name(record->judgement.status),
					 before->judgement.status == record->judgement.status ? " with other results" : "");
		if (!options->overlap)
			return error_set(err, ERROR_INPUT, "the case %s is in several of the parts; with --overlap the first one's is taken", before->name);
		case_record_free(record);
	}
	run->case_count = kept;
	return 0;
}

static int take_part(struct run_record *out, struct run_record *part, const char *name, struct error *err)
{
	int32_t *devices = calloc(part->device_count + 1, sizeof *devices);
	int result = devices ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t i = 0; result == 0 && i < part->device_count; i++)
		result = take_device(out, part, &part->devices[i], &devices[i], err);
	for (size_t i = 0; result == 0 && i < part->artifact_count; i++)
		result = merge_artifact(&out->artifacts[i], &part->artifacts[i], err);
	for (size_t i = 0; result == 0 && i < part->inventory_count; i++)
		result = take_inventory(out, &part->inventories[i], err);
	if (result == 0)
		result = note_part(out, part, name, err);
	for (size_t i = 0; result == 0 && i < part->case_count; i++) {
		struct case_record *record = &part->cases[i];
		if (part->device_count)
			record->device = devices[record->device];
		result = run_record_add(out, record, err);
		if (result == 0)
			case_record_forget(record);
	}
	free(devices);
	out->wall_seconds += part->wall_seconds;
	if (strcmp(or_empty(part->date), or_empty(out->date)) < 0 && or_empty(part->date)[0])
		result = result || set_copy(&out->date, part->date, err) ? -1 : 0;
	return result;
}

/* The conditions of the first part, without what it ran on and what it found. */
static int start_from(struct run_record *out, const struct run_record *first, struct error *err)
{
	out->schema = first->schema;
	out->seed = first->seed;
	memcpy(out->dataset_sha256, first->dataset_sha256, sizeof out->dataset_sha256);
	out->datasets = calloc(first->dataset_count + 1, sizeof *out->datasets);
	out->artifacts = calloc(first->artifact_count + 1, sizeof *out->artifacts);
	if (!out->datasets || !out->artifacts)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (size_t i = 0; i < first->dataset_count; i++) {
		memcpy(out->datasets[i].sha256, first->datasets[i].sha256, sizeof out->datasets[i].sha256);
		out->dataset_count++;
		if (set_copy(&out->datasets[i].path, first->datasets[i].path, err))
			return -1;
	}
	for (size_t i = 0; i < first->artifact_count; i++) {
		const struct artifact_record *from = &first->artifacts[i];
		struct artifact_record *to = &out->artifacts[i];
		out->artifact_count++;
		to->size = from->size;
		to->entry_points = from->entry_points;
		to->fast_kernels = from->fast_kernels;
		memcpy(to->sha256, from->sha256, sizeof to->sha256);
		if (set_copy(&to->path, from->path, err) || set_copy(&to->kind, from->kind, err) || set_copy(&to->toolkit, from->toolkit, err) ||
		    set_copy(&to->provenance, from->provenance, err) || set_copy(&to->abi, from->abi, err) || set_copy(&to->set, from->set, err) ||
		    set_copy(&to->images, from->images, err) || set_copy(&to->cudart, "", err) || set_copy(&to->stubbed, "", err) ||
		    set_copy(&to->refused, "", err) || set_copy(&to->donor, "", err))
			return -1;
	}
	return set_copy(&out->command, first->command, err) || set_copy(&out->version, first->version, err) ||
	       set_copy(&out->date, first->date, err) || set_copy(&out->host, first->host, err) || set_copy(&out->math, first->math, err) ||
	       set_copy(&out->dataset, first->dataset, err) || set_copy(&out->repeat_options, first->repeat_options, err) ||
	       set_copy(&out->options, first->options, err) || set_copy(&out->notes, "", err) ? -1 : 0;
}

int merge_runs(struct run_record *out, struct run_record *parts, const char *const *names, size_t count,
	       const struct merge_options *options, struct error *err)
{
	char *missing = NULL;
	int result = -1;
	*out = (struct run_record){0};
	if (count == 0)
		return error_set(err, ERROR_INPUT, "there is nothing to merge");
	if (check_parts(parts, names, count, options, &missing, err) || start_from(out, &parts[0], err))
		goto done;
	/* one round of measuring in turns is whole only where every part is of it */
	int is_one_round = 1;
	for (size_t i = 1; i < count; i++)
		is_one_round &= strcmp(or_empty(parts[i].interleaved), or_empty(parts[0].interleaved)) == 0;
	if (is_one_round && set_copy(&out->interleaved, parts[0].interleaved, err))
		goto done;
	for (size_t i = 0; i < count; i++)
		if (take_part(out, &parts[i], names[i], err))
			goto done;
	run_record_sort(out);
	if (drop_duplicates(out, options, err))
		goto done;
	for (size_t i = 0; i < out->artifact_count; i++)
		artifact_record_sort_kernels(&out->artifacts[i]);
	out->complete = !missing;
	if (missing && add_lines(&out->notes, missing, err))
		goto done;
	result = 0;
done:
	free(missing);
	if (result)
		run_record_free(out);
	return result;
}
