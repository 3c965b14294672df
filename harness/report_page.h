/* The forms that reports are made of (headings, facts, lists, tables), as text for a terminal, as Markdown or as HTML. What comes
 * in may be anything: control characters become '?', Markdown's and HTML's own signs are escaped. */
#ifndef ASSAY_HARNESS_REPORT_PAGE_H
#define ASSAY_HARNESS_REPORT_PAGE_H

#include "report.h"

struct page {
	enum report_style style;
	int colour;
	struct text *out;
	enum { PAGE_NOTHING, PAGE_FACTS, PAGE_ITEM } open; /* HTML: which element waits for its end */
};
void page_close(struct page *page); /* HTML: ends what is open; nothing otherwise */

enum tone { TONE_PLAIN, TONE_GOOD, TONE_BAD, TONE_DOUBTFUL };
enum tone status_tone(enum status status);

void page_heading(struct page *page, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A line "name: value"; nothing when the value is empty. */
void page_fact(struct page *page, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
void page_paragraph(struct page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A word that stands out, then text. */
void page_item(struct page *page, enum tone tone, const char *word, const char *text);
/* Lines below an item: `label` and text; a command is set as code. */
void page_item_line(struct page *page, const char *label, const char *text, int is_code);

enum { TABLE_COLUMNS_MAX = 16 };
struct table {
	const char *titles[TABLE_COLUMNS_MAX];
	int left[TABLE_COLUMNS_MAX]; /* 1: set flush left */
	int columns;
	struct text cells;           /* NUL-terminated, row by row */
	size_t rows;
	int filled;                  /* cells of the row that is being filled */
};
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void page_table(struct page *page, struct table *table); /* writes it and frees the cells */

#endif
