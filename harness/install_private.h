/* What the parts of install share: what becomes of one place, and carrying it out. For harness/install*.c only. */
#ifndef ASSAY_HARNESS_INSTALL_PRIVATE_H
#define ASSAY_HARNESS_INSTALL_PRIVATE_H

#include "core/folder.h"
#include "install.h"
#include "install_tree.h"

struct change {
	const struct install_target *target; /* NULL: nothing new, only what was installed goes */
	char *out, *staging, *kept;
	json_t *before;		     /* the place as it is written down; NULL: none */
	json_t *files, *folders;     /* of the place afterwards */
	json_t *displace, *restored; /* paths: from the old tree to `kept`, out of `kept` */
	struct name_list old_folders, old_files;
	char *fate; /* of old_files: 'k' keep, 'd' drop */
	int installed, dropped, restored_count, displaced;
	int lost; /* files that should be put back and are not there any more */
	struct text told; /* files that were left alone, a line each */
};

/* Plans what becomes of the folder `out`: with a target its files are installed, without one what was installed goes. Nothing is
 * changed yet. *change is to be freed, after an error too. */
int install_plan(struct change *change, const struct install_target *target, const char *out, json_t *before,
		 const struct install_options *options, struct error *err);
void install_change_free(struct change *change);

/* Makes all new trees and has them take their places; when one cannot be made, those that were are removed. */
int install_carry_out(struct install_state *state, struct change *changes, int count, const struct install_options *options,
		      struct error *err);

/* Whether a file of a place, below its folder `root`, is what was installed: 1, 0; -1 with *err. */
int install_file_is_unchanged(const char *root, const json_t *file, struct error *err);
/* Whether it took the place of one that lies among the kept ones; any_: whether one of the list did. */
int install_file_is_displaced(const json_t *file);
int install_any_is_displaced(const json_t *files);

#endif
