/* Installing prebuilt files where Cargo's build scripts look for them, and taking them away again. What is in a folder changes in
 * one step (install_tree.h), and what is done is written down before (install_state.h). */
#ifndef ASSAY_HARNESS_INSTALL_H
#define ASSAY_HARNESS_INSTALL_H

#include "install_state.h"
#include "prebuilt.h"

/* One folder that files are to go to. Strings are the caller's. */
struct install_target {
	const struct prebuilt_folder *folder;
	char *out;    /* absolute, without links; owned */
	char *output; /* Cargo's record of the build script's run, once there is one: its age makes it run again; NULL; owned */
	const char *crate, *version, *profile;
};

/* Finds where a folder's files go: $CANDLE_FLASH_ATTN_BUILD_DIR for candle-flash-attn, where that is set, else the `out` of the
 * build folder that the crate's build script used last. ERROR_INPUT says which command of Cargo makes it when there is none. */
int install_find_target(const struct cargo_project *project, const struct prebuilt_folder *folder, struct install_target *target,
			struct error *err);
void install_target_free(struct install_target *target);

struct install_options {
	int force;	      /* displace files that assay did not put there, or that were changed since */
	int dry_run;	      /* say what would be done, and change nothing */
	const char *verified; /* what verified them: "cuda:0: 36 of 36 cases passed"; NULL: nothing did */
};

/* Installs all or, when anything fails, none. A file that is in the way is an error that names it, but for one of the same
 * content. Appends what was done. The state is locked. */
int install_all(struct install_state *state, const struct install_target *targets, int count,
		const struct install_options *options, struct text *out, struct error *err);

/* Removes what was installed, in all places or (`only`, NULL: all) those of one crate, and puts back what was displaced. Files
 * that were changed since are kept and told, but with `force`. */
int uninstall_all(struct install_state *state, const char *only, const struct install_options *options, struct text *out,
		  struct error *err);

/* What is installed, and whether it is still as it was. *changed: files that are not. */
int install_status(const struct install_state *state, struct text *out, int *changed, struct error *err);
json_t *install_status_json(const struct install_state *state); /* the places; NULL when memory runs out */

#endif
