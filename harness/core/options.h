/* The command line as data: one table per command, from which parsing, checking and --help all come, so that the help
 * cannot drift from what is accepted. */
#ifndef ASSAY_CORE_OPTIONS_H
#define ASSAY_CORE_OPTIONS_H

#include "core/error.h"
#include "core/util.h"

enum option_type {
	OPTION_FLAG,   /* --name           target: int, set to 1 */
	OPTION_TEXT,   /* --name VALUE     target: const char *, points into argv */
	OPTION_COUNT,  /* --name N         target: int64_t, >= 0, decimal or 0x */
	OPTION_SECONDS,/* --name S         target: double, finite, > 0 */
	OPTION_CHOICE, /* --name a|b|c     target: const char *, one of the words of `metavar` separated by '|' */
	OPTION_LIST    /* --name VALUE...  target: struct option_list; may be repeated */
};

struct option_list {
	const char *items[32];
	int count;
};

struct option {
	const char *name;    /* "--device" */
	enum option_type type;
	const char *metavar; /* shown in the help: "cuda:N|cpu"; NULL for flags */
	void *target;
	const char *help;    /* one line, lower case, no full stop */
};

struct command_line {
	const char *program;       /* "assay verify" */
	const char *positional;    /* "PATH..." for the usage line; NULL when none are taken */
	const char *summary;       /* what the command does, one or two sentences */
	const char *details;       /* further text for --help, or NULL */
	const struct option *options;
	int option_count;
};

/* Parses argv[0..argc): accepts --name VALUE, --name=VALUE and, after "--", positionals only. Positionals are moved to
 * the front of argv in order; *positional_count says how many. *help is set when --help or -h is met (parsing stops).
 * ERROR_USAGE names the offending word and the nearest option. */
int command_line_parse(const struct command_line *command, int argc, char **argv, int *positional_count, int *help,
		       struct error *err);

/* Appends usage, summary, options with their help, and details. */
void command_line_help(const struct command_line *command, struct text *out);

#endif
