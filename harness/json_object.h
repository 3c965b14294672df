/* JSON objects of reports: members are set as they come; a failure (no memory) is kept, so that only the end needs a check. */
#ifndef ASSAY_HARNESS_JSON_OBJECT_H
#define ASSAY_HARNESS_JSON_OBJECT_H

#include "cli.h"

#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

struct object {
	json_t *json;
	int failed;
};

static inline struct object object_new(void)
{
	json_t *json = json_object();
	return (struct object){json, json == NULL};
}

static inline void put(struct object *object, const char *name, json_t *value)
{
	if (!value || json_object_set_new(object->json, name, value))
		object->failed = 1;
}

/* As cli_json_text; NULL is "". */
static inline json_t *text_json(const char *text)
{
	return cli_json_text(text ? text : "", text ? strlen(text) : 0);
}

static inline json_t *text_or_none(const char *text)
{
	return text && *text ? text_json(text) : json_null();
}

/* A release of CUDA, 10 * major + minor, as "12.6"; 0: null. */
static inline json_t *release_json(unsigned release)
{
	return release ? json_sprintf("%u.%u", release / 10, release % 10) : json_null();
}

static inline void put_text(struct object *object, const char *name, const char *text)
{
	put(object, name, text_json(text));
}

static inline void put_int(struct object *object, const char *name, int64_t value)
{
	put(object, name, json_integer(value));
}

/* JSON has no infinities and no NaN. */
static inline json_t *number_json(double value)
{
	if (isfinite(value))
		return json_real(value);
	return json_string(isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

static inline void put_number(struct object *object, const char *name, double value)
{
	put(object, name, number_json(value));
}

/* The object, or NULL when anything failed. */
static inline json_t *object_done(struct object *object)
{
	if (!object->failed)
		return object->json;
	json_decref(object->json);
	return NULL;
}

#endif
