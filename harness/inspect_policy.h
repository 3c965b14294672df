/* Policies of `assay inspect`: where they are found, and how their results are shown. */
#ifndef ASSAY_HARNESS_INSPECT_POLICY_H
#define ASSAY_HARNESS_INSPECT_POLICY_H

#include "artifact/policy.h"
#include "cli.h"

/* --policy: what is asked of the artifacts; --expect: what somebody says of them. The same rules in both. */
struct inspect_policies {
	struct policy policy, expect;
	int has_policy, has_expect;
};

/* Reads them. A name that is no file here may be one of the policies that are installed, with or without .ini: they are
 * looked for in $ASSAY_DATADIR, policies/ beside the executable, and ../share/assay/policies. */
int inspect_policies_open(const struct option_list *policy, const struct option_list *expect, struct inspect_policies *policies,
			  struct error *err);
void inspect_policies_close(struct inspect_policies *policies);

/* Checks one artifact and, unless that is NULL, what became of an earlier one. `out` gets what fails, and what else there is in
 * few words; `json` (an object; may be NULL) gets members "policy" and "expect". *failures grows by the number of rules that
 * fail. */
int inspect_policies_check(const struct inspect_policies *policies, struct artifact *artifact, const struct difference *difference,
			   int colour, struct text *out, json_t *json, int *failures, struct error *err);
/* The same for the rules about which files there are; nothing is written where there are none. */
int inspect_policies_check_files(const struct inspect_policies *policies, const char *const *paths, int count, int colour,
				 struct text *out, json_t *json, int *failures, struct error *err);

#endif
