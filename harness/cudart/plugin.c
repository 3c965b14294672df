/* From an archive to a loaded plugin: read symbols, decide on stubs, link or find in the cache, load. */
#include "cudart/plugin_private.h"

#include "artifact/object_kind.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <glob.h>
#include <gnu/libc-version.h>
#include <limits.h>
#include <link.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Part of the cache key: raise it whenever the same input would be linked differently. */
#define LINK_RECIPE "assay plugin recipe 1"

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

/* --- where things are -------------------------------------------------------------------------------------------- */

char *plugin_shim_path(struct error *err)
{
	char executable[PATH_MAX];
	const char *given = getenv("ASSAY_LIBDIR");
	const ssize_t length = readlink("/proc/self/exe", executable, sizeof executable - 1);
	executable[length > 0 ? length : 0] = '\0';
	char *slash = strrchr(executable, '/');
	if (slash)
		*slash = '\0';
	static const char *const places[] = {"", "/../lib/assay", "/../" ASSAY_INSTALL_LIBDIR "/assay", "/.."};
	for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
		char *path = NULL;
		if (given && *given) {
			path = path_join(given, CUDART_SHIM_SONAME);
		} else if (asprintf(&path, "%s%s/" CUDART_SHIM_SONAME, executable, places[i]) < 0) {
			path = NULL;
		}
		if (path && path_exists(path))
			return path;
		free(path);
	}
	error_set(err, ERROR_ENVIRONMENT, "%s is missing %s%s: install assay as a whole, or name its folder in ASSAY_LIBDIR",
		  CUDART_SHIM_SONAME, given && *given ? "in " : "beside the executable and in ../lib/assay of ",
		  given && *given ? given : executable);
	return NULL;
}

/* Path of a library as the dynamic loader finds it; NULL when it does not. */
static char *loader_path(const char *soname)
{
	char *path = NULL;
	struct link_map *map = NULL;
	void *handle = dlopen(soname, RTLD_LAZY | RTLD_LOCAL);
	if (!handle)
		return NULL;
	if (dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map && map->l_name && map->l_name[0])
		path = strdup(map->l_name);
	dlclose(handle);
	return path;
}

static char *real_runtime_path(int major, struct error *err)
{
	char soname[32], pattern[PATH_MAX];
	const char *roots[] = {getenv("CUDA_HOME"), getenv("CUDA_PATH"), "/usr/local/cuda", NULL};
	static const char *const folders[] = {"lib64", "lib", "targets/*-linux/lib"};
	snprintf(soname, sizeof soname, "libcudart.so.%d", major);
	if (major == 11) /* 11.x changed its soname once and stayed with it (CUDA 11.0 release notes) */
		snprintf(soname, sizeof soname, "libcudart.so.11.0");
	char *found = loader_path(soname);
	char versioned[64];
	snprintf(versioned, sizeof versioned, "/usr/local/cuda-%d*", major);
	roots[3] = versioned;
	for (size_t i = 0; !found && i < ARRAY_COUNT(roots); i++) {
		for (size_t j = 0; !found && roots[i] && j < ARRAY_COUNT(folders); j++) {
			glob_t matches = {0};
			const int length = snprintf(pattern, sizeof pattern, "%s/%s/%s", roots[i], folders[j], soname);
			if (length > 0 && (size_t)length < sizeof pattern && glob(pattern, 0, NULL, &matches) == 0)
				found = strdup(matches.gl_pathv[0]);
			globfree(&matches);
		}
	}
	if (!found)
		error_set(err, ERROR_ENVIRONMENT,
			  "%s, the CUDA runtime this archive was built for, was not found: install it, name the toolkit in "
			  "CUDA_HOME, or use the shim (--cudart shim)", soname);
	return found;
}

static char *default_cache_dir(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char *dir = NULL;
	if (cache && cache[0] == '/')
		return path_join(cache, "assay");
	if (!home || !*home) {
		const struct passwd *entry = getpwuid(getuid());
		home = entry ? entry->pw_dir : NULL;
	}
	return home && *home && asprintf(&dir, "%s/.cache/assay", home) >= 0 ? dir : NULL;
}

/* --- what a link is made of -------------------------------------------------------------------------------------- */

struct ingredients {
	struct file_map archive;
	struct archive_symbols symbols;
	struct name_set stubs;
	char *shim, *runtime;                  /* paths; `runtime` is the shim or the real one */
	char *libraries[LINK_LIBRARIES_MAX];   /* the runtime, then the system's */
	char key[65];
};

static void ingredients_free(struct ingredients *all)
{
	file_map_close(&all->archive);
	archive_symbols_free(&all->symbols);
	name_set_free(&all->stubs);
	for (size_t i = 0; i < LINK_LIBRARIES_MAX; i++)
		free(all->libraries[i]);
	free(all->shim);
	free(all->runtime);
}

/* A path that was given, made absolute: without a slash the dynamic loader would look elsewhere. */
static char *given_path(const char *path, struct error *err)
{
	char *absolute = realpath(path, NULL);
	if (!absolute)
		error_set(err, ERROR_ENVIRONMENT, "%s: %s", path, strerror(errno));
	return absolute;
}

static int find_runtime(struct ingredients *all, const struct plugin_options *options, struct error *err)
{
	all->shim = options->shim_path ? given_path(options->shim_path, err) : plugin_shim_path(err);
	if (!all->shim)
		return -1;
	if (options->cudart == CUDART_REAL) {
		all->runtime = options->real_cudart_path ? given_path(options->real_cudart_path, err)
							 : real_runtime_path(options->runtime_major, err);
		return all->runtime ? 0 : -1;
	}
	all->runtime = strdup(all->shim);
	return all->runtime ? 0 : no_memory(err);
}

/* Undefined symbols that neither the runtime nor the system defines get a stub. */
static int find_stubs(struct ingredients *all, const char *path, struct error *err)
{
	static const char *const system[] = {
		"libstdc++.so.6", "libm.so.6", "libgcc_s.so.1", "libc.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1",
#if defined(__x86_64__)
		"ld-linux-x86-64.so.2",
#else
		"ld-linux-aarch64.so.1",
#endif
	};
	struct name_set provided = {0};
	size_t count = 0;
	int result = -1;
	if (!(all->libraries[count++] = strdup(all->runtime))) {
		no_memory(err);
		goto done;
	}
	for (size_t i = 0; i < ARRAY_COUNT(system); i++)
		if ((all->libraries[count] = loader_path(system[i])))
			count++;
	for (size_t i = 0; i < count; i++)
		if (shared_object_symbols(&provided, all->libraries[i], err)) {
			if (err)
				err->kind = ERROR_ENVIRONMENT; /* a library of the system or of the user's choice, not the archive */
			goto done;
		}
	/* written beside the stubs: see plugin_link.c */
	name_set_add(&provided, "atexit");
	name_set_add(&provided, "__dso_handle");
	if (name_set_sort(&provided, err))
		goto done;
	for (size_t i = 0; i < all->symbols.undefined.count; i++) {
		const char *name = all->symbols.undefined.names[i];
		if (name_set_has(&provided, name))
			continue;
		if (strncmp(name, "__cudaRegisterLinkedBinary", 26) == 0) {
			error_set(err, ERROR_UNSUPPORTED,
				  "%s: holds relocatable device code that was never linked (%.120s is undefined); add the object "
				  "that nvcc -dlink makes, or build it without -rdc=true", path, name);
			goto done;
		}
		name_set_add(&all->stubs, name);
	}
	result = name_set_sort(&all->stubs, err);
done:
	name_set_free(&provided);
	return result;
}

/* Everything that decides what the linked file is. */
static int make_key(struct ingredients *all, enum cudart_kind cudart, struct error *err)
{
	struct file_map file;
	struct text text = {0};
	char hex[65];
	sha256_hex(all->archive.data, all->archive.size, hex);
	text_append(&text, LINK_RECIPE "\n%s\nlibc %s\ncudart %d\n", hex, gnu_get_libc_version(), (int)cudart);
	const char *const runtimes[] = {all->runtime, all->shim};
	for (size_t i = 0; i < ARRAY_COUNT(runtimes); i++) {
		if (file_map_open(&file, runtimes[i], err)) {
			text_free(&text);
			return -1;
		}
		sha256_hex(file.data, file.size, hex);
		file_map_close(&file);
		text_append(&text, "%s\n", hex);
	}
	for (size_t i = 0; i < all->stubs.count; i++)
		text_append(&text, "stub %s\n", all->stubs.names[i]);
	if (text.failed) {
		text_free(&text);
		return no_memory(err);
	}
	sha256_hex(text.data, text.length, all->key);
	text_free(&text);
	return 0;
}

/* --- the cache: KEY.so, and KEY.txt with its digest -------------------------------------------------------------- */

static char *cache_file(const char *dir, const char *key, const char *suffix)
{
	char *path = NULL;
	return asprintf(&path, "%s/%s%s", dir, key, suffix) < 0 ? NULL : path;
}

/* The whole file's digest in hex; -1 when it cannot be read. */
static int file_digest(const char *path, char hex[65])
{
	struct file_map map;
	if (file_map_open(&map, path, NULL))
		return -1;
	sha256_hex(map.data, map.size, hex);
	file_map_close(&map);
	return 0;
}

/* The path of a sound entry, or NULL. One that is damaged is treated as absent and will be replaced. */
static char *cache_find(const char *dir, const char *key)
{
	char *linked = cache_file(dir, key, ".so"), *note = cache_file(dir, key, ".txt");
	char digest[65], expected[80];
	struct file_map map = {0};
	int sound = 0;
	if (linked && note && path_exists(linked) && file_map_open(&map, note, NULL) == 0) {
		const int length = file_digest(linked, digest) == 0 ? snprintf(expected, sizeof expected, "sha256 %s\n", digest) : -1;
		sound = length > 0 && map.size >= (size_t)length && memcmp(map.data, expected, (size_t)length) == 0;
		file_map_close(&map);
	}
	free(note);
	if (sound)
		return linked;
	free(linked);
	return NULL;
}

static void remove_work_folder(const char *folder)
{
	static const char *const names[] = {LINK_OUTPUT, "stubs.s", "stubs.o"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		char *path = path_join(folder, names[i]);
		if (path)
			unlink(path);
		free(path);
	}
	rmdir(folder);
}

#define WORK_PREFIX ".link-"

/* A run that was killed while linking leaves its folder behind; no link takes an hour. */
static void sweep(const char *dir)
{
	DIR *folder = opendir(dir);
	const struct dirent *entry;
	struct stat status;
	while (folder && (entry = readdir(folder))) {
		if (strncmp(entry->d_name, WORK_PREFIX, strlen(WORK_PREFIX)) != 0)
			continue;
		char *path = path_join(dir, entry->d_name);
		if (path && lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_mtime + 3600 < time(NULL))
			remove_work_folder(path);
		free(path);
	}
	if (folder)
		closedir(folder);
}

static int store(const char *linked, const char *dir, const struct ingredients *all, const char *archive, char **path,
		 struct error *err)
{
	struct text note = {0};
	char digest[65];
	char *note_path = cache_file(dir, all->key, ".txt"), *final = cache_file(dir, all->key, ".so");
	int result = -1;
	if (!note_path || !final || file_digest(linked, digest)) {
		error_set(err, ERROR_ENVIRONMENT, "%s: cannot be read again", linked);
		goto done;
	}
	text_append(&note, "sha256 %s\narchive %s\n", digest, archive);
	for (size_t i = 0; i < all->stubs.count; i++)
		text_append(&note, "stub %s\n", all->stubs.names[i]);
	if (note.failed) {
		no_memory(err);
		goto done;
	}
	if (write_file_atomically(note_path, note.data, note.length, err))
		goto done;
	if (rename(linked, final)) {
		error_set(err, ERROR_ENVIRONMENT, "%s: %s", final, strerror(errno));
		goto done;
	}
	*path = final;
	final = NULL;
	result = 0;
done:
	text_free(&note);
	free(note_path);
	free(final);
	return result;
}

static int link_in(const char *folder, const struct ingredients *all, const char *archive, int *no_room, struct error *err)
{
	struct link_job job = {.archive = archive, .stubs = &all->stubs};
	char soname[80], *input = realpath(archive, NULL);
	*no_room = 0;
	if (!input)
		return error_set(err, ERROR_INPUT, "%s: %s", archive, strerror(errno));
	snprintf(soname, sizeof soname, "%s.so", all->key);
	job.soname = soname;
	job.input = input;
	for (size_t i = 0; i + 1 < LINK_LIBRARIES_MAX; i++)
		job.libraries[i] = all->libraries[i];
	if (strcmp(all->runtime, all->shim) != 0)
		job.last_library = all->shim;
	const int result = link_shared_object(&job, folder, no_room, err);
	free(input);
	return result;
}

/* Links in a folder inside the cache, so that the result moves to its place by a rename. */
static int link_into_cache(const char *dir, const struct ingredients *all, const char *archive, char **path, int *no_room,
			   struct error *err)
{
	char *folder = NULL, *linked = NULL;
	int result = -1;
	*no_room = 1;
	if (make_dirs(dir, err))
		return -1;
	sweep(dir);
	if (asprintf(&folder, "%s/" WORK_PREFIX "XXXXXX", dir) < 0) {
		folder = NULL;
		no_memory(err);
		goto done;
	}
	if (!mkdtemp(folder)) {
		error_set(err, ERROR_ENVIRONMENT, "%s: cannot be written: %s", dir, strerror(errno));
		free(folder);
		folder = NULL;
		goto done;
	}
	if (link_in(folder, all, archive, no_room, err))
		goto done;
	*no_room = 1;
	linked = path_join(folder, LINK_OUTPUT);
	if (!linked || store(linked, dir, all, archive, path, err))
		goto done;
	result = 0;
done:
	if (folder)
		remove_work_folder(folder);
	free(folder);
	free(linked);
	return result;
}

/* Where no cache can be written, the result lies in a folder of its own until plugin_free. */
static int link_into_temporary(struct plugin *plugin, const struct ingredients *all, const char *archive, struct error *err)
{
	const char *parent = getenv("TMPDIR");
	char *folder = NULL;
	int no_room;
	if (asprintf(&folder, "%s/assay-XXXXXX", parent && *parent ? parent : "/tmp") < 0)
		return no_memory(err);
	if (!mkdtemp(folder)) {
		error_set(err, ERROR_ENVIRONMENT, "%s: cannot be written: %s", folder, strerror(errno));
		free(folder);
		return -1;
	}
	if (link_in(folder, all, archive, &no_room, err) || !(plugin->path = path_join(folder, LINK_OUTPUT))) {
		remove_work_folder(folder);
		free(folder);
		return -1;
	}
	plugin->temporary_dir = folder;
	return 0;
}

static int find_or_link(struct plugin *plugin, const struct plugin_options *options, const struct ingredients *all,
			struct error *err)
{
	char *dir = options->cache_dir ? strdup(options->cache_dir) : default_cache_dir();
	struct error cache_error = {0};
	int result = -1, no_room = 1;
	if (dir && (plugin->path = cache_find(dir, all->key))) {
		plugin->from_cache = 1;
		result = 0;
		goto done;
	}
	const double started = monotonic_seconds();
	result = dir ? link_into_cache(dir, all, options->archive, &plugin->path, &no_room, &cache_error) : -1;
	if (result && no_room) {
		result = link_into_temporary(plugin, all, options->archive, err);
		if (result && cache_error.kind)
			error_context(err, "neither in the cache (%.200s) nor in the folder for temporary files",
				      cache_error.message);
	} else if (result && err) {
		*err = cache_error;
	}
	plugin->link_seconds = monotonic_seconds() - started;
done:
	free(dir);
	return result;
}

/* --- the interface ----------------------------------------------------------------------------------------------- */

/* A shared object chose its runtime when it was linked. */
static int take_shared_object(struct plugin *plugin, const struct plugin_options *options, struct error *err)
{
	struct name_set defined = {0};
	int result = -1;
	if (options->cudart == CUDART_SHIM)
		return error_set(err, ERROR_UNSUPPORTED,
				 "%s: is a linked shared object, bound to its own CUDA runtime: use --cudart real, or the static "
				 "archive it was made from", options->archive);
	if (shared_object_symbols(&defined, options->archive, err) || name_set_sort(&defined, err) ||
	    require_symbols(&defined, &defined, options->required, options->archive, err))
		goto done;
	plugin->path = realpath(options->archive, NULL);
	result = plugin->path ? 0 : error_set(err, ERROR_INPUT, "%s: %s", options->archive, strerror(errno));
done:
	name_set_free(&defined);
	return result;
}

int plugin_link(struct plugin *plugin, const struct plugin_options *options, struct error *err)
{
	struct ingredients all = {0};
	int result = -1;
	*plugin = (struct plugin){0};
	if (file_map_open(&all.archive, options->archive, err))
		goto done;
	if (object_identify(all.archive.data, all.archive.size, NULL) == OBJECT_ELF_SHARED) {
		result = take_shared_object(plugin, options, err);
		goto done;
	}
	if (archive_symbols_read(&all.symbols, &all.archive, options->archive, err) ||
	    require_symbols(&all.symbols.defined, &all.symbols.exported, options->required, options->archive, err) ||
	    find_runtime(&all, options, err) || find_stubs(&all, options->archive, err) ||
	    make_key(&all, options->cudart, err) || find_or_link(plugin, options, &all, err))
		goto done;
	plugin->stubbed = all.stubs.names;
	plugin->stubbed_count = all.stubs.count;
	all.stubs = (struct name_set){0};
	result = 0;
done:
	ingredients_free(&all);
	if (result)
		plugin_free(plugin);
	return result;
}

static void *open_library(const char *path, const char *what, struct error *err)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		const char *why = dlerror();
		error_set(err, ERROR_ENVIRONMENT, "%s cannot be loaded: %s", what, why ? why : path);
	}
	return handle;
}

int plugin_load(struct plugin *plugin, const struct plugin_options *options, const struct cudart_binding *binding,
		struct error *err)
{
	struct ingredients paths = {0};
	int result = -1;
	if (!plugin->path)
		return error_set(err, ERROR_INTERNAL, "%s: loaded before it was linked", options->archive);
	if (options->cudart == CUDART_SHIM && !binding)
		return error_set(err, ERROR_INTERNAL, "%s: the runtime shim has no device to be bound to", options->archive);
	if (find_runtime(&paths, options, err))
		goto done;
	/* loaded by path, so that the plugin's need for the soname is met already; the real runtime stays loaded with it */
	if (options->cudart == CUDART_REAL && !open_library(paths.runtime, "the CUDA runtime", err))
		goto done;
	if (options->cudart == CUDART_SHIM || plugin->stubbed_count) {
		plugin->shim = open_library(paths.shim, "the runtime shim", err);
		if (!plugin->shim)
			goto done;
	}
	if (options->cudart == CUDART_SHIM) {
		cudart_bind_fn bind;
		*(void **)&bind = dlsym(plugin->shim, CUDART_BIND);
		if (!bind) {
			error_set(err, ERROR_ENVIRONMENT, "%s: is not the runtime shim of this program", paths.shim);
			goto done;
		}
		if (bind(binding, err))
			goto done;
	}
	plugin->handle = open_library(plugin->path, options->archive, err);
	result = plugin->handle ? 0 : -1;
done:
	ingredients_free(&paths);
	return result;
}

void *plugin_symbol(const struct plugin *plugin, const char *name)
{
	return plugin->handle ? dlsym(plugin->handle, name) : NULL;
}

void plugin_free(struct plugin *plugin)
{
	for (size_t i = 0; i < plugin->stubbed_count; i++)
		free(plugin->stubbed[i]);
	free(plugin->stubbed);
	if (plugin->temporary_dir)
		remove_work_folder(plugin->temporary_dir);
	free(plugin->temporary_dir);
	free(plugin->path);
	*plugin = (struct plugin){0};
}
