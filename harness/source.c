#include "source.h"

#include "dataset/spec.h"
#include "dataset/store.h"

#include <stdlib.h>
#include <string.h>

struct case_source {
	char *path;
	uint64_t seed;
	struct dataset *dataset; /* one of the two */
	struct spec *spec;
	size_t *spec_index;      /* [count]: spec cases without duplicates */
	char (*names)[CASE_NAME_MAX];
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
		sorted[i] = (struct named){source->names[i], i};
	qsort(sorted, source->count, sizeof *sorted, by_name);
	for (size_t i = 1; i < source->count; i++)
		drop[sorted[i].index] = strcmp(sorted[i].name, sorted[i - 1].name) == 0;
	size_t kept = 0;
	for (size_t i = 0; i < source->count; i++) {
		if (drop[i])
			continue;
		if (kept != i)
			memcpy(source->names[kept], source->names[i], sizeof source->names[i]);
		source->spec_index[kept++] = source->spec_index[i];
	}
	source->count = kept;
	result = 0;
done:
	free(sorted);
	free(drop);
	return result;
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

int case_source_open(struct case_source **out, const char *path, uint64_t seed, struct error *err)
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
	if (hdf5) {
		if (dataset_open(&source->dataset, path, err))
			goto fail;
		source->count = dataset_count(source->dataset);
	} else {
		if (spec_open(&source->spec, path, source_axes_of, NULL, err))
			goto fail;
		source->count = spec_count(source->spec);
		source->spec_index = calloc(source->count ? source->count : 1, sizeof *source->spec_index);
		source->names = calloc(source->count ? source->count : 1, sizeof *source->names);
		if (!source->spec_index || !source->names) {
			error_set(err, ERROR_ENVIRONMENT, "out of memory");
			goto fail;
		}
		for (size_t i = 0; i < source->count; i++) {
			const struct assignment assignment = spec_at(source->spec, i);
			const struct family *family = family_find(assignment.family);
			struct test_case test;
			if (!family) {
				error_set(err, ERROR_INPUT, "%s:%d: unknown family %s", path, assignment.line, assignment.family);
				goto fail;
			}
			if (family->make_case(&assignment, seed, &test, err)) {
				error_context(err, "%s:%d", path, assignment.line);
				goto fail;
			}
			memcpy(source->names[i], test.name, sizeof test.name);
			source->spec_index[i] = i;
			case_free(&test);
		}
		if (drop_duplicates(source, err))
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
	return source->dataset ? dataset_case_name(source->dataset, index) : source->names[index];
}

int case_source_load(const struct case_source *source, size_t index, int with_data, struct test_case *test,
		     const struct family **family, struct error *err)
{
	if (index >= source->count)
		return error_set(err, ERROR_INTERNAL, "%s: has no case %zu", source->path, index);
	if (source->dataset) {
		if (dataset_read(source->dataset, index, with_data, test, err))
			return -1;
		*family = family_find(test->family);
		if (!*family) {
			error_set(err, ERROR_INPUT, "%s: case %s belongs to the unknown family %s", source->path, test->name, test->family);
			case_free(test);
			return -1;
		}
	} else {
		if (make_spec_case(source, source->spec_index[index], test, family, err))
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

void case_source_close(struct case_source *source)
{
	if (!source)
		return;
	dataset_close(source->dataset);
	spec_close(source->spec);
	free(source->spec_index);
	free(source->names);
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

int filter_matches(const char *const *filters, int filter_count, const char *name)
{
	int selected = 1, positive_seen = 0;
	for (int i = 0; i < filter_count; i++) {
		if (filters[i][0] == '-') {
			if (matches_one(filters[i] + 1, name))
				return 0;
		} else {
			if (!positive_seen)
				selected = 0;
			positive_seen = 1;
			selected |= matches_one(filters[i], name);
		}
	}
	return selected;
}
