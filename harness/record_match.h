/* Whether two results are parts of one run: same program, datasets, artifacts and options. Devices, hosts, paths, time limits and
 * numbers of workers may differ. */
#ifndef ASSAY_HARNESS_RECORD_MATCH_H
#define ASSAY_HARNESS_RECORD_MATCH_H

#include "record.h"

enum record_same {
	RECORD_SAME_RESUMED, /* the same shard, too */
	RECORD_SAME_MERGED   /* one of as many shards */
};

/* -1 with ERROR_INPUT: how `other`, which is what `file` holds, contradicts `run`. */
int record_same_run(const struct run_record *run, const struct run_record *other, const char *file, enum record_same same,
		    struct error *err);

#endif
