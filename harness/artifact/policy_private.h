/* What the files of the policy share: the table of rules, and what a rule is given to look with. */
#ifndef ASSAY_ARTIFACT_POLICY_PRIVATE_H
#define ASSAY_ARTIFACT_POLICY_PRIVATE_H

#include "artifact/policy.h"

/* What a rule looks at, and the result it fills in. */
struct policy_look {
	const struct policy *policy;
	const struct policy_setting *setting;
	struct artifact *artifact;               /* of rules about an artifact */
	const struct difference *difference;     /* of rules about a difference */
	struct policy_result *result;
	struct error *err;
	int out_of_memory;
};

enum policy_subject { ABOUT_ARTIFACT = 0, ABOUT_FILES, ABOUT_DIFFERENCE, ABOUT_CLAIMS, ABOUT_GROUP /* says which kernels a group holds */ };

struct policy_rule {
	const char *section, *key;
	enum policy_subject subject;
	int is_list;                             /* takes several values */
	int whole_line;                          /* a value is a line: commas belong to it */
	const char *(*wrong)(const char *value); /* NULL when the value is right, else what would be: "a size such as 300 MiB" */
	int (*check)(struct policy_look *look);  /* -1 with look->err: the artifact cannot be read */
	const char *nothing;                     /* what a result says that looked at nothing */
	const char *remedy;
};

extern const struct policy_rule policy_rules[];
extern const size_t policy_rule_count;

/* One more thing was looked at. */
void look_at(struct policy_look *look);
/* One of them breaks the rule: the first one's names and words are kept. unit, kernel and value may be NULL. */
void look_violation(struct policy_look *look, const char *unit, const char *kernel, const char *value, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* What a passing result says: nothing when nothing was looked at; a violation goes before it. */
void look_note(struct policy_look *look, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Why nothing was looked at, where the rule's own words are too general. */
void look_nothing(struct policy_look *look, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What to do about the violation that was told first, where the rule's own words are too general. Static text. */
void look_remedy(struct policy_look *look, const char *remedy);

/* "s" unless it is one. */
#define PLURAL(count) ((count) == 1 ? "" : "s")

/* The values of the setting as numbers; they were checked when they were read. */
unsigned long long policy_size_value(const char *value);
unsigned policy_release_value(const char *value); /* "12.6" gives 126 */
/* "sm_90a", "compute_80": the number, and *suffix. 0 when it is neither. */
unsigned policy_target_value(const char *value, const char *prefix, char *suffix);

/* Rules by what they are about. policy_device.c: */
int check_sass(struct policy_look *look);
int check_ptx(struct policy_look *look);
int check_runs_on(struct policy_look *look);
int check_toolkit_release(struct policy_look *look);
int check_flags(struct policy_look *look);
int check_flags_forbidden(struct policy_look *look);
int check_fast_math(struct policy_look *look);
int check_debug(struct policy_look *look);
int check_line_info(struct policy_look *look);
int check_relocatable(struct policy_look *look);
int check_driver_linux(struct policy_look *look);
int check_driver_windows(struct policy_look *look);
int check_size_file(struct policy_look *look);
int check_size_image(struct policy_look *look);
/* policy_host.c: */
int check_runtime(struct policy_look *look);
int check_crt(struct policy_look *look);
int check_default_stream(struct policy_look *look);
int check_unreadable(struct policy_look *look);
int check_position_independent(struct policy_look *look);
int check_host(struct policy_look *look);
int check_entry_points(struct policy_look *look);
int check_candle(struct policy_look *look);
/* policy_paths.c: */
int check_paths(struct policy_look *look);
/* policy_kernels.c: */
int check_parameter_bytes(struct policy_look *look);
int check_registers(struct policy_look *look);
int check_spills(struct policy_look *look);
int check_stack(struct policy_look *look);
int check_shared(struct policy_look *look);
int check_code(struct policy_look *look);
int check_required(struct policy_look *look);
/* policy_against.c: */
int check_targets_removed(struct policy_look *look);
int check_entry_points_removed(struct policy_look *look);
int check_kernels_removed(struct policy_look *look);
int check_parameters_changed(struct policy_look *look);
int check_code_changed(struct policy_look *look);
int check_registers_growth(struct policy_look *look);
int check_spills_growth(struct policy_look *look);
int check_size_growth(struct policy_look *look);

#endif
