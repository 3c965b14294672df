/* What a README claims about the artifacts beside it. Prose, so only a few plain patterns are looked for: a keyword, words that
 * may stand between, and a version. */
#include "artifact/provenance.h"
#include "core/util.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The lines between which assay pack writes: PACK_BEGIN and PACK_END of harness/pack.h, which this layer may not include. */
#define PACKED_BEGIN "<!-- assay: begin -->"
#define PACKED_END "<!-- assay: end -->"

struct words {
	const char *text;
	size_t size;
};

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int is_word_char(char c)
{
	return is_letter(c) || is_digit(c) || c == '_';
}

/* Length of `word` if it stands at `at`, case aside, else 0. */
static size_t word_at(const struct words *in, size_t at, const char *word)
{
	const size_t length = strlen(word);
	return at <= in->size && in->size - at >= length && strncasecmp(in->text + at, word, length) == 0 ? length : 0;
}

/* Goes past blanks, punctuation and Markdown's marks, and the words in `fillers` (NULL-terminated), on one line. */
static size_t skip_fillers(const struct words *in, size_t at, const char *const *fillers)
{
	for (;;) {
		if (at < in->size && in->text[at] != '\n' && memchr(" \t:=|*`_-(/[\"", in->text[at], 13)) {
			at++;
			continue;
		}
		size_t length = 0;
		for (size_t i = 0; fillers[i] && !length; i++) {
			length = word_at(in, at, fillers[i]);
			if (length && at + length < in->size && is_letter(in->text[at + length]))
				length = 0;
		}
		if (!length)
			return at;
		at += length;
	}
}

/* "0.9.2-alpha.2", "10.0.19041": numbers and dots, and after a dash letters too. At least two numbers; length 0: none. */
static size_t version_length(const struct words *in, size_t at)
{
	enum { LONGEST = 48 };
	size_t length = 0, dots = 0;
	while (at + length < in->size && length < LONGEST) {
		const char c = in->text[at + length];
		const int more = at + length + 1 < in->size;
		if (c == '.' && length && more && is_digit(in->text[at + length + 1]) && is_digit(in->text[at + length - 1]))
			dots++;
		else if (!is_digit(c))
			break;
		length++;
	}
	if (!dots)
		return 0;
	static const char *const suffixes[] = {"-alpha", "-beta", "-rc", "-pre", "-dev"};
	for (size_t i = 0; i < ARRAY_COUNT(suffixes); i++) {
		const size_t suffix = word_at(in, at + length, suffixes[i]);
		if (!suffix)
			continue;
		length += suffix;
		while (at + length < in->size && length < LONGEST && (is_digit(in->text[at + length]) || in->text[at + length] == '.'))
			length++;
		while (in->text[at + length - 1] == '.')
			length--;
		break;
	}
	return length;
}

static void note_cuda(struct readme_claims *claims, const struct words *in, size_t at)
{
	unsigned major = 0, minor = 0;
	size_t digits = 0;
	for (; at < in->size && is_digit(in->text[at]) && digits < 3; at++, digits++)
		major = major * 10 + (unsigned)(in->text[at] - '0');
	if (!digits || major < 5 || major > 99 || at + 1 >= in->size || in->text[at] != '.' || !is_digit(in->text[at + 1]))
		return;
	minor = (unsigned)(in->text[at + 1] - '0');
	if (at + 2 < in->size && is_digit(in->text[at + 2]))
		return; /* no release of CUDA */
	const unsigned version = 10 * major + minor;
	if (claims->cuda_versions == 0) {
		claims->cuda_version = version;
		claims->cuda_versions = 1;
	} else if (claims->cuda_version != version) {
		claims->cuda_version = 0;
		claims->cuda_versions++;
	}
}

static void note_compute_cap(struct readme_claims *claims, const struct words *in, size_t at)
{
	unsigned cap = 0;
	size_t digits = 0;
	for (; at < in->size && digits < 4; at++) {
		if (is_digit(in->text[at])) {
			cap = cap * 10 + (unsigned)(in->text[at] - '0');
			digits++;
		} else if (in->text[at] != '.' || digits == 0 || at + 1 >= in->size || !is_digit(in->text[at + 1])) {
			break;
		}
	}
	if (digits < 2 || cap < 30 || cap > 999 || claims->compute_cap_count == (int)ARRAY_COUNT(claims->compute_caps))
		return;
	for (int i = 0; i < claims->compute_cap_count; i++)
		if (claims->compute_caps[i] == cap)
			return;
	claims->compute_caps[claims->compute_cap_count++] = cap;
}

static int set_version(char **slot, const struct words *in, size_t at)
{
	const size_t length = version_length(in, at);
	if (*slot || !length)
		return 0;
	*slot = copy_text(in->text + at, length);
	return *slot ? 0 : -1;
}

/* One keyword at `at`, which begins a word. */
static int note_word(struct readme_claims *claims, const struct words *in, size_t at, unsigned *hosts, unsigned *machines)
{
	static const char *const candle_fillers[] = {"core", "flash", "attn", "kernels", "nn", "version", "release", "tag", "crate", "v", NULL};
	static const char *const cuda_fillers[] = {"toolkit", "version", "release", "sdk", "v", NULL};
	static const char *const no_fillers[] = {"version", "v", NULL};
	static const struct {
		const char *word;
		enum host_os host;
	} systems[] = {{"windows", HOST_WINDOWS}, {"win64", HOST_WINDOWS}, {"msvc", HOST_WINDOWS}, {"linux", HOST_LINUX},
		       {"ubuntu", HOST_LINUX},    {"debian", HOST_LINUX},  {"macos", HOST_MACOS}};
	static const struct {
		const char *word;
		unsigned machine;
	} machine_words[] = {{"x86_64", 1}, {"x86-64", 1}, {"x64", 1}, {"amd64", 1}, {"aarch64", 2}, {"arm64", 2}};
	size_t length;
	if ((length = word_at(in, at, "candle")) && set_version(&claims->candle_release, in, skip_fillers(in, at + length, candle_fillers)))
		return -1;
	if ((length = word_at(in, at, "windows sdk")) && set_version(&claims->windows_sdk, in, skip_fillers(in, at + length, no_fillers)))
		return -1;
	if ((length = word_at(in, at, "cuda_compute_cap")) || (length = word_at(in, at, "compute capability")) ||
	    (length = word_at(in, at, "sm_")) || (length = word_at(in, at, "compute_")))
		note_compute_cap(claims, in, skip_fillers(in, at + length, no_fillers));
	else if ((length = word_at(in, at, "cuda")))
		note_cuda(claims, in, skip_fillers(in, at + length, cuda_fillers));
	for (size_t i = 0; i < ARRAY_COUNT(systems); i++)
		if (word_at(in, at, systems[i].word))
			*hosts |= 1u << systems[i].host;
	for (size_t i = 0; i < ARRAY_COUNT(machine_words); i++)
		if (word_at(in, at, machine_words[i].word))
			*machines |= machine_words[i].machine;
	return 0;
}

int readme_claims_note(struct readme_claims *claims, const char *text, size_t size)
{
	const struct words in = {text, size};
	unsigned hosts = 0, machines = 0;
	for (size_t at = 0; at < size; at++) {
		/* the table that assay pack writes is of the files one by one, and assay.json has it too */
		if (word_at(&in, at, PACKED_BEGIN)) {
			const char *end = memmem(text + at, size - at, PACKED_END, strlen(PACKED_END));
			if (end)
				at = (size_t)(end - text);
		}
		if (is_letter(text[at]) && (at == 0 || !is_word_char(text[at - 1])) && note_word(claims, &in, at, &hosts, &machines))
			return -1;
	}
	claims->host = hosts == 1u << HOST_WINDOWS ? HOST_WINDOWS
		       : hosts == 1u << HOST_LINUX ? HOST_LINUX
		       : hosts == 1u << HOST_MACOS ? HOST_MACOS
						   : HOST_UNKNOWN;
	claims->machine = machines == 1 ? "x86-64" : machines == 2 ? "AArch64" : NULL;
	return 0;
}

/* Path of the folder's README; NULL: none. *failed is set when memory runs out. */
static char *readme_of(const char *folder, int *failed)
{
	static const char *const names[] = {"README.md", "README", "README.txt", "README.rst"};
	char *found = NULL;
	size_t best = ARRAY_COUNT(names);
	DIR *directory = opendir(folder);
	if (!directory)
		return NULL;
	for (const struct dirent *item; (item = readdir(directory)) && !*failed;)
		for (size_t i = 0; i < best; i++) {
			if (strcasecmp(item->d_name, names[i]) != 0)
				continue;
			free(found);
			found = path_join(folder, item->d_name);
			*failed = !found;
			best = i;
		}
	closedir(directory);
	return found;
}

int readme_claims_read(const char *folder, int above, struct readme_claims *claims, int *found, struct error *err)
{
	enum { LARGEST = 1 << 20 };
	static const char *const steps[] = {"", "/..", "/../.."};
	char *place = NULL, *path = NULL;
	struct file_map map = {0};
	struct stat status;
	int result = -1, failed = 0;
	*claims = (struct readme_claims){0};
	*found = 0;
	if (asprintf(&place, "%s%s", folder, steps[above < 0 ? 0 : above > 2 ? 2 : above]) < 0) {
		place = NULL;
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	path = readme_of(place, &failed);
	if (failed) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	result = 0;
	if (!path || stat(path, &status) || !S_ISREG(status.st_mode) || status.st_size > LARGEST || file_map_open(&map, path, NULL))
		goto done;
	claims->path = path;
	path = NULL;
	if (map.size && readme_claims_note(claims, (const char *)map.data, map.size)) {
		result = error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	*found = claims->candle_release || claims->cuda_versions || claims->host != HOST_UNKNOWN || claims->windows_sdk ||
		 claims->machine || claims->compute_cap_count;
done:
	file_map_close(&map);
	free(path);
	free(place);
	if (!*found)
		readme_claims_free(claims);
	return result;
}

void readme_claims_free(struct readme_claims *claims)
{
	free(claims->path);
	free(claims->candle_release);
	free(claims->windows_sdk);
	*claims = (struct readme_claims){0};
}
