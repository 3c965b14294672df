/* Policies as text: INI by inih, into settings that point at rows of the table of rules. */
#include "artifact/policy_private.h"
#include "core/util.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

enum {
	TEXT_MAX = 1 << 20,
	NAME_MAX_LENGTH = 47, /* of a key: inih cuts longer ones off without a word */
	HEAD_MAX_LENGTH = 150,
};

struct reading {
	struct policy *policy;
	const char *name; /* of the text, in messages */
	const char *at;   /* rest of the text */
	int line;         /* that inih is looking at */
	int indented;     /* it starts with a blank */
	char section[HEAD_MAX_LENGTH + 1], argument[HEAD_MAX_LENGTH + 1]; /* of the header in force: [SECTION ARGUMENT] */
	int setting;      /* index of the last one, which an indented line continues; -1 */
	struct error *err;
	int failed;       /* an error is set */
};

__attribute__((format(printf, 2, 3))) static int fail(struct reading *in, const char *format, ...)
{
	char message[700];
	va_list args;
	if (in->failed)
		return -1;
	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	in->failed = 1;
	if (!in->line) /* of an empty text */
		return error_set(in->err, ERROR_INPUT, "%s: %s", in->name, message);
	return error_set(in->err, ERROR_INPUT, "%s:%d: %s", in->name, in->line, message);
}

static int out_of_memory(struct reading *in)
{
	if (!in->failed)
		error_set(in->err, ERROR_ENVIRONMENT, "%s: out of memory", in->name);
	in->failed = 1;
	return -1;
}

static int is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static void setting_free(struct policy_setting *setting)
{
	for (int i = 0; i < setting->value_count; i++)
		free(setting->values[i]);
	free(setting->values);
	free(setting->group);
	free(setting->files);
	free(setting->origin);
	*setting = (struct policy_setting){0};
}

void policy_free(struct policy *policy)
{
	for (int i = 0; i < policy->count; i++)
		setting_free(&policy->settings[i]);
	free(policy->settings);
	*policy = (struct policy){0};
}

static int same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Index of the setting under that rule, group and files, or -1. */
static int find_setting(const struct policy *policy, const struct policy_rule *rule, const char *group, const char *files)
{
	for (int i = 0; i < policy->count; i++)
		if (policy->settings[i].rule == rule && same_text(policy->settings[i].group, group) &&
		    same_text(policy->settings[i].files, files))
			return i;
	return -1;
}

/* A setting without values, in place of an earlier text's. Its index, or -1. */
static int begin_setting(struct reading *in, const struct policy_rule *rule, const char *group, const char *files)
{
	struct policy *policy = in->policy;
	int index = find_setting(policy, rule, group, files);
	if (index >= 0 && policy->settings[index].layer == policy->layers) {
		return fail(in, "'%s' is set twice, at line %d as well; join the two", rule->key, policy->settings[index].line);
	} else if (index >= 0) {
		setting_free(&policy->settings[index]);
	} else {
		struct policy_setting *larger = realloc(policy->settings, (size_t)(policy->count + 1) * sizeof *larger);
		if (!larger)
			return out_of_memory(in);
		policy->settings = larger;
		index = policy->count++;
	}
	struct policy_setting *setting = &policy->settings[index];
	*setting = (struct policy_setting){.rule = rule, .layer = policy->layers, .line = in->line};
	if ((group && !(setting->group = strdup(group))) || (files && !(setting->files = strdup(files))))
		return out_of_memory(in);
	const int length = in->line ? asprintf(&setting->origin, "%s:%d", path_base(in->name), in->line)
				    : asprintf(&setting->origin, "%s", in->name);
	if (length < 0) {
		setting->origin = NULL;
		return out_of_memory(in);
	}
	return index;
}

static int add_value(struct reading *in, struct policy_setting *setting, const char *value, size_t length)
{
	const struct policy_rule *rule = setting->rule;
	if (setting->value_count && !rule->is_list)
		return fail(in, "'%s' takes one value", rule->key);
	char **larger = realloc(setting->values, (size_t)(setting->value_count + 1) * sizeof *larger);
	if (!larger)
		return out_of_memory(in);
	setting->values = larger;
	char *copy = copy_text(value, length);
	if (!copy)
		return out_of_memory(in);
	setting->values[setting->value_count++] = copy;
	const char *expected = strcmp(copy, "any") == 0 || !rule->wrong ? NULL : rule->wrong(copy);
	if (expected)
		return fail(in, "'%s' takes %s, not '%.80s'", rule->key, expected, copy);
	for (int i = 0; i + 1 < setting->value_count; i++)
		if (strcmp(setting->values[i], copy) == 0)
			return fail(in, "'%s' has the value '%.80s' twice", rule->key, copy);
	return 0;
}

/* Splits at commas, unless they belong to the value. A comma at the end of a line goes on in the next. */
static int add_values(struct reading *in, struct policy_setting *setting, const char *text)
{
	while (*text) {
		const size_t span = setting->rule->whole_line ? strlen(text) : strcspn(text, ",");
		const char *start = text, *end = text + span;
		while (start < end && is_blank(*start))
			start++;
		while (end > start && is_blank(end[-1]))
			end--;
		if (start == end)
			return fail(in, "'%s' has an empty value between commas", setting->rule->key);
		if (add_value(in, setting, start, (size_t)(end - start)))
			return -1;
		text += span;
		text += *text == ',';
		while (is_blank(*text))
			text++;
	}
	return 0;
}

static int finish_setting(struct reading *in)
{
	if (in->setting < 0 || in->failed)
		return in->failed ? -1 : 0;
	const struct policy_setting *setting = &in->policy->settings[in->setting];
	if (setting->value_count == 0)
		return fail(in, "'%s' at line %d has no value; give one, `any` for no rule, or leave the line out", setting->rule->key,
			    setting->line);
	return 0;
}

static int is_section(const char *section)
{
	for (size_t i = 0; i < policy_rule_count; i++)
		if (strcmp(policy_rules[i].section, section) == 0)
			return 1;
	return 0;
}

/* Names of the sections, or of a section's keys, each once. */
static void list_names(const char *section, char *out, size_t size)
{
	size_t used = 0;
	const char *last = "";
	out[0] = '\0';
	for (size_t i = 0; i < policy_rule_count; i++) {
		const char *name = section ? policy_rules[i].key : policy_rules[i].section;
		if ((section && strcmp(policy_rules[i].section, section) != 0) || (!section && strcmp(last, name) == 0))
			continue;
		const int length = snprintf(out + used, size - used, "%s%s", used ? ", " : "", name);
		if (length < 0 || (size_t)length >= size - used)
			return;
		used += (size_t)length;
		last = name;
	}
}

static int begin_section(struct reading *in, const char *head, size_t length)
{
	char names[400];
	if (finish_setting(in))
		return -1;
	in->setting = -1;
	if (length == 0 || length > HEAD_MAX_LENGTH)
		return fail(in, "a section's header has 1 to %d bytes", HEAD_MAX_LENGTH);
	size_t word = 0, rest;
	while (word < length && !is_blank(head[word]))
		word++;
	for (rest = word; rest < length && is_blank(head[rest]);)
		rest++;
	snprintf(in->section, sizeof in->section, "%.*s", (int)word, head);
	snprintf(in->argument, sizeof in->argument, "%.*s", (int)(length - rest), head + rest);
	if (!is_section(in->section)) {
		list_names(NULL, names, sizeof names);
		return fail(in, "there is no section [%.60s]; there are: %s", in->section, names);
	}
	const int is_group = strcmp(in->section, "kernels") == 0;
	if (is_group && !in->argument[0])
		return fail(in, "a [kernels] section has a name, as in [kernels attention]");
	if (in->argument[0] && (strcmp(in->section, "folder") == 0 || strcmp(in->section, "against") == 0))
		return fail(in, "[%s] is about all files: it takes no file name", in->section);
	return 0;
}

/* Gives inih one line without its comment and trailing blanks, so that all its versions see the same; takes note of
 * section headers, which inih cuts off at 50 bytes. */
static char *read_line(char *buffer, int size, void *stream)
{
	struct reading *in = stream;
	const char *start = in->at;
	if (in->failed || !*start)
		return NULL;
	const char *end = start + strcspn(start, "\n"), *first = start;
	in->at = *end ? end + 1 : end;
	in->line++;
	while (first < end && is_blank(*first))
		first++;
	if (first < end && (*first == ';' || *first == '#'))
		end = first;
	for (const char *at = first; at < end; at++)
		if (*at == ';' && at > start && is_blank(at[-1]))
			end = at;
	while (end > start && is_blank(end[-1]))
		end--;
	first = first > end ? end : first;
	in->indented = first > start;
	const size_t length = (size_t)(end - start);
	if (size < 3 || length > (size_t)size - 3) {
		fail(in, "the line is longer than %d bytes; continue it on the next line, indented", size - 3);
		return NULL;
	}
	if (first < end && *first == '[') {
		if (in->indented || end[-1] != ']') {
			fail(in, "a section header is `[name]`, not indented, with nothing behind it");
			return NULL;
		}
		if (begin_section(in, first + 1, (size_t)(end - first) - 2))
			return NULL;
		memcpy(buffer, "[s]\n", 5); /* its name is kept here; inih need not know it */
		return buffer;
	}
	memcpy(buffer, start, length);
	memcpy(buffer + length, "\n", 2);
	return buffer;
}

static const struct policy_rule *find_rule(struct reading *in, const char *section, const char *key)
{
	char names[500];
	for (size_t i = 0; i < policy_rule_count; i++)
		if (strcmp(policy_rules[i].section, section) == 0 && strcmp(policy_rules[i].key, key) == 0)
			return &policy_rules[i];
	list_names(section, names, sizeof names);
	fail(in, "[%s] has no key '%.60s'; it has: %s", section, key, names);
	return NULL;
}

/* inih calls this for every `key = value` and for every continuation line, with the key it continues. */
static int take_line(void *user, const char *section, const char *key, const char *value)
{
	struct reading *in = user;
	(void)section;
	if (in->failed)
		return 0;
	if (!in->section[0]) {
		fail(in, "'%.64s' stands before the first section; add a line such as [targets] above it", key);
		return 0;
	}
	if (in->indented && in->setting >= 0)
		return add_values(in, &in->policy->settings[in->setting], value) == 0;
	if (in->indented) {
		fail(in, "the line is indented, but there is no key above that it could continue");
		return 0;
	}
	if (!*key || strlen(key) > NAME_MAX_LENGTH) {
		fail(in, "a key has 1 to %d bytes", NAME_MAX_LENGTH);
		return 0;
	}
	if (finish_setting(in))
		return 0;
	in->setting = -1;
	const int is_group = strcmp(in->section, "kernels") == 0;
	const struct policy_rule *rule = find_rule(in, in->section, key);
	if (!rule)
		return 0;
	in->setting = begin_setting(in, rule, is_group ? in->argument : NULL, !is_group && in->argument[0] ? in->argument : NULL);
	return in->setting >= 0 && add_values(in, &in->policy->settings[in->setting], value) == 0;
}

/* A group whose kernels nothing names would be a rule about nothing. */
static int check_groups(struct reading *in)
{
	const struct policy *policy = in->policy;
	for (int i = 0; i < policy->count && !in->failed; i++) {
		int found = 0;
		for (int k = 0; k < policy->count && policy->settings[i].group; k++)
			found |= same_text(policy->settings[k].group, policy->settings[i].group) &&
				 strcmp(policy->settings[k].rule->key, "pattern") == 0;
		if (policy->settings[i].group && !found) {
			in->line = policy->settings[i].line;
			fail(in, "[kernels %s] has no pattern; add a line such as `pattern = *%s*`", policy->settings[i].group,
			     policy->settings[i].group);
		}
	}
	return in->failed ? -1 : 0;
}

int policy_parse(struct policy *policy, const char *name, const char *text, struct error *err)
{
	struct reading in = {.policy = policy, .name = name, .at = text, .setting = -1, .err = err};
	const int before = policy->count;
	policy->layers++;
	if (strncmp(in.at, "\xef\xbb\xbf", 3) == 0)
		in.at += 3;
	if (strlen(text) > TEXT_MAX)
		return fail(&in, "a policy has at most %d bytes", TEXT_MAX);
	const int bad_line = ini_parse_stream(read_line, &in, take_line, &in);
	if (in.failed)
		return -1;
	if (bad_line > 0) {
		in.line = bad_line;
		return fail(&in, "is neither `[section]` nor `key = value`");
	}
	if (bad_line < 0)
		return out_of_memory(&in);
	if (finish_setting(&in) || check_groups(&in))
		return -1;
	int of_this = policy->count - before;
	for (int i = 0; i < before; i++)
		of_this += policy->settings[i].layer == policy->layers;
	return of_this ? 0 : fail(&in, "sets no rule; policies/publish.ini shows them all");
}

int policy_read(struct policy *policy, const char *path, struct error *err)
{
	struct file_map map;
	if (file_map_open(&map, path, err))
		return -1;
	int result = -1;
	char *text = NULL;
	if (map.size > TEXT_MAX || (map.size && memchr(map.data, '\0', map.size))) {
		error_set(err, ERROR_INPUT, "%s: is no policy: %s; give a text file", path,
			  map.size > TEXT_MAX ? "it is larger than a megabyte" : "it holds bytes that are no text");
	} else {
		text = copy_text(map.size ? (const char *)map.data : "", map.size);
		result = text ? policy_parse(policy, path, text, err) : error_set(err, ERROR_ENVIRONMENT, "out of memory");
	}
	free(text);
	file_map_close(&map);
	return result;
}

int policy_asks_anything(const struct policy *policy)
{
	for (int i = 0; i < policy->count; i++)
		if (policy->settings[i].rule->subject != ABOUT_GROUP && strcmp(policy->settings[i].values[0], "any") != 0)
			return 1;
	return 0;
}

static const char *host_word(enum host_os host)
{
	return host == HOST_WINDOWS ? "windows" : host == HOST_MACOS ? "macos" : "linux";
}

/* The releases whose run_mha is known (artifact.h); NULL for others. */
static const char *candle_abi_of(const char *release)
{
	static const struct {
		const char *start, *abi;
	} known[] = {{"0.9.", "candle-0.9"}, {"0.10.", "candle-0.9"}, {"0.11.", "candle-0.11"}};
	for (size_t i = 0; i < ARRAY_COUNT(known); i++)
		if (strncmp(release, known[i].start, strlen(known[i].start)) == 0)
			return known[i].abi;
	return NULL;
}

static int add_claim(struct reading *in, const char *section, const char *key, const char *value)
{
	if (!value || !*value)
		return 0;
	const struct policy_rule *rule = find_rule(in, section, key);
	if (!rule)
		return -1;
	int index = find_setting(in->policy, rule, NULL, NULL);
	if (index < 0 || in->policy->settings[index].layer != in->policy->layers)
		index = begin_setting(in, rule, NULL, NULL);
	return index < 0 ? -1 : add_value(in, &in->policy->settings[index], value, strlen(value));
}

int policy_add_folder_claims(struct policy *policy, const struct provenance *provenance, struct error *err)
{
	char text[64], source[160];
	struct reading in = {.policy = policy, .setting = -1, .err = err};
	policy->layers++;
	if (provenance->cuda_version) {
		snprintf(source, sizeof source, "the %s", provenance->cuda_evidence);
		in.name = source;
		snprintf(text, sizeof text, "%u.%u", provenance->cuda_version / 10, provenance->cuda_version % 10);
		if (add_claim(&in, "toolkit", "release", text))
			return -1;
	}
	in.name = "the build folder";
	if (provenance->compute_cap) {
		snprintf(text, sizeof text, "sm_%u", provenance->compute_cap);
		if (add_claim(&in, "targets", "runs_on", text))
			return -1;
	}
	if (provenance->host != HOST_UNKNOWN && add_claim(&in, "build", "host", host_word(provenance->host)))
		return -1;
	return 0;
}

int policy_add_readme_claims(struct policy *policy, const struct readme_claims *claims, struct error *err)
{
	char text[64];
	struct reading in = {.policy = policy, .name = path_base(claims->path), .setting = -1, .err = err};
	policy->layers++;
	if (claims->cuda_version) {
		snprintf(text, sizeof text, "%u.%u", claims->cuda_version / 10, claims->cuda_version % 10);
		if (add_claim(&in, "toolkit", "release", text))
			return -1;
	}
	for (int i = 0; i < claims->compute_cap_count; i++) {
		snprintf(text, sizeof text, "sm_%u", claims->compute_caps[i]);
		if (add_claim(&in, "targets", "runs_on", text))
			return -1;
	}
	if (claims->host != HOST_UNKNOWN && add_claim(&in, "build", "host", host_word(claims->host)))
		return -1;
	return claims->candle_release ? add_claim(&in, "symbols", "candle", candle_abi_of(claims->candle_release)) : 0;
}
