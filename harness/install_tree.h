/* Changing a folder so that whoever looks at it sees all of the change or nothing: the new tree is made beside the old one, of
 * hard links to what stays and copies of what comes, and the two change places in one step. */
#ifndef ASSAY_HARNESS_INSTALL_TREE_H
#define ASSAY_HARNESS_INSTALL_TREE_H

#include "core/error.h"

#include <stddef.h>
#include <time.h>

/* Where the new tree of a folder is made, and where files are kept that an install has displaced: ".assay-NAME.new" and
 * ".assay-NAME.kept" beside it; malloc'd, NULL when memory runs out. */
char *tree_staging_of(const char *folder);
char *tree_kept_of(const char *folder);

/* Which of the folders side by side a path names; "" when there is none. It tells whether two trees have changed places already,
 * after a reboot too: that may give file systems other device numbers, but keeps inodes. */
struct tree_identity {
	char text[24]; /* inode */
};
struct tree_identity tree_identify(const char *path);

/* Folders that lie between `root` and the file `root/path`, as far as they are not there. */
int tree_make_parents(const char *root, const char *path, struct error *err);

/* Copies a file, gives it the time and flushes it to the disk. The SHA-256 of what was written goes to `hex`. */
int tree_copy(const char *from, const char *to, const struct timespec *modified, char hex[65], struct error *err);
/* Another name for the same file; a copy with the same times where the file system knows no hard links. */
int tree_link(const char *from, const char *to, struct error *err);

/* Flushes a folder's entries; tree_flush: and those of all folders below. */
int tree_flush_folder(const char *folder, struct error *err);
int tree_flush(const char *folder, struct error *err);

/* The trees change places: `folder` is the new one, `staging` the old. One step where the file system can (renameat2), else two,
 * between which there is no `folder`: then tree_exchange_finish, from what is recorded as the identities of the old and the new
 * tree, ends it. A folder of a lower layer of overlayfs (made in an earlier step of a container's build) cannot be renamed at all:
 * it is copied, by hard links, and removed, and while that lasts it is there in part.
 * Where somebody has removed both trees there is nothing to end; where one is not what it was, ERROR_INPUT. */
int tree_exchange(const char *staging, const char *folder, struct error *err);
int tree_exchange_finish(const char *staging, const char *folder, const struct tree_identity *before,
			 const struct tree_identity *next, struct error *err);

/* Removes a folder with all it holds; nothing there is no error. Links are not followed. */
int tree_remove(const char *path, struct error *err);

/* Moves a file to the same path below another folder, which is made. A missing one is no error: it was moved before. */
int tree_move_file(const char *from_root, const char *to_root, const char *path, struct error *err);

#endif
