/* How the JSON of `assay inspect` is put together. */
#ifndef ASSAY_HARNESS_INSPECT_JSON_VALUES_H
#define ASSAY_HARNESS_INSPECT_JSON_VALUES_H

#include "artifact/artifact.h"

#include <jansson.h>

/* Values are handed over to the object at once; json_object_set_new takes NULL (out of memory) as a failure, which is
 * remembered here, so that building reads without checks. */
struct builder {
	int failed;
};

void json_put(struct builder *builder, json_t *object, const char *key, json_t *value);
void json_add(struct builder *builder, json_t *array, json_t *value);
json_t *text_or_null(const char *text);
json_t *release_or_null(unsigned release); /* 130: "13.0"; 0: null */
json_t *number_or_null(int64_t value);     /* negative: null */
json_t *three_or_null(const unsigned values[3]);

/* One image with its kernels: inspect_json_device.c. */
json_t *image_json(struct builder *builder, const struct artifact_image *image);

#endif
