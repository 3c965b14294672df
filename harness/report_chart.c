#include "report_chart.h"

#include "json_object.h"
#include "xml_text.h"

#include <math.h>
#include <stdlib.h>

enum { POINTS_MAX = 1500, TABLE_ROWS_MAX = 200 };

struct chart_series *chart_series(struct chart *chart, enum chart_style style, int colour, const char *format, ...)
{
	struct chart_series named = {.style = style, .colour = colour};
	va_list args;
	va_start(args, format);
	vsnprintf(named.name, sizeof named.name, format, args);
	va_end(args);
	for (size_t i = 0; i < chart->series_count; i++)
		if (strcmp(chart->series[i].name, named.name) == 0)
			return &chart->series[i];
	if (chart->series_count == CHART_SERIES_MAX)
		return NULL;
	chart->series[chart->series_count] = named;
	return &chart->series[chart->series_count++];
}

void chart_point(struct chart *chart, struct chart_series *series, struct chart_point point)
{
	if (!series || !isfinite(point.x) || !isfinite(point.y))
		return;
	if ((chart->x_log && !(point.x > 0)) || (chart->y_log && !(point.y > 0)))
		return;
	if (series->count == series->capacity) {
		const size_t capacity = series->capacity ? 2 * series->capacity : 16;
		struct chart_point *points = reallocarray(series->points, capacity, sizeof *points);
		if (!points) {
			chart->failed = 1;
			return;
		}
		series->points = points;
		series->capacity = capacity;
	}
	series->points[series->count++] = point;
}

size_t chart_point_count(const struct chart *chart)
{
	size_t count = 0;
	for (size_t i = 0; i < chart->series_count; i++)
		count += chart->series[i].style == CHART_ROOF ? 0 : chart->series[i].count;
	return count;
}

void chart_free(struct chart *chart)
{
	for (size_t i = 0; i < chart->series_count; i++)
		free(chart->series[i].points);
	*chart = (struct chart){0};
}

/* ---- data ---- */

/* Five digits are more than a plot shows; they keep large pages small. */
static json_t *rounded(double value)
{
	char text[32];
	snprintf(text, sizeof text, "%.5g", value);
	return json_real(strtod(text, NULL));
}

/* [x, y], [x, y, label] or [x, y, label, low, high] */
static json_t *point_json(const struct chart_point *point)
{
	const int has_interval = isfinite(point->low) && isfinite(point->high) && point->high > 0;
	json_t *array = json_array();
	int failed = !array || json_array_append_new(array, rounded(point->x)) || json_array_append_new(array, rounded(point->y));
	if (!failed && (point->label || has_interval))
		failed = json_array_append_new(array, text_json(point->label)) != 0;
	if (!failed && has_interval)
		failed = json_array_append_new(array, rounded(point->low)) || json_array_append_new(array, rounded(point->high));
	if (!failed)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *series_json(const struct chart_series *series, size_t step)
{
	static const char *const styles[] = {[CHART_SOLID] = "solid", [CHART_DASHED] = "dashed", [CHART_ROOF] = "roof"};
	struct object object = object_new();
	json_t *points = json_array();
	int failed = points == NULL;
	for (size_t i = 0, from = 0; !failed && from < series->count; i++, from += step) {
		/* one of each `step`, but not always the same: cases come in an order that repeats */
		const size_t of = step < series->count - from ? step : series->count - from;
		const size_t chosen = from + (uint32_t)i * 2654435761u / 65536 % of;
		json_t *point = point_json(&series->points[chosen]);
		failed = !point || json_array_append_new(points, point);
	}
	put_text(&object, "name", series->name);
	put_text(&object, "style", styles[series->style]);
	put_int(&object, "colour", series->colour);
	put_int(&object, "dash", series->dash);
	if (failed) {
		json_decref(points);
		points = NULL;
	}
	put(&object, "points", points);
	return object_done(&object);
}

static json_t *chart_json(const struct chart *chart, const char *id, size_t step)
{
	static const char *const kinds[] = {
		[CHART_LINES] = "lines", [CHART_POINTS] = "points", [CHART_BARS] = "bars", [CHART_STACKS] = "stacks"};
	struct object object = object_new();
	json_t *series = json_array();
	int failed = series == NULL;
	for (size_t i = 0; !failed && i < chart->series_count; i++) {
		json_t *one = series_json(&chart->series[i], chart->series[i].style == CHART_ROOF ? 1 : step);
		failed = !one || json_array_append_new(series, one);
	}
	put_text(&object, "id", id);
	put_text(&object, "kind", kinds[chart->kind]);
	put_text(&object, "x", chart->x_title);
	put_text(&object, "y", chart->y_title);
	put(&object, "x_log", json_boolean(chart->x_log));
	put(&object, "y_log", json_boolean(chart->y_log));
	put(&object, "y_free", json_boolean(chart->y_free));
	if (chart->y_most > 0)
		put(&object, "y_range", json_pack("[ff]", chart->y_least, chart->y_most));
	if (chart->y_mark > 0)
		put(&object, "y_mark", json_real(chart->y_mark));
	put(&object, "x_labels", json_boolean(chart->is_labelled));
	put(&object, "horizontal", json_boolean(chart->horizontal));
	if (failed) {
		json_decref(series);
		series = NULL;
	}
	put(&object, "series", series);
	return object_done(&object);
}

/* ---- the same as a table ---- */

static void append_table(struct page *page, const struct chart *chart)
{
	const int has_x = chart->kind == CHART_LINES || chart->kind == CHART_POINTS;
	struct table table = {0};
	size_t shown = 0, left_out = 0;
	table.titles[table.columns] = "series";
	table.left[table.columns++] = 1;
	if (has_x)
		table.titles[table.columns++] = chart->x_title;
	if (chart->label_title) {
		table.titles[table.columns] = chart->label_title;
		table.left[table.columns++] = 1;
	}
	table.titles[table.columns++] = chart->y_title;
	for (size_t i = 0; i < chart->series_count; i++)
		for (size_t k = 0; k < chart->series[i].count; k++) {
			const struct chart_point *point = &chart->series[i].points[k];
			if (chart->series[i].style == CHART_ROOF && k > 0)
				continue; /* a line: where it starts says enough */
			if (shown == TABLE_ROWS_MAX) {
				left_out++;
				continue;
			}
			shown++;
			table_cell(&table, "%s", chart->series[i].name);
			if (has_x)
				table_cell(&table, "%.6g", point->x);
			if (chart->label_title)
				table_cell(&table, "%s", point->label ? point->label : "");
			if (point->high > 0)
				table_cell(&table, "%.4g (%.4g to %.4g)", point->y, point->low, point->high);
			else
				table_cell(&table, "%.4g", point->y);
		}
	page_table(page, &table);
	if (left_out)
		page_paragraph(page, "... and %zu more; --csv and --json have all of them.", left_out);
}

void page_chart(struct page *page, struct chart_list *list, struct chart *chart)
{
	const size_t count = chart_point_count(chart), step = (count + POINTS_MAX - 1) / POINTS_MAX;
	char id[32];
	if (chart->failed)
		page->out->failed = 1;
	if (count == 0 || chart->failed) {
		chart_free(chart);
		return;
	}
	page_close(page);
	snprintf(id, sizeof id, "chart%zu", json_array_size(list->charts));
	text_append(page->out, "<figure class=\"chart\">\n<figcaption><h4>");
	xml_append_text(page->out, chart->title);
	text_append(page->out, "</h4><p>");
	xml_append_text(page->out, chart->about);
	if (step > 1)
		text_append(page->out, " Of %zu points one in %zu is drawn.", count, step);
	text_append(page->out, "</p></figcaption>\n");
	if (list->is_drawn) {
		text_append(page->out, "<div class=\"plot%s\"><canvas id=\"%s\" role=\"img\" aria-label=\"", chart->tall ? " tall" : "", id);
		xml_append_text(page->out, chart->title);
		text_append(page->out, ". The table below has its figures.\"></canvas></div>\n<details>");
		json_t *json = chart_json(chart, id, step);
		if (!json || json_array_append_new(list->charts, json))
			page->out->failed = 1;
	} else {
		text_append(page->out, "<details open>");
	}
	text_append(page->out, "<summary>Figures as a table</summary>\n");
	append_table(page, chart);
	page_close(page);
	text_append(page->out, "</details>\n</figure>\n");
	chart_free(chart);
}
