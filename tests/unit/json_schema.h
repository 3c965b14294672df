/* Checks JSON against the part of JSON Schema (2020-12) that the schemas in docs/ use. A keyword that is not known
 * here fails as well, so that none is passed over. */
#ifndef ASSAY_TESTS_JSON_SCHEMA_H
#define ASSAY_TESTS_JSON_SCHEMA_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct schema_check {
	const json_t *root;
	int quiet;     /* while alternatives are tried */
	char path[512];
};

static int schema_fails(const struct schema_check *check, const char *what, const char *detail)
{
	if (!check->quiet)
		fprintf(stderr, "%s: %s %s\n", check->path[0] ? check->path : "(top)", what, detail);
	return -1;
}

static inline int schema_type_is(const char *type, const json_t *value)
{
	return strcmp(type, "object") == 0	? json_is_object(value)
	       : strcmp(type, "array") == 0	? json_is_array(value)
	       : strcmp(type, "string") == 0	? json_is_string(value)
	       : strcmp(type, "integer") == 0 ? json_is_integer(value)
	       : strcmp(type, "number") == 0	? json_is_number(value)
	       : strcmp(type, "boolean") == 0 ? json_is_boolean(value)
	       : strcmp(type, "null") == 0	? json_is_null(value)
						: 0;
}

static int schema_validate(struct schema_check *check, const json_t *schema, const json_t *value);

static inline int schema_child(struct schema_check *check, const char *name, const json_t *schema, const json_t *value)
{
	const size_t length = strlen(check->path);
	snprintf(check->path + length, sizeof check->path - length, "/%s", name);
	const int result = schema_validate(check, schema, value);
	check->path[length] = '\0';
	return result;
}

static inline int schema_object(struct schema_check *check, const json_t *schema, const json_t *value)
{
	const json_t *properties = json_object_get(schema, "properties"), *required = json_object_get(schema, "required");
	const char *key;
	json_t *member;
	for (size_t i = 0; i < json_array_size(required); i++)
		if (!json_object_get(value, json_string_value(json_array_get(required, i))))
			return schema_fails(check, "lacks", json_string_value(json_array_get(required, i)));
	json_object_foreach((json_t *)(uintptr_t)value, key, member) {
		const json_t *known = json_object_get(properties, key), *others = json_object_get(schema, "additionalProperties");
		if (!known && json_is_object(others))
			known = others;
		if (!known && json_is_false(others))
			return schema_fails(check, "has an undocumented", key);
		if (known && schema_child(check, key, known, member))
			return -1;
	}
	return 0;
}

static inline int schema_any(struct schema_check *check, const json_t *choices, const json_t *value)
{
	const int quiet = check->quiet;
	int found = 0;
	check->quiet = 1;
	for (size_t i = 0; i < json_array_size(choices) && !found; i++)
		found = schema_validate(check, json_array_get(choices, i), value) == 0;
	check->quiet = quiet;
	if (found)
		return 0;
	/* one more time, aloud */
	for (size_t i = 0; i < json_array_size(choices) && !quiet; i++)
		schema_validate(check, json_array_get(choices, i), value);
	return schema_fails(check, "is none of the documented alternatives", "");
}

static int schema_validate(struct schema_check *check, const json_t *schema, const json_t *value)
{
	static const char *const known[] = {"$schema", "$id", "$defs", "$ref", "title", "description", "type", "properties", "required",
					    "additionalProperties", "items", "enum", "const", "anyOf", "minimum"};
	const char *key;
	json_t *item;
	json_object_foreach((json_t *)(uintptr_t)schema, key, item) {
		size_t i = 0;
		while (i < sizeof known / sizeof known[0] && strcmp(key, known[i]) != 0)
			i++;
		if (i == sizeof known / sizeof known[0])
			return schema_fails(check, "the schema has a keyword that is not checked:", key);
	}
	const char *reference = json_string_value(json_object_get(schema, "$ref"));
	if (reference) {
		const json_t *definition = strncmp(reference, "#/$defs/", 8) == 0
						   ? json_object_get(json_object_get(check->root, "$defs"), reference + 8)
						   : NULL;
		return definition ? schema_validate(check, definition, value) : schema_fails(check, "the schema lacks", reference);
	}
	const json_t *type = json_object_get(schema, "type"), *constant = json_object_get(schema, "const");
	const json_t *words = json_object_get(schema, "enum"), *items = json_object_get(schema, "items");
	const json_t *choices = json_object_get(schema, "anyOf");
	if (type) {
		int fits = json_is_string(type) && schema_type_is(json_string_value(type), value);
		for (size_t i = 0; i < json_array_size(type) && !fits; i++)
			fits = schema_type_is(json_string_value(json_array_get(type, i)), value);
		if (!fits)
			return schema_fails(check, "is of another type than documented", "");
	}
	const json_t *minimum = json_object_get(schema, "minimum");
	if (minimum && json_is_number(value) && !(json_number_value(value) >= json_number_value(minimum)))
		return schema_fails(check, "is less than documented", "");
	if (constant && !json_equal(constant, value))
		return schema_fails(check, "is not the documented value", "");
	if (words) {
		int found = 0;
		for (size_t i = 0; i < json_array_size(words) && !found; i++)
			found = json_equal(json_array_get(words, i), value);
		if (!found)
			return schema_fails(check, "is none of the documented words:", json_is_string(value) ? json_string_value(value) : "");
	}
	if (choices && schema_any(check, choices, value))
		return -1;
	for (size_t i = 0; items && i < json_array_size(value); i++) {
		char index[24];
		snprintf(index, sizeof index, "%zu", i);
		if (schema_child(check, index, items, json_array_get(value, i)))
			return -1;
	}
	const int has_members = json_object_get(schema, "properties") || json_object_get(schema, "additionalProperties");
	return json_is_object(value) && has_members ? schema_object(check, schema, value) : 0;
}

/* 0 when the document is what the schema says; else -1, with the reason on standard error. */
static inline int schema_check_document(const json_t *schema, const json_t *document)
{
	struct schema_check check = {.root = schema};
	return schema_validate(&check, schema, document);
}

#endif
