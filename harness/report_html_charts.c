#include "report_html.h"

#include "operator_figures.h"
#include "report_figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHAPES_MAX = 6, BARS_MAX = 16, ERROR_BINS = 14, KINDS_MAX = 24, TYPES_MAX = 16, FAMILIES_MAX = 64 };

/* What the name of an attention case says (kernels/attention_case.c makes it): "attention/f16/d64/h16:16/b1/s512:512/causal/..." */
struct shape {
	const struct case_record *record;
	int64_t query, key;
	char group[160];         /* everything but head dimension and lengths, for people */
};

static int read_shape(const struct case_record *record, struct shape *shape)
{
	const char *at = record->name;
	int found = 0;
	*shape = (struct shape){.record = record};
	if (strncmp(at, "attention/", 10) != 0)
		return -1;
	for (at += 9; *at == '/';) {
		const size_t length = strcspn(++at, "/");
		char part[96];
		long long a, b;
		int used = 0;
		const size_t have = strlen(shape->group);
		const char *comma = have ? ", " : "";
		char *const rest = shape->group + have;
		const size_t space = sizeof shape->group - have;
		snprintf(part, sizeof part, "%.*s", (int)length, at);
		at += length;
		if (sscanf(part, "d%lld%n", &a, &used) == 1 && part[used] == '\0')
			continue;
		if (sscanf(part, "s%lld:%lld%n", &a, &b, &used) == 2 && part[used] == '\0') {
			shape->query = a;
			shape->key = b;
			found = a > 0 && b > 0;
		} else if (sscanf(part, "h%lld:%lld%n", &a, &b, &used) == 2 && part[used] == '\0') {
			if (a == b)
				snprintf(rest, space, "%s%lld heads", comma, a);
			else
				snprintf(rest, space, "%s%lld query and %lld key heads", comma, a, b);
		} else if (sscanf(part, "b%lld%n", &a, &used) == 1 && part[used] == '\0') {
			snprintf(rest, space, "%sbatch of %lld", comma, a);
		} else if (strcmp(part, "bshd") != 0 && strcmp(part, "normal") != 0) {
			snprintf(rest, space, "%s%s", comma, part);
		}
	}
	if (found && shape->query != shape->key) {
		const size_t have = strlen(shape->group);
		snprintf(shape->group + have, sizeof shape->group - have, ", %lld quer%s", (long long)shape->query, shape->query == 1 ? "y"
				: "ies");
	}
	return found ? 0 : -1;
}

static int by_shape(const void *a, const void *b)
{
	const struct shape *x = a, *y = b;
	const int groups_differ = strcmp(x->group, y->group);
	if (groups_differ)
		return groups_differ;
	if (x->record->attributes_head_dim != y->record->attributes_head_dim)
		return x->record->attributes_head_dim < y->record->attributes_head_dim ? -1 : 1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->record > y->record) - (x->record < y->record);
}

/* One query a sequence, as in decoding: every key is read for it, so that memory bounds the work. */
static int is_decoding(const struct shape *shape)
{
	return shape->query == 1 && shape->record->bytes > 0;
}

static double tflops(const struct case_record *record, double seconds)
{
	return record->flops / seconds / 1e12;
}

static void add_rate(struct chart *chart, struct chart_series *series, const struct shape *shape,
		const struct timing_record *timing)
{
	const double work = is_decoding(shape) ? shape->record->bytes / 1e9 : shape->record->flops / 1e12;
	chart_point(chart, series, (struct chart_point){.x = (double)shape->key, .y = work / timing->median,
							.low = timing->high > 0 ? work / timing->high : 0,
							.high = timing->low > 0 ? work / timing->low : 0, .label = shape->record->name});
}

/* Index of the name among those met; the last one when there are too many. */
static size_t name_index(const char *names[CHART_SERIES_MAX], size_t *count, const char *name)
{
	size_t at = 0;
	while (at < *count && strcmp(names[at], name) != 0)
		at++;
	if (at == *count && at < CHART_SERIES_MAX)
		names[(*count)++] = name;
	return at < CHART_SERIES_MAX ? at : CHART_SERIES_MAX - 1;
}

static void throughput_chart(struct page *page, struct chart_list *list, const struct run_record *run,
		const struct shape *shapes, size_t count)
{
	struct chart chart = {.kind = CHART_LINES, .x_title = "keys in the sequence", .x_log = 1, .label_title = "case"};
	const int decodes = is_decoding(&shapes[0]);
	const char *baselines[CHART_SERIES_MAX];
	size_t baseline_count = 0;
	int colour = 0;
	chart.y_title = decodes ? "GB/s" : "TFLOP/s";
	snprintf(chart.title, sizeof chart.title, "Attention, %.140s", shapes[0].group);
	snprintf(chart.about, sizeof chart.about, "Throughput over sequence length by head dimension (d); higher is better. "
			"Dashed: other implementations "
						  "on the same inputs. Dotted: what this card's %s reaches.", decodes ? "copy rate" : "matrix product");
	for (size_t i = 0; i < count; i++) {
		const struct case_record *record = shapes[i].record;
		const long long d = (long long)record->attributes_head_dim;
		if (i && record->attributes_head_dim != shapes[i - 1].record->attributes_head_dim)
			colour++;
		add_rate(&chart, chart_series(&chart, CHART_SOLID, colour, "d %lld", d), &shapes[i], &record->hot);
		for (int b = 0; b < record->baseline_count; b++) {
			const size_t name = name_index(baselines, &baseline_count, record->baselines[b].name);
			if (!record->baselines[b].hot.measured || !(record->baselines[b].hot.median > 0))
				continue;
			struct chart_series *series = chart_series(&chart, CHART_DASHED, colour, "d %lld, %s", d, record->baselines[b].name);
			if (series)
				series->dash = (int)name;
			add_rate(&chart, series, &shapes[i], &record->baselines[b].hot);
		}
	}
	const struct run_device *device = run_record_device(run, shapes[0].record);
	const int is_bf16 = shapes[0].record->dtype == DTYPE_BF16;
	const double roof = decodes ? device->copy_bytes_per_second : is_bf16 ? device->matrix_product_flops_bf16
			: device->matrix_product_flops;
	if (roof > 0) {
		struct chart_series *series = decodes ? chart_series(&chart, CHART_ROOF, 0, "copy rate")
						      : chart_series(&chart, CHART_ROOF, 0, "matrix product in %s", is_bf16 ? "bf16" : "f16");
		chart_point(&chart, series, (struct chart_point){.x = (double)shapes[0].key, .y = roof / (decodes ? 1e9 : 1e12)});
	}
	page_chart(page, list, &chart);
}

static int has_several_lengths(const struct shape *shapes, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (shapes[i].key != shapes[0].key)
			return 1;
	return 0;
}

static int by_flops(const void *a, const void *b)
{
	const struct shape *x = a, *y = b;
	if (x->record->flops != y->record->flops)
		return x->record->flops < y->record->flops ? 1 : -1;
	return (x->record > y->record) - (x->record < y->record);
}

/* Speed relative to the artifact's own: what would be gained or lost by taking the other one. */
static void baseline_chart(struct page *page, struct chart_list *list, struct shape *shapes, size_t count)
{
	struct chart chart = {.kind = CHART_BARS, .horizontal = 1, .y_title = "speed relative to the baseline (1: as fast)",
			.label_title = "case", .y_mark = 1, .y_most = 1};
	const char *baselines[CHART_SERIES_MAX];
	size_t shown = 0, baseline_count = 0;
	snprintf(chart.title, sizeof chart.title, "Against each baseline");
	snprintf(chart.about, sizeof chart.about, "Time of the baseline over time of this artifact, on the cases with the most "
			"work; above 1 this artifact "
						  "is faster.");
	qsort(shapes, count, sizeof *shapes, by_flops);
	for (size_t i = 0; i < count && shown < BARS_MAX; i++) {
		const struct case_record *record = shapes[i].record;
		int some = 0;
		for (int b = 0; b < record->baseline_count; b++) {
			const struct timing_record *timing = &record->baselines[b].hot;
			const size_t name = name_index(baselines, &baseline_count, record->baselines[b].name);
			if (!timing->measured || !(timing->median > 0))
				continue;
			chart_point(&chart, chart_series(&chart, CHART_SOLID, (int)name, "against %s", record->baselines[b].name),
				    (struct chart_point){.y = timing->median / record->hot.median, .label = record->name + strlen("attention/")});
			some = 1;
		}
		shown += some != 0;
	}
	page_chart(page, list, &chart);
}

void html_throughput_charts(struct page *page, struct chart_list *list, const struct run_record *run)
{
	struct shape *shapes = calloc(run->case_count + 1, sizeof *shapes);
	size_t count = 0, charts = 0;
	if (!shapes) {
		page->out->failed = 1;
		return;
	}
	for (size_t i = 0; i < run->case_count; i++)
		if (case_is_timed(&run->cases[i]) && run->cases[i].flops > 0 && strcmp(run->cases[i].family, "attention") == 0 &&
		    read_shape(&run->cases[i], &shapes[count]) == 0)
			count++;
	qsort(shapes, count, sizeof *shapes, by_shape);
	for (size_t from = 0, to; from < count; from = to) {
		for (to = from + 1; to < count && strcmp(shapes[to].group, shapes[from].group) == 0;)
			to++;
		if (has_several_lengths(shapes + from, to - from) && charts++ < SHAPES_MAX)
			throughput_chart(page, list, run, shapes + from, to - from);
	}
	if (charts > SHAPES_MAX)
		page_paragraph(page, "%zu more shapes were timed at several lengths; the table below and --csv have them.",
				charts - SHAPES_MAX);
	baseline_chart(page, list, shapes, count);
	free(shapes);
}

/* Names of the families, in the order of their first cases. */
static size_t families_of(const struct run_record *run, const char *names[FAMILIES_MAX])
{
	size_t count = 0, last = 0;
	for (size_t i = 0; i < run->case_count; i++) {
		const char *family = run->cases[i].family;
		size_t at = 0;
		if (last < count && strcmp(names[last], family) == 0)
			continue; /* neighbours mostly belong together */
		while (at < count && strcmp(names[at], family) != 0)
			at++;
		if (at == FAMILIES_MAX)
			continue;
		if (at == count)
			names[count++] = family;
		last = at;
	}
	return count;
}

/* ---- roofline; hot against cold ---- */

/* Of a family, of attention by type; what has no place in a legend goes together. */
static struct chart_series *series_of(struct chart *chart, const struct case_record *record)
{
	char name[sizeof chart->series[0].name];
	int is_known = 0;
	if (case_is_operator(record))
		snprintf(name, sizeof name, "%s", record->family[0] ? record->family : "operators");
	else
		snprintf(name, sizeof name, "%s %s", record->family, record->dtype == DTYPE_INVALID ? "" : dtype_name(record->dtype));
	for (size_t i = 0; i < chart->series_count; i++)
		is_known |= strcmp(chart->series[i].name, name) == 0;
	return chart_series(chart, CHART_SOLID, (int)chart->series_count, "%s",
			    is_known || chart->series_count < KINDS_MAX ? name : "all others");
}

static double spent(const struct case_record *record)
{
	return record->unit == WORK_BYTES && record->cold.measured && record->cold.median > 0 ? record->cold.median : record->hot.median;
}

static void add_roof(struct chart *chart, const struct run_device *device, double peak, const char *name, double low, double high)
{
	if (!(peak > 0))
		return;
	const int earlier = chart->series_count && chart->series[chart->series_count - 1].style == CHART_ROOF;
	struct chart_series *series = chart_series(chart, CHART_ROOF, 0, "%s", name);
	if (series)
		series->dash = earlier;
	const double copy = device->copy_bytes_per_second, corner = copy > 0 ? peak / copy : 0;
	if (corner > low)
		chart_point(chart, series, (struct chart_point){.x = low, .y = low * copy / 1e12});
	chart_point(chart, series, (struct chart_point){.x = corner > low ? corner : low, .y = peak / 1e12});
	if (high > corner)
		chart_point(chart, series, (struct chart_point){.x = high, .y = peak / 1e12});
}

static void hot_cold_chart(struct page *page, struct chart_list *list, const struct run_record *run)
{
	struct chart chart = {.kind = CHART_POINTS, .x_log = 1, .x_title = "hot time (us)", .y_title = "cold time / hot time",
			.label_title = "case", .y_free = 1, .y_least = 0.95, .y_most = 1.05, .y_mark = 1};
	snprintf(chart.title, sizeof chart.title, "Hot against cold");
	snprintf(chart.about, sizeof chart.about, "How much longer a call takes when its inputs come from memory instead of the "
			"cache. 1: it makes no "
						  "difference.");
	for (size_t i = 0; i < run->case_count; i++) {
		const struct case_record *record = &run->cases[i];
		if (case_is_timed(record) && record->cold.measured && record->cold.median > 0)
			chart_point(&chart, series_of(&chart, record),
				    (struct chart_point){.x = record->hot.median * 1e6, .y = record->cold.median / record->hot.median,
						.label = record->name});
	}
	page_chart(page, list, &chart);
}

void html_roofline_charts(struct page *page, struct chart_list *list, const struct run_record *run)
{
	struct chart chart = {.kind = CHART_POINTS, .x_log = 1, .y_log = 1, .x_title = "arithmetic intensity (FLOP / byte)",
			.y_title = "TFLOP/s",
			      .label_title = "case"};
	const struct run_device *device = run_record_device(run, NULL);
	double low = INFINITY, high = 0;
	snprintf(chart.title, sizeof chart.title, "Roofline");
	snprintf(chart.about, sizeof chart.about, "Each point a case that was timed. The dotted line is the most that this card "
			"can do: by its copy rate on the "
						  "left, by its matrix product on the right, both measured in this run. Points above it had their inputs in the cache.");
	for (size_t i = 0; i < run->case_count; i++) {
		const struct case_record *record = &run->cases[i];
		if (!case_is_timed(record) || !(record->flops > 0) || !(record->bytes > 0))
			continue;
		const double intensity = record->flops / record->bytes;
		chart_point(&chart, series_of(&chart, record),
			    (struct chart_point){.x = intensity, .y = tflops(record, spent(record)), .label = record->name});
		low = intensity < low ? intensity : low;
		high = intensity > high ? intensity : high;
	}
	if (high > 0) {
		add_roof(&chart, device, device->matrix_product_flops, "roof of this card (f16)", low / 2, high * 2);
		/* two lines that cannot be told apart are one too many */
		if (fabs(device->matrix_product_flops_bf16 - device->matrix_product_flops) > 0.1 * device->matrix_product_flops)
			add_roof(&chart, device, device->matrix_product_flops_bf16, "roof of this card (bf16)", low / 2, high * 2);
	}
	page_chart(page, list, &chart);
	hot_cold_chart(page, list, run);
}

/* ---- errors ---- */

static const char *const error_bins[ERROR_BINS] = {"0", "to 0.001", "to 0.01", "to 0.1", "to 0.2", "to 0.3", "to 0.4",
						   "to 0.5", "to 0.6", "to 0.7", "to 0.8", "to 0.9", "to 1", "wrong"};

static int error_bin(double margin)
{
	static const double ends[ERROR_BINS - 1] = {0, 0.001, 0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1};
	int bin = 0;
	while (bin < ERROR_BINS - 1 && !(margin <= ends[bin]))
		bin++;
	return bin;
}

static int has_numbers(const struct case_record *record)
{
	const enum check_state state = record->judgement.checks[CHECK_NUMBERS].state;
	return (state == CHECK_HELD || state == CHECK_BROKEN) && record->dtype != DTYPE_INVALID;
}

/* Index of the type among those met; they are few. */
static size_t type_index(enum dtype types[TYPES_MAX], size_t *count, enum dtype type)
{
	size_t at = 0;
	while (at < *count && types[at] != type)
		at++;
	if (at == *count && at < TYPES_MAX)
		types[(*count)++] = type;
	return at < TYPES_MAX ? at : TYPES_MAX - 1;
}

static void case_error_chart(struct page *page, struct chart_list *list, const struct run_record *run)
{
	struct chart chart = {.kind = CHART_STACKS, .x_title = "largest error / bound of the case", .y_title = "cases",
			.label_title = "error / bound"};
	enum dtype types[TYPES_MAX];
	size_t counts[TYPES_MAX][ERROR_BINS] = {{0}}, type_count = 0;
	snprintf(chart.title, sizeof chart.title, "How near the cases come to their bounds");
	snprintf(chart.about, sizeof chart.about, "Cases by their largest error / bound, by type. Left is better; 1 is the most "
			"that rounding can explain, beyond "
						  "it the result is wrong. 0: exact, or within what subnormal numbers of the type explain.");
	for (size_t i = 0; i < run->case_count; i++)
		if (has_numbers(&run->cases[i]))
			counts[type_index(types, &type_count, run->cases[i].dtype)][error_bin(run->cases[i].judgement.margin)]++;
	for (size_t type = 0; type < type_count; type++)
		for (int bin = 0; bin < ERROR_BINS; bin++)
			chart_point(&chart, chart_series(&chart, CHART_SOLID, (int)type, "%s", dtype_name(types[type])),
				    (struct chart_point){.y = (double)counts[type][bin], .label = error_bins[bin]});
	page_chart(page, list, &chart);
}

/* Attention counts elements by their error relative to the size of what was summed up (judge.h), operators by error / bound
 * (expect.c): two charts. */
static void element_error_chart(struct page *page, struct chart_list *list, const struct run_record *run, int of_operators)
{
	struct chart chart = {.kind = CHART_LINES, .x_title = of_operators ? "error / bound of an element: up to 2^x"
			: "scaled error of an element: up to 2^x",
			      .y_title = "% of elements"};
	enum dtype types[TYPES_MAX];
	double counts[TYPES_MAX][JUDGE_HISTOGRAM_BINS] = {{0}};
	size_t type_count = 0;
	int first = JUDGE_HISTOGRAM_BINS, last = 0;
	snprintf(chart.title, sizeof chart.title, "Errors of single elements%s", of_operators ? ", operators" : "");
	if (of_operators)
		snprintf(chart.about, sizeof chart.about, "All elements of all outputs that were judged by numbers, by type: each error "
				"over its own bound. The last "
							  "point has those from 1 up, where 1 itself is still right; the first one those that are exact.");
	else
		snprintf(chart.about, sizeof chart.about, "All elements of all outputs that were judged by numbers, by type; each error "
				"relative to the size of what "
							  "was summed up. 2^-11 is half a unit in the last place of f16, 2^-8 of bf16, 2^-24 of f32. The first point has all "
							  "that are smaller, and those within what subnormal numbers of the type explain.");
	for (size_t i = 0; i < run->case_count; i++) {
		if (!has_numbers(&run->cases[i]) || case_is_operator(&run->cases[i]) != of_operators)
			continue;
		double *const of = counts[type_index(types, &type_count, run->cases[i].dtype)];
		for (int bin = 0; bin < JUDGE_HISTOGRAM_BINS; bin++)
			if (run->cases[i].judgement.histogram[bin] > 0)
				of[bin] += (double)run->cases[i].judgement.histogram[bin];
	}
	for (size_t type = 0; type < type_count; type++)
		for (int bin = 0; bin < JUDGE_HISTOGRAM_BINS; bin++)
			if (counts[type][bin] > 0) {
				first = bin < first ? bin : first;
				last = bin > last ? bin : last;
			}
	for (size_t type = 0; type < type_count; type++) {
		double all = 0;
		for (int bin = 0; bin < JUDGE_HISTOGRAM_BINS; bin++)
			all += counts[type][bin];
		for (int bin = first; all > 0 && bin <= last; bin++)
			chart_point(&chart, chart_series(&chart, CHART_SOLID, (int)type, "%s", dtype_name(types[type])),
				    (struct chart_point){.x = bin - 30, .y = 100 * counts[type][bin] / all});
	}
	page_chart(page, list, &chart);
}

/* Margins of the passed cases of one family. */
static void family_error_chart(struct page *page, struct chart_list *list, const struct run_record *run)
{
	struct chart chart = {.kind = CHART_BARS, .horizontal = 1, .y_title = "error / bound", .label_title = "family"};
	double *values = calloc(run->case_count + 1, sizeof *values);
	const char *names[FAMILIES_MAX];
	const size_t families_count = families_of(run, names);
	size_t shown = 0;
	if (!values) {
		page->out->failed = 1;
		return;
	}
	snprintf(chart.title, sizeof chart.title, "Errors by family");
	snprintf(chart.about, sizeof chart.about, "Cases that passed: the median case, the 95th percentile and the largest. "
			"Operations that round once come "
						  "near 1 by nature: half a unit in the last place is both the error and the bound.");
	for (size_t i = 0; i < families_count; i++) {
		const char *family = names[i];
		size_t count = 0;
		for (size_t k = 0; k < run->case_count; k++)
			if (strcmp(run->cases[k].family, family) == 0 && run->cases[k].judgement.status == STATUS_PASS && has_numbers(&run->cases[k]))
				values[count++] = run->cases[k].judgement.margin;
		if (count == 0)
			continue;
		const struct spread spread = spread_of(values, count);
		shown++;
		chart_point(&chart, chart_series(&chart, CHART_SOLID, 2, "median"), (struct chart_point){.y = spread.median, .label = family});
		chart_point(&chart, chart_series(&chart, CHART_SOLID, 0, "95th percentile"), (struct chart_point){.y = spread.high,
				.label = family});
		chart_point(&chart, chart_series(&chart, CHART_SOLID, 1, "largest"), (struct chart_point){.y = spread.maximum,
				.label = family});
	}
	if (shown > 1)
		page_chart(page, list, &chart);
	chart_free(&chart);
	free(values);
}

void html_error_charts(struct page *page, struct chart_list *list, const struct run_record *run)
{
	case_error_chart(page, list, run);
	element_error_chart(page, list, run, 0);
	element_error_chart(page, list, run, 1);
	family_error_chart(page, list, run);
}

/* ---- operators ---- */

void html_operator_charts(struct page *page, struct chart_list *list, const struct run_record *run)
{
	struct chart chart = {.kind = CHART_BARS, .horizontal = 1, .y_title = "% of what this card can do", .label_title = "family"};
	double *values = calloc(run->case_count + 1, sizeof *values);
	const char *names[FAMILIES_MAX];
	const size_t families_count = families_of(run, names);
	if (!values) {
		page->out->failed = 1;
		return;
	}
	snprintf(chart.title, sizeof chart.title, "Operators against this card's roof");
	snprintf(chart.about, sizeof chart.about, "Of the copy rate where bytes bound the operation (from memory, not from the "
			"cache), of the matrix product where "
						  "arithmetic does; by family, the median case and the best. Small cases never reach the roof.");
	for (size_t i = 0; i < families_count; i++) {
		size_t count = 0;
		for (size_t k = 0; k < run->case_count; k++) {
			const struct case_record *record = &run->cases[k];
			if (!case_is_operator(record) || !case_is_timed(record) || strcmp(record->family, names[i]) != 0)
				continue;
			const double share = operator_rate_of(run, record).share;
			if (isfinite(share))
				values[count++] = 100 * share;
		}
		if (count == 0)
			continue;
		const struct spread spread = spread_of(values, count);
		chart_point(&chart, chart_series(&chart, CHART_SOLID, 0, "best case"), (struct chart_point){.y = spread.maximum,
				.label = names[i]});
		chart_point(&chart, chart_series(&chart, CHART_SOLID, 4, "median case"), (struct chart_point){.y = spread.median,
				.label = names[i]});
	}
	free(values);
	page_chart(page, list, &chart);
}

/* ---- conditions ---- */

static void clock_chart(struct page *page, struct chart_list *list, const struct run_record *run)
{
	struct chart clock = {.kind = CHART_POINTS, .x_title = "timed case, in order", .y_title = "MHz", .label_title = "case",
			.y_free = 1};
	struct chart power = {.kind = CHART_POINTS, .x_title = "timed case, in order", .y_title = "W", .label_title = "case"};
	double order = 0;
	snprintf(clock.title, sizeof clock.title, "Clock of the multiprocessors");
	snprintf(clock.about, sizeof clock.about, "While each case was timed: highest and lowest reading. A level line is what "
			"good conditions look like.");
	snprintf(power.title, sizeof power.title, "Power");
	snprintf(power.about, sizeof power.about, "Highest reading while each case was timed. A card at its limit lowers its clock.");
	for (size_t i = 0; i < run->case_count; i++) {
		const struct case_record *record = &run->cases[i];
		double low = INFINITY, high = 0, watts = 0;
		if (!case_is_timed(record) || record->clock_count == 0)
			continue;
		for (int64_t k = 0; k < record->clock_count; k++) {
			const double mhz = record->clocks[k].sm_clock_mhz, w = record->clocks[k].power_milliwatts / 1000.0;
			low = mhz < low ? mhz : low;
			high = mhz > high ? mhz : high;
			watts = w > watts ? w : watts;
		}
		order++;
		chart_point(&clock, chart_series(&clock, CHART_SOLID, 0, "highest"), (struct chart_point){.x = order, .y = high,
				.label = record->name});
		chart_point(&clock, chart_series(&clock, CHART_SOLID, 1, "lowest"), (struct chart_point){.x = order, .y = low,
				.label = record->name});
		chart_point(&power, chart_series(&power, CHART_SOLID, 3, "power"), (struct chart_point){.x = order, .y = watts,
				.label = record->name});
	}
	page_chart(page, list, &clock);
	page_chart(page, list, &power);
}

static void energy_chart(struct page *page, struct chart_list *list, const struct run_record *run)
{
	struct chart chart = {.kind = CHART_POINTS, .x_title = "TFLOP/s", .y_title = "J / TFLOP", .x_log = 1, .y_log = 1,
			      .label_title = "case"};
	snprintf(chart.title, sizeof chart.title, "Energy");
	snprintf(chart.about, sizeof chart.about, "Energy of the whole card for 10^12 floating-point operations, over throughput; "
			"lower is better. Both axes are logarithmic.");
	for (size_t i = 0; i < run->case_count; i++)
		if (case_is_timed(&run->cases[i]))
			chart_point(&chart, series_of(&chart, &run->cases[i]),
				    (struct chart_point){.x = case_flop_rate(&run->cases[i]) / 1e12, .y = case_energy_per_tflop(&run->cases[i]),
							 .label = run->cases[i].name});
	page_chart(page, list, &chart);
}

void html_condition_charts(struct page *page, struct chart_list *list, const struct run_record *run)
{
	energy_chart(page, list, run);
	clock_chart(page, list, run);
}
