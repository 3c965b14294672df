/* Artifacts x datasets x devices: what each pair came to, and how it stands to the first artifact. Nothing here runs anything. */
#ifndef ASSAY_HARNESS_MATRIX_H
#define ASSAY_HARNESS_MATRIX_H

#include "compare.h"
#include "report.h"

#include <jansson.h>

/* A column: one build. What it is, by inspection; "" where nothing tells. Texts owned, label and path borrowed. */
struct matrix_artifact {
	const char *label, *path;
	char *files;                  /* base names, "a.ptx, b.ptx" */
	char *toolkit, *images, *built, *driver;
	char *problem;                /* why it cannot be inspected; "" */
};

/* Throughput relative to the first column: of cases that both passed and timed, hot. > 1 is faster. */
struct matrix_relative {
	size_t cases;                 /* 0: none, and no figures */
	double mean, low, high;       /* geometric mean, with an interval of comparison.confidence */
	double least, most;           /* of single cases */
	const char *least_case, *most_case;
	int by_rounds;                /* the interval is over rounds in turns; else of each case's own interval alone */
};

struct matrix_cell {
	struct run_record run;        /* owned; empty when `problem` is set */
	struct error problem;         /* it could not be run at all */
	char *file;                   /* result file; owned, NULL: none */
	/* matrix_summarise: */
	size_t statuses[STATUS_COUNT];
	size_t cases;
	double worst;                 /* largest error / bound of judged cases; NaN: none */
	const char *worst_case;
	double load_seconds;          /* of all its artifacts; NaN: not known */
	struct matrix_relative relative;
	size_t hot[TIMING_VERDICTS], regressions; /* against the first column */
	char *incomparable;           /* why nothing is compared; "" */
};

struct matrix {
	struct matrix_artifact *artifacts;
	size_t artifact_count;
	const char *const *datasets;  /* NULL as an item: those of `assay run` */
	size_t dataset_count;
	const char *const *devices;
	size_t device_count;
	struct matrix_cell *cells;    /* [device][dataset][artifact] */
	double threshold;
	int in_turns;                 /* artifacts of a device and dataset were timed in turns */
};

/* What a dataset is called: the last part of its path, or all of it where another one's is the same; "default". */
const char *matrix_dataset_name(const struct matrix *matrix, size_t dataset);
int matrix_dataset_shares_name(const struct matrix *matrix, size_t dataset);
struct matrix_cell *matrix_cell(const struct matrix *matrix, size_t device, size_t dataset, size_t artifact);

/* Opens what lies under the path. Files that cannot be read are named in `problem`. -1 when memory runs out. */
int matrix_inspect(struct matrix_artifact *artifact, struct error *err);
/* Fills the figures of every cell. */
int matrix_summarise(struct matrix *matrix, struct error *err);
/* Geometric mean over cases of how much shorter the new times are. Where both runs were timed in turns, rounds are counted: one
 * mean over all cases for each, and Student's interval over them, since cases of one round have its drift in common. Else the
 * intervals of single cases are added as independent ones, which says nothing of what the two runs as a whole had in common. */
int matrix_relative_of(const struct comparison *comparison, struct matrix_relative *out, struct error *err);
void matrix_free(struct matrix *matrix);

/* 1: a verdict is bad somewhere; 3: a cell could not be run, or nothing passed anywhere; else 0. */
int matrix_exit_code(const struct matrix *matrix);

/* ---- matrix_view.c ---- */
void matrix_append(const struct matrix *matrix, const struct report_options *options, struct text *out);
/* A line for each cell, RFC 4180. */
void matrix_append_csv(const struct matrix *matrix, struct text *out);
/* docs/matrix-json.schema.json; NULL when memory runs out. */
json_t *matrix_to_json(const struct matrix *matrix);

#endif
