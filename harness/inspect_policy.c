#include "inspect_policy.h"

#include "inspect_format.h"
#include "inspect_json_values.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *file_in(const char *folder, const char *name)
{
	static const char *const endings[] = {"", ".ini"};
	for (size_t i = 0; i < ARRAY_COUNT(endings); i++) {
		char *path = NULL;
		if (asprintf(&path, "%s/%s%s", folder, name, endings[i]) < 0)
			return NULL;
		if (path_exists(path) && !path_is_dir(path))
			return path;
		free(path);
	}
	return NULL;
}

/* The installed policy of that name, malloc'd; NULL when there is none. */
static char *installed_policy(const char *name)
{
	static const char *const places[] = {"policies", "../share/assay/policies"};
	char executable[4096], folder[4200];
	const char *data = getenv("ASSAY_DATADIR");
	char *path = data ? file_in(data, name) : NULL;
	const ssize_t length = readlink("/proc/self/exe", executable, sizeof executable - 1);
	if (path || length <= 0)
		return path;
	executable[length] = '\0';
	char *slash = strrchr(executable, '/');
	for (size_t i = 0; slash && i < ARRAY_COUNT(places) && !path; i++) {
		snprintf(folder, sizeof folder, "%.*s/%s", (int)(slash - executable), executable, places[i]);
		path = file_in(folder, name);
	}
	return path;
}

static int read_all(const struct option_list *names, struct policy *policy, struct error *err)
{
	for (int i = 0; i < names->count; i++) {
		const char *name = names->items[i];
		char *installed = strchr(name, '/') || path_exists(name) ? NULL : installed_policy(name);
		if (!installed && !path_exists(name) && !strchr(name, '/'))
			return error_set(err, ERROR_INPUT,
					 "%s: is neither a file nor an installed policy; policies/publish.ini in the sources shows how one "
					 "is written",
					 name);
		const int result = policy_read(policy, installed ? installed : name, err);
		free(installed);
		if (result)
			return -1;
	}
	return 0;
}

int inspect_policies_open(const struct option_list *policy, const struct option_list *expect, struct inspect_policies *policies,
			  struct error *err)
{
	*policies = (struct inspect_policies){.has_policy = policy->count > 0, .has_expect = expect->count > 0};
	if (read_all(policy, &policies->policy, err) == 0 && read_all(expect, &policies->expect, err) == 0)
		return 0;
	inspect_policies_close(policies);
	return -1;
}

void inspect_policies_close(struct inspect_policies *policies)
{
	policy_free(&policies->policy);
	policy_free(&policies->expect);
}

/* ---- text ---- */

enum { LABEL_WIDTH = 14 };

static const char *paint(enum policy_verdict verdict, int colour)
{
	if (!colour)
		return "";
	return verdict == POLICY_FAIL ? "\033[31m" : verdict == POLICY_PASS ? "\033[32m" : "\033[33m";
}

static void show_result(const struct policy_result *result, int colour, struct text *out)
{
	const char *verdict = result->verdict == POLICY_FAIL ? "fail" : "pass";
	struct text line = {0};
	text_append(out, "  %s%s%s%*s", paint(result->verdict, colour), verdict, colour ? "\033[0m" : "", LABEL_WIDTH - 4, "");
	text_append(&line, "%s = %s: %s", result->rule, result->asked, result->evidence);
	if (result->verdict == POLICY_FAIL && result->violations > 1)
		text_append(&line, " (%zu of %zu)", result->violations, result->looked_at);
	if (result->verdict == POLICY_FAIL)
		text_append(&line, " [%s]; %s", result->origin, result->remedy ? result->remedy : "");
	if (line.data)
		format_flow(out, line.data, LABEL_WIDTH + 2);
	out->failed |= line.failed;
	text_free(&line);
}

static void show_report(const char *label, const struct policy_report *report, int colour, struct text *out)
{
	int counts[3] = {0};
	struct text none = {0};
	for (int i = 0; i < report->count; i++) {
		counts[report->items[i].verdict]++;
		if (report->items[i].verdict == POLICY_NOT_APPLICABLE)
			text_append(&none, "%s%s", none.length ? ", " : "", report->items[i].rule);
	}
	const enum policy_verdict worst = counts[POLICY_FAIL] ? POLICY_FAIL : counts[POLICY_PASS] ? POLICY_PASS : POLICY_NOT_APPLICABLE;
	text_append(out, "  %-*s%s%s%s: %d failed, %d passed, %d not applicable\n", LABEL_WIDTH, label, paint(worst, colour),
		    policy_verdict_name(worst), colour ? "\033[0m" : "", counts[POLICY_FAIL], counts[POLICY_PASS],
		    counts[POLICY_NOT_APPLICABLE]);
	for (int verdict = POLICY_FAIL; verdict >= POLICY_PASS; verdict--)
		for (int i = 0; i < report->count; i++)
			if ((int)report->items[i].verdict == verdict)
				show_result(&report->items[i], colour, out);
	if (none.data) {
		text_append(out, "  %-*s", LABEL_WIDTH, "n/a");
		format_flow(out, none.data, LABEL_WIDTH + 2);
	}
	out->failed |= none.failed;
	text_free(&none);
}

/* ---- JSON ---- */

static json_t *report_json(const struct policy_report *report)
{
	struct builder builder = {0};
	json_t *object = json_object(), *results = json_array();
	int counts[3] = {0};
	for (int i = 0; i < report->count; i++) {
		const struct policy_result *result = &report->items[i];
		json_t *item = json_object();
		counts[result->verdict]++;
		json_put(&builder, item, "rule", text_or_null(result->rule));
		json_put(&builder, item, "asked", text_or_null(result->asked));
		json_put(&builder, item, "origin", text_or_null(result->origin));
		json_put(&builder, item, "verdict", json_string(policy_verdict_name(result->verdict)));
		json_put(&builder, item, "evidence", text_or_null(result->evidence));
		json_put(&builder, item, "remedy", text_or_null(result->remedy));
		json_put(&builder, item, "unit", text_or_null(result->unit));
		json_put(&builder, item, "kernel", text_or_null(result->kernel));
		json_put(&builder, item, "value", text_or_null(result->value));
		json_put(&builder, item, "looked_at", json_integer((json_int_t)result->looked_at));
		json_put(&builder, item, "violations", json_integer((json_int_t)result->violations));
		json_add(&builder, results, item);
	}
	const enum policy_verdict worst = counts[POLICY_FAIL] ? POLICY_FAIL : counts[POLICY_PASS] ? POLICY_PASS : POLICY_NOT_APPLICABLE;
	json_put(&builder, object, "verdict", json_string(policy_verdict_name(worst)));
	json_put(&builder, object, "failed", json_integer(counts[POLICY_FAIL]));
	json_put(&builder, object, "passed", json_integer(counts[POLICY_PASS]));
	json_put(&builder, object, "not_applicable", json_integer(counts[POLICY_NOT_APPLICABLE]));
	json_put(&builder, object, "results", results);
	if (!builder.failed)
		return object;
	json_decref(object);
	return NULL;
}

/* ---- what is checked ---- */

struct subject {
	struct artifact *artifact;
	const struct difference *difference;
	const char *const *paths;
	int path_count;
};

static int check_one(const struct policy *policy, const struct subject *subject, struct policy_report *report, struct error *err)
{
	if (subject->difference && policy_check_difference(policy, subject->difference, report, err))
		return -1;
	if (subject->artifact)
		return policy_check(policy, subject->artifact, report, err);
	return policy_check_files(policy, subject->paths, subject->path_count, report, err);
}

static int check(const struct inspect_policies *policies, const struct subject *subject, int colour, struct text *out, json_t *json,
		 int *failures, struct error *err)
{
	const struct {
		const char *label;
		int is_set;
		const struct policy *policy;
	} both[] = {{"policy", policies->has_policy, &policies->policy}, {"expect", policies->has_expect, &policies->expect}};
	for (size_t i = 0; i < ARRAY_COUNT(both); i++) {
		struct policy_report report = {0};
		if (!both[i].is_set)
			continue;
		int result = check_one(both[i].policy, subject, &report, err);
		/* a verdict about no rule is of interest only where rules were to be expected */
		if (result == 0 && (report.count || subject->artifact)) {
			show_report(subject->artifact ? both[i].label : i ? "expect, files" : "policy, files", &report, colour, out);
			*failures += policy_report_failures(&report);
			if (json && json_object_set_new(json, both[i].label, report_json(&report)))
				result = error_set(err, ERROR_ENVIRONMENT, "out of memory");
		}
		policy_report_free(&report);
		if (result)
			return -1;
	}
	return 0;
}

int inspect_policies_check(const struct inspect_policies *policies, struct artifact *artifact, const struct difference *difference,
			   int colour, struct text *out, json_t *json, int *failures, struct error *err)
{
	return check(policies, &(struct subject){.artifact = artifact, .difference = difference}, colour, out, json, failures, err);
}

int inspect_policies_check_files(const struct inspect_policies *policies, const char *const *paths, int count, int colour,
				 struct text *out, json_t *json, int *failures, struct error *err)
{
	return check(policies, &(struct subject){.paths = paths, .path_count = count}, colour, out, json, failures, err);
}
