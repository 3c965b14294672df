#include "record_match.h"

#include <inttypes.h>
#include <string.h>

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static int differs(const char *file, const char *what, const char *wanted, const char *found, struct error *err)
{
	if (strcmp(or_empty(wanted), or_empty(found)) == 0)
		return 0;
	return error_set(err, ERROR_INPUT, "%s: is of another run: %s is '%.200s' there and '%.200s' here", file, what, or_empty(found),
			 or_empty(wanted));
}

static int differs_in_number(const char *file, const char *what, int64_t wanted, int64_t found, struct error *err)
{
	if (wanted == found)
		return 0;
	return error_set(err, ERROR_INPUT, "%s: is of another run: %s is %" PRId64 " there and %" PRId64 " here", file, what, found, wanted);
}

static int64_t shards_of(const struct run_record *run)
{
	return run->shard_count > 1 ? run->shard_count : 1;
}

int record_same_run(const struct run_record *run, const struct run_record *other, const char *file, enum record_same same,
		    struct error *err)
{
	if (differs_in_number(file, "the schema", run->schema, other->schema, err) ||
	    differs(file, "the version of assay", run->version, other->version, err) ||
	    differs(file, "what was asked for", run->options, other->options, err) || differs(file, "--math", run->math, other->math, err) ||
	    differs_in_number(file, "--seed", (int64_t)run->seed, (int64_t)other->seed, err) ||
	    differs_in_number(file, "the number of shards", shards_of(run), shards_of(other), err) ||
	    differs_in_number(file, "the number of datasets", (int64_t)run->dataset_count, (int64_t)other->dataset_count, err) ||
	    differs_in_number(file, "the number of artifacts", (int64_t)run->artifact_count, (int64_t)other->artifact_count, err))
		return -1;
	if (same == RECORD_SAME_RESUMED && shards_of(run) > 1 &&
	    differs_in_number(file, "the shard", run->shard_index, other->shard_index, err))
		return -1;
	for (size_t i = 0; i < run->dataset_count; i++)
		if (strcmp(run->datasets[i].sha256, other->datasets[i].sha256) != 0)
			return error_set(err, ERROR_INPUT, "%s: is of another run: the dataset %s has changed (sha256 %.16s there, %.16s here)", file,
					 or_empty(run->datasets[i].path), other->datasets[i].sha256, run->datasets[i].sha256);
	for (size_t i = 0; i < run->artifact_count; i++) {
		const struct artifact_record *here = &run->artifacts[i], *there = &other->artifacts[i];
		if (strcmp(here->sha256, there->sha256) != 0 || here->size != there->size)
			return error_set(err, ERROR_INPUT, "%s: is of another run: the artifact %s is not the one there, %s (sha256 %.16s there, "
					 "%.16s here)", file, or_empty(here->path), or_empty(there->path), there->sha256, here->sha256);
		if (differs(file, "the set of an artifact", here->set, there->set, err))
			return -1;
	}
	return 0;
}
