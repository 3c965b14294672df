/* What two runs were made with: device, options, datasets, artifacts. */
#include "compare.h"

#include "artifact/fold_name.h"
#include "report_donor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static void changed(struct text *out, const char *what, const char *base, const char *next)
{
	if (strcmp(or_empty(base), or_empty(next)) == 0)
		return;
	/* a line each, whatever is in them */
	char *lines[] = {strdup(or_empty(base)), strdup(or_empty(next))};
	for (int i = 0; i < 2; i++) {
		if (!lines[i])
			out->failed = 1;
		for (char *at = lines[i]; at && *at; at++)
			if (*at == '\n')
				*at = ' ';
	}
	if (lines[0] && lines[1])
		text_append(out, "%s%s: %s -> %s", out->length ? "\n" : "", what, lines[0][0] ? lines[0] : "(none)",
			    lines[1][0] ? lines[1] : "(none)");
	free(lines[0]);
	free(lines[1]);
}

static void changed_number(struct text *out, const char *what, int64_t base, int64_t next)
{
	if (base != next)
		text_append(out, "%s%s: %lld -> %lld", out->length ? "\n" : "", what, (long long)base, (long long)next);
}

/* The text, or "" allocated; NULL when memory ran out. */
static char *taken(struct text *text)
{
	if (text->failed) {
		text_free(text);
		return NULL;
	}
	return text->data ? text->data : strdup("");
}

/* ---- device and options ---- */

static char *refusal_of(const struct device_properties *base, const struct device_properties *next)
{
	struct text text = {0};
	if (base->kind != next->kind)
		text_append(&text, "the runs are of different kinds of devices (%s, %s)", base->kind == DEVICE_CUDA ? "cuda" : "cpu",
			    next->kind == DEVICE_CUDA ? "cuda" : "cpu");
	else if (base->cc_major != next->cc_major || base->cc_minor != next->cc_minor)
		text_append(&text, "the devices are of different architectures (sm_%d%d, sm_%d%d)", base->cc_major, base->cc_minor,
			    next->cc_major, next->cc_minor);
	else if (strcmp(base->name, next->name) != 0)
		text_append(&text, "the devices differ (%s, %s)", base->name, next->name);
	return taken(&text);
}

static char *conditions_of(const struct run_record *base, const struct run_record *next)
{
	const struct device_properties *old = &run_record_device(base, NULL)->properties;
	const struct device_properties *new = &run_record_device(next, NULL)->properties;
	struct text text = {0};
	char numbers[2][32];
	changed(&text, "device", old->name, new->name);
	if (old->kind == DEVICE_CUDA && new->kind == DEVICE_CUDA && strcmp(old->name, new->name) == 0)
		changed(&text, "card of that name", old->uuid, new->uuid);
	snprintf(numbers[0], sizeof numbers[0], "sm_%d%d", old->cc_major, old->cc_minor);
	snprintf(numbers[1], sizeof numbers[1], "sm_%d%d", new->cc_major, new->cc_minor);
	changed(&text, "architecture", numbers[0], numbers[1]);
	changed(&text, "driver", old->driver_text, new->driver_text);
	changed_number(&text, "driver's CUDA version (1000 major + 10 minor)", old->driver_version, new->driver_version);
	changed(&text, "host", base->host, next->host);
	changed(&text, "version of assay", base->version, next->version);
	changed(&text, "math", base->math, next->math);
	changed_number(&text, "seed", (int64_t)base->seed, (int64_t)next->seed);
	if (base->dataset_count <= 1 && next->dataset_count <= 1)
		changed(&text, "dataset (sha256)", base->dataset_sha256, next->dataset_sha256);
	const size_t most = base->dataset_count > next->dataset_count ? base->dataset_count : next->dataset_count;
	for (size_t i = 0; most > 1 && i < most; i++)
		changed(&text, "dataset (sha256)", i < base->dataset_count ? base->datasets[i].sha256 : "",
			i < next->dataset_count ? next->datasets[i].sha256 : "");
	const uint32_t others[] = {run_record_device(base, NULL)->other_processes, run_record_device(next, NULL)->other_processes};
	if (others[0] || others[1])
		text_append(&text, "%sother processes on the card: %u in the base run, %u in the new one: times may be theirs; repeat it alone",
			    text.length ? "\n" : "", others[0], others[1]);
	if (!base->complete || !next->complete)
		text_append(&text, "%s%s cut short: cases may be missing for that reason", text.length ? "\n" : "",
			    base->complete ? "the new run was" : next->complete ? "the base run was" : "both runs were");
	return taken(&text);
}

/* ---- entry points that an inventory lacks ---- */

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

/* A base without inventories says nothing of what was there. */
static char *newly_missing(const struct run_record *base, const struct run_record *next, size_t *count)
{
	struct text text = {0};
	*count = 0;
	for (size_t i = 0; base->inventory_count && i < next->inventory_count; i++) {
		for (const char *at = or_empty(next->inventories[i].missing); *at;) {
			const size_t length = strcspn(at, "\n");
			int before = 0;
			for (size_t k = 0; k < base->inventory_count; k++)
				before |= has_line(base->inventories[k].missing, at, length);
			if (length && !before) {
				text_append(&text, "%s%.*s", text.length ? "\n" : "", (int)length, at);
				(*count)++;
			}
			at += length + (at[length] == '\n');
		}
	}
	return taken(&text);
}

/* ---- artifacts ---- */

struct names {
	char **items;                 /* as they compare across builds, sorted */
	size_t count;
	int failed;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct names names_of(const struct artifact_record *artifact)
{
	struct names names = {calloc(artifact->kernel_count + 1, sizeof *names.items), 0, 0};
	for (size_t i = 0; names.items && i < artifact->kernel_count; i++) {
		names.items[names.count] = fold_kernel_name(or_empty(artifact->kernels[i]));
		if (names.items[names.count])
			names.count++;
		else
			names.failed = 1;
	}
	names.failed |= names.items == NULL;
	if (names.count)
		qsort(names.items, names.count, sizeof *names.items, by_name);
	return names;
}

static void free_names(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
}

enum { KERNELS_NAMED = 8 };

static void append_names(struct text *out, const char *what, const struct names *from, const struct names *without, size_t *count)
{
	struct text listed = {0};
	*count = 0;
	for (size_t i = 0, k = 0; i < from->count; i++) {
		while (k < without->count && strcmp(without->items[k], from->items[i]) < 0)
			k++;
		if (k < without->count && strcmp(without->items[k], from->items[i]) == 0)
			continue;
		if ((*count)++ < KERNELS_NAMED)
			text_append(&listed, "%s%s", listed.length ? ", " : "", from->items[i]);
	}
	if (*count)
		text_append(out, "%s%zu kernel%s %s: %s%s", out->length ? "\n" : "", *count, *count == 1 ? "" : "s", what,
			    listed.data ? listed.data : "", *count > KERNELS_NAMED ? ", ..." : "");
	out->failed |= listed.failed;
	text_free(&listed);
}

/* Lines of one text that the other lacks, as one line. */
static void append_lines(struct text *out, const char *what, const char *from, const char *without)
{
	size_t count = 0;
	for (const char *at = from; *at;) {
		const size_t length = strcspn(at, "\n");
		if (length && !has_line(without, at, length)) {
			if (count++ == 0)
				text_append(out, "%s%s: ", out->length ? "\n" : "", what);
			text_append(out, "%s%.*s", count > 1 ? ", " : "", (int)length, at);
		}
		at += length + (at[length] == '\n');
	}
}

/* One measurement each, so that only a difference beyond what a busy disk or a warm cache makes is worth a line. */
static const double LOAD_TOLD = 1.25;

static void load_change(struct text *out, const char *what, double base, double next)
{
	if (base > 0 && next > 0 && !(next / base < LOAD_TOLD && base / next < LOAD_TOLD))
		text_append(out, "%s%s: %.3g s -> %.3g s (x %.2f)", out->length ? "\n" : "", what, base, next, next / base);
}

/* Times and bits are of kernels that another archive's host code launched, with its grids and parameters: whoever compares has
 * to know on which side. */
static void changed_host_code(struct text *out, const struct artifact_record *base, const struct artifact_record *next)
{
	struct text words[2] = {{0}, {0}};
	report_donor_words(base, &words[0]);
	report_donor_words(next, &words[1]);
	if (words[0].length || words[1].length)
		changed(out, "host code that ran", words[0].length ? words[0].data : "its own", words[1].length ? words[1].data : "its own");
	for (int i = 0; i < 2; i++) {
		out->failed |= words[i].failed;
		text_free(&words[i]);
	}
}

static int compare_artifact(struct artifact_comparison *pair)
{
	const struct artifact_record *base = pair->base, *next = pair->next;
	struct text text = {0};
	if (base && next) {
		struct names old = names_of(base), new = names_of(next);
		changed(&text, "kind", base->kind, next->kind);
		changed(&text, "sha256", base->sha256, next->sha256);
		changed_number(&text, "size in bytes", (int64_t)base->size, (int64_t)next->size);
		changed(&text, "toolkit", base->toolkit, next->toolkit);
		/* files of 0.1.0 do not tell */
		if (or_empty(base->images)[0] && or_empty(next->images)[0]) {
			append_lines(&text, "images gone", base->images, next->images);
			append_lines(&text, "images new", next->images, base->images);
		}
		changed(&text, "built by", base->provenance, next->provenance);
		changed(&text, "called as", base->abi, next->abi);
		changed(&text, "CUDA runtime", base->cudart, next->cudart);
		changed_host_code(&text, base, next);
		changed_number(&text, "entry points", base->entry_points, next->entry_points);
		changed_number(&text, "kernels with fast math", base->fast_kernels, next->fast_kernels);
		changed(&text, "refused by the driver", base->refused, next->refused);
		if (!old.failed && !new.failed) {
			append_names(&text, "gone", &old, &new, &pair->kernels_removed);
			append_names(&text, "new", &new, &old, &pair->kernels_added);
		} else {
			text.failed = 1;
		}
		changed_number(&text, "loaded in parts", base->load_parts, next->load_parts);
		load_change(&text, "link time (measured once)", base->link_seconds, next->link_seconds);
		load_change(&text, "load time (measured once)", base->load_seconds, next->load_seconds);
		free_names(&old);
		free_names(&new);
	}
	pair->changes = taken(&text);
	return pair->changes ? 0 : -1;
}

static const char *base_name(const struct artifact_record *artifact)
{
	return path_base(or_empty(artifact->path));
}

/* By base name, in order; a run of one artifact against a run of one: those, whatever they are called. */
static int compare_artifacts(struct comparison *out)
{
	const struct run_record *base = out->base, *next = out->next;
	const int alone = base->artifact_count == 1 && next->artifact_count == 1;
	uint8_t *taken_next = calloc(next->artifact_count + 1, 1);
	out->artifacts = calloc(base->artifact_count + next->artifact_count + 1, sizeof *out->artifacts);
	int result = taken_next && out->artifacts ? 0 : -1;
	for (size_t i = 0; result == 0 && i < base->artifact_count; i++) {
		struct artifact_comparison *pair = &out->artifacts[out->artifact_count++];
		pair->base = &base->artifacts[i];
		for (size_t k = 0; !pair->next && k < next->artifact_count; k++)
			if (!taken_next[k] && (alone || strcmp(base_name(pair->base), base_name(&next->artifacts[k])) == 0)) {
				taken_next[k] = 1;
				pair->next = &next->artifacts[k];
			}
		result = compare_artifact(pair);
	}
	for (size_t k = 0; result == 0 && k < next->artifact_count; k++)
		if (!taken_next[k]) {
			struct artifact_comparison *pair = &out->artifacts[out->artifact_count++];
			pair->next = &next->artifacts[k];
			result = compare_artifact(pair);
		}
	free(taken_next);
	return result;
}

int compare_conditions(struct comparison *out)
{
	out->timing_refusal = refusal_of(&run_record_device(out->base, NULL)->properties,
					 &run_record_device(out->next, NULL)->properties);
	out->conditions = conditions_of(out->base, out->next);
	out->missing = newly_missing(out->base, out->next, &out->missing_count);
	if (!out->timing_refusal || !out->conditions || !out->missing)
		return -1;
	return compare_artifacts(out);
}
