/* Which C runtime Windows code is linked with. */
#include "artifact/host_build.h"
#include "artifact/reader.h"
#include "core/util.h"

#include <stdio.h>
#include <stdlib.h>

const char *msvc_runtime_name(enum msvc_runtime runtime)
{
	switch (runtime) {
	case MSVC_RUNTIME_MD: return "/MD (dynamic, release)";
	case MSVC_RUNTIME_MDD: return "/MDd (dynamic, debug)";
	case MSVC_RUNTIME_MT: return "/MT (static, release)";
	case MSVC_RUNTIME_MTD: return "/MTd (static, debug)";
	case MSVC_RUNTIME_UNKNOWN: break;
	}
	return "unknown";
}

int msvc_runtime_is_debug(enum msvc_runtime runtime)
{
	return runtime == MSVC_RUNTIME_MDD || runtime == MSVC_RUNTIME_MTD;
}

int msvc_runtime_is_static(enum msvc_runtime runtime)
{
	return runtime == MSVC_RUNTIME_MT || runtime == MSVC_RUNTIME_MTD;
}

/* The first statement counts; one that contradicts it is remembered. `what` is at most 40 bytes of a hostile file. */
static void note_runtime(struct msvc_facts *facts, enum msvc_runtime runtime, const char *how, const char *what, size_t length)
{
	if (facts->runtime == MSVC_RUNTIME_UNKNOWN) {
		facts->runtime = runtime;
		snprintf(facts->evidence, sizeof facts->evidence, "%s%.*s", how, (int)(length < 40 ? length : 40), what);
	} else if (facts->runtime != runtime && facts->other_runtime == MSVC_RUNTIME_UNKNOWN) {
		facts->other_runtime = runtime;
	}
}

static int equals(const char *text, size_t length, const char *word)
{
	return strlen(word) == length && strncasecmp(text, word, length) == 0;
}

static int begins(const char *text, size_t length, const char *prefix)
{
	const size_t wanted = strlen(prefix);
	return length >= wanted && strncasecmp(text, prefix, wanted) == 0;
}

static void strip_quotes(const char **text, size_t *length)
{
	if (*length && **text == '"') {
		(*text)++;
		(*length)--;
	}
	if (*length && (*text)[*length - 1] == '"')
		(*length)--;
}

static void note_default_library(struct msvc_facts *facts, const char *name, size_t length)
{
	static const struct {
		const char *library;
		enum msvc_runtime runtime;
	} libraries[] = {
		{"msvcrt", MSVC_RUNTIME_MD},    {"msvcrtd", MSVC_RUNTIME_MDD},   {"libcmt", MSVC_RUNTIME_MT},     {"libcmtd", MSVC_RUNTIME_MTD},
		{"msvcprt", MSVC_RUNTIME_MD},   {"msvcprtd", MSVC_RUNTIME_MDD},  {"libcpmt", MSVC_RUNTIME_MT},    {"libcpmtd", MSVC_RUNTIME_MTD},
		{"vcruntime", MSVC_RUNTIME_MD}, {"vcruntimed", MSVC_RUNTIME_MDD}, {"libvcruntime", MSVC_RUNTIME_MT}, {"libvcruntimed", MSVC_RUNTIME_MTD},
		{"ucrt", MSVC_RUNTIME_MD},      {"ucrtd", MSVC_RUNTIME_MDD},     {"libucrt", MSVC_RUNTIME_MT},    {"libucrtd", MSVC_RUNTIME_MTD},
	};
	if (length > 4 && strncasecmp(name + length - 4, ".lib", 4) == 0)
		length -= 4;
	for (size_t i = 0; i < ARRAY_COUNT(libraries); i++)
		if (equals(name, length, libraries[i].library))
			note_runtime(facts, libraries[i].runtime, "DEFAULTLIB ", name, length);
}

/* KEY=VALUE of /FAILIFMISMATCH. */
static void note_mismatch_key(struct msvc_facts *facts, const char *text, size_t length)
{
	static const struct {
		const char *value;
		enum msvc_runtime runtime;
	} runtimes[] = {{"MD_DynamicRelease", MSVC_RUNTIME_MD},
			{"MDd_DynamicDebug", MSVC_RUNTIME_MDD},
			{"MT_StaticRelease", MSVC_RUNTIME_MT},
			{"MTd_StaticDebug", MSVC_RUNTIME_MTD}};
	const char *equal = memchr(text, '=', length);
	if (!equal)
		return;
	const size_t key = (size_t)(equal - text), rest = length - key - 1;
	const char *value = equal + 1;
	if (equals(text, key, "RuntimeLibrary")) {
		for (size_t i = 0; i < ARRAY_COUNT(runtimes); i++)
			if (equals(value, rest, runtimes[i].value))
				note_runtime(facts, runtimes[i].runtime, "FAILIFMISMATCH RuntimeLibrary=", value, rest);
	} else if (equals(text, key, "_ITERATOR_DEBUG_LEVEL")) {
		if (rest == 1 && *value >= '0' && *value <= '2')
			facts->iterator_debug_level = *value - '0';
	} else if (equals(text, key, "_MSC_VER")) {
		unsigned version = 0;
		for (size_t i = 0; i < rest && i < 5 && value[i] >= '0' && value[i] <= '9'; i++)
			version = version * 10 + (unsigned)(value[i] - '0');
		facts->msc_ver = version;
	}
}

void msvc_note_directives(struct msvc_facts *facts, const char *text, size_t size)
{
	size_t at = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* may be marked as UTF-8 */
	while (at < size) {
		if (text[at] == ' ' || text[at] == '\0' || text[at] == '\t') {
			at++;
			continue;
		}
		const size_t start = at;
		for (int quoted = 0; at < size && (quoted || (text[at] != ' ' && text[at] != '\0')); at++)
			quoted ^= text[at] == '"';
		const char *option = text + start;
		size_t length = at - start;
		if (*option != '/' && *option != '-')
			continue;
		const char *value = memchr(option, ':', length);
		if (!value)
			continue;
		const size_t name = (size_t)(value - option) - 1;
		value++;
		length -= (size_t)(value - option);
		option++;
		strip_quotes(&value, &length);
		if (equals(option, name, "defaultlib"))
			note_default_library(facts, value, length);
		else if (equals(option, name, "failifmismatch"))
			note_mismatch_key(facts, value, length);
		else if (equals(option, name, "export"))
			facts->exports++;
	}
}

/* vcruntime140d.dll, msvcp140d.dll, ucrtbased.dll: the debug ones end in d, with or without "_1", "_codecvt_ids" between. */
void msvc_note_dll(struct msvc_facts *facts, const char *dll)
{
	const size_t length = strlen(dll), ending = length > 4 && strcasecmp(dll + length - 4, ".dll") == 0 ? 4 : 0;
	const size_t name = length - ending;
	size_t digits = 0;
	int is_debug;
	if (begins(dll, name, "vcruntime"))
		digits = 9;
	else if (begins(dll, name, "msvcp"))
		digits = 5;
	else if (begins(dll, name, "ucrtbase"))
		digits = 8;
	else if (!begins(dll, name, "api-ms-win-crt-"))
		return;
	size_t at = digits;
	while (digits && at < name && dll[at] >= '0' && dll[at] <= '9')
		at++;
	is_debug = digits && at < name && (dll[at] == 'd' || dll[at] == 'D');
	note_runtime(facts, is_debug ? MSVC_RUNTIME_MDD : MSVC_RUNTIME_MD, "imports ", dll, length);
}
