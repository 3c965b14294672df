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

void cli_append_clean(struct text *out, const char *text, size_t length)
{
	for (size_t start = 0, at = 0; at <= length; at++) {
		const int bad = at < length && ((unsigned char)text[at] < 0x20 || text[at] == 0x7f);
		if (at < length && !bad)
			continue;
		text_append_bytes(out, text + start, at - start);
		if (bad)
			text_append_bytes(out, "?", 1);
		start = at + 1;
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
