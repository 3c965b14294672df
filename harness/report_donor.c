#include "report_donor.h"

#include "artifact/demangle.h"
#include "cudart/donor.h"
#include "json_object.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int is_key(const struct donor_line *line, const char *key)
{
	return line->key_length == strlen(key) && memcmp(line->key, key, line->key_length) == 0;
}

static void add_line(struct text *lines, size_t *count, const struct donor_line *line)
{
	text_append(lines, "%s%.*s", lines->length ? "\n" : "", (int)line->value_length, line->value);
	++*count;
}

int donor_facts_read(const char *text, struct donor_facts *facts)
{
	struct donor_line line;
	*facts = (struct donor_facts){0};
	if (!text)
		return 0;
	for (const char *at = text; donor_text_next(&at, &line);) {
		if (is_key(&line, "library"))
			add_line(&facts->library, &facts->library_count, &line);
		else if (is_key(&line, "missing"))
			add_line(&facts->missing, &facts->missing_count, &line);
		else if (is_key(&line, "kernels"))
			sscanf(line.value, "%19" SCNu64 " %19" SCNu64 " %19" SCNu64, &facts->matched, &facts->named, &facts->kernels);
		else if (is_key(&line, "unused"))
			sscanf(line.value, "%19" SCNu64, &facts->unused);
	}
	facts->path = donor_text_value(text, "path");
	facts->sha256 = donor_text_value(text, "sha256");
	return facts->library.failed || facts->missing.failed ? -1 : 0;
}

void donor_facts_free(struct donor_facts *facts)
{
	free(facts->path);
	free(facts->sha256);
	text_free(&facts->library);
	text_free(&facts->missing);
	*facts = (struct donor_facts){0};
}

static const char *or_unknown(const char *text)
{
	return text ? text : "unknown";
}

/* The first name of a list, as a reader knows it, and how many there are besides. */
static void append_first(struct text *out, const struct text *lines, size_t count, int has_reason)
{
	const char *line = lines->data ? lines->data : "";
	const size_t length = strcspn(line, "\n"), name_length = has_reason ? strcspn(line, ":\n") : length;
	char *name = copy_text(line, name_length), *plain = name ? demangle(name) : NULL;
	text_append(out, "%.300s%.*s", plain ? plain : "?", (int)(length - name_length), line + name_length);
	if (count > 1)
		text_append(out, ", and %zu more", count - 1);
	free(name);
	free(plain);
}

void report_donor_words(const struct artifact_record *artifact, struct text *out)
{
	struct donor_facts facts;
	if (!artifact || !artifact->donor || !artifact->donor[0])
		return;
	out->failed |= donor_facts_read(artifact->donor, &facts) != 0;
	text_append(out, "%s (sha256 %.64s)", or_unknown(facts.path), or_unknown(facts.sha256));
	donor_facts_free(&facts);
}

void report_donor(struct page *page, const struct artifact_record *artifact)
{
	struct donor_facts facts;
	struct text words = {0};
	if (!artifact->donor || !artifact->donor[0])
		return;
	if (donor_facts_read(artifact->donor, &facts)) {
		page->out->failed = 1;
		goto done;
	}
	page_fact(page, "host code", "was NOT run: these kernels were launched by the host code of %s (sha256 %.16s)",
		  or_unknown(facts.path), or_unknown(facts.sha256));
	page_fact(page, "matched", "%" PRIu64 " of the %" PRIu64 " kernels of that archive, %" PRIu64 " by the very same name; parameter "
		  "sizes agree, which is no proof that what is in them does", facts.matched, facts.kernels, facts.named);
	if (facts.library_count) {
		append_first(&words, &facts.library, facts.library_count, 0);
		page_fact(page, "from there", "kernels of CUDA's own libraries, which are not verified here: %s", words.data ? words.data : "");
		text_free(&words);
	}
	if (facts.missing_count) {
		append_first(&words, &facts.missing, facts.missing_count, 1);
		page_fact(page, "no match", "%zu: cases that launch them are unsupported: %s", facts.missing_count,
			  words.data ? words.data : "");
	}
	if (facts.unused)
		page_fact(page, "not called", "%" PRIu64 " kernels of the artifact that this host code has no counterpart for", facts.unused);
done:
	page->out->failed |= words.failed;
	text_free(&words);
	donor_facts_free(&facts);
}

static json_t *lines_json(const struct text *lines)
{
	json_t *array = json_array();
	int failed = array == NULL;
	for (const char *at = lines->data; at && *at && !failed;) {
		const size_t length = strcspn(at, "\n");
		char *line = copy_text(at, length);
		failed = !line || json_array_append_new(array, text_json(line));
		free(line);
		at += length + (at[length] == '\n');
	}
	if (failed)
		json_decref(array);
	return failed ? NULL : array;
}

json_t *report_donor_json(const struct artifact_record *artifact)
{
	struct donor_facts facts;
	if (!artifact->donor || !artifact->donor[0])
		return json_null();
	struct object object = object_new();
	if (donor_facts_read(artifact->donor, &facts))
		object.failed = 1;
	put_text(&object, "path", facts.path);
	put_text(&object, "sha256", facts.sha256);
	put_int(&object, "kernels", (int64_t)facts.kernels);
	put_int(&object, "kernels_matched", (int64_t)facts.matched);
	put_int(&object, "kernels_matched_by_name", (int64_t)facts.named);
	put_int(&object, "kernels_of_artifact_not_called", (int64_t)facts.unused);
	put(&object, "library_kernels", lines_json(&facts.library));
	put(&object, "missing", lines_json(&facts.missing));
	donor_facts_free(&facts);
	return object_done(&object);
}
