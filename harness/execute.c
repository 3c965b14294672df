#include "execute.h"

#include "bench_case.h"
#include "buffers.h"
#include "core/util.h"
#include "cudart/donor.h"
#include "judge/judge.h"
#include "keep.h"
#include "kernels/family.h"
#include "observe.h"
#include "output_copy.h"
#include "preflight.h"
#include "source.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct executor {
	struct worker_setup setup;
	stage_callback on_stage;
	void *stage_context;
	struct device *device;
	struct case_source *source;
	const struct family *family;
	void *family_state;
	struct judge *judge;
	struct plugin plugin;
	struct donor *donor;    /* NULL: the archive's own host code is called */
	cudart_log_fn log;
	cudart_log_reset_fn log_reset;
	cudart_kernel_name_fn kernel_name;
	void *entry;
	struct buffers buffers;
	struct bencher *bencher;
};

static void stage(struct executor *executor, enum stage next)
{
	if (executor->on_stage)
		executor->on_stage(executor->stage_context, next);
}

static const char *text_or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static int load_plugin(struct executor *executor, struct worker_ready *ready, struct error *err)
{
	const struct worker_setup *setup = &executor->setup;
	const char *const required[] = {setup->entry_point, NULL};
	const struct plugin_options options = {
		.archive = setup->donor[0] ? setup->donor : setup->archive,
		.cudart = setup->cudart,
		.real_cudart_path = text_or_null(setup->real_cudart),
		.cache_dir = text_or_null(setup->cache_dir),
		.required = required,
		.runtime_major = setup->runtime_major,
	};
	if (setup->donor[0] &&
	    donor_open(&executor->donor, setup->archive, setup->donor, &executor->device->properties, setup->image, err))
		return -1;
	const struct cudart_binding binding = {
		.stand_in = executor->donor ? donor_stand_in(executor->donor) : NULL,
		.device = executor->device,
		.stream = executor->device->stream,
		.image = setup->image,
		.runtime_major = setup->runtime_major,
	};
	stage(executor, STAGE_LINK);
	if (plugin_link(&executor->plugin, &options, err))
		return -1;
	ready->link_seconds = executor->plugin.link_seconds;
	stage(executor, STAGE_LOAD);
	const double start = monotonic_seconds();
	if (plugin_load(&executor->plugin, &options, &binding, err))
		return -1;
	ready->load_seconds = monotonic_seconds() - start;
	executor->entry = plugin_symbol(&executor->plugin, setup->entry_point);
	if (!executor->entry)
		return error_set(err, ERROR_INPUT, "%s: defines no %s", options.archive, setup->entry_point);
	if (setup->cudart == CUDART_SHIM && executor->plugin.shim) {
		/* POSIX demands that an object pointer from dlsym converts to a function pointer */
		*(void **)&executor->log = dlsym(executor->plugin.shim, CUDART_LOG);
		*(void **)&executor->log_reset = dlsym(executor->plugin.shim, CUDART_LOG_RESET);
		*(void **)&executor->kernel_name = dlsym(executor->plugin.shim, CUDART_KERNEL_NAME);
	}
	if (setup->cudart == CUDART_SHIM && (!executor->log || !executor->log_reset || !executor->kernel_name))
		return error_set(err, ERROR_INTERNAL, "%s lacks one of its functions", CUDART_SHIM_SONAME);
	return 0;
}

int executor_open(struct executor **out, const struct worker_setup *setup, stage_callback on_stage, void *context,
		  struct worker_ready *ready, struct error *err)
{
	*out = NULL;
	*ready = (struct worker_ready){0};
	struct executor *executor = calloc(1, sizeof *executor);
	if (!executor)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	executor->setup = *setup;
	executor->on_stage = on_stage;
	executor->stage_context = context;
	const double start = monotonic_seconds();
	stage(executor, STAGE_DEVICE);
	const struct device_options device_options = {.cublas_path = text_or_null(setup->cublas), .unchecked = setup->unchecked};
	if (device_open(&executor->device, setup->device, &device_options, err))
		goto fail;
	ready->device = executor->device->properties;
	if (preflight(setup->archive, &ready->device, setup->image, err))
		goto fail;
	executor->family = family_find(setup->family);
	if (!executor->family) {
		error_set(err, ERROR_INTERNAL, "unknown family %s", setup->family);
		goto fail;
	}
	if (case_source_open(&executor->source, setup->dataset, setup->seed, err) ||
	    judge_open(&executor->judge, executor->device, err) ||
	    executor->family->open(&executor->family_state, executor->device, err))
		goto fail;
	buffers_init(&executor->buffers, executor->device, setup->guard);
	if (load_plugin(executor, ready, err))
		goto fail;
	if (setup->bench && bencher_open(&executor->bencher, executor->device, setup, ready, err))
		goto fail;
	ready->open_seconds = monotonic_seconds() - start;
	ready->stubbed_count = (uint32_t)executor->plugin.stubbed_count;
	while (executor_kernel(executor, ready->kernel_count))
		ready->kernel_count++;
	*out = executor;
	return 0;
fail:
	executor_close(executor);
	return -1;
}

const char *executor_stub(const struct executor *executor, size_t index)
{
	return index < executor->plugin.stubbed_count ? executor->plugin.stubbed[index] : NULL;
}

const char *executor_kernel(const struct executor *executor, size_t index)
{
	if (executor->donor)
		return donor_kernel(executor->donor, index);
	return executor->kernel_name ? executor->kernel_name(index) : NULL;
}

void executor_close(struct executor *executor)
{
	if (!executor)
		return;
	bencher_close(executor->bencher);
	if (executor->device)
		buffers_free(&executor->buffers);
	if (executor->family)
		executor->family->close(executor->family_state);
	judge_close(executor->judge);
	case_source_close(executor->source);
	plugin_free(&executor->plugin);
	device_close(executor->device);
	donor_close(executor->donor);
	free(executor);
}

/* ---- one case ---------------------------------------------------------------------------------------------------- */

struct attempt { /* state of the case that runs */
	struct executor *executor;
	struct test_case test;
	struct binding binding;
	struct output_promise promises[CASE_TENSORS_MAX];
	const struct known_outputs *known;
	struct case_record *record;
	int context_lost;
};

static int is_watched(const struct attempt *attempt)
{
	return attempt->executor->device->ops->findings && !attempt->executor->setup.unchecked;
}

static struct observer observer_of(const struct attempt *attempt)
{
	const struct worker_setup *setup = &attempt->executor->setup;
	return (struct observer){
		.device = attempt->executor->device,
		.record = attempt->record,
		.disabled_checks = setup->disabled_checks,
		.guard_pages = setup->guard == GUARD_PAGES,
	};
}

static int call_once(struct attempt *attempt, struct error *err)
{
	struct executor *executor = attempt->executor;
	if (executor->log_reset)
		executor->log_reset();
	stage(executor, STAGE_CALL);
	executor->family->call(&attempt->binding);
	stage(executor, STAGE_WAIT);
	if (device_synchronize(executor->device, err))
		return -1;
	const struct observer observer = observer_of(attempt);
	observe_findings(&observer);
	return 0;
}

static void describe_index(const struct tensor *tensor, int64_t linear, char *text, size_t size)
{
	int64_t index[TENSOR_RANK_MAX];
	for (int axis = tensor->rank - 1; axis >= 0; axis--) {
		index[axis] = tensor->dims[axis] ? linear % tensor->dims[axis] : 0;
		linear = tensor->dims[axis] ? linear / tensor->dims[axis] : 0;
	}
	size_t used = 0;
	for (int axis = 0; axis < tensor->rank && used < size; axis++)
		used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, axis ? ", " : "[", index[axis]);
	if (used + 2 <= size)
		snprintf(text + used, size - used, "]");
}

static struct tensor region_shape(const struct tensor *tensor, const struct output_region *region)
{
	struct tensor shape = *tensor;
	shape.rank = region->rank;
	shape.offset = region->offset;
	memcpy(shape.dims, region->dims, sizeof shape.dims);
	memcpy(shape.strides, region->strides, sizeof shape.strides);
	return shape;
}

/* The part of an output that is promised to be written, `part` of how many: the whole value, or a region. */
static int promised_part(const struct attempt *attempt, int index, size_t part, struct tensor *shape)
{
	const struct output_promise *promise = &attempt->promises[index];
	*shape = attempt->test.tensors[index];
	shape->offset = 0; /* outputs own their storage */
	if (promise->kind == PROMISE_NOTHING || part >= (promise->kind == PROMISE_ALL ? 1 : promise->region_count))
		return 0;
	if (promise->kind == PROMISE_REGIONS)
		*shape = region_shape(&attempt->test.tensors[index], &promise->regions[part]);
	return 1;
}

/* Looks at the memory of one output after two runs that started from different poison: canaries, gaps, unwritten elements,
 * and elements that depend on the old content. */
static int judge_output(struct attempt *attempt, int index, struct error *err)
{
	struct executor *executor = attempt->executor;
	struct judgement *judgement = &attempt->record->judgement;
	const struct tensor *tensor = &attempt->test.tensors[index];
	const enum promise_kind promise = attempt->promises[index].kind;
	struct judge_layout whole;
	struct judge_memory memory;
	struct tensor shape;
	device_pointer current, snapshot;
	char where[96];
	buffers_layout(&executor->buffers, &attempt->binding, index, &whole, &current, &snapshot);

	struct judge_layout scanned = whole;
	if (promise != PROMISE_ALL) {
		/* only the canaries count: the whole storage is taken as value and what it holds is not looked at */
		scanned.rank = 1;
		scanned.dims[0] = (int64_t)(whole.bytes / dtype_size(whole.dtype));
		scanned.strides[0] = 1;
	}
	if (judge_output_memory(executor->judge, &scanned, snapshot, current, POISON_NUMBER, POISON_NAN, &memory, err))
		return -1;
	if (memory.canary)
		judgement_break(judgement, CHECK_CANARY, "%" PRId64 " elements outside %s changed, the first at element %" PRId64
				" (it has %" PRId64 ")", memory.canary, tensor->name, memory.canary_first, tensor->extent);
	else if (whole.front)
		judgement_hold(judgement, CHECK_CANARY);
	if (promise == PROMISE_ALL && memory.gap)
		judgement_break(judgement, CHECK_GAP, "%" PRId64 " elements in the gaps of %s changed, the first at element %" PRId64,
				memory.gap, tensor->name, memory.gap_first);
	else if (promise == PROMISE_ALL && !tensor_is_contiguous(tensor))
		judgement_hold(judgement, CHECK_GAP);

	for (size_t i = 0; promised_part(attempt, index, i, &shape); i++) {
		if (tensor_elements(&shape) == 0)
			continue;
		if (promise == PROMISE_REGIONS) {
			const size_t skip = (size_t)shape.offset * dtype_size(shape.dtype);
			struct judge_layout part = {.dtype = shape.dtype, .rank = shape.rank, .bytes = whole.bytes - skip};
			memcpy(part.dims, shape.dims, sizeof part.dims);
			memcpy(part.strides, shape.strides, sizeof part.strides);
			if (judge_output_memory(executor->judge, &part, snapshot + whole.front + skip, current + whole.front + skip,
						POISON_NUMBER, POISON_NAN, &memory, err))
				return -1;
		}
		if (memory.unwritten) {
			describe_index(&shape, memory.unwritten_first, where, sizeof where);
			judgement_break(judgement, CHECK_UNWRITTEN, "%" PRId64 " of %" PRId64 " elements of %s were not written, the first at %s",
					memory.unwritten, tensor_elements(&shape), tensor->name, where);
		}
		if (memory.differing) {
			describe_index(&shape, memory.differing_first, where, sizeof where);
			judgement_break(judgement, CHECK_PREVIOUS, "%" PRId64 " elements of %s depend on what the output held before the call, "
					"the first at %s", memory.differing, tensor->name, where);
		}
	}
	if (promise != PROMISE_NOTHING) {
		judgement_hold(judgement, CHECK_UNWRITTEN);
		judgement_hold(judgement, CHECK_PREVIOUS);
	}
	return 0;
}

/* The current output against the snapshot, both from the same poison: what is promised must be equal bit for bit. Compares
 * runs of elements that lie side by side; gaps are not looked at here. */
static int judge_repeat(struct attempt *attempt, int index, struct error *err)
{
	struct executor *executor = attempt->executor;
	struct judgement *judgement = &attempt->record->judgement;
	struct judge_layout whole;
	struct tensor shape;
	device_pointer current, snapshot;
	char where[96];
	buffers_layout(&executor->buffers, &attempt->binding, index, &whole, &current, &snapshot);
	for (size_t i = 0; promised_part(attempt, index, i, &shape); i++) {
		const size_t size = dtype_size(shape.dtype);
		/* a whole value is compared with its gaps in one piece: from the same poison they are equal too */
		const int one_piece = attempt->promises[index].kind == PROMISE_ALL;
		const int64_t elements = tensor_elements(&shape);
		const int64_t run = one_piece ? elements : shape.dims[shape.rank - 1];
		for (int64_t at = 0; at < elements; at += run) {
			const size_t offset = whole.front + (size_t)(shape.offset + tensor_offset(&shape, at)) * size;
			int64_t differing, first;
			if (judge_compare_bytes(executor->judge, snapshot + offset, current + offset, one_piece ? whole.bytes : (size_t)run * size,
						&differing, &first, err))
				return -1;
			if (!differing)
				continue;
			if (one_piece)
				snprintf(where, sizeof where, "byte %" PRId64 " of its storage", first);
			else
				describe_index(&shape, at + first / (int64_t)size, where, sizeof where);
			judgement_break(judgement, CHECK_REPEAT, "%s differs between two runs on the same inputs: %" PRId64 " bytes, the first at %s",
					shape.name, differing, where);
			return 0;
		}
	}
	judgement_hold(judgement, CHECK_REPEAT);
	return 0;
}

static int for_outputs(struct attempt *attempt, int (*look)(struct attempt *attempt, int index, struct error *err),
		       struct error *err)
{
	for (int i = 0; i < attempt->test.tensor_count; i++)
		if (attempt->test.tensors[i].role == TENSOR_OUTPUT && look(attempt, i, err))
			return -1;
	return 0;
}

static int keep_output(struct attempt *attempt, const struct tensor *tensor, device_pointer from, struct error *err)
{
	struct device *device = attempt->executor->device;
	struct case_record *record = attempt->record;
	size_t bytes = 0;
	void *storage = NULL;
	int result = -1;
	if (!case_record_has_room(record, tensor))
		return case_record_keep_output(record, record->output_count, tensor, NULL, err); /* notes that it is too large */
	if (tensor_bytes(tensor, &bytes))
		return error_set(err, ERROR_INTERNAL, "%s: too large", tensor->name);
	storage = malloc(bytes ? bytes : 1);
	if (!storage)
		error_set(err, ERROR_ENVIRONMENT, "out of memory for a copy of %s", tensor->name);
	else if (bytes == 0 || device->ops->copy_out(device, storage, from, bytes, NULL, err) == 0)
		result = case_record_keep_output(record, record->output_count, tensor, storage, err);
	free(storage);
	return result;
}

static int take_digests(struct attempt *attempt, struct error *err)
{
	struct executor *executor = attempt->executor;
	struct case_record *record = attempt->record;
	for (int i = 0; i < attempt->test.tensor_count && record->output_count < RECORD_OUTPUTS_MAX; i++) {
		const struct tensor *tensor = &attempt->test.tensors[i];
		if (tensor->role != TENSOR_OUTPUT || attempt->promises[i].kind != PROMISE_ALL)
			continue;
		struct judge_layout layout;
		device_pointer current, snapshot;
		buffers_layout(&executor->buffers, &attempt->binding, i, &layout, &current, &snapshot);
		if (judge_digest(executor->judge, &layout, current + layout.front, &record->digests[record->output_count], err) ||
		    (executor->setup.keep_outputs && keep_output(attempt, tensor, current + layout.front, err)))
			return -1;
		snprintf(record->output_names[record->output_count++], sizeof record->output_names[0], "%s", tensor->name);
	}
	return 0;
}

/* After the first call and after the last: a kernel may change an input and a later call of it change it back. */
static int judge_inputs(struct attempt *attempt, struct error *err)
{
	struct executor *executor = attempt->executor;
	int changed;
	int64_t offset;
	if (buffers_check_inputs(&executor->buffers, &attempt->binding, executor->judge, &changed, &offset, err))
		return -1;
	if (changed >= 0)
		judgement_break(&attempt->record->judgement, CHECK_INPUT, "input %s changed at byte %" PRId64 " of its storage",
				attempt->test.tensors[changed].name, offset);
	else
		judgement_hold(&attempt->record->judgement, CHECK_INPUT);
	return 0;
}

/* Only what is promised counts as looked at by the host: scratch and rows that the contract leaves open may hold anything. */
static void mark_promised(struct attempt *attempt, int index)
{
	struct device *device = attempt->executor->device;
	const struct tensor *tensor = &attempt->test.tensors[index];
	const device_pointer storage = attempt->binding.tensors[index].storage;
	struct tensor shape;
	size_t bytes;
	if (attempt->promises[index].kind == PROMISE_ALL || tensor_bytes(tensor, &bytes))
		return;
	device_mark(device, storage, bytes, DEVICE_MEMORY_SCRATCH);
	for (size_t i = 0; promised_part(attempt, index, i, &shape); i++) {
		const int64_t elements = tensor_elements(&shape), run = shape.dims[shape.rank - 1];
		const size_t size = dtype_size(shape.dtype);
		for (int64_t at = 0; at < elements; at += run)
			device_mark(device, storage + (device_pointer)(shape.offset + tensor_offset(&shape, at)) * size, (size_t)run * size,
				    DEVICE_MEMORY_OUTPUT);
	}
}

static int poison(struct attempt *attempt, uint32_t pattern, struct error *err)
{
	struct executor *executor = attempt->executor;
	if (buffers_poison(&executor->buffers, &attempt->binding, pattern, err))
		return -1;
	for (int i = 0; i < attempt->test.tensor_count; i++)
		if (attempt->test.tensors[i].role == TENSOR_OUTPUT && !attempt->test.tensors[i].storage[0])
			mark_promised(attempt, i);
	return 0;
}

static int see_launches(struct attempt *attempt)
{
	const struct observer observer = observer_of(attempt);
	if (attempt->executor->setup.cudart != CUDART_REAL)
		return observe_log(&observer, attempt->executor->log());
	/* the shim sees nothing: its checks are not made */
	snprintf(attempt->record->image, sizeof attempt->record->image, "chosen by the CUDA runtime");
	return 0;
}

/* One call, of a case that has passed before. Returns as verify does; 0: it has to be verified whole. */
static int call_again(struct attempt *attempt, struct error *err)
{
	const struct observer observer = observer_of(attempt);
	if (poison(attempt, POISON_NAN, err) || call_once(attempt, err))
		return -1;
	if (attempt->record->judgement.status != STATUS_COUNT || see_launches(attempt))
		return 1;
	if (judge_inputs(attempt, err) || take_digests(attempt, err))
		return -1;
	return observe_known(&observer, attempt->known);
}

/* Prepares, calls, and looks at memory and numbers. Returns -1 with *err when a step failed, 1 when the case is decided
 * already, 0 when the checks are to decide. */
static int verify(struct attempt *attempt, struct error *err)
{
	struct executor *executor = attempt->executor;
	struct judgement *judgement = &attempt->record->judgement;
	const struct family *family = executor->family;

	if (family->supports && family->supports(&attempt->test, executor->setup.abi, &executor->device->properties, err))
		return -1;
	for (int i = 0; family->promise && i < attempt->test.tensor_count; i++) {
		struct output_promise *promise = &attempt->promises[i];
		if (attempt->test.tensors[i].role != TENSOR_OUTPUT)
			continue;
		if (family->promise(&attempt->test, executor->setup.abi, &attempt->test.tensors[i], promise, err))
			return -1;
		if (promise->kind == PROMISE_NOTHING)
			snprintf(attempt->record->note, sizeof attempt->record->note, "%s not judged: %s",
				 attempt->test.tensors[i].name, promise->why);
	}
	device_findings(executor->device, NULL, 0); /* what the case before left */
	if (buffers_bind(&executor->buffers, &attempt->test, &attempt->binding, err))
		return -1;
	const int known = attempt->known && attempt->known->count > 0 ? call_again(attempt, err) : 0;
	if (known)
		return known;
	if (poison(attempt, POISON_NUMBER, err))
		return -1;
	device_counts(executor->device, &attempt->record->counts);
	if (call_once(attempt, err))
		return -1;
	device_counts(executor->device, &attempt->record->counts);
	if (judgement->status != STATUS_COUNT)
		return 1;
	if (see_launches(attempt))
		return 1;
	if (buffers_snapshot(&executor->buffers, &attempt->binding, err) || judge_inputs(attempt, err))
		return -1;
	for (int repeat = 0; repeat < executor->setup.repeats; repeat++)
		if (poison(attempt, POISON_NUMBER, err) || call_once(attempt, err) ||
		    for_outputs(attempt, judge_repeat, err))
			return -1;
	/* what is judged started from NaN */
	if (poison(attempt, POISON_NAN, err) || call_once(attempt, err))
		return -1;
	if (is_watched(attempt)) {
		judgement_hold(judgement, CHECK_ACCESS);
		judgement_hold(judgement, CHECK_UNDEFINED);
		judgement_hold(judgement, CHECK_RACE);
		judgement_hold(judgement, CHECK_BARRIER);
	}
	stage(executor, STAGE_JUDGE);
	if (for_outputs(attempt, judge_output, err) || judge_inputs(attempt, err) || take_digests(attempt, err))
		return -1;
	enum dtype precision = executor->setup.precision;
	if (precision == DTYPE_INVALID)
		precision = executor->device->properties.slow_f64 ? DTYPE_F32 : DTYPE_F64;
	if (executor->setup.guard == GUARD_PAGES)
		judgement_hold(judgement, CHECK_GUARD);
	return family->judge(executor->family_state, &attempt->binding, executor->judge, precision, judgement, err);
}

int executor_run(struct executor *executor, uint64_t index, int want_bench, const struct known_outputs *known,
		 struct case_record *record)
{
	struct error err = {0};
	const struct family *family;
	struct attempt attempt = {.executor = executor, .known = known, .record = record};
	const double start = monotonic_seconds();
	*record = (struct case_record){.case_index = index};
	snprintf(record->name, sizeof record->name, "%s", case_source_name(executor->source, index));
	snprintf(record->entry_point, sizeof record->entry_point, "%s", executor->setup.entry_point);
	stage(executor, STAGE_PREPARE);
	if (case_source_load(executor->source, index, 1, &attempt.test, &family, &err)) {
		judgement_conclude(&record->judgement, STATUS_ERROR, "%s", err.message);
		return 0;
	}
	snprintf(record->family, sizeof record->family, "%s", family->name);
	if (family != executor->family) {
		judgement_conclude(&record->judgement, STATUS_SKIPPED, "%s computes %s, not %s", executor->setup.entry_point, executor->family->name, family->name);
		case_free(&attempt.test);
		return 0;
	}
	const char *dtype = case_get_text(&attempt.test, "dtype");
	record->dtype = dtype ? dtype_from_name(dtype) : DTYPE_INVALID;
	case_get_int(&attempt.test, "head_dim", &record->attributes_head_dim, NULL);
	attempt.binding.entry = executor->entry;
	attempt.binding.abi = executor->setup.abi;
	struct work work;
	if (family->work(&attempt.test, &work, &err) == 0) {
		record->flops = work.flops;
		record->bytes = work.bytes;
	}
	const struct judge_policy policy = {.disabled_checks = executor->setup.disabled_checks};
	record->judgement.status = STATUS_COUNT; /* not decided */
	const int outcome = verify(&attempt, &err);
	const struct observer observer = observer_of(&attempt);
	if (outcome < 0)
		attempt.context_lost |= observe_error(&observer, &err);
	if (record->judgement.status == STATUS_COUNT)
		judgement_decide(&record->judgement, &policy);
	record->verify_seconds = monotonic_seconds() - start;
	if (record->judgement.status == STATUS_FAIL && executor->setup.keep_failures[0] && !attempt.context_lost &&
	    keep_failure(executor->setup.keep_failures, executor->setup.keep_label, executor->device, family, executor->family_state,
			 &attempt.binding, &err))
		snprintf(record->note, sizeof record->note, "the failure was not kept: %.200s", err.message);
	if (record->judgement.status == STATUS_PASS && want_bench && executor->bencher) {
		stage(executor, STAGE_BENCH);
		if (bencher_run(executor->bencher, &executor->buffers, family, executor->family_state, &attempt.binding, record, &err)) {
			/* it passed: a failure to time it is said, not held against it, unless the context is gone */
			if (device_error_is_sticky(&err))
				attempt.context_lost |= observe_error(&observer, &err);
			else
				snprintf(record->note, sizeof record->note, "not timed: %.200s", err.message);
		}
		attempt.context_lost |= record->context_lost;
	}
	for (int i = 0; i < attempt.test.tensor_count; i++)
		free(attempt.promises[i].regions);
	case_free(&attempt.test);
	record->wall_seconds = monotonic_seconds() - start;
	return attempt.context_lost;
}
