/* What `assay install` has put where: kept in the project's target folder, so that `cargo clean` takes it along.
 *
 *   TARGET/assay/lock             held (flock) by whoever changes anything
 *   TARGET/assay/installed.json   the places: each a folder that files were installed in, with their hashes
 *   TARGET/assay/journal.json     what is being done, as long as it is
 *
 * A journal is written and flushed before the first change, once more when everything that is to take a place has been made
 * beside it ("ready"), and removed at the end. Whoever finds one takes back what was made (not ready) or does the rest (ready);
 * each step can be done twice. Both files may be anyone's: every path is checked, and what is removed is never named by them
 * alone. */
#ifndef ASSAY_HARNESS_INSTALL_STATE_H
#define ASSAY_HARNESS_INSTALL_STATE_H

#include "cargo_project.h"

#include <jansson.h>

enum { INSTALL_CARGO_LOCKS_MAX = 8 };

struct install_state {
	char *folder;	 /* TARGET/assay */
	json_t *places;	 /* array; of each: out, crate, from, installed, files [{path, size, sha256, displaced}], folders, ... */
	json_t *journal; /* NULL: none */
	int lock;	 /* descriptor; -1 */
	char *cargo_paths[INSTALL_CARGO_LOCKS_MAX]; /* locks of Cargo's that are held */
	int cargo_locks[INSTALL_CARGO_LOCKS_MAX], cargo_count;
};

/* Reads both files; nothing is locked or made. ERROR_INPUT when one of them is no such file. */
int install_state_open(const char *target_dir, struct install_state *state, struct error *err);
void install_state_close(struct install_state *state); /* gives locks back */

/* Makes the folder and takes the lock, and Cargo's own (`.cargo-lock` in the folder of a profile) where files are or, below
 * `profile_dir` (NULL: nowhere), will be installed, and reads both files anew. ERROR_ENVIRONMENT when somebody else holds one. */
int install_state_lock(struct install_state *state, const char *profile_dir, struct error *err);

/* The place of a folder, NULL: nothing was installed there. */
json_t *install_state_place(const struct install_state *state, const char *out);
/* A file of a place, NULL: it is none of its. */
const json_t *install_place_file(const json_t *place, const char *path);

/* Writes (NULL: removes) the journal; flushed. */
int install_state_write_journal(struct install_state *state, json_t *journal, struct error *err);
/* Writes the list of places that holds once the journal is done; install_state_finish gives it its name. */
int install_state_prepare_places(struct install_state *state, json_t *places, struct error *err);

/* Finishes or takes back what was interrupted, under the lock. *what: a sentence about it (static), NULL: there was nothing. */
int install_state_recover(struct install_state *state, const char **what, struct error *err);

/* Does what a ready journal says, and removes it. */
int install_state_finish(struct install_state *state, struct error *err);

/* Whether a path from a file may be used below a folder: relative, and without "..". */
int install_path_is_safe(const char *path);

#endif
