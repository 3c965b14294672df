#include "observe.h"

#include "artifact/demangle.h"
#include "core/util.h"
#include "output_copy.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* What a device that watches its kernels saw since the last time. Each fault breaks the check of its kind; one that ends a
 * kernel without being wrong by a check (a trap, an endless loop) decides the case. */
void observe_findings(const struct observer *observer)
{
	enum { ROOM = 16 };
	struct judgement *judgement = &observer->record->judgement;
	struct device_finding findings[ROOM]; /* not allocated: a finding that is lost would be a check that holds */
	const int count = device_findings(observer->device, findings, ROOM);
	for (int i = 0; i < count && i < ROOM; i++) {
		static const enum check checks[DEVICE_FAULT_COUNT] = {
			[DEVICE_FAULT_ACCESS] = CHECK_ACCESS,
			[DEVICE_FAULT_UNDEFINED] = CHECK_UNDEFINED,
			[DEVICE_FAULT_RACE] = CHECK_RACE,
			[DEVICE_FAULT_BARRIER] = CHECK_BARRIER,
		};
		const enum device_fault fault = findings[i].fault;
		if (fault == DEVICE_FAULT_ENDLESS)
			judgement_conclude(judgement, STATUS_TIMEOUT, "%s", findings[i].text);
		else if (fault == DEVICE_FAULT_STOPPED)
			judgement_conclude(judgement, STATUS_CRASHED, "%s", findings[i].text);
		else if (fault == DEVICE_FAULT_UNSUPPORTED)
			judgement_conclude(judgement, STATUS_UNSUPPORTED, "%s", findings[i].text);
		else
			judgement_break(judgement, checks[fault], "%s%s", findings[i].text,
					count > 1 ? " (and others)" : "");
	}
}

static int is_broken(const struct judgement *judgement, enum check check)
{
	return judgement->checks[check].state == CHECK_BROKEN;
}


int observe_error(const struct observer *observer, const struct error *err)
{
	struct judgement *judgement = &observer->record->judgement;
	if (device_error_is_sticky(err)) {
		const struct judge_policy policy = {.disabled_checks = observer->disabled_checks};
		observe_findings(observer);
		if (judgement->status != STATUS_COUNT)
			return 1; /* the fault says it all */
		if (is_broken(judgement, CHECK_ACCESS) || is_broken(judgement, CHECK_UNDEFINED) || is_broken(judgement, CHECK_BARRIER)) {
			judgement_decide(judgement, &policy);
			if (judgement->status == STATUS_FAIL)
				return 1;
			/* switched off, but the kernel did not come to its end for it: a crash like any other */
		}
		/* with that check switched off the case still did not come to its end: then it is a crash like any other */
		if (observer->guard_pages && !(policy.disabled_checks & 1u << CHECK_GUARD) &&
		    strcmp(device_error_name(err->device_code), "CUDA_ERROR_ILLEGAL_ADDRESS") == 0) {
			judgement_break(judgement, CHECK_GUARD, "the device reported an illegal address with every buffer set against "
				"unmapped memory: the kernel reads or writes outside its tensors");
			judgement_decide(judgement, &policy);
			return 1;
		}
		judgement_conclude(judgement, STATUS_CRASHED, "the device context was lost: %s", err->message);
		return 1;
	}
	if (err->kind == ERROR_UNSUPPORTED)
		judgement_conclude(judgement, STATUS_UNSUPPORTED, "%s", err->message);
	else
		judgement_conclude(judgement, STATUS_ERROR, "%s", err->message);
	return 0;
}

void observe_note(struct case_record *record, const char *format, ...)
{
	va_list args;
	char *note = record->note;
	const size_t used = strlen(note), separator = used ? 2 : 0;
	if (used + separator + 1 >= sizeof record->note)
		return;
	memcpy(note + used, "; ", separator);
	va_start(args, format);
	vsnprintf(note + used + separator, sizeof record->note - used - separator, format, args);
	va_end(args);
}

/* Kernels that ran from the host code's own archive in place of the artifact's are no part of what is verified: their names. */
static void note_own_code(struct case_record *record, const struct cudart_log *log)
{
	const size_t kept = log->launch_count < CUDART_LAUNCHES_MAX ? log->launch_count : CUDART_LAUNCHES_MAX;
	struct text names = {0};
	for (size_t i = 0; i < kept; i++) {
		const struct cudart_launch *launch = &log->launches[i];
		int is_known = !launch->own_code || launch->result;
		for (size_t k = 0; k < i && !is_known; k++)
			is_known = log->launches[k].own_code && strcmp(log->launches[k].kernel, launch->kernel) == 0;
		if (is_known)
			continue;
		char *name = demangle(launch->kernel);
		const char *plain = name ? name : launch->kernel;
		if (strncmp(plain, "void ", 5) == 0) /* what a template returns is in front of its name */
			plain += 5;
		text_append(&names, "%s%.*s", names.length ? ", " : "", (int)strcspn(plain, "<("), plain);
		free(name);
	}
	if (names.data)
		observe_note(record, "from the donor: %s", names.data);
	text_free(&names);
}

static void note_launches(struct case_record *record, const struct cudart_log *log)
{
	record->launch_count = (int64_t)log->launch_count;
	for (size_t i = 0; i < log->launch_count && i < RECORD_LAUNCHES_MAX && i < CUDART_LAUNCHES_MAX; i++) {
		const struct cudart_launch *from = &log->launches[i];
		struct launch_record *to = &record->launches[i];
		snprintf(to->kernel, sizeof to->kernel, "%s", from->kernel ? from->kernel : "?");
		to->grid[0] = from->grid.x, to->grid[1] = from->grid.y, to->grid[2] = from->grid.z;
		to->block[0] = from->block.x, to->block[1] = from->block.y, to->block[2] = from->block.z;
		to->dynamic_shared = from->dynamic_shared;
		to->default_stream = from->default_stream;
		to->device_code = from->device_code ? from->device_code : from->result;
		to->registers = from->resources.registers;
		to->static_shared_bytes = from->resources.static_shared_bytes;
		to->local_bytes = from->resources.local_bytes;
	}
	snprintf(record->image, sizeof record->image, "%s", log->image_summary);
	note_own_code(record, log);
}

/* No image for this GPU, or one that this driver or device cannot run, is a property of the pair and not a fault of a
 * kernel. Values of cudaError_t (driver_types.h). */
int launch_error_is_unsupported(int error)
{
	enum { NO_KERNEL_IMAGE = 209, JIT_COMPILER_NOT_FOUND = 221, UNSUPPORTED_PTX_VERSION = 222, JIT_DISABLED = 223, NOT_SUPPORTED = 801 };
	return error == NO_KERNEL_IMAGE || error == JIT_COMPILER_NOT_FOUND ||
	       error == UNSUPPORTED_PTX_VERSION || error == JIT_DISABLED || error == NOT_SUPPORTED;
}

/* What the shim saw of one call. Returns 1 when the case is decided by it. */
int observe_log(const struct observer *observer, const struct cudart_log *log)
{
	struct judgement *judgement = &observer->record->judgement;
	note_launches(observer->record, log);
	if (log->no_match[0]) {
		judgement_conclude(judgement, STATUS_UNSUPPORTED, "%s", log->no_match);
		return 1;
	}
	if (log->missing_count) {
		char *name = demangle(log->missing[0]);
		judgement_conclude(judgement, STATUS_UNSUPPORTED, "the archive needs %s, which neither it nor this program has",
			 name ? name : log->missing[0]);
		free(name);
		return 1;
	}
	for (size_t i = 0; i < log->launch_count && i < CUDART_LAUNCHES_MAX; i++) {
		const struct cudart_launch *launch = &log->launches[i];
		if (launch_error_is_unsupported(launch->result)) {
			judgement_conclude(judgement, STATUS_UNSUPPORTED, "%s", launch->message);
			return 1;
		}
	}
	if (log->first_error)
		judgement_break(judgement, CHECK_LAUNCH, "%s returned error %d (%s) and the entry point went on in silence",
				log->first_error_call, log->first_error, log->first_error_message);
	else
		judgement_hold(judgement, CHECK_LAUNCH);
	if (log->launch_count == log->failed_launches)
		judgement_break(judgement, CHECK_NO_LAUNCH, "the entry point launched no kernel");
	else
		judgement_hold(judgement, CHECK_NO_LAUNCH);
	for (size_t i = 0; i < log->launch_count && i < CUDART_LAUNCHES_MAX; i++) {
		const struct cudart_launch *launch = &log->launches[i];
		if (launch->result == 0 && !launch->default_stream && !launch->ordered_stream && !log->synchronizations)
			judgement_break(judgement, CHECK_STREAM, "%s ran on a stream of the archive's own that nothing waits for: work "
				"on the default stream can overtake it", launch->kernel);
	}
	if (log->launch_count > log->failed_launches)
		judgement_hold(judgement, CHECK_STREAM);
	return 0;
}

int observe_known(const struct observer *observer, const struct known_outputs *known)
{
	struct case_record *record = observer->record;
	if (record->output_count == known->count && !judgement_has_broken(&record->judgement) &&
	    memcmp(record->digests, known->digests, (size_t)known->count * sizeof known->digests[0]) == 0) {
		judgement_hold(&record->judgement, CHECK_REPEAT);
		judgement_conclude(&record->judgement, STATUS_PASS, "%s", "");
		return 1;
	}
	record->judgement = (struct judgement){.status = STATUS_COUNT};
	record->output_count = 0;
	memset(record->digests, 0, sizeof record->digests);
	memset(record->output_names, 0, sizeof record->output_names);
	case_record_drop_outputs(record);
	observe_note(record, "other bits than when it was verified first, and verified anew");
	return 0;
}
