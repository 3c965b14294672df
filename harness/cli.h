/* What the commands share: where output goes and how it looks. */
#ifndef ASSAY_HARNESS_CLI_H
#define ASSAY_HARNESS_CLI_H

#include "core/error.h"
#include "core/options.h"
#include "core/util.h"

#include <jansson.h>
#include <stdio.h>

/* Whether escape sequences for colour are welcome: on a terminal, unless NO_COLOR (https://no-color.org) is set to
 * anything or TERM says dumb. */
int cli_colour(FILE *stream);

/* Writes a JSON value, indented, and a newline, to a file (whole or not at all) or to standard output for "-". */
int cli_write_json(const char *path, const json_t *json, struct error *err);

/* A JSON string of bytes from a file that may be anything: what is not UTF-8 becomes '?'. NULL when memory runs out. */
json_t *cli_json_text(const char *text, size_t length);

/* Appends text from a file, with control characters and what is no UTF-8 as '?', so that it cannot command the terminal. */
void cli_append_clean(struct text *out, const char *text, size_t length);

/* Writes the text to standard output. ERROR_INPUT when that fails (a full disk, a closed pipe). */
int cli_write_text(const struct text *text, struct error *err);

/* Prints "assay: message" to standard error and returns the exit code of its kind. */
int cli_fail(const struct error *err);

/* Prints the command's help to standard output; returns the exit code. */
int cli_print_help(const struct command_line *command);

#endif
