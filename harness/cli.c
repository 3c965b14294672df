#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cli_colour(FILE *stream)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
	if ((no_colour && *no_colour) || (terminal && strcmp(terminal, "dumb") == 0))
		return 0;
	return isatty(fileno(stream));
}

static int add_to_text(const char *buffer, size_t size, void *text)
{
	text_append_bytes(text, buffer, size);
	return ((struct text *)text)->failed ? -1 : 0;
}

int cli_write_json(const char *path, const json_t *json, struct error *err)
{
	struct text text = {0};
	int result = -1;
	if (!json || json_dump_callback(json, add_to_text, &text, JSON_INDENT(2) | JSON_REAL_PRECISION(17))) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory while writing JSON");
		goto done;
	}
	text_append(&text, "\n");
	if (text.failed)
		error_set(err, ERROR_ENVIRONMENT, "out of memory while writing JSON");
	else if (strcmp(path, "-") == 0)
		result = cli_write_text(&text, err);
	else
		result = write_file_atomically(path, text.data, text.length, err);
done:
	text_free(&text);
	return result;
}

json_t *cli_json_text(const char *text, size_t length)
{
	json_t *json = json_stringn(text, length);
	if (json)
		return json;
	char *copy = malloc(length + 1);
	if (!copy)
		return NULL;
	for (size_t i = 0; i < length; i++)
		copy[i] = (unsigned char)text[i] >= 0x80 ? '?' : text[i];
	json = json_stringn(copy, length);
	free(copy);
	return json;
}

/* Bytes of the well-formed UTF-8 character at the start of text[0..length) that a terminal shows as such, or 0: control
 * characters, C1 among them, and what is no UTF-8 (RFC 3629; the lead bytes and first continuation of its table). */
static size_t printable_length(const unsigned char *text, size_t length)
{
	const unsigned char lead = text[0];
	if (lead < 0x80)
		return lead >= 0x20 && lead != 0x7f;
	const size_t size = lead >= 0xc2 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
	if (size == 0 || size > length)
		return 0;
	const unsigned char low = lead == 0xc2 ? 0xa0 : lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	const unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	if (text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i < size; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	return size;
}

void cli_append_clean(struct text *out, const char *text, size_t length)
{
	for (size_t start = 0, at = 0;;) {
		const size_t size = at < length ? printable_length((const unsigned char *)text + at, length - at) : 0;
		if (size) {
			at += size;
			continue;
		}
		text_append_bytes(out, text + start, at - start);
		if (at == length)
			return;
		text_append_bytes(out, "?", 1);
		start = ++at;
	}
}

int cli_write_text(const struct text *text, struct error *err)
{
	const size_t length = text->length;
	if (text->failed)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if ((length && fwrite(text->data, 1, length, stdout) != length) || fflush(stdout))
		return error_set(err, ERROR_INPUT, "standard output: cannot be written: %s", strerror(errno));
	return 0;
}

int cli_fail(const struct error *err)
{
	struct text text = {0};
	cli_append_clean(&text, err->message, strlen(err->message));
	/* messages about the command line name the command themselves */
	fprintf(stderr, "%s%s\n", strncmp(err->message, "assay ", 6) == 0 ? "" : "assay: ", text.data ? text.data : "out of memory");
	text_free(&text);
	return error_exit_code(err->kind);
}

int cli_print_help(const struct command_line *command)
{
	struct text help = {0};
	struct error err = {0};
	command_line_help(command, &help);
	const int code = cli_write_text(&help, &err) ? cli_fail(&err) : 0;
	text_free(&help);
	return code;
}
