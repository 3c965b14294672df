/* Constant expressions (manual 4.5): 64-bit integers, or doubles where one operand is a floating-point constant. */
#include "device/ptx/front.h"

#include <math.h>

enum { AND_AND = '&' << 8 | '&', OR_OR = '|' << 8 | '|', SHIFT_LEFT = '<' << 8 | '<', SHIFT_RIGHT = '>' << 8 | '>', LESS_EQUAL = '<' << 8 | '=',
       GREATER_EQUAL = '>' << 8 | '=', EQUAL = '=' << 8 | '=', NOT_EQUAL = '!' << 8 | '=' };

static int precedence(int mark)
{
	switch (mark) {
	case OR_OR: return 1;
	case AND_AND: return 2;
	case '|': return 3;
	case '^': return 4;
	case '&': return 5;
	case EQUAL: case NOT_EQUAL: return 6;
	case '<': case '>': case LESS_EQUAL: case GREATER_EQUAL: return 7;
	case SHIFT_LEFT: case SHIFT_RIGHT: return 8;
	case '+': case '-': return 9;
	case '*': case '/': case '%': return 10;
	default: return 0;
	}
}

static void set_integer(struct ptx_constant *value, uint64_t bits, int is_unsigned)
{
	*value = (struct ptx_constant){.integer = (int64_t)bits, .is_unsigned = is_unsigned};
}

static int combine_real(const struct ptx_token *operator, double a, double b, struct ptx_constant *value, struct error *err)
{
	*value = (struct ptx_constant){.is_float = 1};
	switch (operator->mark) {
	case '+': value->real = a + b; return 0;
	case '-': value->real = a - b; return 0;
	case '*': value->real = a * b; return 0;
	case '/': value->real = a / b; return 0;
	case '<': set_integer(value, a < b, 0); return 0;
	case '>': set_integer(value, a > b, 0); return 0;
	case LESS_EQUAL: set_integer(value, a <= b, 0); return 0;
	case GREATER_EQUAL: set_integer(value, a >= b, 0); return 0;
	case EQUAL: set_integer(value, a == b, 0); return 0;
	case NOT_EQUAL: set_integer(value, a != b, 0); return 0;
	default: return ptx_fault_at(operator->position, ERROR_INPUT, err, "this operator does not take floating-point constants");
	}
}

static int combine(const struct ptx_token *operator, const struct ptx_constant *left, const struct ptx_constant *right,
		   struct ptx_constant *value, struct error *err)
{
	if (left->is_float || right->is_float)
		return combine_real(operator, left->is_float ? left->real : (double)left->integer,
				    right->is_float ? right->real : (double)right->integer, value, err);
	const uint64_t a = (uint64_t)left->integer, b = (uint64_t)right->integer;
	const int64_t sa = left->integer, sb = right->integer;
	const int is_unsigned = left->is_unsigned || right->is_unsigned;
	switch (operator->mark) {
	case '+': set_integer(value, a + b, is_unsigned); return 0;
	case '-': set_integer(value, a - b, is_unsigned); return 0;
	case '*': set_integer(value, a * b, is_unsigned); return 0;
	case '/': case '%':
		if (b == 0)
			return ptx_fault_at(operator->position, ERROR_INPUT, err, "division by zero in a constant expression");
		if (is_unsigned)
			set_integer(value, operator->mark == '/' ? a / b : a % b, 1);
		else if (sb == -1) /* the one quotient that does not fit wraps */
			set_integer(value, operator->mark == '/' ? 0 - a : 0, 0);
		else
			set_integer(value, (uint64_t)(operator->mark == '/' ? sa / sb : sa % sb), 0);
		return 0;
	case SHIFT_LEFT: set_integer(value, b > 63 ? 0 : a << b, left->is_unsigned); return 0;
	case SHIFT_RIGHT:
		if (left->is_unsigned)
			set_integer(value, b > 63 ? 0 : a >> b, 1);
		else
			set_integer(value, (uint64_t)(sa >> (b > 63 ? 63 : b)), 0);
		return 0;
	case '&': set_integer(value, a & b, is_unsigned); return 0;
	case '|': set_integer(value, a | b, is_unsigned); return 0;
	case '^': set_integer(value, a ^ b, is_unsigned); return 0;
	case AND_AND: set_integer(value, a && b, 0); return 0;
	case OR_OR: set_integer(value, a || b, 0); return 0;
	case '<': set_integer(value, is_unsigned ? a < b : sa < sb, 0); return 0;
	case '>': set_integer(value, is_unsigned ? a > b : sa > sb, 0); return 0;
	case LESS_EQUAL: set_integer(value, is_unsigned ? a <= b : sa <= sb, 0); return 0;
	case GREATER_EQUAL: set_integer(value, is_unsigned ? a >= b : sa >= sb, 0); return 0;
	case EQUAL: set_integer(value, a == b, 0); return 0;
	default: set_integer(value, a != b, 0); return 0;
	}
}

static int parse_conditional(struct ptx_lexer *lexer, int depth, struct ptx_constant *value, struct error *err);

static int parse_unary(struct ptx_lexer *lexer, int depth, struct ptx_constant *value, struct error *err)
{
	const struct ptx_token token = lexer->token;
	if (depth > PTX_EXPRESSION_DEPTH_MAX)
		return ptx_fault_at(token.position, ERROR_INPUT, err, "a constant expression nested more than %d deep", PTX_EXPRESSION_DEPTH_MAX);
	if (token.kind == PTX_TOKEN_INTEGER) {
		set_integer(value, token.integer, token.is_unsigned);
		ptx_lexer_next(lexer);
		return 0;
	}
	if (token.kind == PTX_TOKEN_FLOAT) {
		*value = (struct ptx_constant){.is_float = 1, .single = token.single, .real = token.real,
					       .integer = token.single ? (int64_t)token.integer : 0};
		ptx_lexer_next(lexer);
		return 0;
	}
	if (ptx_token_is(&token, "WARP_SZ")) {
		set_integer(value, 32, 0);
		ptx_lexer_next(lexer);
		return 0;
	}
	if (token.kind != PTX_TOKEN_MARK || !(token.mark == '-' || token.mark == '+' || token.mark == '~' || token.mark == '!' || token.mark == '('))
		return ptx_expected(lexer, "a constant", err);
	ptx_lexer_next(lexer);
	if (token.mark == '(') {
		if (ptx_is_dot(lexer, "s64") || ptx_is_dot(lexer, "u64")) { /* a cast */
			const int to_unsigned = ptx_is_dot(lexer, "u64");
			ptx_lexer_next(lexer);
			if (ptx_take_mark(lexer, ')', err) || parse_unary(lexer, depth + 1, value, err))
				return -1;
			if (value->is_float)
				return ptx_fault_at(token.position, ERROR_INPUT, err, "a floating-point constant cannot be cast");
			value->is_unsigned = to_unsigned;
			return 0;
		}
		return parse_conditional(lexer, depth + 1, value, err) || ptx_take_mark(lexer, ')', err) ? -1 : 0;
	}
	if (parse_unary(lexer, depth + 1, value, err))
		return -1;
	if (value->is_float) {
		if (token.mark == '-') {
			value->real = -value->real;
			value->integer ^= value->single ? 0x80000000 : 0;
		} else if (token.mark != '+') {
			return ptx_fault_at(token.position, ERROR_INPUT, err, "this operator does not take floating-point constants");
		}
		return 0;
	}
	if (token.mark == '-')
		value->integer = (int64_t)(0 - (uint64_t)value->integer);
	else if (token.mark == '~')
		value->integer = ~value->integer;
	else if (token.mark == '!')
		set_integer(value, !value->integer, 0);
	return 0;
}

static int parse_binary(struct ptx_lexer *lexer, int depth, int lowest, struct ptx_constant *value, struct error *err)
{
	if (parse_unary(lexer, depth, value, err))
		return -1;
	for (;;) {
		const struct ptx_token operator = lexer->token;
		const int level = operator.kind == PTX_TOKEN_MARK ? precedence(operator.mark) : 0;
		if (!level || level < lowest)
			return 0;
		struct ptx_constant right;
		const struct ptx_constant left = *value;
		ptx_lexer_next(lexer);
		if (parse_binary(lexer, depth, level + 1, &right, err) || combine(&operator, &left, &right, value, err))
			return -1;
	}
}

static int parse_conditional(struct ptx_lexer *lexer, int depth, struct ptx_constant *value, struct error *err)
{
	if (depth > PTX_EXPRESSION_DEPTH_MAX)
		return ptx_fault_at(lexer->token.position, ERROR_INPUT, err, "a constant expression nested more than %d deep",
				    PTX_EXPRESSION_DEPTH_MAX);
	if (parse_binary(lexer, depth, 1, value, err))
		return -1;
	if (!ptx_is_mark(lexer, '?'))
		return 0;
	const int condition = value->is_float ? value->real != 0 : value->integer != 0;
	struct ptx_constant yes, no;
	ptx_lexer_next(lexer);
	if (parse_conditional(lexer, depth + 1, &yes, err) || ptx_take_mark(lexer, ':', err) || parse_conditional(lexer, depth + 1, &no, err))
		return -1;
	*value = condition ? yes : no;
	return 0;
}

int ptx_parse_constant(struct ptx_lexer *lexer, struct ptx_constant *constant, struct error *err)
{
	return parse_conditional(lexer, 0, constant, err);
}
