#include "source.h"

#include "dataset/spec.h"
#include "dataset/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is known of a case without making it again. */
struct listed {
	char name[CASE_NAME_MAX];
	char entry[64];
	const char *family; /* of the spec, or a static text */
	size_t place;       /* in the spec */
};

struct case_source {
	char *path;
	uint64_t seed;
	struct dataset *dataset; /* one of the two */
	struct spec *spec;
	struct listed *listed;   /* [count]; NULL when opened for places only. Spec cases: without duplicates */
	size_t count;
};

const char *const *source_axes_of(const char *family, void *context)
{
	(void)context;
	const struct family *found = family_find(family);
	return found ? found->axes : NULL;
}

/* A case's seed depends on the user's seed and the case's name only, so that a case keeps its data when the spec around
 * it changes. FNV-1a (Fowler, Noll, Vo) of the name. */
static uint64_t case_seed(uint64_t seed, const char *name)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ seed;
	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3ull;
	return hash;
}

/* Shapes of varlen cases depend on the seed and the seed on the name: made twice, the second time with the final seed. */
static int make_spec_case(const struct case_source *source, size_t index, struct test_case *test,
			  const struct family **family, struct error *err)
{
	const struct assignment assignment = spec_at(source->spec, index);
	*family = family_find(assignment.family);
	if (!*family)
		return error_set(err, ERROR_INPUT, "%s:%d: unknown family %s", source->path, assignment.line, assignment.family);
	if ((*family)->make_case(&assignment, source->seed, test, err))
		return error_context(err, "%s:%d", source->path, assignment.line);
	const uint64_t seed = case_seed(source->seed, test->name);
	case_free(test);
	if ((*family)->make_case(&assignment, seed, test, err))
		return error_context(err, "%s:%d", source->path, assignment.line);
	return 0;
}

struct named {
	const char *name;
	size_t index;
};

static int by_name(const void *a, const void *b)
{
	const struct named *left = a, *right = b;
	const int order = strcmp(left->name, right->name);
	return order ? order : (left->index > right->index) - (left->index < right->index);
}

/* Drops cases that have the name of an earlier one; keeps the order of the others. */
static int drop_duplicates(struct case_source *source, struct error *err)
{
	struct named *sorted = calloc(source->count ? source->count : 1, sizeof *sorted);
	unsigned char *drop = calloc(source->count ? source->count : 1, 1);
	int result = -1;
	if (!sorted || !drop) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	for (size_t i = 0; i < source->count; i++)
		sorted[i] = (struct named){source->listed[i].name, i};
	qsort(sorted, source->count, sizeof *sorted, by_name);
	for (size_t i = 1; i < source->count; i++)
		drop[sorted[i].index] = strcmp(sorted[i].name, sorted[i - 1].name) == 0;
	size_t kept = 0;
	for (size_t i = 0; i < source->count; i++) {
		if (drop[i])
			continue;
		if (kept != i)
			source->listed[kept] = source->listed[i];
		kept++;
	}
	source->count = kept;
	result = 0;
done:
	free(sorted);
	free(drop);
	return result;
}

/* ---- names of a spec's cases: each has to be made for it ---- */

struct listing { /* cases [first, last) of a source, for one thread */
	struct case_source *source;
	size_t first, last;
	int failed;
	struct error err;
};

static int list_one(struct case_source *source, size_t index, struct error *err)
{
	const struct assignment assignment = spec_at(source->spec, index);
	const struct family *family = family_find(assignment.family);
	struct test_case test;
	if (!family)
		return error_set(err, ERROR_INPUT, "%s:%d: unknown family %s", source->path, assignment.line, assignment.family);
	if (family->make_case(&assignment, source->seed, &test, err))
		return error_context(err, "%s:%d", source->path, assignment.line);
	struct listed *listed = &source->listed[index];
	const char *entry = case_get_text(&test, "entry");
	memcpy(listed->name, test.name, sizeof listed->name);
	snprintf(listed->entry, sizeof listed->entry, "%s", entry ? entry : "");
	listed->family = family->name;
	listed->place = index;
	case_free(&test);
	return 0;
}

static void *list_part(void *context)
{
	struct listing *part = context;
	for (size_t i = part->first; i < part->last && !part->failed; i++)
		part->failed = list_one(part->source, i, &part->err);
	return NULL;
}

static int list_spec(struct case_source *source, struct error *err)
{
	enum { THREADS_MAX = 16, LEAST = 500 };
	struct listing parts[THREADS_MAX];
	pthread_t threads[THREADS_MAX];
	int started[THREADS_MAX] = {0};
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t count = source->count / LEAST + 1;
	if (count > THREADS_MAX)
		count = THREADS_MAX;
	if (processors > 0 && count > (size_t)processors)
		count = (size_t)processors;
	for (size_t i = 0; i < count; i++) {
		parts[i] = (struct listing){.source = source, .first = source->count * i / count, .last = source->count * (i + 1) / count};
		started[i] = i > 0 && pthread_create(&threads[i], NULL, list_part, &parts[i]) == 0;
	}
	for (size_t i = 0; i < count; i++)
		if (!started[i])
			list_part(&parts[i]);
	for (size_t i = 0; i < count; i++)
		if (started[i])
			pthread_join(threads[i], NULL);
	for (size_t i = 0; i < count; i++)
		if (parts[i].failed) { /* the first in the order of the file */
			if (err)
				*err = parts[i].err;
			return -1;
		}
	return drop_duplicates(source, err);
}

/* The first word of a stored case's name tells what it is for. */
static int list_stored(struct case_source *source, struct error *err)
{
	for (size_t i = 0; i < source->count; i++) {
		struct listed *listed = &source->listed[i];
		char word[64];
		const char *name = dataset_case_name(source->dataset, i);
		const struct family *family;
		snprintf(listed->name, sizeof listed->name, "%s", name);
		snprintf(word, sizeof word, "%.*s", (int)strcspn(name, "/"), name);
		listed->place = i;
		if (i && listed[-1].entry[0] && strcmp(listed[-1].entry, word) == 0) { /* a search takes its time */
			listed->family = listed[-1].family;
			memcpy(listed->entry, listed[-1].entry, sizeof listed->entry);
		} else if ((family = family_find(word)) && !family->symbols) {
			listed->family = family->name;
		} else if ((family = family_of_entry_point(word)) && family->symbols) {
			listed->family = family->name;
			snprintf(listed->entry, sizeof listed->entry, "%s", word);
		} else {
			struct test_case test;
			if (dataset_read(source->dataset, i, 0, &test, err))
				return -1;
			const char *entry = case_get_text(&test, "entry");
			family = family_find(test.family);
			listed->family = family ? family->name : "";
			snprintf(listed->entry, sizeof listed->entry, "%s", entry ? entry : "");
			case_free(&test);
		}
	}
	return 0;
}

static int is_hdf5(const char *path, int *hdf5, struct error *err)
{
	static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
	struct file_map map;
	if (file_map_open(&map, path, err))
		return -1;
	*hdf5 = map.size >= sizeof signature && memcmp(map.data, signature, sizeof signature) == 0;
	file_map_close(&map);
	/* read as a spec it would be blamed for what it is not */
	const size_t length = strlen(path);
	if (!*hdf5 && length > 3 && strcmp(path + length - 3, ".h5") == 0)
		return error_set(err, ERROR_INPUT, "%s: is no HDF5 file, or a damaged one; make it with `assay dataset build`", path);
	return 0;
}

static int open_source(struct case_source **out, const char *path, uint64_t seed, int list, struct error *err)
{
	*out = NULL;
	int hdf5;
	if (is_hdf5(path, &hdf5, err))
		return -1;
	struct case_source *source = calloc(1, sizeof *source);
	if (!source || !(source->path = strdup(path))) {
		free(source);
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	}
	source->seed = seed;
	if (hdf5 ? dataset_open(&source->dataset, path, err) : spec_open(&source->spec, path, source_axes_of, NULL, err))
		goto fail;
	source->count = hdf5 ? dataset_count(source->dataset) : spec_count(source->spec);
	if (list) {
		source->listed = calloc(source->count ? source->count : 1, sizeof *source->listed);
		if (!source->listed) {
			error_set(err, ERROR_ENVIRONMENT, "out of memory");
			goto fail;
		}
		if (hdf5 ? list_stored(source, err) : list_spec(source, err))
			goto fail;
	}
	if (source->count == 0) {
		error_set(err, ERROR_INPUT, "%s: holds no case", path);
		goto fail;
	}
	*out = source;
	return 0;
fail:
	case_source_close(source);
	return -1;
}

int case_source_open(struct case_source **source, const char *path, uint64_t seed, struct error *err)
{
	return open_source(source, path, seed, 1, err);
}

int case_source_open_places(struct case_source **source, const char *path, uint64_t seed, struct error *err)
{
	return open_source(source, path, seed, 0, err);
}

size_t case_source_count(const struct case_source *source)
{
	return source->count;
}

int case_source_is_stored(const struct case_source *source)
{
	return source->dataset != NULL;
}

const char *case_source_name(const struct case_source *source, size_t index)
{
	return source->listed[index].name;
}

const char *case_source_family(const struct case_source *source, size_t index)
{
	return source->listed[index].family;
}

const char *case_source_entry(const struct case_source *source, size_t index)
{
	return source->listed[index].entry;
}

size_t case_source_place(const struct case_source *source, size_t index)
{
	return source->listed[index].place;
}

int case_source_load_place(const struct case_source *source, size_t place, int with_data, struct test_case *test,
			   const struct family **family, struct error *err)
{
	if (place >= (source->dataset ? dataset_count(source->dataset) : spec_count(source->spec)))
		return error_set(err, ERROR_INTERNAL, "%s: has no case %zu", source->path, place);
	if (source->dataset) {
		if (dataset_read(source->dataset, place, with_data, test, err))
			return -1;
		*family = family_find(test->family);
		if (!*family) {
			error_set(err, ERROR_INPUT, "%s: case %s belongs to the unknown family %s", source->path, test->name, test->family);
			case_free(test);
			return -1;
		}
	} else {
		if (make_spec_case(source, place, test, family, err))
			return -1;
		if (with_data && (*family)->fill(test, err)) {
			case_free(test);
			return -1;
		}
	}
	/* a description alone lacks the lengths that the checks need */
	if (with_data && (*family)->check_case(test, err)) {
		error_context(err, "%s", source->path);
		case_free(test);
		return -1;
	}
	return 0;
}

int case_source_load(const struct case_source *source, size_t index, int with_data, struct test_case *test,
		     const struct family **family, struct error *err)
{
	if (index >= source->count)
		return error_set(err, ERROR_INTERNAL, "%s: has no case %zu", source->path, index);
	return case_source_load_place(source, source->listed[index].place, with_data, test, family, err);
}

void case_source_close(struct case_source *source)
{
	if (!source)
		return;
	dataset_close(source->dataset);
	spec_close(source->spec);
	free(source->listed);
	free(source->path);
	free(source);
}

static int matches_one(const char *filter, const char *name)
{
	if (strcmp(filter, name) == 0)
		return 1;
	if (strpbrk(filter, "*?"))
		return glob_match(filter, name);
	return strstr(name, filter) != NULL;
}

void filter_note_exact(const char *const *filters, int filter_count, const struct case_source *source, unsigned char *exact)
{
	for (int i = 0; i < filter_count; i++) {
		const char *filter = filters[i] + (filters[i][0] == '-');
		for (size_t k = 0; k < source->count && !exact[i]; k++)
			exact[i] = strcmp(source->listed[k].name, filter) == 0;
	}
}

int filter_selects(const char *const *filters, int filter_count, const unsigned char *exact, const char *name)
{
	int selected = 1, positive_seen = 0;
	for (int i = 0; i < filter_count; i++) {
		const int is_negative = filters[i][0] == '-';
		const char *filter = filters[i] + is_negative;
		const int matches = exact && exact[i] ? strcmp(filter, name) == 0 : matches_one(filter, name);
		if (is_negative && matches)
			return 0;
		if (is_negative)
			continue;
		if (!positive_seen)
			selected = 0;
		positive_seen = 1;
		selected |= matches;
	}
	return selected;
}

int filter_matches(const char *const *filters, int filter_count, const char *name)
{
	return filter_selects(filters, filter_count, NULL, name);
}
