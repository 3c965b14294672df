#include "operators.h"

#include "bench_case.h"
#include "core/util.h"
#include "cudart/donor.h"
#include "operate.h"
#include "preflight.h"
#include "source.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

struct operators {
	struct worker_setup setup;
	stage_callback on_stage;
	void *stage_context;
	struct device *device;
	struct case_source *source;
	struct operate *operate;
	struct bencher *bencher;
	int abi;
	/* of a unit of host functions: */
	struct plugin plugin;
	struct donor *donor;               /* NULL: the archive's own host code is called */
	char plugin_path[WORKER_PATH_MAX]; /* "": none is loaded */
	cudart_log_fn log;
	cudart_log_reset_fn log_reset;
	int has_plugin;                    /* the unit is of that archive */
	char keep_label[KEEP_LABEL_MAX];   /* the unit's */
};

static void stage(struct operators *operators, enum stage next)
{
	if (operators->on_stage)
		operators->on_stage(operators->stage_context, next);
}

static const char *text_or_null(const char *text)
{
	return text[0] ? text : NULL;
}

int operators_open(struct operators **out, const struct worker_setup *setup, stage_callback on_stage, void *context,
		   struct worker_ready *ready, struct error *err)
{
	const double start = monotonic_seconds();
	struct operators *operators = calloc(1, sizeof *operators);
	*out = NULL;
	*ready = (struct worker_ready){0};
	if (!operators)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	operators->setup = *setup;
	operators->on_stage = on_stage;
	operators->stage_context = context;
	stage(operators, STAGE_DEVICE);
	const struct device_options device_options = {.cublas_path = text_or_null(setup->cublas), .unchecked = setup->unchecked};
	if (device_open(&operators->device, setup->device, &device_options, err))
		goto fail;
	ready->device = operators->device->properties;
	const struct operate_options options = {
		.device = operators->device,
		.guard = (enum guard)setup->guard,
		.repeats = setup->repeats,
		.math = (enum math)setup->math,
		.disabled_checks = setup->disabled_checks,
		.unchecked = setup->unchecked,
		.keep_outputs = operators->setup.keep_outputs,
		.keep_failures = text_or_null(operators->setup.keep_failures),
		.on_stage = on_stage,
		.context = context,
	};
	if (case_source_open_places(&operators->source, setup->dataset, setup->seed, err) ||
	    operate_open(&operators->operate, &options, err))
		goto fail;
	if (setup->bench && bencher_open(&operators->bencher, operators->device, setup, ready, err))
		goto fail;
	ready->open_seconds = monotonic_seconds() - start;
	*out = operators;
	return 0;
fail:
	operators_close(operators);
	return -1;
}

void operators_close(struct operators *operators)
{
	if (!operators)
		return;
	bencher_close(operators->bencher);
	operate_close(operators->operate);
	case_source_close(operators->source);
	if (operators->plugin_path[0])
		plugin_free(&operators->plugin);
	device_close(operators->device);
	donor_close(operators->donor);
	free(operators);
}

/* ---- units -------------------------------------------------------------------------------------------------------- */

/* An archive is linked and loaded once for all its units: its functions are all there. */
static int load_functions(struct operators *operators, const struct wire_unit *unit, const char *const *symbols,
			  struct wire_loaded *loaded, struct error *err)
{
	const struct worker_setup *setup = &operators->setup;
	operators->has_plugin = 1;
	if (strcmp(operators->plugin_path, unit->path) == 0)
		return 0;
	if (operators->plugin_path[0])
		return error_set(err, ERROR_INTERNAL, "a worker loads one archive only");
	if (preflight(unit->path, &operators->device->properties, setup->image, err))
		return -1;
	const struct plugin_options options = {
		.archive = unit->donor[0] ? unit->donor : unit->path,
		.cudart = setup->cudart,
		.real_cudart_path = text_or_null(setup->real_cudart),
		.cache_dir = text_or_null(setup->cache_dir),
		.required = symbols,
		.runtime_major = unit->runtime_major,
	};
	if (unit->donor[0] && donor_open(&operators->donor, unit->path, unit->donor, &operators->device->properties, setup->image, err))
		return -1;
	const struct cudart_binding binding = {
		.stand_in = operators->donor ? donor_stand_in(operators->donor) : NULL,
		.device = operators->device,
		.stream = operators->device->stream,
		.image = setup->image,
		.runtime_major = unit->runtime_major,
	};
	stage(operators, STAGE_LINK);
	if (plugin_link(&operators->plugin, &options, err))
		return -1;
	snprintf(operators->plugin_path, sizeof operators->plugin_path, "%s", unit->path);
	stage(operators, STAGE_LOAD);
	const double start = monotonic_seconds();
	if (plugin_load(&operators->plugin, &options, &binding, err))
		return -1;
	loaded->seconds = monotonic_seconds() - start;
	if (setup->cudart == CUDART_SHIM && operators->plugin.shim) {
		/* POSIX demands that an object pointer from dlsym converts to a function pointer */
		*(void **)&operators->log = dlsym(operators->plugin.shim, CUDART_LOG);
		*(void **)&operators->log_reset = dlsym(operators->plugin.shim, CUDART_LOG_RESET);
	}
	if (setup->cudart == CUDART_SHIM && (!operators->log || !operators->log_reset))
		return error_set(err, ERROR_INTERNAL, "%s lacks one of its functions", CUDART_SHIM_SONAME);
	return 0;
}

int operators_load(struct operators *operators, const void *bytes, size_t size, struct wire_loaded *loaded, struct error *err)
{
	struct wire_unit *unit = malloc(sizeof *unit);
	const char **symbols = NULL;
	int result = -1;
	if (!unit || size < sizeof *unit) {
		error_set(err, unit ? ERROR_INTERNAL : ERROR_ENVIRONMENT, unit ? "a unit is cut off" : "out of memory");
		goto done;
	}
	memcpy(unit, bytes, sizeof *unit);
	symbols = calloc((size_t)unit->symbol_count + 1, sizeof *symbols);
	if (!symbols) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	const char *at = (const char *)bytes + sizeof *unit, *end = (const char *)bytes + size;
	for (uint32_t i = 0; i < unit->symbol_count; i++) {
		const char *stop = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
		if (!stop) {
			error_set(err, ERROR_INTERNAL, "a unit's symbols are cut off");
			goto done;
		}
		symbols[i] = at;
		at = stop + 1;
	}
	operators->abi = unit->abi;
	memcpy(operators->keep_label, unit->keep_label, sizeof operators->keep_label);
	operators->has_plugin = 0;
	if (unit->is_archive) {
		result = load_functions(operators, unit, symbols, loaded, err);
	} else {
		struct operate_loaded figures;
		stage(operators, STAGE_LOAD);
		result = operate_load(operators->operate, unit->path, symbols, unit->symbol_count, unit->whole, &figures, err);
		loaded->seconds = figures.seconds;
		snprintf(loaded->image, sizeof loaded->image, "%s", figures.image);
	}
done:
	free(symbols);
	free(unit);
	return result;
}

/* ---- cases -------------------------------------------------------------------------------------------------------- */

static int refuse(struct case_record *record, const struct wire_case *request, const char *why)
{
	*record = (struct case_record){.case_index = request->index};
	snprintf(record->name, sizeof record->name, "%s", request->name);
	snprintf(record->family, sizeof record->family, "%s", request->family);
	snprintf(record->entry_point, sizeof record->entry_point, "%s", request->entry_point);
	record->judgement.status = STATUS_ERROR;
	snprintf(record->judgement.reason, sizeof record->judgement.reason, "%s", why);
	return 0;
}

/* What a case says of itself has to be what it was chosen for. */
static int is_asked_for(const struct wire_case *request, const struct test_case *test, const struct family *family)
{
	const char *entry = case_get_text(test, "entry");
	return strcmp(test->name, request->name) == 0 && strcmp(family->name, request->family) == 0 && entry &&
	       strcmp(entry, request->entry_point) == 0;
}

int operators_run(struct operators *operators, const struct wire_case *request, struct case_record *record)
{
	const double start = monotonic_seconds();
	const struct family *family;
	struct test_case test;
	struct error err = {0};
	struct work work;
	stage(operators, STAGE_PREPARE);
	if (case_source_load_place(operators->source, (size_t)request->index, 1, &test, &family, &err))
		return refuse(record, request, err.message);
	if (!is_asked_for(request, &test, family)) {
		case_free(&test);
		return refuse(record, request, "the dataset has another case in this place: its name, family and entry point contradict each other");
	}
	struct operate_target target = {
		.family = family, .abi = operators->abi, .symbol = request->entry_point, .known = &request->known,
		.keep_label = operators->keep_label};
	if (operators->has_plugin) {
		target.host_entry = plugin_symbol(&operators->plugin, request->entry_point);
		target.log = operators->log;
		target.log_reset = operators->log_reset;
		if (!target.host_entry) {
			case_free(&test);
			return refuse(record, request, "the archive does not define it");
		}
	}
	struct bencher *bencher = request->want_bench ? operators->bencher : NULL;
	const int lost = operate_case(operators->operate, &target, &test, bencher, record);
	record->case_index = request->index;
	if (family->work && family->work(&test, &work, NULL) == 0)
		record->unit = work.unit;
	record->wall_seconds = monotonic_seconds() - start;
	case_free(&test);
	return lost;
}
