#include "core/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct option *find_option(const struct command_line *command, const char *name, size_t length)
{
	for (int i = 0; i < command->option_count; i++)
		if (strlen(command->options[i].name) == length && strncmp(command->options[i].name, name, length) == 0)
			return &command->options[i];
	return NULL;
}

/* Levenshtein distance of short words, to name the option that was probably meant. */
static int edit_distance(const char *a, const char *b)
{
	enum { LONGEST = 48 };
	int row[LONGEST + 1];
	const int width = (int)strlen(b);
	if (width > LONGEST || strlen(a) > LONGEST)
		return LONGEST;
	for (int j = 0; j <= width; j++)
		row[j] = j;
	for (int i = 1; a[i - 1]; i++) {
		int diagonal = row[0];
		row[0] = i;
		for (int j = 1; j <= width; j++) {
			const int above = row[j];
			int best = diagonal + (a[i - 1] != b[j - 1]);
			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[width];
}

static int unknown_option(const struct command_line *command, const char *word, struct error *err)
{
	const char *nearest = NULL;
	int distance = 4;
	for (int i = 0; i < command->option_count; i++) {
		const int d = edit_distance(word, command->options[i].name);
		if (d < distance) {
			distance = d;
			nearest = command->options[i].name;
		}
	}
	if (nearest)
		return error_set(err, ERROR_USAGE, "%s: unknown option %s; did you mean %s?", command->program, word, nearest);
	return error_set(err, ERROR_USAGE, "%s: unknown option %s; see %s --help", command->program, word, command->program);
}

static int is_choice(const char *choices, const char *value)
{
	const size_t length = strlen(value);
	for (const char *at = choices; at; at = strchr(at, '|')) {
		if (*at == '|')
			at++;
		const size_t word = strcspn(at, "|");
		if (word == length && strncmp(at, value, length) == 0)
			return 1;
	}
	return 0;
}

static int set_value(const struct command_line *command, const struct option *option, const char *value,
		     struct error *err)
{
	char *end;
	errno = 0;
	switch (option->type) {
	case OPTION_FLAG:
		break;
	case OPTION_TEXT:
		*(const char **)option->target = value;
		return 0;
	case OPTION_CHOICE:
		if (!is_choice(option->metavar, value))
			return error_set(err, ERROR_USAGE, "%s: %s takes %s, not '%s'", command->program, option->name,
					 option->metavar, value);
		*(const char **)option->target = value;
		return 0;
	case OPTION_COUNT: {
		const long long number = strtoll(value, &end, 0);
		if (end == value || *end || errno || number < 0)
			return error_set(err, ERROR_USAGE, "%s: %s takes a whole number from 0 up, not '%s'",
					 command->program, option->name, value);
		*(int64_t *)option->target = number;
		return 0;
	}
	case OPTION_SECONDS: {
		const double seconds = strtod(value, &end);
		if (end == value || *end || !(seconds > 0) || !isfinite(seconds))
			return error_set(err, ERROR_USAGE, "%s: %s takes a number of seconds above 0, not '%s'",
					 command->program, option->name, value);
		*(double *)option->target = seconds;
		return 0;
	}
	case OPTION_LIST: {
		struct option_list *list = option->target;
		if (list->count == (int)ARRAY_COUNT(list->items))
			return error_set(err, ERROR_USAGE, "%s: %s was given more than %zu times", command->program,
					 option->name, ARRAY_COUNT(list->items));
		list->items[list->count++] = value;
		return 0;
	}
	}
	return error_set(err, ERROR_INTERNAL, "option %s has no setter", option->name);
}

int command_line_parse(const struct command_line *command, int argc, char **argv, int *positional_count, int *help,
		       struct error *err)
{
	*positional_count = 0;
	*help = 0;
	int only_positionals = 0;
	for (int i = 0; i < argc; i++) {
		char *word = argv[i];
		if (only_positionals || word[0] != '-' || word[1] == '\0') {
			if (!command->positional)
				return error_set(err, ERROR_USAGE, "%s: takes no argument such as '%s'; see %s --help",
						 command->program, word, command->program);
			argv[(*positional_count)++] = word;
			continue;
		}
		if (strcmp(word, "--") == 0) {
			only_positionals = 1;
			continue;
		}
		if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
			*help = 1;
			return 0;
		}
		const size_t length = strcspn(word, "=");
		const struct option *option = find_option(command, word, length);
		if (!option)
			return unknown_option(command, word, err);
		const char *value = word[length] == '=' ? word + length + 1 : NULL;
		if (option->type == OPTION_FLAG) {
			if (value)
				return error_set(err, ERROR_USAGE, "%s: %s takes no value", command->program, option->name);
			*(int *)option->target = 1;
			continue;
		}
		if (!value) {
			if (i + 1 == argc)
				return error_set(err, ERROR_USAGE, "%s: %s needs a value: %s", command->program,
						 option->name, option->metavar);
			value = argv[++i];
		}
		if (set_value(command, option, value, err))
			return -1;
	}
	return 0;
}

void command_line_help(const struct command_line *command, struct text *out)
{
	text_append(out, "usage: %s%s%s%s\n\n%s\n", command->program, command->positional ? " " : "",
		    command->positional ? command->positional : "", command->option_count ? " [options]" : "",
		    command->summary);
	if (command->option_count)
		text_append(out, "\noptions:\n");
	for (int i = 0; i < command->option_count; i++) {
		const struct option *option = &command->options[i];
		char head[64];
		snprintf(head, sizeof head, "%s%s%s", option->name, option->metavar ? " " : "",
			 option->metavar ? option->metavar : "");
		if (strlen(head) > 26)
			text_append(out, "  %s\n  %-26s %s\n", head, "", option->help);
		else
			text_append(out, "  %-26s %s\n", head, option->help);
	}
	text_append(out, "  %-26s %s\n", "--help", "print this help");
	if (command->details)
		text_append(out, "\n%s\n", command->details);
}
