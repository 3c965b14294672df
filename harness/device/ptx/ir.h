/* PTX as the front end understood it: modules, variables, functions, instructions. Names follow the PTX ISA manual (9.0):
 * chapter 5 for state spaces, types and variables, chapter 4.5 for constants, chapter 9 for instructions, chapter 10 for
 * special registers.
 *
 * The front end is generic: an instruction is an opcode, its modifiers in the order of the text, and its operands. What a
 * combination of modifiers means, and whether this program can execute it, is decided when it is lowered (lower.h), so that
 * a module with one unknown instruction in one kernel still runs its other kernels.
 *
 * Ownership: everything belongs to the ptx_module (variables, prototypes) or the ptx_function it is found in. Texts point
 * into the module's own copy of the source. Immutable once made, except where said. */
#ifndef ASSAY_DEVICE_PTX_IR_H
#define ASSAY_DEVICE_PTX_IR_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

/* Fundamental, packed and alternate types (manual 5.2). */
enum ptx_type {
	PTX_NO_TYPE = 0,
	PTX_B1, PTX_B8, PTX_B16, PTX_B32, PTX_B64, PTX_B128,
	PTX_U4, PTX_U8, PTX_U16, PTX_U32, PTX_U64,
	PTX_S4, PTX_S8, PTX_S16, PTX_S32, PTX_S64,
	PTX_U16X2, PTX_S16X2,
	PTX_F16, PTX_F16X2, PTX_BF16, PTX_BF16X2, PTX_TF32, PTX_F32, PTX_F32X2, PTX_F64,
	PTX_E4M3, PTX_E5M2, PTX_E4M3X2, PTX_E5M2X2,
	PTX_E2M1X2, PTX_E2M3X2, PTX_E3M2X2, PTX_UE8M0X2,
	PTX_PRED,
	PTX_TYPE_COUNT
};
unsigned ptx_type_bytes(enum ptx_type type); /* 1 for 4- and 8-bit types, 0 for .pred, .b1 and PTX_NO_TYPE */
const char *ptx_type_name(enum ptx_type type); /* "f16x2" */

enum ptx_space { PTX_SPACE_GENERIC = 0, PTX_SPACE_REG, PTX_SPACE_CONST, PTX_SPACE_GLOBAL, PTX_SPACE_LOCAL, PTX_SPACE_PARAM, PTX_SPACE_SHARED };

/* Opcodes and modifiers are interned words: PTX_OP_add, PTX_MOD_sync ... The lists are in words.def; a modifier that is not
 * there is PTX_MOD_unknown, with its text in the instruction's own text. A modifier word may hold "::", as in
 * PTX_MOD_L2__128B for ".L2::128B". */
enum ptx_opcode {
	PTX_OP_unknown = 0,
#define PTX_OPCODE(word) PTX_OP_##word,
#include "device/ptx/words.def"
	PTX_OP_COUNT
};
enum ptx_modifier {
	PTX_MOD_unknown = 0,
#define PTX_MODIFIER(word, text, type) PTX_MOD_##word,
#include "device/ptx/words.def"
	PTX_MOD_COUNT
};
enum ptx_type ptx_modifier_type(enum ptx_modifier modifier); /* PTX_F32 for PTX_MOD_f32, PTX_NO_TYPE for words that are no type */
const char *ptx_opcode_name(enum ptx_opcode opcode);
const char *ptx_modifier_name(enum ptx_modifier modifier); /* without the dot */

/* Special registers (manual chapter 10). */
enum ptx_special {
	PTX_SPECIAL_NONE = 0,
	PTX_TID_X, PTX_TID_Y, PTX_TID_Z, PTX_NTID_X, PTX_NTID_Y, PTX_NTID_Z,
	PTX_CTAID_X, PTX_CTAID_Y, PTX_CTAID_Z, PTX_NCTAID_X, PTX_NCTAID_Y, PTX_NCTAID_Z,
	PTX_LANEID, PTX_WARPID, PTX_NWARPID, PTX_SMID, PTX_NSMID, PTX_GRIDID,
	PTX_LANEMASK_EQ, PTX_LANEMASK_LE, PTX_LANEMASK_LT, PTX_LANEMASK_GE, PTX_LANEMASK_GT,
	PTX_CLOCK, PTX_CLOCK_HI, PTX_CLOCK64, PTX_GLOBALTIMER, PTX_GLOBALTIMER_LO, PTX_GLOBALTIMER_HI,
	PTX_DYNAMIC_SMEM_SIZE, PTX_TOTAL_SMEM_SIZE, PTX_AGGR_SMEM_SIZE, PTX_CURRENT_GRAPH_EXEC,
	PTX_IS_EXPLICIT_CLUSTER, PTX_CLUSTERID_X, PTX_CLUSTERID_Y, PTX_CLUSTERID_Z,
	PTX_NCLUSTERID_X, PTX_NCLUSTERID_Y, PTX_NCLUSTERID_Z,
	PTX_CLUSTER_CTAID_X, PTX_CLUSTER_CTAID_Y, PTX_CLUSTER_CTAID_Z,
	PTX_CLUSTER_NCTAID_X, PTX_CLUSTER_NCTAID_Y, PTX_CLUSTER_NCTAID_Z, PTX_CLUSTER_CTARANK, PTX_CLUSTER_NCTARANK,
	PTX_WARP_SZ, /* WARP_SZ; the front end gives the integer 32 instead */
	PTX_SPECIAL_COUNT
};

struct ptx_position { uint32_t line, column; }; /* in the PTX text, from 1; 0: none */

/* A variable of module scope, of a function's body, or a parameter. Arrays and vectors are laid out as the manual says;
 * `bytes` is the whole size. */
struct ptx_variable {
	const char *name;
	enum ptx_space space;      /* GLOBAL, CONST, SHARED, LOCAL, PARAM */
	enum ptx_type type;
	uint32_t align;            /* bytes, a power of two */
	uint64_t bytes;            /* 0: extern .shared array without a size (dynamic shared memory), or flexible .param */
	int is_extern, is_array;
	unsigned char *initial;    /* `bytes` of initial contents, or NULL: zero (.global, .const) or undefined */
	struct ptx_relocation {    /* addresses inside `initial` that are known only once the module is placed */
		uint64_t offset;   /* 8 bytes there (4 for a 32-bit initialiser: `bytes`) */
		uint32_t bytes;
		const char *symbol; /* variable or function */
		int64_t addend;
		int generic;       /* generic(symbol) */
	} *relocations;
	int relocation_count;
	uint64_t offset;           /* SHARED of one function: from the start of the block's static shared memory; LOCAL and
				      .param variables of a body: from the start of the function's frame; parameters: from
				      the start of the parameters; .global and .const: unused */
	struct ptx_position position;
};

enum ptx_operand_kind {
	PTX_OPERAND_NONE = 0,
	PTX_OPERAND_REGISTER,      /* `reg`; `negate` for !%p */
	PTX_OPERAND_SINK,          /* _ */
	PTX_OPERAND_INTEGER,       /* `integer` (two's complement; unsigned constants above 2^63 wrap) */
	PTX_OPERAND_FLOAT,         /* `real`, from a decimal constant or 0d; of 0f constants: see single */
	PTX_OPERAND_SPECIAL,       /* `special`; only as source of mov after normalising */
	PTX_OPERAND_VARIABLE,      /* `variable` + `integer` bytes: its address */
	PTX_OPERAND_FUNCTION,      /* `symbol`: its address, or the callee */
	PTX_OPERAND_LABEL,         /* `block` */
	PTX_OPERAND_ADDRESS,       /* [register + integer], [variable + integer] or [integer]: `reg` >= 0, else `variable`, else absolute;
				      what follows a comma inside the brackets (coordinates of tensors and textures) is elements
				      `first` .. `first` + `count` */
	PTX_OPERAND_VECTOR,        /* {a, b, ...}: operands `first` .. `first` + `count` of the function's `elements` */
	PTX_OPERAND_PAIR,          /* a|b (setp, shfl): elements `first`, `first` + 1 */
	PTX_OPERAND_LIST           /* (a, b) of call */
};

struct ptx_operand {
	enum ptx_operand_kind kind;
	int32_t reg;               /* index into ptx_function.registers, or -1 */
	uint8_t negate;
	uint8_t single;            /* FLOAT: a 0f constant; `integer` holds its 32 bits, `real` its value */
	uint8_t has_special_float; /* reserved */
	enum ptx_special special;
	int64_t integer;
	double real;
	const struct ptx_variable *variable;
	const char *symbol;
	int32_t block;             /* LABEL: index into ptx_function.blocks */
	int32_t first, count;      /* VECTOR, PAIR, LIST */
};

enum { PTX_MODIFIERS_MAX = 20, PTX_OPERANDS_MAX = 8 };

struct ptx_instruction {
	enum ptx_opcode opcode;
	int modifier_count, operand_count;
	enum ptx_modifier modifiers[PTX_MODIFIERS_MAX];
	struct ptx_operand operands[PTX_OPERANDS_MAX]; /* in the order of the text: destinations first */
	int32_t guard;             /* register of @p, or -1 */
	uint8_t guard_negated;
	struct ptx_position position;
	uint32_t source_file, source_line; /* by .loc: index from 1 into ptx_module.files (0: none) and line */
	uint8_t made;              /* put there when normalising: `text` and `position` are those of the instruction it was made for */
	const char *text;          /* where it stands in the source, up to `text_length` (without the guard and the semicolon) */
	uint32_t text_length;
	int32_t table;             /* brx.idx: index into ptx_function.tables; else -1 */
};

struct ptx_register {
	const char *name;          /* "%r12"; made registers: "" */
	enum ptx_type type;        /* as declared */
	/* after ptx_allocate: */
	uint32_t slot;             /* byte offset in the warp's register file */
	uint8_t lane_bytes;        /* 0: predicate, one uint32_t with a bit a lane; else 4 (8-, 16- and 32-bit types), 8 or 16 a lane */
	uint8_t used;
	uint8_t live_at_entry;     /* some path reads it before it is written */
};

/* Straight-line code: instructions `first` .. `first` + `count`. */
struct ptx_block {
	const char *label;         /* NULL where none stands */
	int32_t first, count;
	int32_t successors[2];     /* -1: none; fall-through first. brx.idx: those of its table instead */
	int32_t table;             /* brx.idx at the end: index into tables; -1 */
	int32_t immediate_postdominator; /* -1: leaves the function */
	uint32_t order;            /* scheduling order: a block comes after every block that reaches it without a back edge, and the
				      blocks of a loop before those after it. Lanes that diverged meet again when the ones with
				      the lowest order run first. */
	uint8_t is_join;           /* more than one predecessor, or the start of the function: lanes may meet here */
};

struct ptx_table { int32_t *blocks; int count; const char *name; }; /* .branchtargets */

struct ptx_function {
	struct ptx_module *module;
	const char *name;
	int is_entry;
	struct ptx_variable *parameters; int parameter_count;  /* entry: kernel parameters; .func: input parameters (register
				      parameters are turned into .param ones by the front end) */
	struct ptx_variable *results; int result_count;        /* of a .func */
	uint32_t parameter_bytes;
	struct ptx_variable *variables; int variable_count;    /* of the body: .shared, .local, .param, .const, .global */
	uint32_t frame_bytes, frame_align;  /* of LOCAL and body .param variables, parameters and results of a .func included */
	struct ptx_register *registers; int register_count;
	struct ptx_instruction *instructions; int instruction_count;
	struct ptx_operand *elements; int element_count;
	struct ptx_block *blocks; int block_count;
	struct ptx_table *tables; int table_count;
	uint32_t register_file_bytes; /* of one warp, after ptx_allocate */
	uint32_t sink_slot;        /* where results that go to `_` are written: room for 16 bytes a lane; only where one occurs */
	/* performance directives; 0: none */
	uint32_t max_threads[3], required_threads[3], cluster[3], max_registers, min_blocks;
	struct ptx_position position, end; /* of its directive, and of its closing brace */
};

/* One function known to the module, its body not parsed before it is asked for. */
struct ptx_function_index {
	const char *name;
	int is_entry, is_extern, is_weak;
	size_t begin, end;         /* bytes of the text from the directive to the closing brace */
	struct ptx_position position;
	struct ptx_function *parsed; /* NULL before ptx_module_function */
};

struct ptx_module {
	char *text; size_t text_size; /* own copy, NUL-terminated */
	uint32_t isa_major, isa_minor, target; char target_suffix; int debug;
	int address_bits;          /* 64; 32 is refused */
	struct ptx_variable *variables; int variable_count;   /* module scope */
	struct ptx_function_index *functions; int function_count; /* sorted by name for lookup */
	const char **files; int file_count; /* .file N "name": files[N - 1]; NULL entries where a number is not used */
	void *arena;               /* private */
};

/* Copies and indexes `text` (NUL-terminated): version, target, module-scope variables, where each function stands. Bodies are
 * skipped by their braces. ERROR_INPUT names line and column; ERROR_UNSUPPORTED a target or ISA it cannot do (32-bit). */
int ptx_module_index(const char *text, struct ptx_module **module, struct error *err);
void ptx_module_free(struct ptx_module *module);
const struct ptx_variable *ptx_module_variable(const struct ptx_module *module, const char *name);
struct ptx_function_index *ptx_module_find(struct ptx_module *module, const char *name);

/* Parses the body (once), normalises it (below), finds blocks, order and live registers, and gives registers their slots.
 * NULL with *err (line, column, what was expected). Not safe for two threads at once on one module.
 *
 * Normalised: registers come only as REGISTER operands; special registers and WARP_SZ occur only as the source of a mov
 * (others were moved into made registers before the instruction, under the instruction's own guard); vector elements such as %v.x
 * are registers of their own; .param registers of .func are variables; `call` has operands LIST results (may be empty),
 * FUNCTION or REGISTER callee, LIST arguments, each argument a VARIABLE of the body (register arguments were stored to made
 * variables before). */
const struct ptx_function *ptx_module_function(struct ptx_module *module, const char *name, struct error *err);

/* The instruction's text, shortened, for messages: "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32". Static storage of the
 * thread is not used: the caller gives room. */
void ptx_instruction_mnemonic(const struct ptx_instruction *instruction, char *text, size_t size);
static inline int ptx_has(const struct ptx_instruction *instruction, enum ptx_modifier modifier)
{
	for (int i = 0; i < instruction->modifier_count; i++)
		if (instruction->modifiers[i] == modifier)
			return 1;
	return 0;
}
/* The nth modifier that is a type (0: the first), or PTX_NO_TYPE. */
enum ptx_type ptx_nth_type(const struct ptx_instruction *instruction, int n);

#endif
