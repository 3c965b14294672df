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

int compare_devices(const struct run_device *of_base, const struct run_device *of_next, char *reason, size_t size)
{
	const struct device_properties *base = &of_base->properties, *next = &of_next->properties;
	reason[0] = '\0';
	if (base->kind != next->kind)
		snprintf(reason, size, "the devices are of different kinds (%s, %s)", base->kind == DEVICE_CUDA ? "cuda" : "cpu",
			 next->kind == DEVICE_CUDA ? "cuda" : "cpu");
	else if (base->cc_major != next->cc_major || base->cc_minor != next->cc_minor)
		snprintf(reason, size, "the devices are of different architectures (sm_%d%d, sm_%d%d)", base->cc_major, base->cc_minor,
			 next->cc_major, next->cc_minor);
	else if (strcmp(base->name, next->name) != 0)
		snprintf(reason, size, "the devices differ (%s, %s)", base->name, next->name);
	return reason[0] != '\0';
}

/* The one reason of all common cases; "" when there is a case without, or when there are several. */
static char *refusal_of(const struct comparison *comparison)
{
	char first[320] = "", reason[320];
	for (size_t i = 0; i < comparison->case_count; i++) {
		const struct case_comparison *pair = &comparison->cases[i];
		if (!pair->base || !pair->next)
			continue;
		if (!compare_devices(run_record_device(comparison->base, pair->base), run_record_device(comparison->next, pair->next), reason,
				     sizeof reason) || (first[0] && strcmp(first, reason) != 0))
			return strdup("");
		memcpy(first, reason, sizeof first);
	}
	return strdup(first);
}

enum device_fact { FACT_NAME, FACT_CARD, FACT_ARCHITECTURE, FACT_DRIVER, FACT_CUDA_VERSION, FACT_HOST };
struct fact_text {
	char text[128];
};

static struct fact_text fact_of(const struct run_record *run, const struct run_device *device, enum device_fact fact)
{
	const struct device_properties *properties = &device->properties;
	const int is_cuda = properties->kind == DEVICE_CUDA;
	struct fact_text out = {""};
	if (fact == FACT_NAME)
		snprintf(out.text, sizeof out.text, "%s", properties->name);
	else if (fact == FACT_CARD && is_cuda)
		snprintf(out.text, sizeof out.text, "%s", properties->uuid);
	else if (fact == FACT_ARCHITECTURE && is_cuda)
		snprintf(out.text, sizeof out.text, "sm_%d%d", properties->cc_major, properties->cc_minor);
	else if (fact == FACT_DRIVER)
		snprintf(out.text, sizeof out.text, "%s", properties->driver_text);
	else if (fact == FACT_CUDA_VERSION && is_cuda)
		snprintf(out.text, sizeof out.text, "%d", properties->driver_version);
	else if (fact == FACT_HOST)
		snprintf(out.text, sizeof out.text, "%s", device->host[0] ? device->host : or_empty(run->host));
	return out;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct fact_text *)a)->text, ((const struct fact_text *)b)->text);
}

/* Of all devices of the run, each text once, in an order that does not depend on theirs. NULL: out of memory. */
static char *facts_of(const struct run_record *run, enum device_fact fact)
{
	const size_t count = run->device_count ? run->device_count : 1;
	struct fact_text *facts = calloc(count, sizeof *facts);
	struct text text = {0};
	if (!facts)
		return NULL;
	for (size_t i = 0; i < count; i++)
		facts[i] = fact_of(run, run->device_count ? &run->devices[i] : run_record_device(run, NULL), fact);
	qsort(facts, count, sizeof *facts, by_text);
	for (size_t i = 0; i < count; i++)
		if (facts[i].text[0] && (i == 0 || strcmp(facts[i - 1].text, facts[i].text) != 0))
			text_append(&text, "%s%s", text.length ? ", " : "", facts[i].text);
	free(facts);
	return taken(&text);
}

char *run_device_names(const struct run_record *run)
{
	return facts_of(run, FACT_NAME);
}

static void changed_fact(struct text *out, const char *what, const struct run_record *base, const struct run_record *next,
			 enum device_fact fact)
{
	char *old = facts_of(base, fact), *new = facts_of(next, fact);
	if (old && new)
		changed(out, what, old, new);
	else
		out->failed = 1;
	free(old);
	free(new);
}

/* Two cards of one model differ by some percent, which a threshold of 1 % would see. */
static void changed_cards(struct text *out, const struct comparison *comparison)
{
	const struct run_record *base = comparison->base, *next = comparison->next;
	char ignored[320];
	size_t timed = 0, moved = 0;
	if (base->device_count <= 1 && next->device_count <= 1) {
		if (!compare_devices(run_record_device(base, NULL), run_record_device(next, NULL), ignored, sizeof ignored))
			changed_fact(out, "card of that name", base, next, FACT_CARD);
		return;
	}
	for (size_t i = 0; i < comparison->case_count; i++) {
		const struct case_comparison *pair = &comparison->cases[i];
		if (!pair->base || !pair->next || !pair->base->hot.measured || !pair->next->hot.measured)
			continue;
		const struct run_device *old = run_record_device(base, pair->base), *new = run_record_device(next, pair->next);
		timed++;
		moved += !compare_devices(old, new, ignored, sizeof ignored) && strcmp(old->properties.uuid, new->properties.uuid) != 0;
	}
	if (moved)
		text_append(out, "%scards: %zu of the %zu cases that both runs timed ran on another card of the same name: what sets the cards "
			    "apart is in their times", out->length ? "\n" : "", moved, timed);
}

static uint32_t most_other_processes(const struct run_record *run)
{
	uint32_t most = 0;
	for (size_t i = 0; i < run->device_count; i++)
		most = run->devices[i].other_processes > most ? run->devices[i].other_processes : most;
	return most;
}

static char *conditions_of(const struct comparison *comparison)
{
	const struct run_record *base = comparison->base, *next = comparison->next;
	struct text text = {0};
	changed_fact(&text, "device", base, next, FACT_NAME);
	changed_cards(&text, comparison);
	changed_fact(&text, "architecture", base, next, FACT_ARCHITECTURE);
	changed_fact(&text, "driver", base, next, FACT_DRIVER);
	changed_fact(&text, "driver's CUDA version (1000 major + 10 minor)", base, next, FACT_CUDA_VERSION);
	changed_fact(&text, "host", base, next, FACT_HOST);
	changed(&text, "version of assay", base->version, next->version);
	changed(&text, "math", base->math, next->math);
	changed_number(&text, "seed", (int64_t)base->seed, (int64_t)next->seed);
	if (base->dataset_count <= 1 && next->dataset_count <= 1)
		changed(&text, "dataset (sha256)", base->dataset_sha256, next->dataset_sha256);
	const size_t most = base->dataset_count > next->dataset_count ? base->dataset_count : next->dataset_count;
	for (size_t i = 0; most > 1 && i < most; i++)
		changed(&text, "dataset (sha256)", i < base->dataset_count ? base->datasets[i].sha256 : "",
			i < next->dataset_count ? next->datasets[i].sha256 : "");
	const uint32_t others[] = {most_other_processes(base), most_other_processes(next)};
	if (others[0] || others[1])
		text_append(&text, "%sother processes on %s: %u in the base run, %u in the new one: times may be theirs; repeat it alone",
			    text.length ? "\n" : "", base->device_count > 1 || next->device_count > 1 ? "a card" : "the card", others[0], others[1]);
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

/* "affine, unary" has "unary". */
static int has_module(const char *modules, const char *module, size_t length)
{
	for (const char *at = or_empty(modules); *at;) {
		const size_t here = strcspn(at, ",");
		if (here == length && strncmp(at, module, length) == 0)
			return 1;
		at += here + strspn(at + here, ", ");
	}
	return 0;
}

int compare_line_names(const char *line, size_t length, const char *entry_point)
{
	const char *colon = memchr(line, ':', length), *name = colon ? colon + 1 + strspn(colon + 1, " ") : line;
	const size_t name_length = (size_t)(line + length - name);
	return strlen(entry_point) == name_length && strncmp(entry_point, name, name_length) == 0;
}

/* Whether the base had the entry point of "MODULE: NAME", which `lacking` lacks: an inventory of the same release, that looked at
 * its module and expected as much, does not lack it; or a case names it. One that looked elsewhere says nothing. */
static int base_had(const struct run_record *base, const struct inventory_record *lacking, const char *line, size_t length)
{
	const char *colon = memchr(line, ':', length);
	const size_t module = colon ? (size_t)(colon - line) : 0;
	int had = 0;
	for (size_t i = 0; i < base->inventory_count; i++) {
		const struct inventory_record *inventory = &base->inventories[i];
		if (has_line(inventory->missing, line, length))
			return 0;
		had |= strcmp(or_empty(inventory->profile), or_empty(lacking->profile)) == 0 &&
		       inventory->architecture >= lacking->architecture && has_module(inventory->modules, line, module);
	}
	for (size_t i = 0; !had && i < base->case_count; i++)
		had = compare_line_names(line, length, base->cases[i].entry_point);
	return had;
}

/* A base without inventories says nothing of what was there. */
static char *newly_missing(const struct run_record *base, const struct run_record *next, size_t *count)
{
	struct text text = {0};
	*count = 0;
	for (size_t i = 0; base->inventory_count && i < next->inventory_count; i++) {
		for (const char *at = or_empty(next->inventories[i].missing); *at;) {
			const size_t length = strcspn(at, "\n");
			if (length && !has_line(text.data, at, length) && base_had(base, &next->inventories[i], at, length)) {
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
	out->timing_refusal = refusal_of(out);
	out->conditions = conditions_of(out);
	out->missing = newly_missing(out->base, out->next, &out->missing_count);
	if (!out->timing_refusal || !out->conditions || !out->missing)
		return -1;
	return compare_artifacts(out);
}
