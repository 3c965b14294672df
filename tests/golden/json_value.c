/* Checks that standard input is one JSON document and prints the values at paths such as runs.0.summary.statuses.pass, one a
 * line. Exit code 1 when it is not, or when a path leads nowhere. usage: json_value [PATH...] <FILE */
#include <jansson.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const json_t *find(const json_t *at, const char *path)
{
	char *copy = strdup(path), *save = NULL;
	for (char *word = copy ? strtok_r(copy, ".", &save) : NULL; word && at; word = strtok_r(NULL, ".", &save))
		at = json_is_array(at) ? json_array_get(at, (size_t)strtoul(word, NULL, 10)) : json_object_get(at, word);
	free(copy);
	return at;
}

static void print(const json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
	puts(json_is_string(value) ? json_string_value(value) : text ? text : "?");
	free(text);
}

int main(int argc, char **argv)
{
	json_error_t error;
	json_t *root = json_loadf(stdin, JSON_REJECT_DUPLICATES, &error);
	int result = 0;
	if (!root) {
		fprintf(stderr, "not JSON: line %d: %s\n", error.line, error.text);
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		const json_t *value = find(root, argv[i]);
		if (value) {
			print(value);
		} else {
			fprintf(stderr, "nothing at %s\n", argv[i]);
			result = 1;
		}
	}
	json_decref(root);
	return result;
}
