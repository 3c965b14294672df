#include "core/util.h"
#include "dataset/spec_private.h"

#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

enum {
	TEXT_MAX = 1 << 20,
	NAME_MAX_LENGTH = 47 /* of a section or a key: inih cuts longer ones off without a word */
};

struct exclude_word { /* as written; made into an exclusion when the section is complete */
	char *word;
	int line;
};

struct parser {
	struct spec *spec;
	const char *at;        /* rest of the text */
	int line;              /* that inih is looking at */
	int indented;          /* that line starts with a space */
	char last_key[NAME_MAX_LENGTH + 1]; /* of this section, for continuation lines; "" at its start */
	struct exclude_word *excludes;
	size_t exclude_count;
	int exclude_line, pairwise_line;
	spec_axes_of axes_of;
	void *context;
	struct error *err;
	int failed;            /* an error is set; the rest of the text is of no interest */
};

__attribute__((format(printf, 3, 4))) static int fail(struct parser *parser, int line, const char *format, ...)
{
	char message[512];
	va_list args;
	if (parser->failed)
		return -1;
	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	parser->failed = 1;
	return error_set(parser->err, ERROR_INPUT, "%s:%d: %s", parser->spec->name, line, message);
}

static int out_of_memory(struct parser *parser)
{
	if (!parser->failed)
		error_set(parser->err, ERROR_ENVIRONMENT, "%s: out of memory", parser->spec->name);
	parser->failed = 1;
	return -1;
}

/* Makes room for one more in an array that grows by doubling. */
static int grow(struct parser *parser, void *array_address, size_t count, size_t size)
{
	void **array = array_address;
	if (count && (count & (count - 1)))
		return 0;
	void *larger = realloc(*array, (count ? 2 * count : 1) * size);
	if (!larger)
		return out_of_memory(parser);
	*array = larger;
	return 0;
}

static struct section *current(const struct parser *parser)
{
	return parser->spec->section_count ? &parser->spec->sections[parser->spec->section_count - 1] : NULL;
}

static int is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* ---- values ---- */

static int add_value(struct parser *parser, struct value_list *list, const char *word, size_t length)
{
	if (length >= SPEC_VALUE_MAX)
		return fail(parser, parser->line, "'%.40s...' is longer than %d bytes", word, SPEC_VALUE_MAX - 1);
	if (list->count >= VALUES_MAX)
		return fail(parser, parser->line, "'%s' has more than %d values", list->axis, VALUES_MAX);
	for (size_t i = 0; i < length; i++)
		if (word[i] <= ' ' || word[i] > '~' || word[i] == '=')
			return fail(parser, parser->line, "the value '%.*s' of '%s' holds %s; separate values by commas, and do not "
				    "indent a new key", (int)length, word, list->axis,
				    word[i] == '=' ? "'='" : is_blank(word[i]) ? "a space" : "a character that is not printable ASCII");
	if (grow(parser, &list->values, list->count, sizeof *list->values))
		return -1;
	list->values[list->count] = copy_text(word, length);
	if (!list->values[list->count])
		return out_of_memory(parser);
	list->count++;
	return 0;
}

static int parse_whole(const char **at, long long *value)
{
	char *end;
	errno = 0;
	/* strtoll would take spaces and '+' as well */
	if (**at != '-' && (**at < '0' || **at > '9'))
		return -1;
	*value = strtoll(*at, &end, 10);
	if (errno || end == *at)
		return -1;
	*at = end;
	return 0;
}

/* `a..b` or `a..b:step` */
static int add_range(struct parser *parser, struct value_list *list, const char *word)
{
	long long first, last, step = 1;
	const char *at = word;
	if (parse_whole(&at, &first) || strncmp(at, "..", 2) != 0)
		goto wrong;
	at += 2;
	if (parse_whole(&at, &last))
		goto wrong;
	if (*at == ':') {
		at++;
		if (parse_whole(&at, &step))
			goto wrong;
	}
	if (*at || step < 1 || last < first)
		goto wrong;
	for (;;) {
		char value[24];
		const int length = snprintf(value, sizeof value, "%lld", first);
		if (add_value(parser, list, value, (size_t)length))
			return -1;
		if (__builtin_add_overflow(first, step, &first) || first > last)
			return 0;
	}
wrong:
	return fail(parser, parser->line, "'%s' is no range of whole numbers; write first..last or first..last:step, rising", word);
}

typedef int (*add_word)(struct parser *parser, void *target, const char *word);

static int add_axis_word(struct parser *parser, void *target, const char *word)
{
	return strstr(word, "..") ? add_range(parser, target, word) : add_value(parser, target, word, strlen(word));
}

static int add_exclude_word(struct parser *parser, void *target, const char *word)
{
	(void)target;
	if (grow(parser, &parser->excludes, parser->exclude_count, sizeof *parser->excludes))
		return -1;
	char *copy = strdup(word);
	if (!copy)
		return out_of_memory(parser);
	parser->excludes[parser->exclude_count++] = (struct exclude_word){copy, parser->line};
	return 0;
}

/* Splits at commas. A comma at the end of a line may be followed by more on the next one, so nothing after it is fine. */
static int split(struct parser *parser, const char *key, const char *text, add_word add, void *target)
{
	char word[512];
	while (*text) {
		const size_t span = strcspn(text, ",");
		const char *start = text, *end = text + span;
		while (start < end && is_blank(*start))
			start++;
		while (end > start && is_blank(end[-1]))
			end--;
		if (start == end)
			return fail(parser, parser->line, "'%s' has an empty value between commas", key);
		snprintf(word, sizeof word, "%.*s", (int)(end - start), start); /* a line of inih's fits */
		if (add(parser, target, word))
			return -1;
		text += span;
		if (*text == ',')
			text++;
		while (is_blank(*text))
			text++;
	}
	return 0;
}

/* ---- the end of a section ---- */

static int compare_values(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static int check_axis(struct parser *parser, const struct value_list *list, const char *const *known)
{
	int found = 0;
	for (int i = 0; known[i]; i++)
		found |= strcmp(known[i], list->axis) == 0;
	if (!found) {
		struct text names = {0};
		for (int i = 0; known[i]; i++)
			text_append(&names, "%s%s", i ? ", " : "", known[i]);
		fail(parser, list->line, "family '%s' has no axis '%s'; it has: %s", current(parser)->family, list->axis,
		     names.failed || !names.data ? "none" : names.data);
		text_free(&names);
		return -1;
	}
	if (list->count == 0)
		return fail(parser, list->line, "'%s' has no values; list some or leave the line out", list->axis);
	char **sorted = malloc(list->count * sizeof *sorted);
	if (!sorted)
		return out_of_memory(parser);
	memcpy(sorted, list->values, list->count * sizeof *sorted);
	qsort(sorted, list->count, sizeof *sorted, compare_values);
	for (size_t i = 1; i < list->count; i++)
		if (strcmp(sorted[i - 1], sorted[i]) == 0) {
			fail(parser, list->line, "'%s' has the value '%s' twice", list->axis, sorted[i]);
			break;
		}
	free(sorted);
	return parser->failed ? -1 : 0;
}

static int add_term(struct parser *parser, struct exclusion *exclusion, char *term, int line)
{
	const struct section *section = current(parser);
	char *pattern = strchr(term, ':');
	int axis = 0;
	if (!pattern || pattern == term || !pattern[1])
		return fail(parser, line, "'%s' is no exclusion; write axis:value, joined by '+' where several must hold", term);
	*pattern++ = '\0';
	while (axis < section->axis_count && strcmp(section->axes[axis].axis, term) != 0)
		axis++;
	if (axis == section->axis_count)
		return fail(parser, line, "the exclusion names '%s', an axis that section [%s] does not set", term, section->name);
	for (int i = 0; i < exclusion->term_count; i++)
		if (exclusion->terms[i].axis == axis)
			return fail(parser, line, "the exclusion names '%s' twice; write two exclusions", term);
	const struct value_list *list = &section->axes[axis];
	unsigned char *matches = calloc(list->count, 1);
	if (!matches)
		return out_of_memory(parser);
	exclusion->terms[exclusion->term_count++] = (struct exclusion_term){.axis = axis, .matches = matches};
	int matched = 0;
	for (size_t value = 0; value < list->count; value++)
		matched |= matches[value] = glob_match(pattern, list->values[value]) != 0;
	if (!matched)
		return fail(parser, line, "the exclusion '%s:%s' matches no value of that axis; correct it or leave it out", term,
			    pattern);
	return 0;
}

static int add_exclusion(struct parser *parser, const struct exclude_word *word)
{
	struct section *section = current(parser);
	if (grow(parser, &section->exclusions, section->exclusion_count, sizeof *section->exclusions))
		return -1;
	struct exclusion *exclusion = &section->exclusions[section->exclusion_count++];
	*exclusion = (struct exclusion){0};
	char *rest = word->word;
	while (rest) {
		char *term = strsep(&rest, "+");
		if (add_term(parser, exclusion, term, word->line))
			return -1;
	}
	return 0;
}

static int finish_section(struct parser *parser)
{
	struct section *section = current(parser);
	if (!section || parser->failed)
		return parser->failed ? -1 : 0;
	if (!section->family)
		return fail(parser, section->line, "section [%s] names no family; add a line such as `family = attention`",
			    section->name);
	const char *const *known = parser->axes_of(section->family, parser->context);
	if (!known)
		return fail(parser, section->line, "section [%s]: there is no family '%s'", section->name, section->family);
	if (section->axis_count == 0)
		return fail(parser, section->line, "section [%s] sets no axis; add one", section->name);
	for (int axis = 0; axis < section->axis_count; axis++)
		if (check_axis(parser, &section->axes[axis], known))
			return -1;
	if (parser->exclude_line && parser->exclude_count == 0)
		return fail(parser, parser->exclude_line, "'exclude' has no values; list some or leave the line out");
	for (size_t i = 0; i < parser->exclude_count; i++)
		if (add_exclusion(parser, &parser->excludes[i]))
			return -1;
	section->first = parser->spec->case_count;
	if (section_make_cases(section, parser->spec->name, SPEC_CASES_MAX - section->first, parser->err)) {
		parser->failed = 1;
		return -1;
	}
	parser->spec->case_count += section->row_count;
	return 0;
}

/* ---- lines ---- */

static int begin_section(struct parser *parser, const char *name, size_t length)
{
	if (finish_section(parser))
		return -1;
	for (size_t i = 0; i < parser->exclude_count; i++)
		free(parser->excludes[i].word);
	free(parser->excludes);
	parser->excludes = NULL;
	parser->exclude_count = 0;
	parser->exclude_line = parser->pairwise_line = 0;
	parser->last_key[0] = '\0';
	if (length == 0 || length > NAME_MAX_LENGTH)
		return fail(parser, parser->line, "a section's name has 1 to %d bytes", NAME_MAX_LENGTH);
	for (size_t i = 0; i < length; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return fail(parser, parser->line, "a section's name is printable and has no spaces");
	struct spec *spec = parser->spec;
	for (size_t i = 0; i < spec->section_count; i++)
		if (strlen(spec->sections[i].name) == length && memcmp(spec->sections[i].name, name, length) == 0)
			return fail(parser, parser->line, "section [%s] is there already, at line %d; give this one another name",
				    spec->sections[i].name, spec->sections[i].line);
	if (grow(parser, &spec->sections, spec->section_count, sizeof *spec->sections))
		return -1;
	char *copy = copy_text(name, length);
	if (!copy)
		return out_of_memory(parser);
	spec->sections[spec->section_count++] = (struct section){.name = copy, .line = parser->line};
	return 0;
}

/* Gives inih one line without its comment and trailing space, so that all its versions see the same; takes note of
 * section headers, which inih itself does not report. */
static char *read_line(char *buffer, int size, void *stream)
{
	struct parser *parser = stream;
	const char *start = parser->at;
	if (parser->failed || !*start)
		return NULL;
	const char *end = start + strcspn(start, "\n");
	parser->at = *end ? end + 1 : end;
	parser->line++;

	const char *first = start;
	while (first < end && is_blank(*first))
		first++;
	if (first < end && (*first == ';' || *first == '#'))
		end = first;
	for (const char *at = first; at < end; at++)
		if (*at == ';' && at > start && is_blank(at[-1]))
			end = at;
	while (end > start && is_blank(end[-1]))
		end--;
	if (first > end)
		first = end;
	parser->indented = first > start;

	const size_t length = (size_t)(end - start);
	if (size < 3 || length > (size_t)size - 3) {
		fail(parser, parser->line, "the line is longer than %d bytes; continue it on the next line, indented", size - 3);
		return NULL;
	}
	if (first < end && *first == '[') {
		if (parser->indented || end[-1] != ']') {
			fail(parser, parser->line, "a section header is `[name]`, not indented, with nothing behind it");
			return NULL;
		}
		if (begin_section(parser, first + 1, (size_t)(end - first) - 2))
			return NULL;
	}
	memcpy(buffer, start, length);
	memcpy(buffer + length, "\n", 2);
	return buffer;
}

static struct value_list *find_axis(struct section *section, const char *key)
{
	for (int axis = 0; axis < section->axis_count; axis++)
		if (strcmp(section->axes[axis].axis, key) == 0)
			return &section->axes[axis];
	return NULL;
}

static int set_family(struct parser *parser, struct section *section, const char *value)
{
	if (section->family)
		return fail(parser, parser->line, "section [%s] has 'family' twice", section->name);
	if (!*value)
		return fail(parser, parser->line, "'family' is empty");
	section->family = strdup(value);
	return section->family ? 0 : out_of_memory(parser);
}

static int set_pairwise(struct parser *parser, struct section *section, const char *value)
{
	if (parser->pairwise_line)
		return fail(parser, parser->line, "section [%s] has 'pairwise' twice", section->name);
	parser->pairwise_line = parser->line;
	section->pairwise = strcmp(value, "yes") == 0;
	if (!section->pairwise && strcmp(value, "no") != 0)
		return fail(parser, parser->line, "'pairwise' is '%.64s'; say yes or no", value);
	return 0;
}

static int set_list(struct parser *parser, struct section *section, const char *key, const char *value, int continued)
{
	if (strcmp(key, "exclude") == 0) {
		if (parser->exclude_line && !continued)
			return fail(parser, parser->line, "section [%s] has 'exclude' twice; join the two", section->name);
		parser->exclude_line = parser->exclude_line ? parser->exclude_line : parser->line;
		return split(parser, key, value, add_exclude_word, NULL);
	}
	struct value_list *list = find_axis(section, key);
	if (list && !continued)
		return fail(parser, parser->line, "section [%s] has '%s' twice, at line %d as well; join the two", section->name, key,
			    list->line);
	if (!list) {
		if (section->axis_count >= SPEC_AXES_MAX)
			return fail(parser, parser->line, "section [%s] sets more than %d axes", section->name, SPEC_AXES_MAX);
		char *name = strdup(key);
		if (!name)
			return out_of_memory(parser);
		list = &section->axes[section->axis_count++];
		*list = (struct value_list){.axis = name, .line = parser->line};
	}
	return split(parser, key, value, add_axis_word, list);
}

/* inih calls this for every `key = value` and for every continuation line, with the key it continues. */
static int take_line(void *user, const char *section_name, const char *key, const char *value)
{
	struct parser *parser = user;
	struct section *section = current(parser);
	(void)section_name; /* may be cut off: read_line knows better */
	if (parser->failed)
		return 0;
	if (!section) {
		fail(parser, parser->line, "'%.64s' stands before the first section; add a line `[name]` above it", key);
		return 0;
	}
	const int continued = parser->indented && parser->last_key[0];
	if (!continued && (!*key || strlen(key) > NAME_MAX_LENGTH)) {
		fail(parser, parser->line, "a key has 1 to %d bytes", NAME_MAX_LENGTH);
		return 0;
	}
	if (!continued)
		snprintf(parser->last_key, sizeof parser->last_key, "%s", key);
	key = parser->last_key;
	const int is_family = strcmp(key, "family") == 0, is_pairwise = strcmp(key, "pairwise") == 0;
	if (continued && (is_family || is_pairwise))
		return fail(parser, parser->line, "'%s' has one value; is this line indented by mistake?", key) == 0;
	if (is_family)
		return set_family(parser, section, value) == 0;
	if (is_pairwise)
		return set_pairwise(parser, section, value) == 0;
	return set_list(parser, section, key, value, continued) == 0;
}

int spec_parse(struct spec **out, const char *name, const char *text, spec_axes_of axes_of, void *context,
	       struct error *err)
{
	*out = NULL;
	struct spec *spec = calloc(1, sizeof *spec);
	struct parser parser = {.spec = spec, .axes_of = axes_of, .context = context, .err = err};
	if (!spec || !(spec->name = strdup(name)) || !(spec->text = strdup(text))) {
		error_set(err, ERROR_ENVIRONMENT, "%s: out of memory", name);
		goto done;
	}
	parser.at = spec->text;
	if (strncmp(parser.at, "\xef\xbb\xbf", 3) == 0)
		parser.at += 3;
	if (strlen(text) > TEXT_MAX) {
		fail(&parser, 1, "a spec has at most %d bytes", TEXT_MAX);
		goto done;
	}
	const int bad_line = ini_parse_stream(read_line, &parser, take_line, &parser);
	if (parser.failed)
		goto done;
	if (bad_line > 0) {
		fail(&parser, bad_line, "is neither `[section]` nor `key = values`");
		goto done;
	}
	if (bad_line < 0) {
		out_of_memory(&parser);
		goto done;
	}
	if (spec->section_count == 0) {
		fail(&parser, parser.line ? parser.line : 1, "holds no section; start one with a line `[name]`");
		goto done;
	}
	finish_section(&parser);
done:
	for (size_t i = 0; i < parser.exclude_count; i++)
		free(parser.excludes[i].word);
	free(parser.excludes);
	if (!spec || parser.failed || !spec->case_count) {
		spec_close(spec);
		return -1;
	}
	*out = spec;
	return 0;
}

int spec_open(struct spec **spec, const char *path, spec_axes_of axes_of, void *context, struct error *err)
{
	struct file_map map;
	char *text = NULL;
	int result = -1;
	*spec = NULL;
	if (file_map_open(&map, path, err))
		return -1;
	if (map.size > TEXT_MAX || (map.size && memchr(map.data, '\0', map.size))) {
		error_set(err, ERROR_INPUT, "%s: is no spec: %s; give a text file", path,
			  map.size > TEXT_MAX ? "it is larger than a megabyte" : "it holds bytes that are no text");
		goto done;
	}
	text = map.size ? copy_text((const char *)map.data, map.size) : strdup("");
	if (!text) {
		error_set(err, ERROR_ENVIRONMENT, "%s: out of memory", path);
		goto done;
	}
	result = spec_parse(spec, path, text, axes_of, context, err);
done:
	free(text);
	file_map_close(&map);
	return result;
}

size_t spec_count(const struct spec *spec)
{
	return spec->case_count;
}

struct assignment spec_at(const struct spec *spec, size_t index)
{
	size_t low = 0, high = spec->section_count;
	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;
		if (spec->sections[middle].first <= index)
			low = middle;
		else
			high = middle;
	}
	const struct section *section = &spec->sections[low];
	const uint16_t *row = section->rows + (index - section->first) * (size_t)section->axis_count;
	struct assignment assignment = {.family = section->family, .group = section->name, .axis_count = section->axis_count,
					.line = section->line};
	for (int axis = 0; axis < section->axis_count; axis++) {
		assignment.axes[axis] = section->axes[axis].axis;
		assignment.values[axis] = section->axes[axis].values[row[axis]];
	}
	return assignment;
}

const char *assignment_value(const struct assignment *assignment, const char *axis)
{
	for (int i = 0; i < assignment->axis_count; i++)
		if (strcmp(assignment->axes[i], axis) == 0)
			return assignment->values[i];
	return NULL;
}

const char *spec_text(const struct spec *spec)
{
	return spec->text;
}

void spec_close(struct spec *spec)
{
	if (!spec)
		return;
	for (size_t s = 0; s < spec->section_count; s++) {
		struct section *section = &spec->sections[s];
		for (int axis = 0; axis < section->axis_count; axis++) {
			for (size_t value = 0; value < section->axes[axis].count; value++)
				free(section->axes[axis].values[value]);
			free(section->axes[axis].values);
			free(section->axes[axis].axis);
		}
		for (size_t i = 0; i < section->exclusion_count; i++)
			for (int t = 0; t < section->exclusions[i].term_count; t++)
				free(section->exclusions[i].terms[t].matches);
		free(section->exclusions);
		free(section->rows);
		free(section->name);
		free(section->family);
	}
	free(spec->sections);
	free(spec->name);
	free(spec->text);
	free(spec);
}
