#include "operate_private.h"

#include "bench_case.h"
#include "core/util.h"
#include "keep.h"
#include "observe.h"
#include "operate_verdict.h"
#include "output_copy.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct attempt {
	struct operate *operate;
	const struct operate_target *target;
	const struct test_case *test;
	const struct loaded_kernel *kernel;    /* NULL: a host function */
	struct operator_launch launch;
	struct binding binding;
	struct expectation *expected[CASE_TENSORS_MAX]; /* of outputs that are values */
	enum math math;
	struct observer observer;
	struct case_record *record;
	unsigned char *broken; /* image of the first run after which a check was broken; NULL: none is to be kept */
};

static int is_value(const struct test_case *test, int index)
{
	if (test->tensors[index].role != TENSOR_OUTPUT)
		return 0;
	for (int i = 0; i < test->tensor_count; i++)
		if (test->tensors[i].role == TENSOR_OUTPUT && strcmp(test->tensors[i].storage, test->tensors[index].name) == 0)
			return 0; /* storage of others */
	return 1;
}

/* What the family passes against what the kernel takes. A size proves no meaning, but most changes of an argument list show. */
static int check_parameters(const struct attempt *attempt, struct error *err)
{
	const struct loaded_kernel *kernel = attempt->kernel;
	const struct operator_launch *launch = &attempt->launch;
	if (kernel->parameter_count != launch->argument_count)
		return error_set(err, ERROR_UNSUPPORTED, "ABI: %s takes %d parameters, the %s profile passes %d", kernel->symbol,
				 kernel->parameter_count, operator_profiles[attempt->target->abi], launch->argument_count);
	for (int i = 0; i < launch->argument_count; i++)
		if (kernel->sizes[i] != (unsigned)launch->arguments[i].size)
			return error_set(err, ERROR_UNSUPPORTED, "ABI: parameter %d of %s has %u bytes, the %s profile passes %d",
					 i, kernel->symbol, kernel->sizes[i], operator_profiles[attempt->target->abi],
					 launch->arguments[i].size);
	return 0;
}

/* CUDA C Programming Guide, table of technical specifications per compute capability: the same for all of them. A driver refuses
 * the launch of a case that is beyond, and the kernel would be blamed for it. */
static int check_shape(const struct attempt *attempt, struct error *err)
{
	const struct device_dim3 grid = attempt->launch.grid, block = attempt->launch.block;
	const uint64_t threads = (uint64_t)block.x * block.y * block.z;
	if (grid.x && grid.y && grid.z && grid.x <= INT32_MAX && grid.y <= 65535 && grid.z <= 65535 && threads &&
	    threads <= 1024 && block.x <= 1024 && block.y <= 1024 && block.z <= 64)
		return 0;
	return error_set(err, ERROR_INPUT,
			 "case %s: its launch, grid %u x %u x %u of block %u x %u x %u, is beyond what a GPU takes",
			 attempt->test->name, grid.x, grid.y, grid.z, block.x, block.y, block.z);
}

static int launch_kernel(const struct operate *operate, const struct operator_launch *launch, const struct loaded_kernel *kernel,
			 const device_pointer *addresses, struct error *err)
{
	struct device *device = operate->options.device;
	unsigned char values[OPERATOR_ARGUMENTS_MAX][8] = {{0}};
	void *pointers[OPERATOR_ARGUMENTS_MAX];
	for (int i = 0; i < launch->argument_count; i++) {
		const struct operator_argument *argument = &launch->arguments[i];
		if (argument->kind == ARGUMENT_TENSOR)
			memcpy(values[i], &addresses[argument->tensor], sizeof addresses[0]);
		else if (argument->kind == ARGUMENT_VALUE)
			memcpy(values[i], argument->value, sizeof values[i]);
		pointers[i] = values[i];
	}
	return device->ops->launch(device, kernel->function, launch->grid, launch->block, launch->dynamic_shared, NULL, pointers,
				   err);
}

static void stage(const struct attempt *attempt, enum stage next)
{
	const struct operate_options *options = &attempt->operate->options;
	if (options->on_stage)
		options->on_stage(options->context, next);
}

/* Queues the call with the tensors of an image. */
static int call(struct attempt *attempt, int image, struct error *err)
{
	struct operate *operate = attempt->operate;
	device_pointer addresses[CASE_TENSORS_MAX] = {0};
	for (int i = 0; i < attempt->test->tensor_count; i++) {
		if (attempt->test->tensors[i].role == TENSOR_EXPECTED)
			continue;
		addresses[i] = operate_memory_address(&operate->memory, image, i);
		attempt->binding.tensors[i] = (struct bound_tensor){
			.tensor = &attempt->test->tensors[i],
			.storage = operate_memory_storage(&operate->memory, image, i),
			.data = addresses[i],
		};
	}
	stage(attempt, STAGE_CALL);
	if (attempt->kernel)
		return launch_kernel(operate, &attempt->launch, attempt->kernel, addresses, err);
	if (attempt->target->log_reset)
		attempt->target->log_reset();
	attempt->target->family->call(&attempt->binding);
	return 0;
}

/* A launch that the driver refuses is the kernel's fault (too many registers for a block of 1024, say) unless the context went. */
static int refused_launch(struct attempt *attempt, const struct error *err)
{
	const int code = err->kind == ERROR_DEVICE ? err->device_code : 0;
	if (!attempt->kernel || !code || device_error_is_sticky(err) || launch_error_is_unsupported(code))
		return 0;
	const struct device_dim3 grid = attempt->launch.grid, block = attempt->launch.block;
	judgement_break(&attempt->record->judgement, CHECK_LAUNCH,
			"the launch was refused: %s (grid %u x %u x %u, block %u x %u x %u, %u bytes of shared memory)",
			err->message, grid.x, grid.y, grid.z, block.x, block.y, block.z, attempt->launch.dynamic_shared);
	return 1;
}

static void note_launch(struct attempt *attempt)
{
	struct case_record *record = attempt->record;
	const struct operator_launch *launch = &attempt->launch;
	record->launch_count = 1;
	struct launch_record *to = &record->launches[0];
	snprintf(to->kernel, sizeof to->kernel, "%s", attempt->kernel->symbol);
	to->grid[0] = launch->grid.x, to->grid[1] = launch->grid.y, to->grid[2] = launch->grid.z;
	to->block[0] = launch->block.x, to->block[1] = launch->block.y, to->block[2] = launch->block.z;
	to->dynamic_shared = launch->dynamic_shared;
	to->default_stream = 1;
	to->registers = attempt->kernel->resources.registers;
	to->static_shared_bytes = attempt->kernel->resources.static_shared_bytes;
	to->local_bytes = attempt->kernel->resources.local_bytes;
	snprintf(record->image, sizeof record->image, "%s", attempt->operate->image);
}

/* One run of a case: what memory holds before it, under which condition. */
struct run {
	enum operate_poison poison;
	struct operate_condition condition;
};

/* Run 0 starts from the number poison, the last one, which is judged, from NaN, and repeats under other conditions lie between. */
static struct run run_at(const struct operate *operate, int index)
{
	if (index == 0)
		return (struct run){.poison = OPERATE_POISON_NUMBER};
	if (index > operate->options.repeats)
		return (struct run){.poison = OPERATE_POISON_NAN};
	return (struct run){.poison = OPERATE_POISON_NUMBER, .condition = operate_condition(index - 1)};
}

/* Queues the runs [first, first + images), each on an image of its own, and brings everything back. 1: the case is decided. */
static int run_images(struct attempt *attempt, int first, struct error *err)
{
	struct operate *operate = attempt->operate;
	struct device *device = operate->options.device;
	for (int image = 0; image < operate->memory.images; image++)
		operate_memory_prepare(&operate->memory, image, run_at(operate, first + image).poison);
	if (operate_memory_upload(&operate->memory, err))
		return -1;
	for (int image = 0; image < operate->memory.images; image++) {
		const struct run run = run_at(operate, first + image);
		if (operate_conditions_set(operate->conditions, &run.condition, err))
			return -1;
		if (first + image == 0)
			device_counts(device, &attempt->record->counts);
		if (call(attempt, image, err))
			return refused_launch(attempt, err) ? 1 : -1;
		if (first + image == 0)
			device_counts(device, &attempt->record->counts); /* complete: a device that counts does not queue */
	}
	stage(attempt, STAGE_WAIT);
	if (operate_memory_fetch(&operate->memory, err))
		return -1;
	observe_findings(&attempt->observer);
	return attempt->record->judgement.status != STATUS_COUNT;
}

static int expect(struct attempt *attempt, struct error *err)
{
	const struct family *family = attempt->target->family;
	if (!family->expectations)
		return 0;
	for (int i = 0; i < attempt->test->tensor_count; i++) {
		const struct tensor *output = &attempt->test->tensors[i];
		if (!is_value(attempt->test, i))
			continue;
		attempt->expected[i] = calloc((size_t)tensor_elements(output) + 1, sizeof *attempt->expected[i]);
		if (!attempt->expected[i])
			return error_out_of_memory(err);
		if (family->expectations(attempt->test, attempt->target->abi, output, attempt->expected[i], err))
			return -1;
		operate_memory_expect(&attempt->operate->memory, i, attempt->expected[i]);
	}
	return 0;
}

/* What came back, against what is due. */
static int judge_values(struct attempt *attempt, int image, struct error *err)
{
	const struct test_case *test = attempt->test;
	const struct family *family = attempt->target->family;
	struct operator_outputs outputs = {.test = test, .math = attempt->math};
	struct judgement *judgement = &attempt->record->judgement;
	for (int i = 0; i < test->tensor_count; i++) {
		const struct tensor *output = &test->tensors[i];
		if (!is_value(test, i))
			continue;
		outputs.storage[i] = operate_memory_result(&attempt->operate->memory, image, i);
		struct expectation_layout layout = {.name = output->name, .dtype = output->dtype, .rank = output->rank};
		memcpy(layout.dims, output->dims, sizeof layout.dims);
		memcpy(layout.strides, output->strides, sizeof layout.strides);
		if (attempt->expected[i])
			judge_expectations(&layout, outputs.storage[i], attempt->expected[i], attempt->math, judgement);
	}
	return family->judge_outputs ? family->judge_outputs(&outputs, judgement, err) : 0;
}

static int take_digests(struct attempt *attempt, int image, struct error *err)
{
	const struct operate *operate = attempt->operate;
	struct case_record *record = attempt->record;
	for (int i = 0; i < attempt->test->tensor_count && record->output_count < RECORD_OUTPUTS_MAX; i++) {
		const struct tensor *output = &attempt->test->tensors[i];
		const int at = record->output_count;
		if (!is_value(attempt->test, i))
			continue;
		if (operate_memory_digest(&operate->memory, image, i, &record->digests[at], err) ||
		    (operate->options.keep_outputs &&
		     case_record_keep_output(record, at, output, operate_memory_result(&operate->memory, image, i), err)))
			return -1;
		snprintf(record->output_names[at], sizeof record->output_names[at], "%s", output->name);
		record->output_count++;
	}
	return 0;
}

/* The next run may overwrite what shows the fault. Without memory for a copy the last run is what is kept. */
static void remember_broken(struct attempt *attempt, int image)
{
	const struct operate *operate = attempt->operate;
	if (!operate->options.keep_failures || attempt->broken || !judgement_has_broken(&attempt->record->judgement))
		return;
	attempt->broken = malloc(operate->memory.image_bytes + 1);
	if (attempt->broken)
		memcpy(attempt->broken, operate_memory_image(&operate->memory, image), operate->memory.image_bytes);
}

static void keep(const struct attempt *attempt)
{
	const struct operate_memory *memory = &attempt->operate->memory;
	const unsigned char *image = attempt->broken ? attempt->broken : operate_memory_image(memory, memory->images - 1);
	const void *storage[CASE_TENSORS_MAX] = {0};
	const struct expectation *expected[CASE_TENSORS_MAX] = {0};
	struct error err = {0};
	for (int i = 0; i < attempt->test->tensor_count; i++) {
		if (image && attempt->test->tensors[i].role == TENSOR_OUTPUT && memory->place[i] != SIZE_MAX)
			storage[i] = image + memory->place[i];
		expected[i] = attempt->expected[i];
	}
	const char *label = attempt->target->keep_label ? attempt->target->keep_label : "";
	if (keep_operator_failure(attempt->operate->options.keep_failures, label, attempt->test, storage, expected, &err))
		snprintf(attempt->record->note, sizeof attempt->record->note, "the failure was not kept: %.200s", err.message);
}

/* What one run left behind. The last one is judged; where results may differ between runs, each is. */
static int look_at(struct attempt *attempt, int run, int image, const char *varies, struct error *err)
{
	struct operate *operate = attempt->operate;
	struct judgement *judgement = &attempt->record->judgement;
	const int is_last = run > operate->options.repeats;
	stage(attempt, STAGE_JUDGE);
	operate_memory_check(&operate->memory, image, judgement);
	if (!is_last && run > 0 && !varies)
		operate_memory_check_repeat(&operate->memory, image, run_at(operate, run).condition.name, judgement);
	if (is_last && !varies)
		operate_memory_check_written(&operate->memory, image, judgement);
	if ((is_last || varies) && judge_values(attempt, image, err))
		return -1;
	return is_last ? take_digests(attempt, image, err) : 0;
}

/* One run, of a case that has passed before: what returns 0 has to be verified whole. */
static int run_known(struct attempt *attempt, struct error *err)
{
	struct operate *operate = attempt->operate;
	if (operate_memory_bind(&operate->memory, attempt->test, 1, err))
		return -1;
	const int outcome = run_images(attempt, operate->options.repeats + 1, err);
	if (outcome)
		return outcome;
	if (!attempt->kernel && attempt->target->log && observe_log(&attempt->observer, attempt->target->log()))
		return 1;
	operate_memory_check(&operate->memory, 0, &attempt->record->judgement);
	if (take_digests(attempt, 0, err))
		return -1;
	return observe_known(&attempt->observer, attempt->target->known);
}

/* Returns -1 with *err when a step failed, 1 when the case is decided already, 0 when the checks are to decide. */
static int verify(struct attempt *attempt, struct error *err)
{
	struct operate *operate = attempt->operate;
	const struct family *family = attempt->target->family;
	struct judgement *judgement = &attempt->record->judgement;
	struct device *device = operate->options.device;
	if (family->supports && family->supports(attempt->test, attempt->target->abi, &device->properties, err))
		return -1;
	if (attempt->kernel) {
		if (family->launch(attempt->test, attempt->target->abi, &attempt->launch, err))
			return -1;
		if (attempt->launch.failed)
			return error_set(err, ERROR_INTERNAL,
					 "case %s: its launch names a tensor that is not there, or has too many arguments or "
					 "blocks",
					 attempt->test->name);
		if (check_shape(attempt, err) || check_parameters(attempt, err))
			return -1;
		note_launch(attempt);
	}
	device_findings(device, NULL, 0); /* what the case before left */
	const struct known_outputs *known = attempt->target->known;
	const int outcome_known = known && known->count > 0 ? run_known(attempt, err) : 0;
	if (outcome_known)
		return outcome_known;
	const int runs = operate->options.repeats + 2;
	/* what a host function did is told by the shim call by call */
	if (operate_memory_bind(&operate->memory, attempt->test, attempt->kernel ? runs : 1, err) || expect(attempt, err))
		return -1;
	const char *varies = family->varies ? family->varies(attempt->test) : NULL;
	for (int first = 0; first < runs; first += operate->memory.images) {
		const int outcome = run_images(attempt, first, err);
		if (outcome)
			return outcome;
		if (first == 0 && attempt->kernel)
			judgement_hold(judgement, CHECK_LAUNCH);
		else if (first == 0 && attempt->target->log && observe_log(&attempt->observer, attempt->target->log()))
			return 1;
		for (int image = 0; image < operate->memory.images; image++) {
			if (look_at(attempt, first + image, image, varies, err))
				return -1;
			remember_broken(attempt, image);
		}
	}
	if (device->ops->findings && !operate->options.unchecked) {
		judgement_hold(judgement, CHECK_ACCESS);
		judgement_hold(judgement, CHECK_UNDEFINED);
		judgement_hold(judgement, CHECK_RACE);
		judgement_hold(judgement, CHECK_BARRIER);
	}
	if (operate->options.guard == GUARD_PAGES)
		judgement_hold(judgement, CHECK_GUARD);
	if (varies)
		observe_note(attempt->record, "results may differ between runs: %s", varies);
	return 0;
}

/* A build with fast math is told as such, beside what it would be held to otherwise. */
static void note_math(struct attempt *attempt)
{
	struct case_record *record = attempt->record;
	struct judgement *judgement = &record->judgement;
	if (!attempt->kernel || !attempt->kernel->is_fast || !(judgement->precise_margin > 1))
		return;
	if (attempt->math == MATH_FAST && !record->note[0])
		snprintf(record->note, sizeof record->note,
			 "fast math: %.3g times the bound of a precise build, %" PRIu64 " units in the last place",
			 judgement->precise_margin, judgement->ulp_max);
	const size_t used = strlen(judgement->reason);
	if (attempt->math == MATH_PRECISE && judgement->status == STATUS_FAIL)
		snprintf(judgement->reason + used, sizeof judgement->reason - used,
			 "; it is built with fast math: --math fast judges it by what that permits");
}

struct timed { /* context of the sampler */
	const struct attempt *attempt;
	device_pointer (*addresses)[CASE_TENSORS_MAX]; /* of each set */
	struct binding *bindings;
	device_pointer memory;
	int sets;
};

static int enqueue(void *context, int rotation, struct error *err)
{
	struct timed *timed = context;
	const struct attempt *attempt = timed->attempt;
	if (attempt->kernel)
		return launch_kernel(attempt->operate, &attempt->launch, attempt->kernel, timed->addresses[rotation], err);
	attempt->target->family->call(&timed->bindings[rotation]);
	return 0;
}

static void free_sets(void *context)
{
	struct timed *timed = context;
	device_free(timed->attempt->operate->options.device, timed->memory);
	free(timed->addresses);
	free(timed->bindings);
	timed->memory = 0;
	timed->addresses = NULL;
	timed->bindings = NULL;
	timed->sets = 0;
}

/* `count` copies of the case at addresses of their own. */
static int make_sets(void *context, int count, struct error *err)
{
	struct timed *timed = context;
	const struct attempt *attempt = timed->attempt;
	const struct operate_memory *memory = &attempt->operate->memory;
	struct device *device = attempt->operate->options.device;
	if (memory->guard != GUARD_CANARIES)
		return error_set(err, ERROR_UNSUPPORTED, "timing is done with canaries around the tensors only");
	const device_pointer base = memory->arena; /* image 0 */
	timed->addresses = calloc((size_t)count, sizeof *timed->addresses);
	timed->bindings = calloc((size_t)count, sizeof *timed->bindings);
	if (!timed->addresses || !timed->bindings)
		return error_out_of_memory(err);
	if (device_alloc(device, (size_t)count * memory->image_bytes, &timed->memory, err))
		return -1;
	for (int set = 0; set < count; set++) {
		const device_pointer to = timed->memory + (device_pointer)set * memory->image_bytes;
		if (device->ops->copy(device, to, base, memory->image_bytes, NULL, err))
			return -1;
		timed->bindings[set] = attempt->binding;
		for (int i = 0; i < attempt->test->tensor_count; i++) {
			if (attempt->test->tensors[i].role == TENSOR_EXPECTED)
				continue;
			timed->addresses[set][i] = operate_memory_address(memory, 0, i) - base + to;
			timed->bindings[set].tensors[i].data = timed->addresses[set][i];
			timed->bindings[set].tensors[i].storage = operate_memory_storage(memory, 0, i) - base + to;
		}
	}
	timed->sets = count;
	return 0;
}

static int time_case(struct attempt *attempt, struct bencher *bencher, struct error *err)
{
	struct timed timed = {.attempt = attempt};
	const struct bench_subject subject = {
		.enqueue = enqueue,
		.make_sets = make_sets,
		.free_sets = free_sets,
		.context = &timed,
		.set_bytes = attempt->operate->memory.image_bytes,
	};
	stage(attempt, STAGE_BENCH);
	const int result = bencher_run_subject(bencher, &subject, attempt->record, err);
	free_sets(&timed);
	return result;
}

int operate_case(struct operate *operate, const struct operate_target *target, const struct test_case *test,
		 struct bencher *bencher, struct case_record *record)
{
	struct error err = {0};
	struct attempt attempt = {.operate = operate, .target = target, .test = test, .record = record};
	const struct judge_policy policy = {.disabled_checks = operate->options.disabled_checks};
	int context_lost = 0;
	*record = (struct case_record){.dtype = operator_dtype(test, "dtype")};
	snprintf(record->name, sizeof record->name, "%s", test->name);
	snprintf(record->family, sizeof record->family, "%s", target->family->name);
	snprintf(record->entry_point, sizeof record->entry_point, "%s", target->symbol);
	record->judgement.status = STATUS_COUNT; /* not decided */
	attempt.observer = (struct observer){
		.device = operate->options.device,
		.record = record,
		.disabled_checks = operate->options.disabled_checks,
		.guard_pages = operate->options.guard == GUARD_PAGES,
	};
	attempt.binding = (struct binding){
		.test = test,
		.entry = target->host_entry,
		.abi = target->abi,
		.device = &operate->options.device->properties,
	};
	for (size_t i = 0; !target->host_entry && i < operate->kernel_count; i++)
		if (strcmp(operate->kernels[i].symbol, target->symbol) == 0)
			attempt.kernel = &operate->kernels[i];
	if (!attempt.kernel && !target->host_entry) {
		judgement_conclude(&record->judgement, STATUS_ERROR, "%s was not loaded", target->symbol);
		return 0;
	}
	attempt.math = attempt.kernel && !attempt.kernel->is_fast ? MATH_PRECISE : operate->options.math;
	struct work work;
	if (target->family->work && target->family->work(test, &work, &err) == 0) {
		record->flops = work.flops;
		record->bytes = work.bytes;
	}
	stage(&attempt, STAGE_PREPARE);
	if (verify(&attempt, &err) < 0)
		context_lost = observe_error(&attempt.observer, &err);
	if (record->judgement.status == STATUS_COUNT)
		operate_decide(&record->judgement, test, attempt.expected, attempt.math, &policy);
	note_math(&attempt);
	if (record->judgement.status == STATUS_FAIL && !context_lost && operate->options.keep_failures)
		keep(&attempt);
	if (record->judgement.status == STATUS_PASS && bencher && time_case(&attempt, bencher, &err)) {
		if (device_error_is_sticky(&err))
			context_lost = observe_error(&attempt.observer, &err);
		else
			snprintf(record->note, sizeof record->note, "not timed: %.200s", err.message);
	}
	for (int i = 0; i < test->tensor_count; i++)
		free(attempt.expected[i]);
	free(attempt.broken);
	return context_lost;
}
