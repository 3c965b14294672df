#include "report_page.h"

#include "cli.h"
#include "xml_text.h"

#include <stdlib.h>
#include <string.h>

enum { FACT_WIDTH = 14, ITEM_WIDTH = 11, LONG_CELL = 36 };

enum tone status_tone(enum status status)
{
	switch (status) {
	case STATUS_PASS:
		return TONE_GOOD;
	case STATUS_UNSUPPORTED:
	case STATUS_SKIPPED:
		return TONE_PLAIN;
	case STATUS_MISTRUSTED:
		return TONE_DOUBTFUL;
	default:
		return TONE_BAD;
	}
}

static const char *tone_start(const struct page *page, enum tone tone)
{
	static const char *const codes[] = {
		[TONE_PLAIN] = "", [TONE_GOOD] = "\033[32m", [TONE_BAD] = "\033[31m", [TONE_DOUBTFUL] = "\033[33m"};
	return page->colour ? codes[tone] : "";
}

static const char *tone_end(const struct page *page, enum tone tone)
{
	return page->colour && tone != TONE_PLAIN ? "\033[0m" : "";
}

/* ---- HTML ---- */

static const char *tone_class(enum tone tone)
{
	static const char *const names[] = {[TONE_PLAIN] = "plain", [TONE_GOOD] = "good", [TONE_BAD] = "bad", [TONE_DOUBTFUL] = "doubtful"};
	return names[tone];
}

void page_close(struct page *page)
{
	static const char *const ends[] = {[PAGE_NOTHING] = "", [PAGE_FACTS] = "</dl>\n", [PAGE_ITEM] = "</li>\n</ul>\n"};
	if (page->style == REPORT_HTML)
		text_append(page->out, "%s", ends[page->open]);
	page->open = PAGE_NOTHING;
}

static void html_element(struct page *page, const char *name, const char *text)
{
	text_append(page->out, "<%s>", name);
	xml_append_text(page->out, text);
	text_append(page->out, "</%.*s>\n", (int)strcspn(name, " "), name);
}

static void html_fact(struct page *page, const char *name, const char *text)
{
	if (page->open != PAGE_FACTS) {
		page_close(page);
		text_append(page->out, "<dl class=\"facts\">\n");
		page->open = PAGE_FACTS;
	}
	text_append(page->out, "<div>");
	html_element(page, "dt", name);
	html_element(page, "dd", text);
	text_append(page->out, "</div>\n");
}

static void html_item(struct page *page, enum tone tone, const char *word, const char *text)
{
	if (page->open == PAGE_ITEM) {
		text_append(page->out, "</li>\n");
	} else {
		page_close(page);
		text_append(page->out, "<ul class=\"items\">\n");
	}
	page->open = PAGE_ITEM;
	text_append(page->out, "<li><span class=\"word %s\">", tone_class(tone));
	xml_append_text(page->out, word);
	text_append(page->out, "</span> <span class=\"name\">");
	xml_append_text(page->out, text);
	text_append(page->out, "</span>\n");
}

static void html_item_line(struct page *page, const char *label, const char *text, int is_code)
{
	text_append(page->out, "<div class=\"line\">");
	if (label[0]) {
		text_append(page->out, "<span class=\"label\">");
		xml_append_text(page->out, label);
		text_append(page->out, "</span> ");
	}
	html_element(page, is_code ? "code" : "span", text);
	text_append(page->out, "</div>\n");
}

static void html_table(struct page *page, const struct table *table)
{
	/* a table scrolls within itself; what scrolls has to be reachable by keyboard */
	text_append(page->out, "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>");
	for (int column = 0; column < table->columns; column++)
		html_element(page, table->left[column] ? "th scope=\"col\"" : "th scope=\"col\" class=\"n\"", table->titles[column]);
	text_append(page->out, "</tr></thead>\n<tbody>\n");
	const char *at = table->cells.data;
	for (size_t cell = 0; cell < table->rows * (size_t)table->columns; cell++, at += strlen(at) + 1) {
		const int column = (int)(cell % (size_t)table->columns);
		const char *const class = !table->left[column] ? " class=\"n\"" : strlen(at) > LONG_CELL ? " class=\"long\"" : "";
		text_append(page->out, "%s<td%s>", column == 0 ? "<tr>" : "", class);
		xml_append_text(page->out, at);
		text_append(page->out, "</td>%s", column == table->columns - 1 ? "</tr>\n" : "");
	}
	text_append(page->out, "</tbody></table></div>\n");
}

/* ---- text and Markdown ---- */

/* Text from outside. Markdown would read some signs as its own: they get a backslash. */
static void append_foreign(const struct page *page, const char *text)
{
	struct text clean = {0};
	cli_append_clean(&clean, text, strlen(text));
	if (page->style == REPORT_TERMINAL) {
		text_append_bytes(page->out, clean.data ? clean.data : "", clean.length);
	} else {
		for (const char *at = clean.data; at && *at; at++) {
			if (strchr("\\`*_{}[]<>#|~&", *at))
				text_append(page->out, "\\");
			text_append_bytes(page->out, at, 1);
		}
	}
	text_free(&clean);
}

/* Between backticks Markdown takes everything as it is, except a backtick; '|' would end a table's cell, but code is not
 * put into tables. */
static void append_code(const struct page *page, const char *text)
{
	struct text clean = {0};
	cli_append_clean(&clean, text, strlen(text));
	const char *fence = clean.data && strchr(clean.data, '`') ? "`` " : "`";
	if (page->style == REPORT_TERMINAL)
		text_append(page->out, "%s", clean.data ? clean.data : "");
	else
		text_append(page->out, "%s%s%s", fence, clean.data ? clean.data : "", fence[1] ? " ``" : "`");
	text_free(&clean);
}

/* What stands before a line may be foreign too: the family of an entry point, the name that a column was given. */
static void append_bold(const struct page *page, const char *start, const char *text, const char *end)
{
	text_append(page->out, "%s", start);
	append_foreign(page, text);
	text_append(page->out, "%s", end);
}

static void append_padded(const struct page *page, const char *start, const char *text, size_t width, const char *end)
{
	text_append(page->out, "  %s", start);
	append_foreign(page, text);
	for (size_t used = strlen(text); used < width; used++)
		text_append(page->out, " ");
	text_append(page->out, "%s ", end);
}

static char *format_text(struct text *text, const char *format, va_list args)
{
	char *made = NULL;
	if (vasprintf(&made, format, args) < 0) {
		text->failed = 1;
		return NULL;
	}
	return made;
}

/* In Markdown an empty line ends a list; without one what follows would belong to its last item. */
static void end_list(struct page *page)
{
	const struct text *out = page->out;
	if (page->style == REPORT_MARKDOWN && out->length >= 2 && out->data[out->length - 2] != '\n')
		text_append(page->out, "\n");
}

void page_heading(struct page *page, int level, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = format_text(page->out, format, args);
	va_end(args);
	if (!text)
		return;
	if (page->style == REPORT_HTML) {
		const char *const names[] = {"h2", "h3", "h4"};
		page_close(page);
		html_element(page, names[level < 1 ? 0 : level > 3 ? 2 : level - 1], text);
		free(text);
		return;
	}
	if (page->style == REPORT_TERMINAL && page->out->length)
		text_append(page->out, "\n");
	end_list(page);
	if (page->style == REPORT_MARKDOWN) {
		text_append(page->out, "%.*s ", level, "####");
		append_foreign(page, text);
		text_append(page->out, "\n\n");
	} else {
		text_append(page->out, "%s", page->colour ? "\033[1m" : "");
		append_foreign(page, text);
		text_append(page->out, "%s\n", page->colour ? "\033[0m" : "");
		for (size_t i = 0; level == 1 && i < strlen(text); i++)
			text_append(page->out, "=");
		if (level == 1)
			text_append(page->out, "\n");
	}
	free(text);
}

void page_fact(struct page *page, const char *name, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = format_text(page->out, format, args);
	va_end(args);
	if (text && text[0] && page->style == REPORT_HTML) {
		html_fact(page, name, text);
	} else if (text && text[0]) {
		if (page->style == REPORT_MARKDOWN)
			append_bold(page, "- **", name, "**: ");
		else
			append_padded(page, "", name, FACT_WIDTH, "");
		append_foreign(page, text);
		text_append(page->out, "\n");
	}
	free(text);
}

void page_paragraph(struct page *page, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = format_text(page->out, format, args);
	va_end(args);
	if (!text)
		return;
	if (page->style == REPORT_HTML) {
		page_close(page);
		html_element(page, "p", text);
		free(text);
		return;
	}
	text_append(page->out, page->style == REPORT_MARKDOWN ? "" : "  ");
	end_list(page);
	append_foreign(page, text);
	text_append(page->out, page->style == REPORT_MARKDOWN ? "\n\n" : "\n");
	free(text);
}

void page_item(struct page *page, enum tone tone, const char *word, const char *text)
{
	if (page->style == REPORT_HTML) {
		html_item(page, tone, word, text);
		return;
	}
	if (page->style == REPORT_MARKDOWN)
		append_bold(page, "- **", word, "** ");
	else
		append_padded(page, tone_start(page, tone), word, ITEM_WIDTH, tone_end(page, tone));
	append_foreign(page, text);
	text_append(page->out, "\n");
}

void page_item_line(struct page *page, const char *label, const char *text, int is_code)
{
	if (!text || !text[0])
		return;
	if (page->style == REPORT_HTML) {
		html_item_line(page, label, text, is_code);
		return;
	}
	text_append(page->out, page->style == REPORT_MARKDOWN ? "  - %s%s" : "              %s%s", label, label[0] ? ": " : "");
	if (is_code)
		append_code(page, text);
	else
		append_foreign(page, text);
	text_append(page->out, "\n");
}

void table_cell(struct table *table, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = format_text(&table->cells, format, args);
	va_end(args);
	if (!text)
		return;
	text_append_bytes(&table->cells, text, strlen(text) + 1);
	free(text);
	if (++table->filled == table->columns) {
		table->filled = 0;
		table->rows++;
	}
}

static void pad(struct text *out, size_t used, size_t width)
{
	for (; used < width; used++)
		text_append(out, " ");
}

static void append_cell(struct page *page, const struct table *table, int column, const char *text, size_t width)
{
	if (page->style == REPORT_MARKDOWN) {
		text_append(page->out, "| ");
		append_foreign(page, text);
		text_append(page->out, column == table->columns - 1 ? " |\n" : " ");
		return;
	}
	const int last = column == table->columns - 1;
	text_append(page->out, "  ");
	if (!table->left[column])
		pad(page->out, strlen(text), width);
	append_foreign(page, text);
	if (table->left[column] && !last)
		pad(page->out, strlen(text), width);
	if (last)
		text_append(page->out, "\n");
}

void page_table(struct page *page, struct table *table)
{
	size_t widths[TABLE_COLUMNS_MAX];
	if (table->cells.failed)
		page->out->failed = 1;
	if (page->style == REPORT_HTML) {
		page_close(page);
		if (!table->cells.failed)
			html_table(page, table);
		text_free(&table->cells);
		return;
	}
	end_list(page);
	for (int column = 0; column < table->columns; column++)
		widths[column] = strlen(table->titles[column]);
	const char *at = table->cells.data;
	for (size_t cell = 0; !table->cells.failed && cell < table->rows * (size_t)table->columns; cell++, at += strlen(at) + 1) {
		size_t *width = &widths[cell % (size_t)table->columns];
		*width = strlen(at) > *width ? strlen(at) : *width;
	}
	for (int column = 0; column < table->columns; column++)
		append_cell(page, table, column, table->titles[column], widths[column]);
	for (int column = 0; page->style == REPORT_MARKDOWN && column < table->columns; column++)
		text_append(page->out, "|%s%s", table->left[column] ? " --- " : " ---: ", column == table->columns - 1 ? "|\n" : "");
	at = table->cells.data;
	for (size_t cell = 0; !table->cells.failed && cell < table->rows * (size_t)table->columns; cell++, at += strlen(at) + 1) {
		const int column = (int)(cell % (size_t)table->columns);
		append_cell(page, table, column, at, widths[column]);
	}
	text_free(&table->cells);
}
