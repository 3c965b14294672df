#include "cargo_project.h"

#include "command_output.h"
#include "core/folder.h"
#include "core/util.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PACKAGES_MAX = 100000, COMMAND_SECONDS = 20 };

/* ---- Cargo.lock ---- */

/* The value of `key = "value"`, where the line is that; malloc'd. */
static char *value_of(const char *line, size_t length, const char *key)
{
	const size_t key_length = strlen(key);
	if (length < key_length + 5 || memcmp(line, key, key_length) != 0 || memcmp(line + key_length, " = \"", 4) != 0)
		return NULL;
	line += key_length + 4;
	length -= key_length + 4;
	const char *end = memchr(line, '"', length);
	return end ? copy_text(line, (size_t)(end - line)) : NULL;
}

static int add_package(struct cargo_project *project)
{
	if (project->package_count == PACKAGES_MAX)
		return -1;
	if ((project->package_count & (project->package_count - 1)) == 0) {
		const size_t capacity = project->package_count ? (size_t)project->package_count * 2 : 16;
		struct cargo_package *packages = realloc(project->packages, capacity * sizeof *packages);
		if (!packages)
			return -1;
		project->packages = packages;
	}
	project->packages[project->package_count++] = (struct cargo_package){0};
	return 0;
}

/* "git+https://github.com/huggingface/candle?rev=...#63437a48c...": what stands behind the # is what was checked out. */
static void note_revision(struct cargo_package *package)
{
	const char *hash = package->source && strncmp(package->source, "git+", 4) == 0 ? strrchr(package->source, '#') : NULL;
	if (!hash || strlen(hash + 1) != 40 || strspn(hash + 1, "0123456789abcdef") != 40)
		return;
	memcpy(package->revision, hash + 1, 41);
}

int cargo_lock_note(struct cargo_project *project, const char *text, size_t size)
{
	struct cargo_package *package = NULL;
	for (size_t at = 0; at < size;) {
		const char *newline = memchr(text + at, '\n', size - at);
		const size_t end = newline ? (size_t)(newline - text) : size;
		const char *line = text + at;
		size_t length = end - at;
		if (length && line[length - 1] == '\r')
			length--;
		if (length && line[0] == '[') {
			package = NULL;
			if (length == 11 && memcmp(line, "[[package]]", 11) == 0) {
				if (add_package(project))
					return -1;
				package = &project->packages[project->package_count - 1];
			}
		}
		char **slots[] = {package ? &package->name : NULL, package ? &package->version : NULL,
				  package ? &package->source : NULL};
		static const char *const keys[] = {"name", "version", "source"};
		for (size_t i = 0; package && i < ARRAY_COUNT(keys); i++)
			if (!*slots[i])
				*slots[i] = value_of(line, length, keys[i]);
		if (package)
			note_revision(package);
		at = end + 1;
	}
	return 0;
}

static int read_lock(struct cargo_project *project, struct error *err)
{
	enum { LARGEST = 64 << 20 };
	struct file_map map;
	if (file_map_open(&map, project->lock_path, err))
		return -1;
	int result = 0;
	if (map.size > LARGEST)
		result = error_set(err, ERROR_INPUT, "%s: %zu bytes are too many for a Cargo.lock", project->lock_path, map.size);
	else if (cargo_lock_note(project, (const char *)map.data, map.size))
		result = error_set(err, ERROR_INPUT, "%s: has more packages than can be read", project->lock_path);
	file_map_close(&map);
	return result;
}

/* ---- where it builds ---- */

/* The folder or the next one above that holds `name`; malloc'd, NULL: none. */
static char *find_above(const char *folder, const char *name)
{
	char *at = realpath(folder, NULL);
	while (at) {
		char *path = path_join(at, name);
		const int found = path && path_exists(path) && !path_is_dir(path);
		free(path);
		if (found)
			return at;
		char *slash = strrchr(at, '/');
		if (!slash || slash[1] == '\0')
			break;
		slash[slash == at] = '\0';
	}
	free(at);
	return NULL;
}

/* Cargo knows what configuration files and environment make of it. */
static int ask_cargo(struct cargo_project *project, const char *folder)
{
	static const char *const argv[] = {"cargo", "metadata", "--no-deps", "--offline", "--format-version", "1", NULL};
	struct text out = {0};
	json_t *json = NULL;
	if (command_output(argv, folder, COMMAND_SECONDS, &out, NULL) == 0 && out.length)
		json = json_loadb(out.data, out.length, 0, NULL);
	const char *root = json_string_value(json_object_get(json, "workspace_root"));
	const char *target = json_string_value(json_object_get(json, "target_directory"));
	if (root && target && *root && *target) {
		project->root = strdup(root);
		project->target_dir = strdup(target);
		snprintf(project->target_evidence, sizeof project->target_evidence, "cargo metadata");
	}
	json_decref(json);
	text_free(&out);
	return project->root && project->target_dir ? 0 : -1;
}

static int find_places(struct cargo_project *project, const struct cargo_project_options *options, struct error *err)
{
	if (!path_is_dir(options->path))
		return error_set(err, ERROR_INPUT, "%s: %s", options->path,
				 path_exists(options->path) ? "is no folder" : strerror(errno));
	char *package = find_above(options->path, "Cargo.toml");
	if (!package)
		return error_set(err, ERROR_INPUT, "%s: no Cargo project: neither it nor a folder above holds a Cargo.toml",
				 options->path);
	if (ask_cargo(project, package)) {
		/* without Cargo, or where it refuses: the lock file lies in the workspace's root, and so does the usual target folder */
		const char *environment = getenv("CARGO_TARGET_DIR");
		free(project->root);
		free(project->target_dir);
		project->root = find_above(package, "Cargo.lock");
		if (!project->root)
			project->root = strdup(package);
		project->target_dir = environment && *environment && *environment != '/' ? path_join(package, environment)
				      : environment && *environment			 ? strdup(environment)
				      : project->root					 ? path_join(project->root, "target")
											 : NULL;
		snprintf(project->target_evidence, sizeof project->target_evidence, "%s",
			 environment && *environment ? "CARGO_TARGET_DIR" : "where Cargo builds unless told otherwise");
	}
	free(package);
	if (options->target_dir) {
		free(project->target_dir);
		project->target_dir = strdup(options->target_dir);
		snprintf(project->target_evidence, sizeof project->target_evidence, "--target-dir");
	}
	if (!project->root || !project->target_dir)
		return error_out_of_memory(err);
	char *lock = path_join(project->root, "Cargo.lock");
	if (!lock)
		return error_out_of_memory(err);
	if (!path_exists(lock)) {
		free(lock);
		return 0;
	}
	project->lock_path = lock;
	return read_lock(project, err);
}

/* ---- target and C runtime ---- */

/* Looks through .cargo/config.toml (or config) of the root and the folders above for one line that decides. Only what
 * stands on one line is seen: `target = "..."` below [build], and the flag in any rustflags. */
static void note_config(struct cargo_project *project, const char *path, char **triple)
{
	struct file_map map;
	int in_build = 0;
	if (file_map_open(&map, path, NULL))
		return;
	for (size_t at = 0; at < map.size && map.size < (1u << 20);) {
		const char *line = (const char *)map.data + at, *newline = memchr(line, '\n', map.size - at);
		size_t length = newline ? (size_t)(newline - line) : map.size - at;
		at += length + 1;
		while (length && (*line == ' ' || *line == '\t')) {
			line++;
			length--;
		}
		if (!length || *line == '#')
			continue;
		if (*line == '[')
			in_build = length >= 7 && memcmp(line, "[build]", 7) == 0;
		if (in_build && !*triple)
			*triple = value_of(line, length, "target");
		const char *flag = memmem(line, length, "crt-static", 10);
		if (flag && flag > line && project->crt_static < 0 && (flag[-1] == '+' || flag[-1] == '-')) {
			project->crt_static = flag[-1] == '+';
			snprintf(project->crt_evidence, sizeof project->crt_evidence, "%.*scrt-static in %.120s", 1, flag - 1,
				 path);
		}
	}
	file_map_close(&map);
}

static void read_configs(struct cargo_project *project, char **triple)
{
	static const char *const names[] = {".cargo/config.toml", ".cargo/config"};
	char folder[PATH_MAX];
	snprintf(folder, sizeof folder, "%s", project->root);
	for (;;) {
		for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
			char *path = path_join(folder, names[i]);
			if (path && path_exists(path) && !path_is_dir(path))
				note_config(project, path, triple);
			free(path);
		}
		char *slash = strrchr(folder, '/');
		if (!slash || slash == folder)
			return;
		*slash = '\0';
	}
}

static void note_flags(struct cargo_project *project, const char *variable)
{
	const char *flags = getenv(variable), *flag = flags ? strstr(flags, "crt-static") : NULL;
	if (!flag || flag == flags || project->crt_static >= 0 || (flag[-1] != '+' && flag[-1] != '-'))
		return;
	project->crt_static = flag[-1] == '+';
	snprintf(project->crt_evidence, sizeof project->crt_evidence, "%ccrt-static in %s", flag[-1], variable);
}

/* "host: x86_64-unknown-linux-gnu" */
static char *host_triple(void)
{
	static const char *const argv[] = {"rustc", "-vV", NULL};
	struct text out = {0};
	char *triple = NULL;
	if (command_output(argv, NULL, COMMAND_SECONDS, &out, NULL) == 0 && out.data) {
		const char *line = strstr(out.data, "\nhost: ");
		triple = line ? copy_text(line + 7, strcspn(line + 7, "\r\n")) : NULL;
	}
	text_free(&out);
	return triple;
}

static void find_target(struct cargo_project *project, const struct cargo_project_options *options)
{
	char *configured = NULL;
	const char *variable = getenv("CARGO_BUILD_TARGET");
	project->crt_static = -1;
	note_flags(project, "CARGO_ENCODED_RUSTFLAGS");
	note_flags(project, "RUSTFLAGS");
	read_configs(project, &configured);
	if (options->triple) {
		project->triple = strdup(options->triple);
		snprintf(project->triple_evidence, sizeof project->triple_evidence, "--target");
	} else if (variable && *variable) {
		project->triple = strdup(variable);
		snprintf(project->triple_evidence, sizeof project->triple_evidence, "CARGO_BUILD_TARGET");
	} else if (configured) {
		project->triple = configured;
		configured = NULL;
		snprintf(project->triple_evidence, sizeof project->triple_evidence, "build.target of .cargo/config.toml");
	}
	free(configured);
	project->is_cross = project->triple != NULL;
	if (options->triple) {
		/* the machine's own target, named for this question only, is built without a folder of its own */
		char *folder = path_join(project->target_dir, options->triple);
		project->is_cross = folder && path_is_dir(folder);
		free(folder);
	}
	if (!project->triple && (project->triple = host_triple()))
		snprintf(project->triple_evidence, sizeof project->triple_evidence, "host of rustc -vV");
}

/* ---- folders of build scripts ---- */

static int by_use(const void *a, const void *b)
{
	const struct cargo_build_folder *left = a, *right = b;
	return left->invoked_at != right->invoked_at ? (left->invoked_at > right->invoked_at ? -1 : 1)
						     : strcmp(left->path, right->path);
}

static int64_t modified_at(const char *folder, const char *name)
{
	struct stat status;
	char *path = path_join(folder, name);
	const int failed = !path || stat(path, &status);
	free(path);
	return failed ? 0 : (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
}

static int add_build_folder(struct cargo_project *project, const char *build, const char *name, struct error *err)
{
	const size_t length = strlen(name);
	if (length < 18 || name[length - 17] != '-' || strspn(name + length - 16, "0123456789abcdef") != 16)
		return 0;
	char *path = path_join(build, name), *out = path ? path_join(path, "out") : NULL;
	char *output = path ? path_join(path, "output") : NULL;
	struct cargo_build_folder *folders = NULL;
	int result = -1;
	if (!path || !out || !output) {
		error_out_of_memory(err);
		goto done;
	}
	result = 0;
	/* the folder that holds the compiled build script itself has no `out` */
	if (!path_is_dir(out))
		goto done;
	folders = realloc(project->folders, (size_t)(project->folder_count + 1) * sizeof *folders);
	if (!folders) {
		result = error_out_of_memory(err);
		goto done;
	}
	project->folders = folders;
	struct cargo_build_folder *folder = &folders[project->folder_count];
	*folder = (struct cargo_build_folder){.crate = copy_text(name, length - 17), .has_run = path_exists(output)};
	if (!folder->crate) {
		result = error_out_of_memory(err);
		goto done;
	}
	folder->invoked_at = modified_at(path, "invoked.timestamp");
	if (!folder->invoked_at)
		folder->invoked_at = modified_at(path, "out");
	folder->path = path;
	path = NULL;
	project->folder_count++;
done:
	free(path);
	free(out);
	free(output);
	return result;
}

static int find_build_folders(struct cargo_project *project, const char *profile, struct error *err)
{
	struct name_list names;
	char *build = NULL;
	int result = 0;
	project->profile = strdup(profile);
	if (project->is_cross ? asprintf(&project->profile_dir, "%s/%s/%s", project->target_dir, project->triple, profile) < 0
			      : asprintf(&project->profile_dir, "%s/%s", project->target_dir, profile) < 0)
		project->profile_dir = NULL;
	build = project->profile_dir ? path_join(project->profile_dir, "build") : NULL;
	if (!build || !project->profile) {
		free(build);
		return error_out_of_memory(err);
	}
	/* one that cannot be read is one that Cargo has not made yet */
	if (folder_names(build, &names, NULL) == 0)
		for (size_t i = 0; result == 0 && i < names.count; i++)
			result = add_build_folder(project, build, names.items[i], err);
	name_list_free(&names);
	free(build);
	if (project->folder_count)
		qsort(project->folders, (size_t)project->folder_count, sizeof *project->folders, by_use);
	return result;
}

int cargo_project_open(const struct cargo_project_options *options, struct cargo_project *project, struct error *err)
{
	*project = (struct cargo_project){.crt_static = -1};
	if (find_places(project, options, err))
		goto failed;
	find_target(project, options);
	if (find_build_folders(project, options->profile ? options->profile : "release", err))
		goto failed;
	return 0;
failed:
	cargo_project_free(project);
	return -1;
}

void cargo_project_free(struct cargo_project *project)
{
	for (int i = 0; i < project->package_count; i++) {
		free(project->packages[i].name);
		free(project->packages[i].version);
		free(project->packages[i].source);
	}
	for (int i = 0; i < project->folder_count; i++) {
		free(project->folders[i].path);
		free(project->folders[i].crate);
	}
	free(project->packages);
	free(project->folders);
	free(project->root);
	free(project->lock_path);
	free(project->target_dir);
	free(project->triple);
	free(project->profile);
	free(project->profile_dir);
	*project = (struct cargo_project){.crt_static = -1};
}

const struct cargo_package *cargo_package_find(const struct cargo_project *project, const char *name, int *others)
{
	const struct cargo_package *found = NULL;
	int count = 0;
	for (int i = 0; i < project->package_count; i++) {
		const struct cargo_package *package = &project->packages[i];
		if (!package->name || !package->version || strcmp(package->name, name) != 0)
			continue;
		found = package;
		count++;
	}
	if (others)
		*others = count > 1 ? count - 1 : 0;
	return found;
}

const struct cargo_build_folder *cargo_build_folder_find(const struct cargo_project *project, const char *crate, int *others)
{
	const struct cargo_build_folder *found = NULL;
	int count = 0;
	for (int i = 0; i < project->folder_count; i++) {
		if (strcmp(project->folders[i].crate, crate) != 0)
			continue;
		if (!found)
			found = &project->folders[i];
		count++;
	}
	if (others)
		*others = count > 1 ? count - 1 : 0;
	return found;
}
