/* `assay inspect --extract`: what is inside an artifact, as files.
 *
 *   ARTIFACT/members/0003-flash_fwd.o             a member of an archive or wheel, as it is
 *   ARTIFACT/code/0003-flash_fwd.o/c0000.fatbin   a container of its device code, as `nvcc -fatbin` writes one
 *   ARTIFACT/code/0003-flash_fwd.o/c0000-01.sm_90a.cubin, c0000-02.compute_90.ptx ...   its images, unpacked
 *
 * Numbers are ordinals, so names are unique and the same every time whatever the artifact calls its members. Of those names only
 * letters, digits and a few signs are kept: none can lead out of the folder, hide a file or be an option of a program. */
#include "inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_MOST = 96 };

struct extraction {
	char *folder;  /* what it will be called */
	char *partial; /* what it is called until then */
	size_t files;
	char *artifacts; /* names of the folders in it so far, each with '/' around it */
};

/* Removes a folder with all in it; links are removed, not followed. */
static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
	(void)status;
	(void)type;
	(void)at;
	return remove(path);
}

static void extraction_free(struct extraction *extraction)
{
	free(extraction->folder);
	free(extraction->partial);
	free(extraction->artifacts);
	free(extraction);
}

void extraction_abandon(struct extraction *extraction)
{
	enum { DESCRIPTORS = 16 };
	if (!extraction)
		return;
	if (extraction->partial && path_is_dir(extraction->partial))
		nftw(extraction->partial, remove_one, DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
	extraction_free(extraction);
}

/* Nothing of the user's is written over: the folder is not there, or is empty. */
static int check_folder(const char *folder, struct error *err)
{
	struct stat status;
	if (lstat(folder, &status) != 0)
		return errno == ENOENT ? 0 : error_set(err, ERROR_INPUT, "%s: %s", folder, strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return error_set(err, ERROR_INPUT, "%s: is there and is no folder; give --extract the name of a new one", folder);
	/* a folder can be replaced by renaming while it is empty, and rmdir is the one who knows; it is made again at once */
	if (rmdir(folder) == 0)
		return mkdir(folder, status.st_mode & 07777) == 0 ? 0 : error_set(err, ERROR_INPUT, "%s: %s", folder, strerror(errno));
	if (errno == ENOTEMPTY || errno == EEXIST)
		return error_set(err, ERROR_INPUT, "%s: is there and holds files, which are not written over; give --extract the name of "
				 "a new folder", folder);
	return error_set(err, ERROR_INPUT, "%s: %s", folder, strerror(errno));
}

int extraction_open(struct extraction **out, const char *folder, struct error *err)
{
	size_t length = strlen(folder);
	*out = NULL;
	while (length > 1 && folder[length - 1] == '/')
		length--;
	if (!length)
		return error_set(err, ERROR_USAGE, "--extract: needs the name of a folder");
	struct extraction *extraction = calloc(1, sizeof *extraction);
	if (!extraction || !(extraction->folder = copy_text(folder, length)))
		goto out_of_memory;
	if (check_folder(extraction->folder, err))
		goto failed;
	if (asprintf(&extraction->partial, "%s.partial-XXXXXX", extraction->folder) < 0) {
		extraction->partial = NULL;
		goto out_of_memory;
	}
	if (!mkdtemp(extraction->partial)) {
		error_set(err, ERROR_INPUT, "%s: cannot be made: %s", extraction->folder, strerror(errno));
		free(extraction->partial);
		extraction->partial = NULL;
		goto failed;
	}
	*out = extraction;
	return 0;
out_of_memory:
	error_set(err, ERROR_ENVIRONMENT, "out of memory");
failed:
	extraction_abandon(extraction);
	return -1;
}

int extraction_commit(struct extraction *extraction, size_t *files, struct error *err)
{
	const mode_t mask = umask(0);
	umask(mask);
	*files = extraction->files;
	if (chmod(extraction->partial, 0777 & ~mask) || rename(extraction->partial, extraction->folder)) {
		error_set(err, ERROR_INPUT, "%s: %s; nothing was extracted", extraction->folder, strerror(errno));
		extraction_abandon(extraction);
		return -1;
	}
	extraction_free(extraction);
	return 0;
}

/* ---- names ---- */

static void safe_name(const char *name, char safe[NAME_MOST + 1])
{
	size_t length = 0;
	for (; name[length] && length < NAME_MOST; length++) {
		const char c = name[length];
		const int harmless = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("._+=", c)) ||
				     (c == '-' && length);
		safe[length] = harmless && !(c == '.' && length == 0) ? c : '_';
	}
	if (!length)
		safe[length++] = '_';
	safe[length] = '\0';
}

/* The artifact's folder: its file's name, with "~2", "~3" ... when another of that name went before. */
static int artifact_folder(struct extraction *extraction, const char *path, char folder[NAME_MOST + 16], struct error *err)
{
	char safe[NAME_MOST + 1], slashed[NAME_MOST + 18];
	safe_name(path_base(path), safe);
	snprintf(folder, NAME_MOST + 16, "%s", safe);
	for (int again = 2;; again++) {
		snprintf(slashed, sizeof slashed, "/%s/", folder);
		if (!extraction->artifacts || !strstr(extraction->artifacts, slashed))
			break;
		snprintf(folder, NAME_MOST + 16, "%s~%d", safe, again);
	}
	char *more = NULL;
	if (asprintf(&more, "%s%s", extraction->artifacts ? extraction->artifacts : "", slashed) < 0)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	free(extraction->artifacts);
	extraction->artifacts = more;
	return 0;
}

/* ---- files ---- */

struct task {
	struct extraction *extraction;
	const struct inspect_selection *selection;
	const char *artifact; /* its folder */
	const char *unit;     /* the unit's own name */
};

static int write_all(int file, const void *bytes, size_t size)
{
	const char *at = bytes;
	while (size) {
		const ssize_t written = write(file, at, size < (1u << 30) ? size : (1u << 30));
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return -1;
		at += written;
		size -= (size_t)written;
	}
	return 0;
}

static int selects(const struct task *task, const char *relative, const char *target)
{
	const char *const names[] = {relative, task->unit, target, NULL};
	return inspect_selects(task->selection, names);
}

/* `relative`: below the artifact's folder, of safe parts only. */
static int write_file(const struct task *task, const char *relative, const void *bytes, size_t size, struct error *err)
{
	char *path = NULL;
	int file = -1, result = -1;
	if (asprintf(&path, "%s/%s/%s", task->extraction->partial, task->artifact, relative) < 0)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	char *slash = strrchr(path, '/');
	*slash = '\0';
	if (make_dirs(path, err))
		goto done;
	*slash = '/';
	file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (file < 0 || write_all(file, bytes, size)) {
		error_set(err, ERROR_INPUT, "%s/%s/%s: %s; nothing was extracted", task->extraction->folder, task->artifact, relative,
			  strerror(errno));
		goto done;
	}
	const int failed = close(file);
	file = -1;
	if (failed) {
		error_set(err, ERROR_INPUT, "%s/%s/%s: %s; nothing was extracted", task->extraction->folder, task->artifact, relative,
			  strerror(errno));
		goto done;
	}
	task->extraction->files++;
	result = 0;
done:
	if (file >= 0)
		close(file);
	free(path);
	return result;
}

static const char *extension(const struct fatbin_entry *entry)
{
	switch (entry->kind) {
	case FATBIN_ELF: return "cubin";
	case FATBIN_PTX: return "ptx";
	case FATBIN_NVVM: return "nvvm";
	case FATBIN_OTHER: break;
	}
	return entry->raw_kind == 0x40 ? "ptx" : entry->raw_kind == 0x80 ? "tileir" : "bin";
}

static int write_image(const struct task *task, const char *folder, const struct artifact_image *image, int ordinal, struct error *err)
{
	const struct fatbin_entry *entry = &image->entry;
	const int readable = entry->compression != FATBIN_OBFUSCATED && entry->compression != FATBIN_PACKED;
	char relative[NAME_MOST + 128], target[24];
	void *unpacked = NULL;
	size_t size;
	fatbin_entry_target(entry, target);
	snprintf(relative, sizeof relative, "%s/c%04d-%02d.%s.%s%s", folder, entry->container, ordinal, target, extension(entry),
		 readable ? "" : ".stored");
	if (!selects(task, relative, target))
		return 0;
	if (entry->compression == FATBIN_RAW && entry->kind == FATBIN_ELF) {
		/* without the padding behind it */
		const size_t extent = image->loaded && image->cubin.file_bytes ? image->cubin.file_bytes : entry->payload_size;
		return write_file(task, relative, entry->payload, extent < entry->payload_size ? extent : entry->payload_size, err);
	}
	if (!readable)
		return write_file(task, relative, entry->payload, entry->payload_size, err);
	if (fatbin_entry_decompress(entry, &unpacked, &size, err))
		return error_context(err, "%s", task->unit);
	const int result = write_file(task, relative, unpacked, size, err);
	free(unpacked);
	return result;
}

static int write_unit(const struct task *task, const struct artifact_unit *unit, int ordinal, int is_member, struct error *err)
{
	char name[NAME_MOST + 1], folder[NAME_MOST + 32], relative[NAME_MOST + 128];
	int container = -1, in_container = 0;
	safe_name(unit->name, name);
	snprintf(relative, sizeof relative, "members/%04d-%s", ordinal, name);
	if (is_member && unit->data && selects(task, relative, NULL) && write_file(task, relative, unit->data, unit->size, err))
		return -1;
	snprintf(folder, sizeof folder, "code/%04d-%s", ordinal, name);
	for (int i = 0; i < unit->image_count; i++) {
		const struct artifact_image *image = &unit->images[i];
		if (image->entry.container != container) {
			container = image->entry.container;
			in_container = 0;
			snprintf(relative, sizeof relative, "%s/c%04d.fatbin", folder, container);
			if (image->entry.container_bytes && selects(task, relative, NULL) &&
			    write_file(task, relative, image->entry.container_bytes, image->entry.container_size, err))
				return -1;
		}
		if (write_image(task, folder, image, in_container++, err))
			return -1;
	}
	return 0;
}

int inspect_extract(struct inspection *in, const struct inspect_selection *selection, struct extraction *extraction, struct error *err)
{
	const struct artifact *artifact = &in->artifact;
	const int has_members = artifact->kind == OBJECT_ARCHIVE || artifact->kind == OBJECT_ARCHIVE_THIN || artifact->kind == OBJECT_ZIP;
	const size_t before = extraction->files;
	char folder[NAME_MOST + 16];
	if (artifact_folder(extraction, artifact->path, folder, err))
		return -1;
	for (int u = 0; u < artifact->unit_count; u++) {
		const struct task task = {extraction, selection, folder, artifact->units[u].name};
		if (write_unit(&task, &artifact->units[u], u, has_members, err))
			return -1;
	}
	if (extraction->files == before)
		return error_set(err, ERROR_INPUT, "%s: %s, so nothing was extracted", artifact->path,
				 selection->filter_count ? "none of its members and images matches the filter" : "holds no members and no device code");
	return 0;
}
