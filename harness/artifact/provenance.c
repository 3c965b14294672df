#include "artifact/provenance.h"

#include "core/util.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A piece of text in a larger one. */
struct span {
	const char *text;
	size_t length;
};

static struct span find_after(struct span in, const char *mark)
{
	const size_t length = strlen(mark);
	const char *at = in.length ? memmem(in.text, in.length, mark, length) : NULL;
	if (!at)
		return (struct span){0};
	at += length;
	return (struct span){at, in.length - (size_t)(at - in.text)};
}

static int starts_with(struct span span, const char *prefix)
{
	const size_t length = strlen(prefix);
	return span.length >= length && memcmp(span.text, prefix, length) == 0;
}

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A decimal number at the start; moves past it. -1 when there is none or it is beyond any version. */
static int take_number(struct span *span, unsigned *value)
{
	size_t digits = 0;
	unsigned sum = 0;
	while (digits < span->length && digits < 5 && is_digit(span->text[digits]))
		sum = sum * 10 + (unsigned)(span->text[digits++] - '0');
	if (digits == 0 || digits == 5)
		return -1;
	span->text += digits;
	span->length -= digits;
	*value = sum;
	return 0;
}

static int set_text(char **slot, struct span span)
{
	if (*slot || !span.length)
		return 0;
	*slot = copy_text(span.text, span.length);
	return *slot ? 0 : -1;
}

/* "13.0" at the start gives 130. The first statement counts; the strongest evidence is looked at first. */
static void note_version(struct provenance *provenance, struct span span, const char *evidence)
{
	unsigned major, minor = 0;
	if (provenance->cuda_version || take_number(&span, &major) || major < 5 || major > 99)
		return;
	if (span.length < 2 || span.text[0] != '.' || !is_digit(span.text[1]))
		return;
	span.text++;
	span.length--;
	if (take_number(&span, &minor) || minor > 9)
		return;
	provenance->cuda_version = 10 * major + minor;
	snprintf(provenance->cuda_evidence, sizeof provenance->cuda_evidence, "%s", evidence);
}

/* "90", "sm_90", "90a", "9.0" */
static void note_compute_cap(struct provenance *provenance, struct span span)
{
	unsigned cap = 0;
	if (starts_with(span, "sm_") || starts_with(span, "compute_")) {
		const size_t skip = span.text[0] == 's' ? 3 : 8;
		span.text += skip;
		span.length -= skip;
	}
	if (provenance->compute_cap || take_number(&span, &cap))
		return;
	if (span.length >= 2 && span.text[0] == '.' && is_digit(span.text[1])) {
		cap = cap * 10 + (unsigned)(span.text[1] - '0');
		span.text += 2;
		span.length -= 2;
	}
	if (cap < 20 || cap > 999)
		return;
	provenance->compute_cap = cap;
	if (span.length && (span.text[0] == 'a' || span.text[0] == 'f'))
		provenance->compute_cap_suffix = span.text[0];
}

static int note_flag(struct provenance *provenance, struct span flag)
{
	enum { MOST_FLAGS = 256 };
	if (!flag.length || provenance->flag_count == MOST_FLAGS)
		return 0;
	for (int i = 0; i < provenance->flag_count; i++)
		if (strlen(provenance->flags[i]) == flag.length && memcmp(provenance->flags[i], flag.text, flag.length) == 0)
			return 0;
	char **flags = realloc(provenance->flags, (size_t)(provenance->flag_count + 1) * sizeof *flags);
	if (!flags)
		return -1;
	provenance->flags = flags;
	flags[provenance->flag_count] = copy_text(flag.text, flag.length);
	if (!flags[provenance->flag_count])
		return -1;
	provenance->flag_count++;
	return 0;
}

/* A string as Rust's Debug prints it: in quotes, with backslashes before quotes and backslashes. Moves past it. */
static char *take_quoted(struct span *span)
{
	if (!span->length || span->text[0] != '"')
		return NULL;
	char *text = malloc(span->length);
	size_t length = 0, at = 1;
	for (; text && at < span->length && span->text[at] != '"'; at++) {
		if (span->text[at] == '\\' && at + 1 < span->length)
			at++;
		text[length++] = span->text[at];
	}
	if (!text)
		return NULL;
	text[length] = '\0';
	at += at < span->length;
	span->text += at;
	span->length -= at;
	return text;
}

/* A build script that prints its builder: "cuda_root: Some("/usr/local/cuda"), ... extra_args: ["-O3", ...]". */
static int note_builder(struct provenance *provenance, struct span line)
{
	struct span at = find_after(line, "cuda_root: Some(");
	char *text = take_quoted(&at);
	if (text && !provenance->cuda_root)
		provenance->cuda_root = text;
	else
		free(text);
	at = find_after(line, "compute_cap: Some(");
	if (at.length)
		note_compute_cap(provenance, at);
	at = find_after(line, "extra_args: [");
	if (!at.text)
		return 0;
	if (provenance->fast_math < 0)
		provenance->fast_math = 0; /* the list is whole: what is not in it was not given */
	while ((text = take_quoted(&at))) {
		const int failed = note_flag(provenance, (struct span){text, strlen(text)});
		if (strcmp(text, "--use_fast_math") == 0 || strcmp(text, "-use_fast_math") == 0)
			provenance->fast_math = 1;
		free(text);
		if (failed)
			return -1;
		while (at.length && (*at.text == ',' || *at.text == ' ')) {
			at.text++;
			at.length--;
		}
	}
	return 0;
}

/* Lines of nvcc --verbose start with "#$ ". */
static int note_nvcc_line(struct provenance *provenance, struct span line)
{
	struct span at = find_after(line, "-D__CUDACC_VER_MAJOR__="), minor = find_after(line, "-D__CUDACC_VER_MINOR__=");
	unsigned major_number, minor_number;
	if (!provenance->cuda_version && !take_number(&at, &major_number) && !take_number(&minor, &minor_number) &&
	    major_number <= 99 && minor_number <= 9) {
		provenance->cuda_version = 10 * major_number + minor_number;
		snprintf(provenance->cuda_evidence, sizeof provenance->cuda_evidence, "commands of nvcc --verbose");
	}
	if (starts_with(line, "#$ TOP=")) {
		struct span root = {line.text + 7, line.length - 7};
		const struct span tail = find_after(root, "/bin/..");
		if (tail.text)
			root.length = (size_t)(tail.text - root.text) - 7;
		if (set_text(&provenance->cuda_root, root))
			return -1;
	}
	if (find_after(line, "cicc").text) {
		const int fast = find_after(line, "-ftz=1").text && find_after(line, "-prec_div=0").text;
		if (fast)
			provenance->fast_math = 1;
		else if (provenance->fast_math < 0 && find_after(line, "-ftz=0").text)
			provenance->fast_math = 0;
		at = find_after(line, " -arch ");
		if (at.length)
			note_compute_cap(provenance, at);
	}
	return 0;
}

static int note_line(struct provenance *provenance, struct span line)
{
	struct span value = find_after(line, "rustc-env=CUDA_COMPUTE_CAP=");
	if (value.length)
		note_compute_cap(provenance, value);
	value = find_after(line, "rustc-env=CUDA_VERSION=");
	if (value.length)
		note_version(provenance, value, "CUDA_VERSION in the build script's output");
	value = find_after(line, "rustc-env=CUDA_INCLUDE_DIR=");
	if (value.length) {
		while (value.length && strchr("/\\ ", value.text[value.length - 1]))
			value.length--;
		if (value.length > 8 && memcmp(value.text + value.length - 7, "include", 7) == 0)
			value.length -= 8; /* with the separator before it */
		if (set_text(&provenance->cuda_root, value))
			return -1;
	}
	value = find_after(line, "Cuda compilation tools, release ");
	if (value.length)
		note_version(provenance, value, "version of nvcc in the build's output");
	if (find_after(line, "--use_fast_math").text)
		provenance->fast_math = 1;
	if (starts_with(line, "#$ "))
		return note_nvcc_line(provenance, line);
	if (find_after(line, "cuda_root: ").text || find_after(line, "extra_args: [").text)
		return note_builder(provenance, line);
	return 0;
}

int provenance_note_output(struct provenance *provenance, const char *text, size_t size)
{
	for (size_t at = 0; at < size;) {
		const char *newline = memchr(text + at, '\n', size - at);
		const size_t end = newline ? (size_t)(newline - text) : size;
		struct span line = {text + at, end - at};
		if (line.length && line.text[line.length - 1] == '\r')
			line.length--;
		if (note_line(provenance, line))
			return -1;
		at = end + 1;
	}
	if (provenance->cuda_version || !provenance->cuda_root)
		return 0;
	/* the folder a toolkit is installed in carries its version: cuda-12.4, CUDA\v12.4 */
	static const char *const marks[] = {"cuda-", "CUDA\\v", "CUDA/v", "cuda/"};
	const struct span root = {provenance->cuda_root, strlen(provenance->cuda_root)};
	for (size_t i = 0; i < ARRAY_COUNT(marks); i++) {
		const struct span version = find_after(root, marks[i]);
		if (version.length)
			note_version(provenance, version, "name of the CUDA folder");
	}
	return 0;
}

int provenance_note_root_output(struct provenance *provenance, const char *text, size_t size)
{
	struct span path = {text, size};
	while (path.length && strchr("\r\n ", path.text[path.length - 1]))
		path.length--;
	if (!path.length)
		return 0;
	if (path.length >= 3 && path.text[1] == ':' && (path.text[2] == '\\' || path.text[2] == '/'))
		provenance->host = HOST_WINDOWS;
	else if (starts_with(path, "\\\\"))
		provenance->host = HOST_WINDOWS;
	else if (starts_with(path, "/Users/"))
		provenance->host = HOST_MACOS;
	else if (path.text[0] == '/')
		provenance->host = HOST_LINUX;
	return set_text(&provenance->root_output, path);
}

int provenance_note_folder_name(struct provenance *provenance, const char *name)
{
	enum { HASH_DIGITS = 16 };
	const size_t length = strlen(name);
	if (length < HASH_DIGITS + 2 || name[length - HASH_DIGITS - 1] != '-' ||
	    strspn(name + length - HASH_DIGITS, "0123456789abcdef") != HASH_DIGITS)
		return 0;
	return set_text(&provenance->crate, (struct span){name, length - HASH_DIGITS - 1}) ||
			       set_text(&provenance->crate_hash, (struct span){name + length - HASH_DIGITS, HASH_DIGITS})
		       ? -1
		       : 0;
}

/* Whether a build script of Cargo printed this: a line starts with "cargo:". */
static int is_cargo_output(const char *text, size_t size)
{
	const struct span all = {text, size};
	return starts_with(all, "cargo:") || find_after(all, "\ncargo:").text != NULL;
}

/* Reads a file of the folder if it is there; *found is set when it shows that this is a build-output folder. */
static int read_part(const char *folder, const char *name, int (*note)(struct provenance *, const char *, size_t),
		     struct provenance *provenance, int *found, struct error *err)
{
	enum { LARGEST = 64 << 20 };
	struct file_map map = {0};
	int result = -1;
	char *path = path_join(folder, name);
	if (!path)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (!path_exists(path) || path_is_dir(path)) {
		result = 0;
		goto done;
	}
	if (file_map_open(&map, path, err))
		goto done;
	if (map.size > LARGEST) {
		error_set(err, ERROR_INPUT, "%s: %zu bytes are too many for what a build script printed", path, map.size);
		goto done;
	}
	if (note == provenance_note_root_output || is_cargo_output((const char *)map.data, map.size))
		*found = 1;
	if (*found && map.size && note(provenance, (const char *)map.data, map.size)) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	result = 0;
done:
	file_map_close(&map);
	free(path);
	return result;
}

/* Cargo touches this file when it starts the build script. */
static int read_timestamp(const char *folder, struct provenance *provenance, int *found, struct error *err)
{
	struct stat status;
	char *path = path_join(folder, "invoked.timestamp");
	if (!path)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (stat(path, &status) == 0 && S_ISREG(status.st_mode)) {
		provenance->has_invoked_timestamp = 1;
		provenance->invoked_at = (int64_t)status.st_mtime;
		*found = 1;
	}
	free(path);
	return 0;
}

int provenance_read(const char *folder, struct provenance *provenance, int *found, struct error *err)
{
	*provenance = (struct provenance){.fast_math = -1};
	*found = 0;
	size_t length = strlen(folder);
	while (length > 1 && folder[length - 1] == '/')
		length--;
	provenance->folder = copy_text(folder, length);
	if (!provenance->folder || provenance_note_folder_name(provenance, path_base(provenance->folder))) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto failed;
	}
	if (read_timestamp(folder, provenance, found, err) ||
	    read_part(folder, "root-output", provenance_note_root_output, provenance, found, err) ||
	    read_part(folder, "output", provenance_note_output, provenance, found, err) ||
	    read_part(folder, "stderr", provenance_note_output, provenance, found, err))
		goto failed;
	/* where the folder was renamed, the path it was built under still knows the crate */
	if (provenance->root_output && !provenance->crate) {
		char *copy = strdup(provenance->root_output);
		if (!copy) {
			error_set(err, ERROR_ENVIRONMENT, "out of memory");
			goto failed;
		}
		char *last = strrchr(copy, provenance->host == HOST_WINDOWS ? '\\' : '/');
		if (last) {
			*last = '\0';
			char *before = strrchr(copy, provenance->host == HOST_WINDOWS ? '\\' : '/');
			const int out_of_memory = provenance_note_folder_name(provenance, before ? before + 1 : copy);
			if (out_of_memory) {
				free(copy);
				error_set(err, ERROR_ENVIRONMENT, "out of memory");
				goto failed;
			}
		}
		free(copy);
	}
	return 0;
failed:
	provenance_free(provenance);
	return -1;
}

void provenance_free(struct provenance *provenance)
{
	free(provenance->folder);
	free(provenance->crate);
	free(provenance->crate_hash);
	free(provenance->root_output);
	free(provenance->cuda_root);
	for (int i = 0; i < provenance->flag_count; i++)
		free(provenance->flags[i]);
	free(provenance->flags);
	*provenance = (struct provenance){.fast_math = -1};
}

const char *host_os_name(enum host_os host)
{
	switch (host) {
	case HOST_LINUX: return "Linux";
	case HOST_MACOS: return "macOS";
	case HOST_WINDOWS: return "Windows";
	case HOST_UNKNOWN: break;
	}
	return "unknown";
}
