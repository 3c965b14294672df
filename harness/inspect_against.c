#include "inspect_against.h"

#include "inspect_format.h"

#include <stdlib.h>
#include <string.h>

/* ---- pairs of artifacts ---- */

/* The path below the folder, without the hash in the names of Cargo's folders: what two builds call the same. malloc'd. */
static char *match_key(const char *root, const char *path)
{
	enum { HASH_DIGITS = 16 };
	size_t skip = strlen(root);
	if (strncmp(path, root, skip) == 0 && path_is_dir(root))
		path += skip;
	else
		path = path_base(path);
	while (*path == '/')
		path++;
	char *key = malloc(strlen(path) + 1), *to = key;
	for (const char *at = path; key && *at;) {
		if (*at == '-' && strspn(at + 1, "0123456789abcdef") == HASH_DIGITS && at[1 + HASH_DIGITS] == '/')
			at += 1 + HASH_DIGITS;
		else
			*to++ = *at++;
	}
	if (key)
		*to = '\0';
	return key;
}

/* The artifact of the other side that goes with a key: the same key or, where no more than one has it, the same file name;
 * -1: none. */
static int find_match(const char *key, char *const *keys, int count)
{
	int found = -1;
	for (int i = 0; i < count; i++)
		if (strcmp(keys[i], key) == 0)
			return i;
	for (int i = 0; i < count; i++) {
		if (strcmp(path_base(keys[i]), path_base(key)) != 0)
			continue;
		if (found >= 0)
			return -1;
		found = i;
	}
	return found;
}

static void show_alone(const char *path, int is_next, struct text *out, json_t *json, struct against_result *result)
{
	text_append(out, "%s%s: ", result->compared + result->alone ? "\n" : "", is_next ? "only in the new one" : "only in the base");
	cli_append_clean(out, path, strlen(path));
	text_append(out, "\n");
	result->alone++;
	if (json)
		json_array_append_new(json, json_pack("{s:o, s:o}", "base", is_next ? json_null() : cli_json_text(path, strlen(path)), "new",
						      is_next ? cli_json_text(path, strlen(path)) : json_null()));
}

static int compare_pair(const struct against_options *options, const char *base_path, const char *next_path, struct text *out,
			json_t *json, struct against_result *result, struct error *err)
{
	struct artifact base, next = {0};
	struct difference difference;
	json_t *object = NULL;
	int status = -1, differs = 0;
	if (artifact_open(base_path, &base, err))
		return -1;
	if (artifact_open(next_path, &next, err))
		goto close_base;
	if (artifact_difference(&base, &next, &difference, err))
		goto close_next;
	differs = !difference_is_empty(&difference);
	if (result->compared + result->alone)
		text_append(out, "\n");
	result->compared++;
	result->differing += differs;
	against_text(&difference, options->all, options->colour, out);
	if (json && !(object = against_json(&difference))) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (inspect_policies_check(options->policies, &next, &difference, options->colour, out, object, &result->failures, err))
		goto done;
	if (json && json_array_append(json, object)) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	status = 0;
done:
	json_decref(object);
	artifact_difference_free(&difference);
close_next:
	artifact_close(&next);
close_base:
	artifact_close(&base);
	return status;
}

static char **keys_of(const char *root, const struct artifact_list *list)
{
	char **keys = calloc((size_t)list->count + 1, sizeof *keys);
	for (int i = 0; keys && i < list->count; i++)
		if (!(keys[i] = match_key(root, list->paths[i]))) {
			for (int k = 0; k < i; k++)
				free(keys[k]);
			free(keys);
			return NULL;
		}
	return keys;
}

static void keys_free(char **keys, int count)
{
	for (int i = 0; keys && i < count; i++)
		free(keys[i]);
	free(keys);
}

int inspect_against(const struct against_options *options, struct text *out, json_t *json, json_t *root,
		    struct against_result *result, struct error *err)
{
	struct artifact_list base = {0}, next = {0};
	char **base_keys = NULL, **next_keys = NULL;
	unsigned char *taken = NULL;
	int status = -1;
	*result = (struct against_result){0};
	if (artifact_discover(options->base, &base, err) || artifact_discover(options->next, &next, err))
		goto done;
	base_keys = keys_of(options->base, &base);
	next_keys = keys_of(options->next, &next);
	taken = calloc((size_t)next.count + 1, 1);
	if (!base_keys || !next_keys || !taken) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	const int one_each = base.count == 1 && next.count == 1;
	for (int i = 0; i < base.count; i++) {
		const int match = one_each ? 0 : find_match(base_keys[i], next_keys, next.count);
		if (match < 0 || taken[match]) {
			show_alone(base.paths[i], 0, out, json, result);
			continue;
		}
		taken[match] = 1;
		if (compare_pair(options, base.paths[i], next.paths[match], out, json, result, err))
			goto done;
	}
	for (int i = 0; i < next.count; i++)
		if (!taken[i])
			show_alone(next.paths[i], 1, out, json, result);
	if (!result->compared) {
		error_set(err, ERROR_INPUT, "%s and %s hold no artifacts of the same name; name two files to compare them", options->base,
			  options->next);
		goto done;
	}
	if (inspect_policies_check_files(options->policies, (const char *const *)next.paths, next.count, options->colour, out, root,
					 &result->failures, err))
		goto done;
	status = 0;
done:
	keys_free(base_keys, base.count);
	keys_free(next_keys, next.count);
	free(taken);
	artifact_list_free(&base);
	artifact_list_free(&next);
	return status;
}
