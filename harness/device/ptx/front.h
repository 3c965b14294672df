/* Private to the front end: arena, words, lexer, what a module and a function are while they are parsed. */
#ifndef ASSAY_DEVICE_PTX_FRONT_H
#define ASSAY_DEVICE_PTX_FRONT_H

#include "device/ptx/ir.h"

/* ---- limits: each is far beyond what compilers emit, and keeps hostile text from costs that its size does not justify ---- */

enum {
	PTX_TEXT_MAX = 1 << 30,          /* bytes of one module */
	PTX_SCOPE_DEPTH_MAX = 64,        /* nested { } in a body */
	PTX_EXPRESSION_DEPTH_MAX = 64,   /* nested parentheses and signs of a constant expression, braces of an initialiser */
	PTX_INSTRUCTIONS_MAX = 1 << 20,  /* of one function */
	PTX_REGISTERS_MAX = 1 << 20,     /* used ones, of one function */
};

/* ---- memory ---- */

/* Zeroed memory that lives until the arena is freed. */
struct arena {
	struct arena_chunk *chunk;
};
void *arena_alloc(struct arena *arena, size_t bytes); /* NULL: out of memory */
char *arena_text(struct arena *arena, const char *text, size_t length);
void arena_free(struct arena *arena);

/* Room for one more element in a malloc'ed array; -1 with *err. */
int front_reserve(void *array, int count, int *capacity, size_t element_bytes, struct error *err);
int front_no_memory(struct error *err);

/* ---- names: an open hash table from (scope, text) to a number ---- */

struct names_entry {
	const char *text;
	uint32_t length, scope;
	uint64_t hash;
	int32_t kind, value;       /* kind 0: free */
};
struct names {
	struct names_entry *entries;
	int count, capacity;
};
struct names_entry *names_find(const struct names *names, uint32_t scope, const char *text, size_t length);
/* NULL when memory ran out. The caller has looked that it is not there. `text` must outlive the table. */
struct names_entry *names_add(struct names *names, uint32_t scope, const char *text, size_t length, int kind, int32_t value);
void names_free(struct names *names);

/* ---- lexer ---- */

enum ptx_token_kind {
	PTX_TOKEN_END,
	PTX_TOKEN_BAD,             /* `fault` says why */
	PTX_TOKEN_WORD,            /* identifier, opcode, %register, _ */
	PTX_TOKEN_DOT,             /* .word or .word::word; text starts after the dot */
	PTX_TOKEN_INTEGER, PTX_TOKEN_FLOAT, PTX_TOKEN_STRING, /* text without the quotes */
	PTX_TOKEN_MARK             /* `mark`: the character, or two of them as first << 8 | second: "<<", ">=", "&&" ... */
};

struct ptx_token {
	enum ptx_token_kind kind;
	int mark;
	int glued;                 /* no white space before it */
	int is_unsigned;           /* 12U */
	int single;                /* 0f...: `integer` holds the bits */
	const char *text;
	uint32_t length;
	uint64_t integer;
	double real;
	const char *fault;
	struct ptx_position position;
};

struct ptx_lexer {
	const char *at, *end, *line_start;
	uint32_t line;
	struct ptx_token token;    /* the one looked at */
};
void ptx_lexer_start(struct ptx_lexer *lexer, const char *begin, const char *end, const char *line_start, uint32_t line);
void ptx_lexer_next(struct ptx_lexer *lexer);
/* Goes on behind the brace that closes the one that is the current token; strings and comments are respected. -1 with *err where
 * there is none. Looks at characters only: bodies of megabytes are passed at memory speed. */
int ptx_lexer_skip_braces(struct ptx_lexer *lexer, struct error *err);

int ptx_token_is(const struct ptx_token *token, const char *word);  /* a WORD or DOT with this text */
static inline int ptx_is_mark(const struct ptx_lexer *lexer, int mark)
{
	return lexer->token.kind == PTX_TOKEN_MARK && lexer->token.mark == mark;
}
static inline int ptx_is_dot(const struct ptx_lexer *lexer, const char *word)
{
	return lexer->token.kind == PTX_TOKEN_DOT && ptx_token_is(&lexer->token, word);
}
/* "line L, column C: expected X, found Y"; -1. */
int ptx_expected(const struct ptx_lexer *lexer, const char *what, struct error *err);
int ptx_fault_at(struct ptx_position position, enum error_kind kind, struct error *err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Takes the mark, or fails with ptx_expected. */
int ptx_take_mark(struct ptx_lexer *lexer, int mark, struct error *err);
/* Takes an integer constant that fits 32 bits. */
int ptx_take_u32(struct ptx_lexer *lexer, const char *what, uint32_t *value, struct error *err);

/* ---- modules ---- */

enum { PTX_NAME_VARIABLE = 1, PTX_NAME_FUNCTION, PTX_NAME_OPCODE, PTX_NAME_MODIFIER, PTX_NAME_SPECIAL, PTX_NAME_REGISTER,
       PTX_NAME_REGISTER_RANGE, PTX_NAME_REGISTER_VECTOR, PTX_NAME_LOCAL_VARIABLE, PTX_NAME_TABLE, PTX_NAME_PROTOTYPE, PTX_NAME_LABEL,
       PTX_NAME_PARAMETER, PTX_NAME_RESULT };

struct ptx_front {                 /* ptx_module.arena */
	struct arena arena;
	struct names words;        /* scope: PTX_NAME_OPCODE, _MODIFIER, _SPECIAL */
	struct names symbols;      /* module scope: variables and functions by index; scope 0 */
	struct ptx_function **prototypes; /* by function index: what its head says; made when asked for */
	int function_capacity, variable_capacity, file_capacity;
};
static inline struct ptx_front *ptx_front_of(const struct ptx_module *module)
{
	return (struct ptx_front *)module->arena;
}

/* A constant expression: `integer` or, is_float, `real`. */
struct ptx_constant {
	int is_float, single, is_unsigned;
	int64_t integer;
	double real;
};
int ptx_parse_constant(struct ptx_lexer *lexer, struct ptx_constant *constant, struct error *err);

/* What a declaration says before its names: ".align 4 .v2 .b32"; stops at the first name. */
struct ptx_declaration {
	enum ptx_type type;
	uint32_t align;            /* 0: not said */
	uint32_t vector;           /* 1, 2, 4, 8 */
	int is_pointer;            /* .ptr */
};
int ptx_parse_declaration(const struct ptx_module *module, struct ptx_lexer *lexer, struct ptx_declaration *declaration, struct error *err);
/* Name, array bounds and initialiser of a variable: fills everything but space, is_extern and offset. */
int ptx_parse_variable(struct ptx_module *module, struct ptx_lexer *lexer, const struct ptx_declaration *declaration,
		       struct ptx_variable *variable, struct error *err);
/* Type of a word after a dot, or PTX_NO_TYPE. Texture, sampler and surface references count as .b64. */
enum ptx_type ptx_parse_type(const struct ptx_module *module, const struct ptx_token *token);
enum ptx_space ptx_parse_space(const struct ptx_token *token); /* PTX_SPACE_GENERIC: no space */

/* The head of a function, from its directive to the brace or semicolon, which is then the current token. Register parameters
 * are noted in `register_parameters`, by index into results then parameters: their name; NULL where they are .param. */
int ptx_parse_head(struct ptx_module *module, struct ptx_lexer *lexer, struct ptx_function *function, const char ***register_parameters,
		   struct error *err);
/* The head of a function by name (ABI of a call); NULL: not known, or its head is malformed. */
const struct ptx_function *ptx_prototype(struct ptx_module *module, const char *name);

/* ---- bodies ---- */

/* A reference to a label by name, made good at the end of the body. */
struct ptx_reference {
	int32_t instruction, operand; /* or table, entry with instruction -1 */
	uint32_t scope;
	const char *name;
	uint32_t length;
	struct ptx_position position;
};

struct ptx_body {
	struct ptx_module *module;
	struct ptx_function *function;
	struct ptx_lexer lexer;
	struct error *err;

	struct names names;        /* by scope */
	struct names labels;
	uint32_t *scope_parent;    /* by scope; scopes are numbered as they open. 0: parameters, 1: the body */
	int scope_count, scope_capacity, scope_depth;
	uint32_t scope;
	int operand_depth;

	struct register_range { enum ptx_type type; uint32_t count, vector; } *ranges;
	int range_count, range_capacity;
	struct ptx_variable **locals; /* made one by one while parsing, put in a row at the end */
	int local_count, local_capacity;
	int32_t *label_places;     /* instruction a label stands before */
	const char **label_names;
	int label_count, label_capacity;
	struct ptx_reference *references;
	int reference_count, reference_capacity;
	struct ptx_operand *scratch; /* elements of the lists being parsed */
	int scratch_count, scratch_capacity;

	int instruction_capacity, register_capacity, element_capacity, table_capacity;
	struct ptx_instruction current; /* being parsed */
	struct ptx_position location; /* .loc: file as line, line as column */

	const char **register_parameters; /* ptx_parse_head */
	int32_t *parameter_registers;     /* likewise by result, then parameter: the register that stands for it, or -1 */
	uint64_t shared_bytes;
};

/* parse_body.c */
int ptx_parse_body(struct ptx_body *body);
/* parse_operand.c */
int ptx_declare_register(struct ptx_body *body, const struct ptx_token *name, enum ptx_type type, uint32_t width);
int ptx_declare_family(struct ptx_body *body, const struct ptx_token *stem, enum ptx_type type, uint32_t width, uint32_t count); /* stem<count> */
int ptx_parse_operand(struct ptx_body *body, struct ptx_operand *operand);
int32_t ptx_new_register(struct ptx_body *body, const char *name, enum ptx_type type);  /* -1 failed */
int ptx_local_variable(struct ptx_body *body, const struct ptx_variable *variable);     /* index into locals; -1 failed */
int ptx_emit(struct ptx_body *body, const struct ptx_instruction *instruction);
int ptx_add_elements(struct ptx_body *body, const struct ptx_operand *operands, int count); /* first index; -1 failed */
/* normalise.c */
int ptx_normalise_operand(struct ptx_body *body, struct ptx_operand *operand); /* a special register becomes a made register */
int ptx_normalise_call(struct ptx_body *body);         /* emits body->current, with what goes before and after it */
int ptx_load_register_parameters(struct ptx_body *body); /* at the start of the body */
int ptx_store_register_results(struct ptx_body *body);   /* before a ret */
int ptx_declare_local(struct ptx_body *body, struct ptx_variable *variable); /* gives it its place; a copy is kept */
int ptx_place_locals(struct ptx_body *body);             /* at the end: variables in a row */

/* ---- after parsing ---- */

enum ptx_access { PTX_ACCESS_READ = 1, PTX_ACCESS_WRITE = 2 };
/* Calls `visit` for each register occurrence; `access` may be both. */
void ptx_visit_registers(const struct ptx_function *function, const struct ptx_instruction *instruction,
			 void (*visit)(void *context, int32_t reg, int access), void *context);
/* How many leading operands are destinations. */
int ptx_destination_count(const struct ptx_instruction *instruction);

/* flow.c, order.c: blocks by labels and jumps; successors, postdominators, order, is_join. `label_places` by label. */
int ptx_find_blocks(struct ptx_function *function, const int32_t *label_places, const char *const *label_names, int label_count,
		    struct error *err);
int ptx_find_order(struct ptx_function *function, struct error *err);
int ptx_find_postdominators(struct ptx_function *function, struct error *err);
/* allocate.c: liveness and slots. */
int ptx_allocate(struct ptx_function *function, struct error *err);
/* Predecessors of block b: list[start[b]] .. list[start[b + 1]]; both malloc'ed. */
int ptx_predecessors(const struct ptx_function *function, int32_t **start, int32_t **list, struct error *err);
/* Successors of a block, tables included. */
static inline int ptx_successor_count(const struct ptx_function *function, const struct ptx_block *block)
{
	return block->table >= 0 ? function->tables[block->table].count + (block->successors[0] >= 0) : 2;
}
static inline int32_t ptx_successor(const struct ptx_function *function, const struct ptx_block *block, int n)
{
	if (block->table < 0)
		return block->successors[n];
	const struct ptx_table *table = &function->tables[block->table];
	return n < table->count ? table->blocks[n] : block->successors[0];
}

#endif
