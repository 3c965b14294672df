/* What the parts of reading a result file share; private to record_read*.c. */
#ifndef ASSAY_HARNESS_RECORD_READER_H
#define ASSAY_HARNESS_RECORD_READER_H

#include "record_layout.h"

#include "dataset/hdf5_access.h"

struct record_reader {
	struct hdf5_place place;
	char *partial, *earlier; /* the names one of which was opened instead, or NULL */
	hid_t file, cases;
	int leaves_copies; /* of outputs */
	void *rows[RECORD_TABLES];
	size_t counts[RECORD_TABLES], taken[RECORD_TABLES];
	size_t next[RECORD_TABLES];              /* of tables whose rows name their case: the first that was not looked at */
	enum check checks[RECORD_CHECKS_STORED]; /* of the file's numbers; CHECK_NAMES_COUNT: unknown here */
};

/* ---- record_read_run.c: everything but cases ---- */

/* An attribute that is a text, READ_ABSENT as an error. */
int record_read_text(hid_t object, const char *name, char *text, size_t size, const struct hdf5_place *place, struct error *err);
int record_read_run(struct record_reader *reader, struct run_record *run, struct error *err);
int record_read_artifacts(struct record_reader *reader, struct run_record *run, struct error *err);

/* ---- record_read_cases.c ---- */

/* Cases out of the tables, which are in memory. Coverage of a run that is not complete is made from their launches. */
int record_read_cases(struct record_reader *reader, struct run_record *run, struct error *err);

#endif
