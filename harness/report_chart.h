/* Charts of the HTML page: a figure with a place to draw in, the same numbers as a table below it, and the data as JSON for
 * html/page.js, which draws them with Chart.js. */
#ifndef ASSAY_HARNESS_REPORT_CHART_H
#define ASSAY_HARNESS_REPORT_CHART_H

#include "report_page.h"

enum chart_kind {
	CHART_LINES,             /* x are categories in ascending order (unless x_log), joined by lines */
	CHART_POINTS,            /* x is a scale; series of style CHART_ROOF are lines */
	CHART_BARS,              /* labels of the points are categories; side by side */
	CHART_STACKS             /* the same, one upon the other */
};
enum chart_style { CHART_SOLID, CHART_DASHED, CHART_ROOF };

struct chart_point {
	double x, y;             /* finite: others are left out; bars: x is not used */
	double low, high;        /* interval of y; both 0: none */
	const char *label;       /* a case's name, or the category of a bar; lives as long as the chart; NULL: none */
};
struct chart_series {
	char name[96];
	enum chart_style style;
	int colour;              /* series of one colour belong together; which colours there are says page.css */
	int dash;                /* CHART_DASHED, CHART_ROOF: which; 0 unless set: series of one kind have one */
	struct chart_point *points; /* owned */
	size_t count, capacity;
};

enum { CHART_SERIES_MAX = 32 };
struct chart {               /* zero-initialise; chart_free */
	enum chart_kind kind;
	char title[160];
	char about[512];         /* a sentence or two: what is seen, in which unit, which direction is good */
	const char *x_title, *y_title, *label_title; /* label_title: head of the labels' column, NULL: there are none */
	int x_log, y_log, horizontal; /* x_log with lines: x is a scale, too, with a tick at each of their values */
	int y_free;              /* the y axis need not start at 0: ratios, clocks */
	double y_least, y_most;  /* the y axis shows this range at least, so that noise does not fill the plot; both 0: nothing */
	double y_mark;           /* a line at this value, which others are held against; 0: none */
	int tall;                /* a long legend needs more height */
	int is_labelled;         /* lines: the labels stand on the axis instead of x */
	struct chart_series series[CHART_SERIES_MAX];
	size_t series_count;
	int failed;              /* memory ran out */
};

/* Another series, or the one of that name; NULL when there are too many. */
struct chart_series *chart_series(struct chart *chart, enum chart_style style, int colour, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* `series` may be NULL. */
void chart_point(struct chart *chart, struct chart_series *series, struct chart_point point);
size_t chart_point_count(const struct chart *chart);
void chart_free(struct chart *chart);

/* All charts of a page. */
struct chart_list {
	json_t *charts;          /* an array */
	int is_drawn;            /* there is a library to draw with; 0: tables only */
};
/* Appends the figure to the page and its data to the list; nothing when it has no points. Of more than some thousand points
 * every n-th is drawn, and the figure says so. Frees the chart. */
void page_chart(struct page *page, struct chart_list *list, struct chart *chart);

#endif
