/* Reports as JUnit XML, in the form that Jenkins, GitLab and GitHub's actions read: a suite for each artifact, family
 * and model of device. */
#include "report.h"

#include "operator_figures.h"
#include "report_conditions.h"
#include "report_donor.h"
#include "report_figures.h"
#include "report_models.h"
#include "xml_text.h"

#include <stdlib.h>
#include <string.h>

/* What a suite collects: cases of one artifact and family on one model. */
struct suite {
	int32_t artifact;
	const struct run_device *device; /* the first of that model */
	const char *family;
	size_t cases, failures, errors, skipped;
	double seconds;
};

static int is_failure(enum status status)
{
	return status == STATUS_FAIL || status == STATUS_MISTRUSTED;
}

static int is_error(enum status status)
{
	return status == STATUS_CRASHED || status == STATUS_TIMEOUT || status == STATUS_ERROR;
}

static int is_of(const struct suite *suite, const struct run_record *run, const struct case_record *record)
{
	return suite->artifact == record->artifact && strcmp(suite->family, record->family) == 0 &&
	       run_devices_are_of_one_model(suite->device, run_record_device(run, record));
}

/* In the order of their first cases; NULL when memory runs out. */
static struct suite *suites_of(const struct run_record *run, size_t *count)
{
	struct suite *suites = NULL;
	size_t capacity = 0, last = 0;
	*count = 0;
	for (size_t i = 0; i < run->case_count; i++) {
		const struct case_record *record = &run->cases[i];
		const enum status status = record->judgement.status;
		size_t at = last < *count && is_of(&suites[last], run, record) ? last : 0; /* neighbours mostly belong together */
		while (at < *count && !is_of(&suites[at], run, record))
			at++;
		if (at == capacity) {
			capacity = capacity ? 2 * capacity : 16;
			struct suite *larger = reallocarray(suites, capacity, sizeof *suites);
			if (!larger) {
				free(suites);
				return NULL;
			}
			suites = larger;
		}
		if (at == *count)
			suites[(*count)++] = (struct suite){.artifact = record->artifact, .device = run_record_device(run, record),
							.family = record->family};
		suites[at].cases++;
		suites[at].failures += is_failure(status) != 0;
		suites[at].errors += is_error(status) != 0;
		suites[at].skipped += status == STATUS_SKIPPED || status == STATUS_UNSUPPORTED;
		suites[at].seconds += record->wall_seconds;
		last = at;
	}
	return suites ? suites : calloc(1, sizeof *suites);
}

static void property(struct text *out, const char *name, const char *value)
{
	if (!value || !value[0])
		return;
	text_append(out, "      <property name=\"%s\" value=\"", name);
	xml_append_text(out, value);
	text_append(out, "\"/>\n");
}

static void append_properties(const struct run_record *run, const struct suite *suite, const struct artifact_record *artifact,
			      struct text *out)
{
	const struct device_properties *device = &suite->device->properties;
	struct text warnings = {0}, donor = {0};
	char text[128];
	text_append(out, "    <properties>\n");
	property(out, "command", run->command);
	property(out, "assay", run->version);
	property(out, "device", device->name);
	snprintf(text, sizeof text, "sm_%d%d", device->cc_major, device->cc_minor);
	property(out, "architecture", device->kind == DEVICE_CPU ? "cpu" : device->id[0] ? text : "");
	property(out, "driver", device->driver_text);
	property(out, "dataset", run->dataset);
	property(out, "dataset_sha256", run->dataset_sha256);
	snprintf(text, sizeof text, "%llu", (unsigned long long)run->seed);
	property(out, "seed", text);
	property(out, "math", run->math);
	property(out, "complete", run->complete ? "yes" : "no: the run was cut short");
	if (artifact) {
		property(out, "artifact", artifact->path);
		property(out, "artifact_sha256", artifact->sha256);
		property(out, "toolkit", artifact->toolkit);
		property(out, "abi", artifact->abi);
		report_donor_words(artifact, &donor);
		property(out, "donor of host code", donor.data);
	}
	run_append_warnings(run, &warnings);
	property(out, "conditions", warnings.data);
	out->failed |= warnings.failed | donor.failed;
	text_free(&warnings);
	text_free(&donor);
	text_append(out, "    </properties>\n");
}

/* Within a test case, as pytest writes properties: after them the element goes on. */
static void append_device(const struct run_device *device, struct text *out)
{
	text_append(out, ">\n      <properties><property name=\"device\" value=\"");
	xml_append_text(out, device->properties.id);
	text_append(out, "%s", device->host[0] ? " of " : "");
	xml_append_text(out, device->host);
	text_append(out, ": ");
	xml_append_text(out, device->properties.name);
	text_append(out, "\"/></properties>\n");
}

static void append_case(const struct run_record *run, const struct case_record *record, struct text *out)
{
	const enum status status = record->judgement.status;
	struct text command = {0};
	text_append(out, "    <testcase classname=\"");
	xml_append_text(out, record->family[0] ? record->family : "unknown");
	text_append(out, ".");
	xml_append_text(out, record->entry_point);
	text_append(out, "\" name=\"");
	xml_append_text(out, record->name);
	text_append(out, "\" time=\"%.6f\"", record->wall_seconds);
	/* of a run on one device the suite names it */
	const int is_named = run->device_count > 1;
	if (is_named)
		append_device(run_record_device(run, record), out);
	if (status == STATUS_PASS) {
		text_append(out, is_named ? "    </testcase>\n" : "/>\n");
		return;
	}
	if (!is_named)
		text_append(out, ">\n");
	if (!is_failure(status) && !is_error(status)) {
		text_append(out, "      <skipped message=\"%s: ", status_name(status));
		xml_append_text(out, record->judgement.reason);
		text_append(out, "\"/>\n    </testcase>\n");
		return;
	}
	const char *element = is_failure(status) ? "failure" : "error";
	run_record_reproduction(run, record, &command);
	text_append(out, "      <%s type=\"%s\" message=\"", element, status_name(status));
	xml_append_text(out, record->judgement.reason);
	text_append(out, "\">");
	xml_append_text(out, record->judgement.reason);
	text_append(out, "\n");
	if (record->note[0]) {
		text_append(out, "note: ");
		xml_append_text(out, record->note);
		text_append(out, "\n");
	}
	text_append(out, "reproduce: ");
	xml_append_text(out, command.data);
	text_append(out, "</%s>\n    </testcase>\n", element);
	out->failed |= command.failed;
	text_free(&command);
}

/* The date as ISO 8601 without a zone, which is what readers of JUnit take. */
static void append_suite_head(const struct run_record *run, const char *name, const char *family, const struct suite *suite,
		struct text *out)
{
	text_append(out, "  <testsuite name=\"");
	xml_append_text(out, name);
	text_append(out, "%s", family[0] ? ": " : "");
	xml_append_text(out, family);
	if (suite->device && run_has_several_models(run)) {
		text_append(out, " on ");
		xml_append_text(out, suite->device->properties.name);
	}
	text_append(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"%.6f\" timestamp=\"", suite->cases,
		    suite->failures, suite->errors, suite->skipped, suite->seconds);
	char date[20] = "";
	snprintf(date, sizeof date, "%s", run->date ? run->date : "");
	xml_append_text(out, date);
	text_append(out, "\" hostname=\"");
	xml_append_text(out, run->host);
	text_append(out, "\">\n");
}

static void append_run(const struct run_record *run, struct text *out)
{
	size_t count;
	struct suite *suites = suites_of(run, &count);
	if (!suites) {
		out->failed = 1;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const int known = suites[i].artifact >= 0 && (size_t)suites[i].artifact < run->artifact_count;
		const struct artifact_record *artifact = known ? &run->artifacts[suites[i].artifact] : NULL;
		append_suite_head(run, artifact && artifact->path ? artifact->path : "unknown artifact", suites[i].family, &suites[i], out);
		append_properties(run, &suites[i], artifact, out);
		for (size_t k = 0; k < run->case_count; k++)
			if (is_of(&suites[i], run, &run->cases[k]))
				append_case(run, &run->cases[k], out);
		text_append(out, "  </testsuite>\n");
	}
	free(suites);
}

/* A claimed release that is not whole fails the run as a case does. */
static void append_inventories(const struct run_record *run, struct text *out)
{
	struct suite suite = {.cases = run->inventory_count};
	for (size_t i = 0; i < run->inventory_count; i++)
		suite.failures += inventory_is_broken(&run->inventories[i]) != 0;
	if (suite.cases == 0)
		return;
	append_suite_head(run, "inventory", "", &suite, out);
	for (size_t i = 0; i < run->inventory_count; i++) {
		const struct inventory_record *inventory = &run->inventories[i];
		text_append(out, "    <testcase classname=\"inventory\" name=\"");
		xml_append_text(out, inventory->folder);
		if (inventory_is_broken(inventory)) {
			text_append(out, "\">\n      <failure type=\"fail\" message=\"%lld of %lld entry points are missing\">",
				    (long long)inventory->missing_count, (long long)inventory->expected);
			for (const char *at = inventory->missing ? inventory->missing : ""; *at;) {
				char line[256];
				const size_t length = strcspn(at, "\n");
				snprintf(line, sizeof line, "%.*s", (int)length, at);
				xml_append_text(out, line);
				text_append(out, "\n");
				at += length + (at[length] == '\n');
			}
			text_append(out, "</failure>\n    </testcase>\n");
		} else {
			text_append(out, "\"/>\n");
		}
	}
	text_append(out, "  </testsuite>\n");
}

void report_append_junit(const struct run_record *const *runs, size_t count, struct text *out)
{
	size_t cases = 0, failures = 0, errors = 0;
	for (size_t i = 0; i < count; i++) {
		cases += runs[i]->case_count + runs[i]->inventory_count;
		for (size_t k = 0; k < runs[i]->case_count; k++) {
			failures += is_failure(runs[i]->cases[k].judgement.status) != 0;
			errors += is_error(runs[i]->cases[k].judgement.status) != 0;
		}
		for (size_t k = 0; k < runs[i]->inventory_count; k++)
			failures += inventory_is_broken(&runs[i]->inventories[k]) != 0;
	}
	text_append(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"assay\" tests=\"%zu\" failures=\"%zu\" "
			"errors=\"%zu\">\n",
		    cases, failures, errors);
	for (size_t i = 0; i < count; i++) {
		append_run(runs[i], out);
		append_inventories(runs[i], out);
	}
	text_append(out, "</testsuites>\n");
}
