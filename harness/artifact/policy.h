/* A policy: what a publisher promises of an artifact, or what a folder claims of it, as text (INI) that is checked rule by
 * rule. policies/publish.ini shows every key with a comment.
 *
 *     [targets]                      ; a section; its keys are rules
 *     sass = sm_80, sm_90            ; values, comma separated; the next line continues them when it is indented
 *
 *     [symbols libmoe.a]             ; the same rules for files of this name only (* and ? allowed); goes before [symbols]
 *     entry_points = moe_gemm*
 *
 *     [kernels attention]            ; budgets of a group of kernels, which its patterns name
 *     pattern   = *flash_fwd_kernel* ; one a line (a name may hold commas), matched with the mangled and the C++ name
 *     registers = 255
 *
 * Every key may be `any`: no rule. Comments as in any INI file. A line holds at most 197 bytes (inih); unknown sections,
 * keys and values, and keys that occur twice, are errors that name file and line. */
#ifndef ASSAY_ARTIFACT_POLICY_H
#define ASSAY_ARTIFACT_POLICY_H

#include "artifact/artifact.h"
#include "artifact/difference.h"
#include "core/error.h"

#include <stddef.h>

struct policy_rule; /* a row of the table of all rules: policy_rules.c */

struct policy_setting {
	const struct policy_rule *rule;
	char *group;   /* of [kernels NAME]: NAME; NULL */
	char *files;   /* glob over the file's name; NULL: every file */
	char **values; /* at least one */
	int value_count;
	char *origin;  /* "publish.ini:12" */
	int layer;     /* which text set it, counted from 1 */
	int line;      /* in that text */
};

struct policy {
	struct policy_setting *settings; /* owned, as everything in them */
	int count;
	int layers;
};

/* Adds what a text says; where an earlier one has set the same, the later one holds. `name` stands for it in messages and
 * origins. ERROR_INPUT names file, line and what would be right. On failure the policy is as it was or partly added to:
 * free it. */
int policy_parse(struct policy *policy, const char *name, const char *text, struct error *err);
int policy_read(struct policy *policy, const char *path, struct error *err);
void policy_free(struct policy *policy);

/* Adds what a build-output folder, or a README, says of its artifacts (provenance.h) as rules. */
int policy_add_folder_claims(struct policy *policy, const struct provenance *provenance, struct error *err);
int policy_add_readme_claims(struct policy *policy, const struct readme_claims *claims, struct error *err);

/* Whether a setting is in force (not `any`). */
int policy_asks_anything(const struct policy *policy);

enum policy_verdict { POLICY_NOT_APPLICABLE = 0, POLICY_PASS, POLICY_FAIL };
const char *policy_verdict_name(enum policy_verdict verdict); /* "not applicable", "pass", "fail" */

struct policy_result {
	enum policy_verdict verdict;
	char *rule;        /* "targets.sass", "kernels.attention.registers" */
	char *asked;       /* its values as written: "sm_80, sm_90" */
	char *origin;      /* "publish.ini:12" */
	char *evidence;    /* a sentence: what was found and where */
	const char *remedy;/* what to do about it; NULL unless it fails */
	char *unit, *kernel, *value; /* of the first or worst offender; NULL where there is none of that kind */
	size_t looked_at;  /* things the rule looked at: 0 exactly when it is not applicable */
	size_t violations; /* of those; above 0 exactly when it fails */
};

struct policy_report {
	struct policy_result *items;
	int count;
};

/* Appends a result for each rule that is set for the artifact's file, in the order of the policy. Loads the artifact's SASS,
 * and PTX where there is no SASS beside it. */
int policy_check(const struct policy *policy, struct artifact *artifact, struct policy_report *report, struct error *err);

/* Appends a result for each thing that the artifact's build-output folder and its README say of it; their names start with
 * "claims.". A policy asks for them by `claims = kept` in [folder]; then policy_check does it. */
int policy_check_claims(struct artifact *artifact, struct policy_report *report, struct error *err);

/* The rule about which files a folder holds ([folder]), of all artifacts that were looked at. */
int policy_check_files(const struct policy *policy, const char *const *paths, int count, struct policy_report *report,
		       struct error *err);

/* The rules about what may have changed ([against]). */
int policy_check_difference(const struct policy *policy, const struct difference *difference, struct policy_report *report,
			    struct error *err);

int policy_report_failures(const struct policy_report *report);
void policy_report_free(struct policy_report *report);

#endif
