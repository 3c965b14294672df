#include "artifact/ptx_compare.h"

#include "artifact/fold_name.h"
#include "core/util.h"

#include <stdlib.h>
#include <string.h>

struct token {
	const char *text;
	size_t length; /* 0 at the end */
};

struct scanner {
	const char *at, *end;
};

/* What a byte is: archives hold a hundred megabytes of PTX, and this is looked up for each. */
enum { WORD = 1, BLANK = 2 };
static const unsigned char classes[256] = {
	['a' ... 'z'] = WORD, ['A' ... 'Z'] = WORD, ['0' ... '9'] = WORD, ['_'] = WORD,	 ['$'] = WORD,	['.'] = WORD,  ['%'] = WORD,
	['@'] = WORD,	      [' '] = BLANK,	    ['\t'] = BLANK,	  ['\r'] = BLANK, ['\n'] = BLANK, ['\0'] = BLANK,
};

static int is_word(char c)
{
	return classes[(unsigned char)c] == WORD;
}

static int is_blank(char c)
{
	return classes[(unsigned char)c] == BLANK;
}

/* Words, strings with their quotes, single characters; comments and blanks are passed over. */
static struct token next_token(struct scanner *in)
{
	for (;;) {
		const size_t room = (size_t)(in->end - in->at);
		if (room && is_blank(*in->at)) {
			in->at++;
		} else if (room > 1 && in->at[0] == '/' && in->at[1] == '/') {
			const char *newline = memchr(in->at, '\n', room);
			in->at = newline ? newline : in->end;
		} else if (room > 1 && in->at[0] == '/' && in->at[1] == '*') {
			const char *close = memmem(in->at + 2, room - 2, "*/", 2);
			in->at = close ? close + 2 : in->end;
		} else {
			break;
		}
	}
	struct token token = {.text = in->at};
	if (in->at < in->end && *in->at == '"') {
		for (in->at++; in->at < in->end && *in->at != '"'; in->at++)
			if (*in->at == '\\' && in->at + 1 < in->end)
				in->at++;
		in->at += in->at < in->end;
	} else if (in->at < in->end && is_word(*in->at)) {
		while (in->at < in->end && is_word(*in->at))
			in->at++;
	} else {
		in->at += in->at < in->end;
	}
	token.length = (size_t)(in->at - token.text);
	return token;
}

static int is(struct token token, const char *text)
{
	const size_t length = strlen(text);
	return token.length == length && memcmp(token.text, text, length) == 0;
}

static int starts(struct token token, const char *prefix)
{
	const size_t length = strlen(prefix);
	return token.length > length && memcmp(token.text, prefix, length) == 0;
}

/* .loc and .file run to the end of their line. */
static void skip_line(struct scanner *in)
{
	const char *newline = memchr(in->at, '\n', (size_t)(in->end - in->at));
	in->at = newline ? newline : in->end;
}

/* .section NAME { ... }: DWARF, which nests no braces. */
static void skip_section(struct scanner *in)
{
	const char *close = memchr(in->at, '}', (size_t)(in->end - in->at));
	in->at = close ? close + 1 : in->end;
}

/* Canonical text while it is made. Never longer than what it is made from and a blank for each of its bytes. */
struct canonical {
	char *data;
	size_t length;
};

static void append(struct canonical *out, const char *text, size_t length)
{
	memcpy(out->data + out->length, text, length);
	out->length += length;
}

/* Appends the token; the ordinals of the entry in its module and the entry's own name are left out. Only tokens that begin with
 * '$' or '_' can be either. */
static void put(struct canonical *out, struct token token, struct token name)
{
	const char first = token.text[0];
	if (first != '$' && first != '_' && !(name.length && first == name.text[0])) {
		append(out, token.text, token.length);
		append(out, " ", 1);
		return;
	}
	static const char label[] = "$L__BB", depot[] = "__local_depot", parameter[] = "_param_";
	const int is_own = name.length && token.length >= name.length && memcmp(token.text, name.text, name.length) == 0;
	const struct token behind = {token.text + name.length, is_own ? token.length - name.length : 0};
	if (is_own && (!behind.length || starts(behind, parameter))) {
		append(out, "@", 1);
		append(out, behind.text, behind.length);
	} else if (starts(token, label)) {
		const char *ordinal = memchr(token.text + sizeof label - 1, '_', token.length - (sizeof label - 1));
		append(out, label, sizeof label - 1);
		if (ordinal)
			append(out, ordinal, token.length - (size_t)(ordinal - token.text));
	} else if (starts(token, depot)) {
		append(out, depot, sizeof depot - 1);
	} else if (starts(token, "_Z")) {
		/* variables and functions have other names on the other system, like kernels */
		char *folded = fold_mangled_name(token.text, token.length);
		append(out, folded ? folded : token.text, folded ? strlen(folded) : token.length);
		free(folded);
	} else {
		append(out, token.text, token.length);
	}
	append(out, " ", 1);
}

static int add_digest(struct ptx_digests *digests, struct token name, struct canonical *body)
{
	if (digests->count % 64 == 0) {
		struct ptx_digest *larger = realloc(digests->entries, (size_t)(digests->count + 64) * sizeof *larger);
		if (!larger)
			return -1;
		digests->entries = larger;
	}
	struct ptx_digest *digest = &digests->entries[digests->count];
	digest->name = copy_text(name.text, name.length);
	if (!digest->name)
		return -1;
	sha256_hex(body->data, body->length, digest->digest);
	digests->count++;
	body->length = 0;
	return 0;
}

static int compare_digests(const void *a, const void *b)
{
	return strcmp(((const struct ptx_digest *)a)->name, ((const struct ptx_digest *)b)->name);
}

int ptx_digests_make(const char *text, size_t size, struct ptx_digests *digests, struct error *err)
{
	struct scanner in = {text, text + size};
	struct token name = {0};
	int in_entry = 0, depth = 0, failed = 0;
	size_t room;
	*digests = (struct ptx_digests){0};
	if (size_mul(size, 2, &room) || size_add(room, 64, &room))
		return error_set(err, ERROR_INPUT, "PTX of %zu bytes is too large", size);
	struct canonical body = {.data = malloc(room)}, rest = {.data = malloc(room)};
	failed = !body.data || !rest.data;
	for (struct token token; !failed && (token = next_token(&in)).length;) {
		const int directive = token.text[0] == '.';
		if (directive && (is(token, ".loc") || is(token, ".file"))) {
			skip_line(&in);
			continue;
		}
		/* what it is for is told elsewhere */
		if (directive && !in_entry && (is(token, ".version") || is(token, ".target") || is(token, ".address_size"))) {
			skip_line(&in);
			continue;
		}
		if (directive && is(token, ".section")) {
			skip_section(&in);
			continue;
		}
		if (!in_entry && directive && is(token, ".entry")) {
			name = next_token(&in);
			in_entry = 1;
			depth = 0;
			continue;
		}
		/* how an entry is to be seen stands before it, and says nothing about the rest */
		if (!in_entry && (is(token, ".visible") || is(token, ".weak")))
			continue;
		put(in_entry ? &body : &rest, token, in_entry ? name : (struct token){0});
		if (!in_entry)
			continue;
		const char first = token.text[0];
		depth += first == '{';
		if (first == '}' && --depth <= 0) {
			failed = add_digest(digests, name, &body);
			in_entry = 0;
		}
	}
	if (!failed)
		sha256_hex(rest.data, rest.length, digests->rest);
	free(body.data);
	free(rest.data);
	if (failed) {
		ptx_digests_free(digests);
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	}
	if (digests->count)
		qsort(digests->entries, (size_t)digests->count, sizeof *digests->entries, compare_digests);
	return 0;
}

const char *ptx_digest_of(const struct ptx_digests *digests, const char *name)
{
	int low = 0, high = digests->count;
	while (low < high) {
		const int middle = low + (high - low) / 2, order = strcmp(digests->entries[middle].name, name);
		if (order == 0)
			return digests->entries[middle].digest;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

void ptx_digests_free(struct ptx_digests *digests)
{
	for (int i = 0; i < digests->count; i++)
		free(digests->entries[i].name);
	free(digests->entries);
	*digests = (struct ptx_digests){0};
}
