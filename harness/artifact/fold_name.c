#include "artifact/fold_name.h"

#include "artifact/demangle.h"
#include "core/util.h"

#include <stdlib.h>
#include <string.h>

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

static int is_identifier(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

/* A decimal length at the start, and the digits it takes; 0 digits when there is none of sense. */
static size_t take_length(const char *at, size_t *length)
{
	size_t digits = 0;
	*length = 0;
	while (is_digit(at[digits]) && digits < 5)
		*length = *length * 10 + (size_t)(at[digits++] - '0');
	return digits;
}

/* `<hash>_<n>_<n bytes of file>`, as nvcc makes names of internal linkage unique; then, up to the end of the identifier, a
 * symbol or number of the translation unit. Bytes it takes, or 0. */
static size_t internal_length(const char *at)
{
	size_t hash = 0, length;
	while (is_hex(at[hash]))
		hash++;
	if (hash < 6 || at[hash] != '_')
		return 0;
	const size_t digits = take_length(at + hash + 1, &length);
	const size_t name = hash + 1 + digits + 1;
	if (!digits || at[hash + 1 + digits] != '_' || strnlen(at + name, length) < length)
		return 0;
	return name + length;
}

/* `__nv_static_<n>_<n bytes>_<the name proper>`: relocatable builds put it before whole mangled names. */
static const char *skip_static(const char *name)
{
	static const char mark[] = "__nv_static_";
	size_t length;
	if (strncmp(name, mark, sizeof mark - 1) != 0)
		return name;
	const char *at = name + sizeof mark - 1;
	const size_t digits = take_length(at, &length);
	if (!digits || at[digits] != '_' || strnlen(at + digits + 1, length + 1) <= length || at[digits + 1 + length] != '_')
		return name;
	return at + digits + 1 + length + 1;
}

/* Copies a C++ name with `long` as `long long`, `5l` as `5ll` (and ul as ull), and without hashes. `long` is a keyword: it
 * stands for nothing but the type. */
static void fold_plain(const char *at, struct text *out)
{
	static const char internal[] = "_INTERNAL_", wide[] = "long";
	while (*at) {
		size_t word = 0;
		while (is_identifier(at[word]))
			word++;
		if (!word) {
			text_append_bytes(out, at++, 1);
			continue;
		}
		if (word > sizeof internal - 1 && strncmp(at, internal, sizeof internal - 1) == 0 &&
		    internal_length(at + sizeof internal - 1)) {
			text_append(out, "%s", internal);
		} else if (word == sizeof wide - 1 && memcmp(at, wide, word) == 0) {
			if (strncmp(at + word, " double", 7) == 0) {
				text_append(out, "long");
			} else {
				text_append(out, "long long");
				if (strncmp(at + word, " long", 5) == 0 && !is_identifier(at[word + 5]))
					word += 5;
			}
		} else if (is_digit(at[0])) {
			size_t digits = 0;
			while (is_digit(at[digits]))
				digits++;
			const size_t suffix = word - digits;
			const char *tail = at + digits;
			text_append_bytes(out, at, digits);
			if ((suffix == 1 && tail[0] == 'l') || (suffix == 2 && memcmp(tail, "ll", 2) == 0))
				text_append(out, "ll");
			else if ((suffix == 2 && memcmp(tail, "ul", 2) == 0) || (suffix == 3 && memcmp(tail, "ull", 3) == 0))
				text_append(out, "ull");
			else
				text_append_bytes(out, tail, suffix);
		} else {
			text_append_bytes(out, at, word);
		}
		at += word;
	}
}

/* A name that the demangler is spared (demangle.c): outside of what looks like an identifier with its length before it, l
 * and m can only stand for types or begin an operator's name, and no two operators become one by it. */
static void fold_mangled(const char *at, struct text *out)
{
	while (*at) {
		size_t length;
		const size_t digits = take_length(at, &length);
		const char before = out->length ? out->data[out->length - 1] : 0;
		/* after L<type> digits are a value, after S, T and A a number */
		const int is_value = out->length > 1 && out->data[out->length - 2] == 'L';
		if (digits && length && !is_value && before != 'S' && before != 'T' && before != 'A' &&
		    strnlen(at + digits, length) == length) {
			const char *name = at + digits;
			const char *mark = length > 10 ? memmem(name, length, "_INTERNAL_", 10) : NULL;
			if (length > 11 && strncmp(name, "_GLOBAL__N_", 11) == 0)
				text_append(out, "_GLOBAL__N_");
			else if (mark == name)
				text_append(out, "_INTERNAL_");
			else
				text_append_bytes(out, at, digits + length);
			at += digits + length;
		} else if (digits) {
			text_append_bytes(out, at, digits);
			at += digits;
		} else {
			const char c = *at == 'l' ? 'x' : *at == 'm' ? 'y' : *at;
			text_append_bytes(out, &c, 1);
			at++;
		}
	}
}

char *fold_kernel_name(const char *name)
{
	struct text out = {0};
	name = skip_static(name);
	char *plain = demangle(name);
	if (!plain)
		return NULL;
	if (strncmp(name, "_Z", 2) == 0 && strcmp(plain, name) == 0)
		fold_mangled(name, &out);
	else
		fold_plain(plain, &out);
	free(plain);
	if (out.failed || !out.data) {
		text_free(&out);
		return out.failed ? NULL : strdup("");
	}
	return out.data;
}

char *fold_mangled_name(const char *name, size_t length)
{
	struct text out = {0};
	char *copy = copy_text(name, length);
	if (!copy)
		return NULL;
	fold_mangled(copy, &out);
	free(copy);
	if (out.failed || !out.data) {
		text_free(&out);
		return out.failed ? NULL : strdup("");
	}
	return out.data;
}

char *fold_unit_name(const char *name)
{
	static const char *const endings[] = {".obj", ".o", ".cu", ".cpp", ".cc"};
	static const char temporary[] = "tmpxft_";
	for (const char *at = name; *at; at++)
		if (*at == '/' || *at == '\\')
			name = at + 1;
	/* tmpxft_<pid>_<n>-<k>_<source>.o, as nvcc -lib leaves it */
	if (strncmp(name, temporary, sizeof temporary - 1) == 0) {
		const char *at = name + sizeof temporary - 1;
		at += strspn(at, "0123456789abcdef");
		at += *at == '_';
		at += strspn(at, "0123456789abcdef");
		at += *at == '-';
		at += strspn(at, "0123456789");
		if (*at == '_' && at[1])
			name = at + 1;
	}
	char *copy = strdup(name);
	if (!copy)
		return NULL;
	for (size_t i = 0; i < ARRAY_COUNT(endings); i++) {
		const size_t length = strlen(copy), ending = strlen(endings[i]);
		if (length > ending && strcmp(copy + length - ending, endings[i]) == 0)
			copy[length - ending] = '\0';
	}
	char *dash = strrchr(copy, '-');
	const size_t hash = dash ? strspn(dash + 1, "0123456789abcdef") : 0;
	if (dash && dash > copy && hash >= 8 && !dash[1 + hash])
		*dash = '\0';
	return copy;
}
