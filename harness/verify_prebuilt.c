#include "verify_prebuilt.h"

#include <stdlib.h>
#include <string.h>

struct verify_counts verify_count(const struct run_record *run, int artifact)
{
	struct verify_counts counts = {0};
	for (size_t i = 0; i < run->case_count; i++) {
		if (artifact >= 0 && run->cases[i].artifact != artifact)
			continue;
		counts.cases++;
		switch (run->cases[i].judgement.status) {
		case STATUS_PASS: counts.passed++; break;
		case STATUS_UNSUPPORTED:
		case STATUS_SKIPPED: counts.undecided++; break;
		default: counts.bad++; break;
		}
	}
	return counts;
}

int verify_prebuilt(const struct prebuilt *prebuilt, const unsigned char *taken, const struct verify_options *options,
		    struct run_record *run, struct error *err)
{
	const char **paths = calloc((size_t)prebuilt->count + 1, sizeof *paths);
	int count = 0;
	*run = (struct run_record){0};
	if (!paths)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	/* the build-output folder, not its out: what lies beside it tells how the files were made */
	for (int f = 0; f < prebuilt->count; f++)
		if (!taken || taken[f])
			paths[count++] = prebuilt->folders[f].path;
	const struct session_options session = {
		.kind = options->kind,
		.paths = paths,
		.path_count = count,
		.device = options->device,
		.dataset = options->dataset,
		.donor = options->donor,
		.cache_dir = options->cache_dir,
		.math = options->math,
		.abi = options->abi,
		.filters = options->filters.items,
		.filter_count = options->filters.count,
		.repeats = -1,
		.deaths_in_a_row = -1,
		.quiet = !options->verbose,
		.command = options->command,
	};
	const int result = session_run(&session, run, err);
	free(paths);
	return result;
}

void verify_summary(const struct run_record *run, struct text *out)
{
	const struct verify_counts counts = verify_count(run, -1);
	const char *id = run->device_count ? run->devices[0].properties.id : "no device";
	text_append(out, "%s", id);
	if (run->device_count && strcmp(id, "cpu") != 0)
		text_append(out, " (%s)", run->devices[0].properties.name);
	text_append(out, ": %zu of %zu cases passed", counts.passed, counts.cases);
	if (counts.bad)
		text_append(out, ", %zu did not", counts.bad);
	if (counts.undecided)
		text_append(out, ", %zu could not be judged here", counts.undecided);
}
