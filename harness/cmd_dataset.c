#include "cmd_dataset.h"

#include "buffers.h"
#include "cli.h"
#include "dataset/import.h"
#include "dataset/spec.h"
#include "dataset/store.h"
#include "selfcheck.h"
#include "source.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what build and import share: a writer, and expectations from the reference on a device --------------------------- */

struct maker {
	struct dataset_writer *writer;
	struct device *device;       /* NULL unless expectations are wanted */
	struct buffers buffers;
	const struct family *family; /* whose state is open */
	void *state;
};

static int maker_open(struct maker *maker, const char *path, const char *spec_text, int64_t deflate, int expected,
		      const char *device, struct error *err)
{
	*maker = (struct maker){0};
	if (deflate > 9)
		return error_set(err, ERROR_USAGE, "--compress takes 0 to 9, not %" PRId64, deflate);
	if (expected) {
		if (device_open(&maker->device, device ? device : device_default_id(), &(struct device_options){0}, err))
			return -1;
		buffers_init(&maker->buffers, maker->device, GUARD_CANARIES);
	}
	return dataset_writer_open(&maker->writer, path, spec_text, (int)deflate, err);
}

static int maker_add(struct maker *maker, struct test_case *test, const struct family *family, struct error *err)
{
	if (maker->device && !family->symbols) { /* what operators have to be has bounds and alternatives: it is made anew */
		struct binding *binding = calloc(1, sizeof *binding);
		int failed = !binding;
		if (failed)
			error_set(err, ERROR_ENVIRONMENT, "out of memory");
		if (!failed && maker->family != family) {
			if (maker->family)
				maker->family->close(maker->state);
			maker->family = NULL;
			failed = family->open(&maker->state, maker->device, err);
			if (!failed)
				maker->family = family;
		}
		failed = failed || buffers_bind(&maker->buffers, test, binding, err) || family->expect(maker->state, binding, test, err);
		free(binding);
		if (failed)
			return -1;
	}
	return dataset_writer_add(maker->writer, test, err);
}

/* Commits when `result` is 0; frees everything; gives the final result. */
static int maker_close(struct maker *maker, int result, struct error *err)
{
	if (maker->writer && result == 0)
		result = dataset_writer_commit(maker->writer, err);
	else if (maker->writer)
		dataset_writer_discard(maker->writer);
	if (maker->family)
		maker->family->close(maker->state);
	if (maker->device)
		buffers_free(&maker->buffers);
	device_close(maker->device);
	return result;
}

/* ---- build ---------------------------------------------------------------------------------------------------------- */

static int build(int argc, char **argv)
{
	const char *out = NULL, *device = NULL;
	int64_t seed = 0, deflate = 0;
	int expected = 0, positionals, help, result = -1;
	struct option_list filters = {0};
	const struct option options[] = {
		{"--out", OPTION_TEXT, "FILE.h5", &out, "the dataset to write"},
		{"-o", OPTION_TEXT, "FILE.h5", &out, "the same"},
		{"--expected", OPTION_FLAG, NULL, &expected, "store the float64 outputs too, computed by the reference on --device (attention)"},
		{"--device", OPTION_TEXT, "cuda:N|cpu", &device, "where the reference runs"},
		{"--seed", OPTION_COUNT, "N", &seed, "what the generators start from; default 0"},
		{"--compress", OPTION_COUNT, "0-9", &deflate, "deflate level; default 0, none"},
		{"--filter", OPTION_LIST, "EXPR", &filters, "only cases that match; may be repeated"},
	};
	const struct command_line command = {"assay dataset build", "SPEC", "Makes a dataset from a spec: every case with its tensors.",
					     NULL, options, (int)ARRAY_COUNT(options)};
	struct error err = {0};
	struct case_source *source = NULL;
	struct maker maker = {0};
	struct file_map text = {0};
	char *spec_text = NULL;
	size_t written = 0;
	if (command_line_parse(&command, argc - 1, argv + 1, &positionals, &help, &err))
		return cli_fail(&err);
	if (help)
		return cli_print_help(&command);
	if (positionals != 1 || !out) {
		error_set(&err, ERROR_USAGE, "assay dataset build: needs one spec and -o FILE.h5");
		return cli_fail(&err);
	}
	if (case_source_open(&source, argv[1], (uint64_t)seed, &err))
		goto done;
	if (case_source_is_stored(source)) {
		error_set(&err, ERROR_INPUT, "%s: is a dataset already; build takes a spec", argv[1]);
		goto done;
	}
	if (file_map_open(&text, argv[1], &err))
		goto done;
	spec_text = copy_text(text.data ? (const char *)text.data : "", text.size);
	if (maker_open(&maker, out, spec_text, deflate, expected, device, &err))
		goto done;
	result = 0;
	for (size_t i = 0; result == 0 && i < case_source_count(source); i++) {
		struct test_case test;
		const struct family *family;
		if (!filter_matches(filters.items, filters.count, case_source_name(source, i)))
			continue;
		result = case_source_load(source, i, 1, &test, &family, &err);
		if (result)
			break;
		result = maker_add(&maker, &test, family, &err);
		case_free(&test);
		written++;
	}
	if (result == 0 && written == 0)
		result = error_set(&err, ERROR_INPUT, "%s: no case matches the filter", argv[1]);
done:
	result = maker_close(&maker, result, &err);
	file_map_close(&text);
	free(spec_text);
	case_source_close(source);
	if (result)
		return cli_fail(&err);
	printf("%s: %zu cases\n", out, written);
	return 0;
}

/* ---- import --------------------------------------------------------------------------------------------------------- */

/* Rounds an imported tensor once to the case's type and gives it to the case. */
static int adopt(struct test_case *test, const char *name, struct tensor *imported, struct error *err)
{
	struct tensor *tensor = case_find_tensor(test, name, TENSOR_INPUT);
	if (!tensor)
		return error_set(err, ERROR_INTERNAL, "no tensor %s", name);
	if (tensor_elements(tensor) != tensor_elements(imported))
		return error_set(err, ERROR_INPUT, "%s has %" PRId64 " elements, its shape asks for %" PRId64, name, tensor_elements(imported),
				 tensor_elements(tensor));
	if (tensor_allocate(tensor, err))
		return -1;
	snprintf(tensor->generator, sizeof tensor->generator, "import");
	if (imported->dtype == tensor->dtype) {
		memcpy(tensor->data, imported->data, (size_t)tensor_elements(tensor) * dtype_size(tensor->dtype));
		return 0;
	}
	for (int64_t i = 0; i < tensor_elements(tensor); i++)
		dtype_store(tensor->dtype, tensor->data, (size_t)i, dtype_load(imported->dtype, imported->data, (size_t)i));
	return 0;
}

static int shape_error(const char *name, const struct tensor *tensor, struct error *err)
{
	return error_set(err, ERROR_INPUT, "%s: rank %d; attention takes [batch, seqlen, heads, head_dim] (--layout bshd) or [batch, heads, "
			 "seqlen, head_dim] (--layout bhsd)", name, tensor->rank);
}

static int import(int argc, char **argv)
{
	const char *out = NULL, *device = NULL, *name = "imported", *sources[3] = {NULL, NULL, NULL};
	const char *mask = "none", *softcap = "0", *scale = "rsqrt", *layout = "bshd", *dtype = NULL;
	int expected = 0, positionals, help, result = -1;
	const struct option options[] = {
		{"--q", OPTION_TEXT, "SOURCE", &sources[0], "FILE.npy, FILE.safetensors:KEY or FILE.h5:/PATH"},
		{"--k", OPTION_TEXT, "SOURCE", &sources[1], "likewise"},
		{"--v", OPTION_TEXT, "SOURCE", &sources[2], "likewise"},
		{"--out", OPTION_TEXT, "FILE.h5", &out, "the dataset to write"},
		{"-o", OPTION_TEXT, "FILE.h5", &out, "the same"},
		{"--name", OPTION_TEXT, "NAME", &name, "name of the case; default imported"},
		{"--layout", OPTION_CHOICE, "bshd|bhsd", &layout, "order of the axes of q, k and v; default bshd"},
		{"--dtype", OPTION_CHOICE, "f16|bf16", &dtype, "type of the case; default: that of q, which must then be one of them"},
		{"--mask", OPTION_TEXT, "MASK", &mask, "none, causal, left:L, right:R or window:L:R"},
		{"--softcap", OPTION_TEXT, "X", &softcap, "default 0, none"},
		{"--scale", OPTION_TEXT, "X", &scale, "default 1/sqrt(head_dim)"},
		{"--expected", OPTION_FLAG, NULL, &expected, "store the float64 outputs too"},
		{"--device", OPTION_TEXT, "cuda:N|cpu", &device, "where the reference runs"},
	};
	const struct command_line command = {"assay dataset import", NULL,
					     "Makes a dataset of one attention case from tensors captured from a real model.", NULL, options,
					     (int)ARRAY_COUNT(options)};
	static const char *const names[] = {"q", "k", "v"};
	struct error err = {0};
	struct tensor imported[3] = {0};
	struct maker maker = {0};
	struct test_case test = {0};
	if (command_line_parse(&command, argc - 1, argv + 1, &positionals, &help, &err))
		return cli_fail(&err);
	if (help)
		return cli_print_help(&command);
	if (!sources[0] || !sources[1] || !sources[2] || !out) {
		error_set(&err, ERROR_USAGE, "assay dataset import: needs --q, --k, --v and -o");
		return cli_fail(&err);
	}
	for (int i = 0; i < 3; i++) {
		if (import_tensor(&imported[i], sources[i], &err))
			goto done;
		if (imported[i].rank != 4) {
			shape_error(sources[i], &imported[i], &err);
			goto done;
		}
	}
	if (!dtype)
		dtype = dtype_name(imported[0].dtype);
	const int bhsd = strcmp(layout, "bhsd") == 0, seqlen = bhsd ? 2 : 1, heads = bhsd ? 1 : 2;
	char head_dim_text[24], heads_text[48], batch_text[24], seqlen_text[48];
	const int64_t *q = imported[0].dims, *k = imported[1].dims, *v = imported[2].dims;
	if (memcmp(k, v, 4 * sizeof *k) != 0 || q[0] != k[0] || q[3] != k[3]) {
		error_set(&err, ERROR_INPUT, "k and v must have one shape, and batch and head_dim of q");
		goto done;
	}
	snprintf(head_dim_text, sizeof head_dim_text, "%" PRId64, q[3]);
	snprintf(heads_text, sizeof heads_text, "%" PRId64 "/%" PRId64, q[heads], k[heads]);
	snprintf(batch_text, sizeof batch_text, "%" PRId64, q[0]);
	snprintf(seqlen_text, sizeof seqlen_text, "%" PRId64 "/%" PRId64, q[seqlen], k[seqlen]);
	const struct assignment assignment = {
		.family = "attention",
		.group = "import",
		.axis_count = 9,
		.axes = {"dtype", "head_dim", "heads", "batch", "seqlen", "mask", "softcap", "scale", "layout"},
		.values = {dtype, head_dim_text, heads_text, batch_text, seqlen_text, mask, softcap, scale, layout},
	};
	if (attention_family.make_case(&assignment, 0, &test, &err) || case_set_text(&test, "input", "import", &err))
		goto done;
	if (strpbrk(name, " \t\n") || snprintf(test.name, sizeof test.name, "attention/%s", name) >= (int)sizeof test.name) {
		error_set(&err, ERROR_USAGE, "--name: no spaces, and at most %zu characters", sizeof test.name - 11);
		goto done;
	}
	/* An imported tensor is contiguous in the order of its own axes. bshd: that is the case's storage. bhsd: the case's
	 * tensor is a transposed view of the same bytes. */
	for (int i = 0; i < 3; i++)
		if (adopt(&test, names[i], &imported[i], &err))
			goto done;
	if (attention_family.check_case(&test, &err) || maker_open(&maker, out, "", 0, expected, device, &err))
		goto done;
	result = maker_add(&maker, &test, &attention_family, &err);
done:
	result = maker_close(&maker, result, &err);
	for (int i = 0; i < 3; i++)
		free(imported[i].data);
	case_free(&test);
	if (result)
		return cli_fail(&err);
	printf("%s: 1 case\n", out);
	return 0;
}

/* ---- list, info, check ------------------------------------------------------------------------------------------------ */

static int is_stdout(const char *json)
{
	return json && strcmp(json, "-") == 0;
}

/* Writes `root` when a path is given, and frees it; returns `code`, or that of the failure to write. */
static int give_json(const char *path, json_t *root, int code)
{
	struct error err = {0};
	if (path && (!root || cli_write_json(path, root, &err))) {
		if (!root)
			error_set(&err, ERROR_ENVIRONMENT, "out of memory");
		code = cli_fail(&err);
	}
	json_decref(root);
	return code;
}

/* Parses a command that takes one dataset or spec, which then is argv[1]. Returns the exit code when the command ends here
 * (help, wrong usage), else -1. */
static int take_one_file(const struct command_line *command, int argc, char **argv)
{
	struct error err = {0};
	int positionals, help;
	if (command_line_parse(command, argc - 1, argv + 1, &positionals, &help, &err))
		return cli_fail(&err);
	if (help)
		return cli_print_help(command);
	if (positionals == 1)
		return -1;
	error_set(&err, ERROR_USAGE, "%s: needs one dataset or spec", command->program);
	return cli_fail(&err);
}

static int list(int argc, char **argv)
{
	int64_t seed = 0;
	const char *json = NULL;
	struct option_list filters = {0};
	const struct option options[] = {{"--filter", OPTION_LIST, "EXPR", &filters, "only cases that match"},
					 {"--seed", OPTION_COUNT, "N", &seed, "seed of the cases of a spec; default 0"},
					 {"--json", OPTION_TEXT, "FILE|-", &json, "write the names as JSON"}};
	const struct command_line command = {"assay dataset list", "FILE", "Prints the names of the cases of a dataset or spec.", NULL, options,
					     (int)ARRAY_COUNT(options)};
	struct error err = {0};
	struct case_source *source;
	const int early = take_one_file(&command, argc, argv);
	if (early >= 0)
		return early;
	if (case_source_open(&source, argv[1], (uint64_t)seed, &err))
		return cli_fail(&err);
	size_t shown = 0;
	json_t *names = json_array();
	for (size_t i = 0; i < case_source_count(source); i++)
		if (filter_matches(filters.items, filters.count, case_source_name(source, i))) {
			if (!is_stdout(json))
				puts(case_source_name(source, i));
			json_array_append_new(names, json_string(case_source_name(source, i)));
			shown++;
		}
	case_source_close(source);
	if (!shown) {
		json_decref(names);
		error_set(&err, ERROR_INPUT, "%s: no case matches the filter", argv[1]);
		return cli_fail(&err);
	}
	return give_json(json, json_pack("{s:i, s:s, s:o}", "schema", 1, "file", argv[1], "cases", names), 0);
}

static const char *default_of(const char *family, const char *axis, void *context)
{
	(void)context;
	return family_default(family, axis);
}

/* How many of the pairs of axis values the cases of a spec hold. */
static int print_pairs(const char *path, const char *text, struct error *err)
{
	struct spec *spec;
	struct spec_pairs pairs;
	if (text ? spec_parse(&spec, path, text, source_axes_of, NULL, err) : spec_open(&spec, path, source_axes_of, NULL, err))
		return -1;
	for (const struct family *const *family = families; *family; family++) {
		struct text missing = {0};
		if (spec_count_pairs(spec, (*family)->name, NULL, default_of, NULL, &pairs, &missing, NULL) == 0) {
			printf("pairs of axis values (%s): %zu, in cases %zu, excluded %zu, in no common section %zu, missing %zu\n", (*family)->name,
			       pairs.total, pairs.covered, pairs.excluded, pairs.apart, pairs.missing);
			if (missing.length)
				fputs(missing.data, stdout);
		}
		text_free(&missing);
	}
	spec_close(spec);
	return 0;
}

static int info(int argc, char **argv)
{
	const char *json = NULL;
	int result = -1;
	const struct option options[] = {{"--json", OPTION_TEXT, "FILE|-", &json, "write the figures as JSON"}};
	const struct command_line command = {"assay dataset info", "FILE", "Says what a dataset or spec holds.", NULL, options, (int)ARRAY_COUNT(options)};
	struct error err = {0};
	struct case_source *source;
	const int early = take_one_file(&command, argc, argv);
	if (early >= 0)
		return early;
	if (case_source_open(&source, argv[1], 0, &err))
		return cli_fail(&err);
	size_t expected = 0;
	double bytes = 0, flops = 0;
	for (size_t i = 0; i < case_source_count(source); i++) {
		struct test_case test;
		const struct family *family;
		struct work work;
		/* the data of a stored case are read, those of a spec would have to be made */
		if (case_source_load(source, i, case_source_is_stored(source), &test, &family, &err))
			goto done;
		int has_expected = 0;
		for (int t = 0; t < test.tensor_count; t++) {
			size_t size = 0;
			has_expected |= test.tensors[t].role == TENSOR_EXPECTED;
			if (test.tensors[t].role == TENSOR_INPUT && !test.tensors[t].storage[0] && tensor_bytes(&test.tensors[t], &size) == 0)
				bytes += (double)size;
		}
		expected += (size_t)has_expected;
		if (family->work(&test, &work, NULL) == 0)
			flops += work.flops;
		case_free(&test);
	}
	if (json && give_json(json, json_pack("{s:i, s:s, s:I, s:I, s:f, s:f}", "schema", 1, "file", argv[1], "cases",
					      (json_int_t)case_source_count(source), "with_expectations", (json_int_t)expected,
					      "input_bytes", bytes, "flops", flops), 0)) {
		case_source_close(source);
		return 3;
	}
	if (is_stdout(json)) {
		case_source_close(source);
		return 0;
	}
	printf("%s: %zu cases, %zu with float64 expectations, %.1f MB of inputs, %.3g FLOP in all\n", argv[1], case_source_count(source),
	       expected, bytes / 1e6, flops);
	if (case_source_is_stored(source)) {
		struct dataset *dataset;
		if (dataset_open(&dataset, argv[1], &err))
			goto done;
		printf("schema %" PRId64 "\n", dataset_schema(dataset));
		const int failed = dataset_spec(dataset)[0] && print_pairs(argv[1], dataset_spec(dataset), &err);
		if (!failed && dataset_spec(dataset)[0])
			printf("made from this spec:\n%s", dataset_spec(dataset));
		dataset_close(dataset);
		if (failed)
			goto done;
	} else if (print_pairs(argv[1], NULL, &err)) {
		goto done;
	}
	result = 0;
done:
	case_source_close(source);
	return result ? cli_fail(&err) : 0;
}

static int check(int argc, char **argv)
{
	const char *device = NULL, *json = NULL;
	const struct option options[] = {{"--device", OPTION_TEXT, "cuda:N|cpu", &device, "where reference and judge run"},
					 {"--json", OPTION_TEXT, "FILE|-", &json, "write the figures as JSON"}};
	const struct command_line command = {
		"assay dataset check", "FILE",
		"Reads every case, compares stored expectations with the reference, and shows the judge results that are known to be right\n"
		"and known to be wrong. No kernel of an artifact is run.",
		NULL, options, (int)ARRAY_COUNT(options)};
	struct error err = {0};
	struct case_source *source;
	struct selfcheck result;
	const int early = take_one_file(&command, argc, argv);
	if (early >= 0)
		return early;
	if (!device)
		device = device_default_id();
	if (case_source_open(&source, argv[1], 0, &err))
		return cli_fail(&err);
	const int failed = selfcheck_run(source, device, &result, &err);
	case_source_close(source);
	if (failed)
		return cli_fail(&err);
	const int code = give_json(json, json_pack("{s:i, s:s, s:s, s:I, s:I, s:f, s:I, s:I, s:I}", "schema", 1, "file", argv[1], "device", device,
						   "cases", (json_int_t)result.cases, "compared", (json_int_t)result.compared,
						   "worst_relative_l2", isfinite(result.worst_relative_l2) ? result.worst_relative_l2 : -1.0,
						   "judged_right", (json_int_t)result.judged_right, "judged_wrong",
						   (json_int_t)result.judged_wrong, "failures", (json_int_t)result.failures),
				   result.failures ? 1 : 0);
	if (is_stdout(json))
		return code;
	printf("%s: %zu cases read; on %s\n", argv[1], result.cases, device);
	if (result.compared)
		printf("reference: %zu cases against stored float64 results, worst relative L2 %.2e (%s)\n", result.compared,
		       result.worst_relative_l2, result.worst_case[0] ? result.worst_case : "none");
	else
		printf("reference: no stored results to compare with\n");
	printf("judge: %zu right results passed, %zu results with one wrong element failed, %zu cases had no element to change\n",
	       result.judged_right, result.judged_wrong, result.nothing_to_change);
	printf("%s\n", result.failures ? "NOT in order, see above" : "in order");
	return code;
}

/* Axes of one family, or of all, with their defaults: from the families themselves, so that it cannot drift. */
static int axes_of(int argc, char **argv)
{
	const struct command_line command = {"assay dataset axes", "[FAMILY]", "Prints the axes of a family, or of all, with their defaults.", NULL, NULL, 0};
	struct error err = {0};
	int positionals, help, found = 0;
	if (command_line_parse(&command, argc - 1, argv + 1, &positionals, &help, &err))
		return cli_fail(&err);
	if (help)
		return cli_print_help(&command);
	for (const struct family *const *family = families; *family; family++) {
		if (positionals && strcmp((*family)->name, argv[1]) != 0)
			continue;
		found = 1;
		printf("%s\n", (*family)->name);
		for (int i = 0; (*family)->axes[i]; i++)
			printf("  %-14s %s\n", (*family)->axes[i], (*family)->defaults[i]);
	}
	if (found)
		return 0;
	error_set(&err, ERROR_USAGE, "assay dataset axes: there is no family '%s'", argv[1]);
	return cli_fail(&err);
}

int cmd_dataset(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
		const char *summary;
	} commands[] = {
		{"build", build, "SPEC -o FILE.h5: make a dataset"},
		{"list", list, "FILE: names of the cases"},
		{"info", info, "FILE: what it holds"},
		{"check", check, "FILE: compare with the reference, and try the judge"},
		{"axes", axes_of, "[FAMILY]: axes of specs, with their defaults"},
		{"import", import, "--q --k --v -o FILE.h5: tensors captured from a model"},
	};
	static const char axes[] =
		"\nA spec is INI text; each section is a product of axes. Those of the family attention:\n"
		"  dtype     f16, bf16\n"
		"  head_dim  multiples of 8 up to 512\n"
		"  heads     H or H/HK (query heads / key and value heads)\n"
		"  batch     1, 2, ...\n"
		"  seqlen    SQ or SQ/SK\n"
		"  mask      none, causal, left:L, right:R, window:L:R (bottom right aligned)\n"
		"  softcap   0 or a positive number\n"
		"  alibi     none, head, batch\n"
		"  layout    bshd, bhsd, padded, packed, varlen, varlen:ragged, varlen:zero\n"
		"  lse       unpadded, padded (varlen)\n"
		"  input     normal, uniform, large_logits, outliers, constant, one_hot, integers, nan_q, nan_k, nan_v, inf_k, inf_v\n"
		"  scale     rsqrt or a positive number\n"
		"`pairwise = yes` takes, instead of the full product, cases that hold every pair of values; `exclude` leaves\n"
		"combinations out, as in mask:causal+alibi:head. `assay dataset axes` lists the families of operators and their axes.\n";
	const int help = argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
	if (argc < 2 || help) {
		FILE *out = help ? stdout : stderr;
		fprintf(out, "usage: assay dataset COMMAND FILE [options]\n\n");
		for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
			fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
		fputs(axes, out);
		return help ? 0 : 2;
	}
	for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	struct error err = {0};
	error_set(&err, ERROR_USAGE, "assay dataset: unknown command '%s'; see assay dataset --help", argv[1]);
	return cli_fail(&err);
}
