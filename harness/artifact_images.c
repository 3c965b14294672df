#include "artifact_images.h"

#include "core/util.h"

#include <stdlib.h>
#include <string.h>

/* Targets of one artifact: there are some dozens at most. */
enum { TARGETS_MAX = 256, TARGET_TEXT = 48 };

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

char *artifact_images_text(const struct artifact *artifact)
{
	char (*targets)[TARGET_TEXT] = calloc(TARGETS_MAX, sizeof *targets);
	size_t count = 0;
	struct text out = {0};
	if (!targets)
		return NULL;
	for (int u = 0; u < artifact->unit_count; u++)
		for (int i = 0; i < artifact->units[u].image_count; i++) {
			const struct fatbin_entry *entry = &artifact->units[u].images[i].entry;
			const char suffix[2] = {entry->suffix, '\0'};
			char text[TARGET_TEXT];
			size_t at = 0;
			if (entry->kind == FATBIN_ELF)
				snprintf(text, sizeof text, "SASS sm_%u%s", entry->arch, suffix);
			else if (entry->kind == FATBIN_PTX)
				snprintf(text, sizeof text, "PTX compute_%u%s (%u.%u)", entry->arch, suffix, entry->version_major,
					 entry->version_minor);
			else
				continue;
			while (at < count && strcmp(targets[at], text) != 0)
				at++;
			if (at == count && count < TARGETS_MAX)
				memcpy(targets[count++], text, sizeof text);
		}
	qsort(targets, count, sizeof *targets, by_text);
	text_append(&out, "%s", "");
	for (size_t i = 0; i < count; i++)
		text_append(&out, "%s%s", i ? "\n" : "", targets[i]);
	free(targets);
	if (out.failed)
		text_free(&out);
	return out.data ? out.data : strdup("");
}
