/* Findings: what kernels do wrong. */
#include "device/ptx/core.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOTES_MAX = 4096 }; /* distinct ones kept until the end of a launch */

const char *ptx_finding_name(enum ptx_finding_kind kind)
{
	static const char *const names[PTX_FIND_COUNT] = {
		[PTX_FIND_BOUNDS] = "out of bounds",
		[PTX_FIND_MISALIGNED] = "misaligned access",
		[PTX_FIND_READ_ONLY] = "write to read-only memory",
		[PTX_FIND_UNDEFINED_BRANCH] = "branch on an undefined value",
		[PTX_FIND_UNDEFINED_ADDRESS] = "undefined address",
		[PTX_FIND_UNDEFINED_OUTPUT] = "undefined output",
		[PTX_FIND_UNDEFINED_OPERAND] = "undefined operand",
		[PTX_FIND_RACE] = "shared-memory race",
		[PTX_FIND_DIVERGENT_BARRIER] = "divergent barrier",
		[PTX_FIND_DEADLOCK] = "deadlock",
		[PTX_FIND_BUDGET] = "endless loop",
		[PTX_FIND_ASSERT] = "failed assertion",
		[PTX_FIND_TRAP] = "trap",
		[PTX_FIND_UNSUPPORTED] = "unsupported",
		[PTX_FIND_INVALID] = "invalid operand",
	};
	return (unsigned)kind < PTX_FIND_COUNT ? names[kind] : "unknown";
}

/* Numbers of CUresult (cuda.h). What a GPU would not stop for is 0. */
int ptx_finding_code(enum ptx_finding_kind kind)
{
	switch (kind) {
	case PTX_FIND_BOUNDS: case PTX_FIND_READ_ONLY:
		return 700; /* CUDA_ERROR_ILLEGAL_ADDRESS */
	case PTX_FIND_MISALIGNED:
		return 716; /* CUDA_ERROR_MISALIGNED_ADDRESS */
	case PTX_FIND_DEADLOCK: case PTX_FIND_BUDGET:
		return 702; /* CUDA_ERROR_LAUNCH_TIMEOUT */
	case PTX_FIND_ASSERT:
		return 710; /* CUDA_ERROR_ASSERT */
	case PTX_FIND_TRAP:
		return 719; /* CUDA_ERROR_LAUNCH_FAILED */
	case PTX_FIND_INVALID:
		return 715; /* CUDA_ERROR_ILLEGAL_INSTRUCTION */
	case PTX_FIND_UNSUPPORTED:
		return 801; /* CUDA_ERROR_NOT_SUPPORTED */
	default:
		return 0;
	}
}

const char *ptx_class_name(enum ptx_class class)
{
	static const char *const names[PTX_CLASS_COUNT] = {
		[PTX_CLASS_INTEGER] = "integer", [PTX_CLASS_F16] = "f16", [PTX_CLASS_F32] = "f32", [PTX_CLASS_F64] = "f64",
		[PTX_CLASS_SPECIAL_FUNCTION] = "special function", [PTX_CLASS_CONVERT] = "convert", [PTX_CLASS_MATRIX] = "matrix",
		[PTX_CLASS_MOVE] = "move", [PTX_CLASS_COMPARE] = "compare", [PTX_CLASS_CONTROL] = "control",
		[PTX_CLASS_BARRIER] = "barrier", [PTX_CLASS_EXCHANGE] = "exchange", [PTX_CLASS_GLOBAL] = "global",
		[PTX_CLASS_SHARED] = "shared", [PTX_CLASS_LOCAL] = "local", [PTX_CLASS_CONST] = "const",
		[PTX_CLASS_ATOMIC] = "atomic", [PTX_CLASS_OTHER] = "other",
	};
	return (unsigned)class < PTX_CLASS_COUNT ? names[class] : "unknown";
}

static void describe(const struct ptx_warp *warp, const struct ptx_insn *insn, int lane, struct ptx_finding *finding)
{
	const struct ptx_core *const core = ptx_core_of(warp);
	snprintf(finding->kernel, sizeof finding->kernel, "%s", core->kernel->function->name);
	for (int i = 0; i < 3; i++) {
		finding->block[i] = warp->block->ctaid[i];
		finding->thread[i] = warp->tid[i][lane];
	}
	const struct ptx_instruction *const source = insn->source;
	if (!source)
		return;
	finding->position = source->position;
	ptx_instruction_mnemonic(source, finding->mnemonic, sizeof finding->mnemonic);
	const struct ptx_module *const module = core->kernel->image->module;
	if (source->source_file > 0 && source->source_file <= (uint32_t)module->file_count && module->files[source->source_file - 1]) {
		const char *const path = module->files[source->source_file - 1], *const slash = strrchr(path, '/');
		snprintf(finding->source, sizeof finding->source, "%.160s:%u", slash ? slash + 1 : path, source->source_line);
	}
}

static void add(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, enum ptx_finding_kind kind, uint64_t address, const char *format,
		va_list arguments)
{
	struct ptx_core *const core = ptx_core_of(warp);
	pthread_mutex_lock(&core->note_mutex);
	int i = 0;
	while (i < core->note_count && (core->note_keys[i].insn != insn || core->note_keys[i].kind != kind))
		i++;
	if (i < core->note_count) {
		core->notes[i].count++;
		goto done;
	}
	if (core->note_count == core->note_room) {
		const int room = core->note_room ? 2 * core->note_room : 16;
		struct ptx_finding *const notes = room <= NOTES_MAX ? realloc(core->notes, (size_t)room * sizeof *notes) : NULL;
		if (notes)
			core->notes = notes;
		struct ptx_note_key *const keys = notes ? realloc(core->note_keys, (size_t)room * sizeof *keys) : NULL;
		if (!keys) {
			core->notes_left_out++;
			goto done;
		}
		core->note_keys = keys;
		core->note_room = room;
	}
	struct ptx_finding *const finding = &core->notes[core->note_count];
	memset(finding, 0, sizeof *finding);
	finding->kind = kind;
	finding->address = address;
	finding->count = 1;
	describe(warp, insn, lane, finding);
	vsnprintf(finding->text, sizeof finding->text, format, arguments);
	core->note_keys[core->note_count++] = (struct ptx_note_key){kind, insn};
done:
	pthread_mutex_unlock(&core->note_mutex);
}

void ptx_find(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, enum ptx_finding_kind kind, uint64_t address, const char *format, ...)
{
	struct ptx_core *const core = ptx_core_of(warp);
	const int code = ptx_finding_code(kind);
	if (code && warp->event == PTX_EVENT_STOP)
		return; /* it should have stopped already: what follows from the first fault is no news */
	va_list arguments;
	va_start(arguments, format);
	add(warp, insn, lane, kind, address, format, arguments);
	va_end(arguments);
	if (!code)
		return;
	warp->event = PTX_EVENT_STOP;
	pthread_mutex_lock(&core->note_mutex);
	if (!core->device_code)
		core->device_code = code;
	if (kind == PTX_FIND_UNSUPPORTED && !core->unsupported[0]) {
		char mnemonic[96] = "";
		if (insn->source)
			ptx_instruction_mnemonic(insn->source, mnemonic, sizeof mnemonic);
		va_start(arguments, format);
		const int n = snprintf(core->unsupported, sizeof core->unsupported, "unsupported: %s (line %u, column %u): ", mnemonic,
				       insn->source ? insn->source->position.line : 0, insn->source ? insn->source->position.column : 0);
		if (n > 0 && (size_t)n < sizeof core->unsupported)
			vsnprintf(core->unsupported + n, sizeof core->unsupported - (size_t)n, format, arguments);
		va_end(arguments);
	}
	pthread_mutex_unlock(&core->note_mutex);
	atomic_store(&core->stop, 1);
}

void ptx_note(struct ptx_warp *warp, const struct ptx_insn *insn, int lane, enum ptx_finding_kind kind, uint64_t address, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	add(warp, insn, lane, kind, address, format, arguments);
	va_end(arguments);
}

void ptx_finding_text(const struct ptx_finding *finding, char *text, size_t size)
{
	char times[48] = "";
	if (finding->count > 1)
		snprintf(times, sizeof times, " (%llu times in all)", (unsigned long long)finding->count);
	snprintf(text, size, "%s: %s%sat line %u of the PTX%s%s%s, kernel %s, block (%u,%u,%u), thread (%u,%u,%u): %s%s", ptx_finding_name(finding->kind),
		 finding->mnemonic, finding->mnemonic[0] ? " " : "", finding->position.line, finding->source[0] ? " (" : "", finding->source,
		 finding->source[0] ? ")" : "", finding->kernel, finding->block[0], finding->block[1], finding->block[2], finding->thread[0],
		 finding->thread[1], finding->thread[2], finding->text, times);
}
