#include "compare_report.h"

#include "core/digest.h"
#include "json_object.h"
#include "xml_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void put_count(struct object *object, const char *name, size_t value)
{
	put_int(object, name, (int64_t)value);
}

/* Left out where it means nothing. */
static void put_known(struct object *object, const char *name, double value)
{
	if (!isnan(value))
		put_number(object, name, value);
}

struct array {
	json_t *json;
	int failed;
};

static struct array array_new(void)
{
	json_t *json = json_array();
	return (struct array){json, json == NULL};
}

static void append(struct array *array, json_t *value)
{
	if (!value || json_array_append_new(array->json, value))
		array->failed = 1;
}

static json_t *array_done(struct array *array)
{
	if (!array->failed)
		return array->json;
	json_decref(array->json);
	return NULL;
}

static json_t *lines_of(const char *text)
{
	struct array array = array_new();
	for (const char *at = text; *at;) {
		const size_t length = strcspn(at, "\n");
		append(&array, cli_json_text(at, length));
		at += length + (at[length] == '\n');
	}
	return array_done(&array);
}

/* ---- a case ---- */

static json_t *timing_of(const struct timing_comparison *timing)
{
	struct object object = object_new();
	put_text(&object, "verdict", timing_verdict_name(timing->verdict));
	if (timing->reason[0])
		put_text(&object, "reason", timing->reason);
	put_number(&object, "base_median_seconds", timing->base_median);
	put_number(&object, "new_median_seconds", timing->next_median);
	put_int(&object, "rounds", timing->rounds);
	put(&object, "in_turns", json_boolean(timing->in_turns));
	put_known(&object, "ratio", timing->ratio);
	put_known(&object, "ratio_low", timing->low);
	put_known(&object, "ratio_high", timing->high);
	put_number(&object, "base_sm_mhz", timing->base_mhz);
	put_number(&object, "new_sm_mhz", timing->next_mhz);
	put_known(&object, "cycle_ratio", timing->cycle_ratio);
	put_known(&object, "cycle_ratio_low", timing->cycle_low);
	put_known(&object, "cycle_ratio_high", timing->cycle_high);
	return object_done(&object);
}

static json_t *ulps_of(const uint64_t bins[ULP_BINS])
{
	struct object object = object_new();
	for (int bin = 0; bin < ULP_BINS; bin++)
		put_int(&object, ulp_bin_name((enum ulp_bin)bin), (int64_t)bins[bin]);
	return object_done(&object);
}

/* Null where nothing differs or no copies were kept. */
static json_t *difference_of(const struct output_difference *difference)
{
	struct object object = object_new();
	put_int(&object, "elements", (int64_t)difference->elements);
	put_int(&object, "differing", (int64_t)difference->differing);
	put_int(&object, "largest_ulp", difference->largest > INT64_MAX ? INT64_MAX : (int64_t)difference->largest);
	put_int(&object, "element", (int64_t)difference->at);
	put_number(&object, "base", difference->base);
	put_number(&object, "new", difference->next);
	put(&object, "ulp", ulps_of(difference->bins));
	return object_done(&object);
}

static json_t *differences_of(const struct case_comparison *pair)
{
	struct object object = object_new();
	for (int i = 0; i < pair->base->output_count && i < RECORD_OUTPUTS_MAX; i++)
		if (pair->differences[i].is_known)
			put(&object, pair->base->output_names[i], difference_of(&pair->differences[i]));
	return object_done(&object);
}

static json_t *outputs_of(const struct case_comparison *pair)
{
	static const char *const names[] = {[BITS_UNKNOWN] = "unknown", [BITS_SAME] = "same", [BITS_DIFFER] = "differ"};
	struct object object = object_new();
	for (int i = 0; i < pair->base->output_count && i < RECORD_OUTPUTS_MAX; i++)
		put_text(&object, pair->base->output_names[i], names[pair->output_bits[i]]);
	return object_done(&object);
}

static json_t *regressions_of(const struct case_comparison *pair)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {{REGRESSION_VERDICT, "verdict"},
		     {REGRESSION_MARGIN, "error"},
		     {REGRESSION_VANISHED, "vanished"},
		     {REGRESSION_SLOWER, "slower"}};
	struct array array = array_new();
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (pair->regressions & names[i].bit)
			append(&array, json_string(names[i].name));
	return array_done(&array);
}

static json_t *case_of(const struct case_comparison *pair)
{
	const struct case_record *one = pair->base ? pair->base : pair->next;
	struct object object = object_new();
	put_text(&object, "name", one->name);
	put_text(&object, "family", one->family);
	put_text(&object, "entry_point", one->entry_point);
	put(&object, "regressions", regressions_of(pair));
	put(&object, "base_status", pair->base ? json_string(status_name(pair->base->judgement.status)) : json_null());
	put(&object, "new_status", pair->next ? json_string(status_name(pair->next->judgement.status)) : json_null());
	if (pair->base)
		put_text(&object, "base_reason", pair->base->judgement.reason);
	if (pair->next)
		put_text(&object, "new_reason", pair->next->judgement.reason);
	if (pair->base && pair->next) {
		put_known(&object, "base_margin", pair->base_margin);
		put_known(&object, "new_margin", pair->next_margin);
		put(&object, "outputs", outputs_of(pair));
		put(&object, "differences", differences_of(pair));
		put(&object, "launches_differ", json_boolean(pair->launches_differ));
		put(&object, "image_differs", json_boolean(pair->image_differs));
		if (pair->hot.verdict != TIMING_NONE)
			put(&object, "hot", timing_of(&pair->hot));
		if (pair->cold.verdict != TIMING_NONE)
			put(&object, "cold", timing_of(&pair->cold));
	}
	return object_done(&object);
}

static int is_told(const struct case_comparison *pair)
{
	return pair->regressions || !pair->base || pair->verdict_differs || pair->bits == BITS_DIFFER || pair->launches_differ ||
	       pair->image_differs || case_timing(pair) != TIMING_NONE;
}

/* ---- sums ---- */

static json_t *verdicts_of(const size_t counts[TIMING_VERDICTS])
{
	struct object object = object_new();
	for (int i = TIMING_SLOWER; i < TIMING_VERDICTS; i++)
		put_count(&object, timing_verdict_name((enum timing_verdict)i), counts[i]);
	return object_done(&object);
}

static json_t *summary_of(const struct comparison *c)
{
	struct object object = object_new();
	put_count(&object, "regressions", c->regressions);
	put_count(&object, "common_cases", c->common);
	put_count(&object, "judged_cases", c->judged);
	put_count(&object, "vanished_cases", c->vanished);
	put_count(&object, "new_cases", c->added);
	put_count(&object, "vanished_entry_points", c->entries_gone);
	put_count(&object, "new_entry_points", c->entries_added);
	put_count(&object, "worse_verdicts", c->worse);
	put_count(&object, "better_verdicts", c->better);
	put_count(&object, "other_verdicts", c->other_verdict);
	put_count(&object, "errors_beyond_bound", c->margins);
	put_count(&object, "bit_identical", c->same_bits);
	put_count(&object, "other_bits", c->other_bits);
	put_count(&object, "bits_unknown", c->unknown_bits);
	put_count(&object, "launched_otherwise", c->launches);
	put_count(&object, "other_image", c->images);
	put_int(&object, "elements_compared", (int64_t)c->elements);
	put_int(&object, "elements_differing", (int64_t)c->differing);
	put(&object, "ulp", ulps_of(c->ulps));
	put_count(&object, "kernels_compared", c->kernels_compared);
	put_count(&object, "kernels_taking_more", c->kernels_worse);
	put_count(&object, "kernels_taking_less", c->kernels_better);
	put_count(&object, "kernels_with_new_local_memory", c->kernels_new_local);
	put(&object, "hot", verdicts_of(c->hot));
	put(&object, "cold", verdicts_of(c->cold));
	return object_done(&object);
}

static json_t *entry_of(const struct entry_comparison *entry)
{
	struct object object = object_new();
	put_text(&object, "family", entry->family);
	put_text(&object, "entry_point", entry->entry_point);
	const struct {
		const char *name;
		size_t value;
	} counts[] = {{"base_cases", entry->base_cases}, {"new_cases", entry->next_cases}, {"common_cases", entry->common},
		      {"regressions", entry->regressions}, {"bit_identical", entry->same_bits}, {"other_bits", entry->other_bits},
		      {"bits_unknown", entry->unknown_bits}, {"worse_verdicts", entry->worse}, {"better_verdicts", entry->better},
		      {"SLOWER", entry->slower}, {"FASTER", entry->faster}, {"SAME", entry->same}, {"UNSURE", entry->unsure},
		      {"REFUSED", entry->refused}};
	for (size_t i = 0; i < ARRAY_COUNT(counts); i++)
		put_count(&object, counts[i].name, counts[i].value);
	return object_done(&object);
}

static json_t *path_of(const struct artifact_record *artifact)
{
	const char *path = artifact && artifact->path ? artifact->path : "";
	return artifact ? cli_json_text(path, strlen(path)) : json_null();
}

static json_t *artifact_of(const struct artifact_comparison *pair)
{
	struct object object = object_new();
	put(&object, "base", path_of(pair->base));
	put(&object, "new", path_of(pair->next));
	put_count(&object, "kernels_added", pair->kernels_added);
	put_count(&object, "kernels_removed", pair->kernels_removed);
	put(&object, "changes", lines_of(pair->changes));
	return object_done(&object);
}

static void put_resource(struct object *object, const char *name, const int32_t values[RESOURCES])
{
	static const char *const names[RESOURCES] = {[RESOURCE_REGISTERS] = "registers", [RESOURCE_SHARED] = "static_shared_bytes",
						     [RESOURCE_LOCAL] = "local_bytes"};
	struct object one = object_new();
	for (int i = 0; i < RESOURCES; i++)
		put(&one, names[i], values[i] < 0 ? json_null() : json_integer(values[i]));
	put(object, name, object_done(&one));
}

static json_t *resource_of(const struct resource_comparison *one)
{
	struct object object = object_new();
	put_text(&object, "kernel", one->name);
	put_resource(&object, "base", one->base);
	put_resource(&object, "new", one->next);
	put(&object, "new_local_memory", json_boolean(one->is_new_local));
	put_count(&object, "launches", one->cases);
	return object_done(&object);
}

static json_t *run_of(const struct run_record *run, const char *file)
{
	struct object object = object_new();
	put_text(&object, "file", file);
	put_text(&object, "date", run->date);
	put_text(&object, "host", run->host);
	put_text(&object, "version", run->version);
	char *devices = run_device_names(run);
	put(&object, "device", devices ? cli_json_text(devices, strlen(devices)) : NULL);
	free(devices);
	put_text(&object, "command", run->command);
	put(&object, "complete", json_boolean(run->complete));
	return object_done(&object);
}

static json_t *comparison_of(const struct comparison *comparison, const struct comparison_files *files, int all)
{
	struct object object = object_new();
	struct array entries = array_new(), artifacts = array_new(), cases = array_new(), resources = array_new();
	put(&object, "new", run_of(comparison->next, files->next));
	put(&object, "conditions", lines_of(comparison->conditions));
	put_text(&object, "timing_refused", comparison->timing_refusal);
	put(&object, "summary", summary_of(comparison));
	put(&object, "missing", lines_of(comparison->missing));
	for (size_t i = 0; i < comparison->entry_count; i++)
		append(&entries, entry_of(&comparison->entries[i]));
	for (size_t i = 0; i < comparison->artifact_count; i++)
		append(&artifacts, artifact_of(&comparison->artifacts[i]));
	for (size_t i = 0; i < comparison->case_count; i++)
		if (all || is_told(&comparison->cases[i]))
			append(&cases, case_of(&comparison->cases[i]));
	put(&object, "entry_points", array_done(&entries));
	for (size_t i = 0; i < comparison->resource_count; i++)
		append(&resources, resource_of(&comparison->resources[i]));
	put(&object, "artifacts", array_done(&artifacts));
	put(&object, "resources", array_done(&resources));
	put(&object, "cases", array_done(&cases));
	return object_done(&object);
}

json_t *comparisons_to_json(const struct comparison *comparisons, const struct comparison_files *files, size_t count, int all)
{
	struct object object = object_new();
	struct array list = array_new();
	size_t regressions = 0;
	for (size_t i = 0; i < count; i++) {
		append(&list, comparison_of(&comparisons[i], &files[i], all));
		regressions += comparisons[i].regressions;
	}
	put_count(&object, "schema", 1);
	put_text(&object, "generator", "assay " ASSAY_VERSION);
	put_number(&object, "threshold", comparisons[0].threshold);
	put_number(&object, "confidence", comparisons[0].confidence);
	put(&object, "base", run_of(comparisons[0].base, files[0].base));
	put_count(&object, "regressions", regressions);
	put(&object, "comparisons", array_done(&list));
	return object_done(&object);
}

/* ---- JUnit ---- */

static int judges_nothing(const struct case_comparison *pair)
{
	const enum status base = pair->base ? pair->base->judgement.status : STATUS_SKIPPED;
	const enum status next = pair->next ? pair->next->judgement.status : STATUS_SKIPPED;
	return (base == STATUS_SKIPPED || base == STATUS_UNSUPPORTED) && (next == STATUS_SKIPPED || next == STATUS_UNSUPPORTED);
}

static void append_test_case(const struct comparison *comparison, const struct case_comparison *pair, struct text *out)
{
	const struct case_record *one = pair->base ? pair->base : pair->next;
	const struct run_record *run = pair->base ? comparison->base : comparison->next;
	struct text said = {0};
	text_append(out, "    <testcase classname=\"");
	xml_append_text(out, one->family);
	text_append(out, ".");
	xml_append_text(out, one->entry_point);
	if (run->artifact_count > 1 && one->artifact >= 0 && (size_t)one->artifact < run->artifact_count &&
	    run->artifacts[one->artifact].path) {
		text_append(out, " (");
		xml_append_text(out, path_base(run->artifacts[one->artifact].path));
		text_append(out, ")");
	}
	text_append(out, "\" name=\"");
	xml_append_text(out, one->name);
	text_append(out, "\"");
	comparison_append_case(pair, &said);
	const char *message = said.data ? said.data : "";
	if (pair->regressions) {
		text_append(out, ">\n      <failure type=\"%s\" message=\"", comparison_regression_name(pair));
		xml_append_text(out, message);
		text_append(out, "\"/>\n    </testcase>\n");
	} else if (judges_nothing(pair)) {
		text_append(out, ">\n      <skipped message=\"");
		xml_append_text(out, one->judgement.reason);
		text_append(out, "\"/>\n    </testcase>\n");
	} else {
		text_append(out, "/>\n");
	}
	out->failed |= said.failed;
	text_free(&said);
}

static void append_missing(const struct comparison *comparison, struct text *out)
{
	for (const char *at = comparison->missing; *at;) {
		const size_t length = strcspn(at, "\n");
		char *line = copy_text(at, length);
		out->failed |= line == NULL;
		text_append(out, "    <testcase classname=\"inventory\" name=\"");
		xml_append_text(out, line ? line : "");
		text_append(out, "\">\n      <failure type=\"vanished\" message=\"the entry point is no longer there\"/>\n    </testcase>\n");
		free(line);
		at += length + (at[length] == '\n');
	}
}

void comparisons_append_junit(const struct comparison *comparisons, const struct comparison_files *files, size_t count,
			      struct text *out)
{
	text_append(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"assay compare\">\n");
	for (size_t i = 0; i < count; i++) {
		const struct comparison *comparison = &comparisons[i];
		size_t skipped = 0;
		for (size_t k = 0; k < comparison->case_count; k++)
			skipped += !comparison->cases[k].regressions && judges_nothing(&comparison->cases[k]);
		text_append(out, "  <testsuite name=\"");
		xml_append_text(out, files[i].next);
		text_append(out, " against ");
		xml_append_text(out, files[i].base);
		text_append(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\">\n",
			    comparison->case_count + comparison->missing_count, comparison->regressions, skipped);
		append_missing(comparison, out);
		for (size_t k = 0; k < comparison->case_count; k++)
			append_test_case(comparison, &comparison->cases[k], out);
		text_append(out, "  </testsuite>\n");
	}
	text_append(out, "</testsuites>\n");
}
