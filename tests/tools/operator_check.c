/* Runs the cases of a spec against kernels of PTX modules, in this one process:
 *
 *     operator_check --spec FILE [--device D] [--filter F] [--math fast|precise] [--abi 0.9.2|0.11] [--repeats N] [--seed N] [--verbose]
 *                    [--list] MODULE...
 *
 * Cases whose entry point none of the modules has are counted and left out. Exit 1 when a case did not pass. */
#include "artifact/artifact.h"
#include "core/util.h"
#include "operate.h"
#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct totals {
	long by_status[STATUS_COUNT], absent;
};

static int module_of(const char *symbol, char *const *modules, int count, char *const *texts)
{
	char pattern[160];
	snprintf(pattern, sizeof pattern, ".entry %s(", symbol);
	for (int i = 0; i < count; i++)
		if (strstr(texts[i], pattern))
			return i;
	(void)modules;
	return -1;
}

static char *text_of(const char *path, struct error *err)
{
	struct file_map map;
	if (file_map_open(&map, path, err))
		return NULL;
	char *text = copy_text((const char *)map.data, map.size);
	file_map_close(&map);
	return text;
}

int main(int argc, char **argv)
{
	const char *spec = NULL, *device_id = "cpu", *filters[8];
	int filter_count = 0, verbose = 0, list = 0, first_module = argc, abi = OPERATOR_ABI_092;
	struct operate_options options = {.repeats = 1};
	uint64_t seed = 0;
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";
		if (!strcmp(argv[i], "--verbose"))
			verbose = 1;
		else if (!strcmp(argv[i], "--list"))
			list = 1;
		else if (!strncmp(argv[i], "--", 2)) {
			if (!strcmp(argv[i], "--spec"))
				spec = value;
			else if (!strcmp(argv[i], "--device"))
				device_id = value;
			else if (!strcmp(argv[i], "--filter") && filter_count < 8)
				filters[filter_count++] = value;
			else if (!strcmp(argv[i], "--math"))
				options.math = !strcmp(value, "fast") ? MATH_FAST : MATH_PRECISE;
			else if (!strcmp(argv[i], "--abi"))
				abi = !strcmp(value, "0.11") ? OPERATOR_ABI_011 : OPERATOR_ABI_092;
			else if (!strcmp(argv[i], "--repeats"))
				options.repeats = atoi(value);
			else if (!strcmp(argv[i], "--seed"))
				seed = strtoull(value, NULL, 10);
			else {
				fprintf(stderr, "operator_check: unknown option %s\n", argv[i]);
				return 2;
			}
			i++;
		} else {
			first_module = i;
			break;
		}
	}
	char *const *modules = argv + first_module;
	const int module_count = argc - first_module;
	struct error err = {0};
	struct case_source *source = NULL;
	struct operate *operate = NULL;
	struct totals totals = {0};
	char **texts = calloc((size_t)module_count + 1, sizeof *texts), loaded[160] = "";
	struct case_record *record = calloc(1, sizeof *record);
	int failed = !spec || !texts || !record || case_source_open(&source, spec, seed, &err);
	for (int i = 0; !failed && i < module_count; i++)
		failed = !(texts[i] = text_of(modules[i], &err));
	if (!failed && !list)
		failed = device_open(&options.device, device_id, NULL, &err) || operate_open(&operate, &options, &err);
	for (size_t i = 0; !failed && i < case_source_count(source); i++) {
		struct test_case test;
		const struct family *family;
		if (!filter_matches(filters, filter_count, case_source_name(source, i)))
			continue;
		if (list) {
			puts(case_source_name(source, i));
			continue;
		}
		if (case_source_load(source, i, 1, &test, &family, &err)) {
			failed = 1;
			break;
		}
		const char *symbol = case_get_text(&test, "entry");
		const int module = symbol ? module_of(symbol, modules, module_count, texts) : -1;
		if (module < 0) {
			totals.absent++;
			case_free(&test);
			continue;
		}
		if (strcmp(loaded, symbol) != 0) {
			struct operate_loaded figures;
			if (operate_load(operate, modules[module], &symbol, 1, 0, &figures, &err)) {
				failed = 1;
				case_free(&test);
				break;
			}
			snprintf(loaded, sizeof loaded, "%s", symbol);
		}
		const struct operate_target target = {.family = family, .abi = abi, .symbol = loaded};
		const double start = monotonic_seconds();
		const int lost = operate_case(operate, &target, &test, NULL, record);
		const double seconds = monotonic_seconds() - start;
		totals.by_status[record->judgement.status]++;
		if (verbose || record->judgement.status != STATUS_PASS)
			printf("%-11s %s  margin %.3g  precise %.3g  ulp %llu  %.1f ms%s%s%s%s\n", status_name(record->judgement.status), record->name,
			       record->judgement.margin, record->judgement.precise_margin, (unsigned long long)record->judgement.ulp_max,
			       seconds * 1e3, record->judgement.reason[0] ? "\n            " : "", record->judgement.reason,
			       record->note[0] ? "\n            note: " : "", record->note);
		case_free(&test);
		if (lost) {
			printf("the device context is lost: the rest is not run\n");
			break;
		}
	}
	if (failed)
		fprintf(stderr, "operator_check: %s\n", spec ? err.message : "--spec FILE is missing");
	long bad = 0, all = 0;
	for (int status = 0; status < STATUS_COUNT; status++) {
		if (totals.by_status[status])
			printf("%s %ld  ", status_name((enum status)status), totals.by_status[status]);
		all += totals.by_status[status];
		bad += status == STATUS_PASS ? 0 : totals.by_status[status];
	}
	if (!list)
		printf("%ld cases; %ld of entry points that no module has\n", all, totals.absent);
	operate_close(operate);
	device_close(options.device);
	case_source_close(source);
	for (int i = 0; texts && i < module_count; i++)
		free(texts[i]);
	free(texts);
	free(record);
	return failed ? 2 : bad || (!all && !list) ? 1 : 0;
}
