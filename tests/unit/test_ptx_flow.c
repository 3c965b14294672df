/* Blocks, postdominators, scheduling order and slots: on shapes with known answers, and on random functions against slow ways of
 * saying the same thing. */
#include "check.h"
#include "ptx_allocation.h"

#include "core/util.h"

#define HEAD ".version 8.4\n.target sm_90\n.address_size 64\n.entry k(.param .u64 p) { .reg .pred %p<9>; .reg .b32 %r<99>; .reg .b64 %rd<9>;\n"

static struct ptx_module *module;

static const struct ptx_function *parse(const char *body)
{
	struct text source = {0};
	struct error err = {0};
	text_append(&source, "%s%s\n}\n", HEAD, body);
	ptx_module_free(module);
	module = NULL;
	const int status = ptx_module_index(source.data, &module, &err);
	const struct ptx_function *function = status == 0 ? ptx_module_function(module, "k", &err) : NULL;
	if (!function)
		fprintf(stderr, "%s\n%s\n", err.message, source.data);
	CHECK(function != NULL);
	text_free(&source);
	return function;
}

/* ---- the slow ways ---- */

enum { MOST = 64 };

static int leaves_from(const struct ptx_function *function, int b)
{
	const struct ptx_block *block = &function->blocks[b];
	const struct ptx_instruction *last = block->count ? &function->instructions[block->first + block->count - 1] : NULL;
	const int is_last = b + 1 == function->block_count;
	if (last && (last->opcode == PTX_OP_ret || last->opcode == PTX_OP_exit))
		return 1;
	if (last && (last->opcode == PTX_OP_bra || last->opcode == PTX_OP_brx) && last->guard < 0)
		return 0;
	return is_last;
}

/* Whether control can get from `from` to `goal` (or, goal -1, out of the function) without entering `without`. */
static int reaches(const struct ptx_function *function, int from, int goal, int without)
{
	unsigned char seen[MOST] = {0};
	int stack[MOST * 4], depth = 0;
	if (from == without)
		return 0;
	stack[depth++] = from;
	seen[from] = 1;
	while (depth > 0) {
		const int b = stack[--depth];
		if (goal < 0 && leaves_from(function, b))
			return 1;
		for (int s = 0; s < ptx_successor_count(function, &function->blocks[b]); s++) {
			const int to = ptx_successor(function, &function->blocks[b], s);
			if (to < 0 || to == without)
				continue;
			if (to == goal)
				return 1;
			if (!seen[to]) {
				seen[to] = 1;
				stack[depth++] = to;
			}
		}
	}
	return 0;
}

static int postdominates(const struct ptx_function *function, int a, int b)
{
	return a != b && !reaches(function, b, -1, a);
}

static void check_postdominators(const struct ptx_function *function)
{
	for (int b = 0; b < function->block_count; b++) {
		const int given = function->blocks[b].immediate_postdominator;
		if (!reaches(function, b, -1, -1)) {
			CHECK_INT(given, -1); /* never leaves: nothing to say */
			continue;
		}
		/* the closest one: it is postdominated by all others */
		int expected = -1;
		for (int a = 0; a < function->block_count; a++)
			if (postdominates(function, a, b) && reaches(function, a, -1, -1) && reaches(function, b, a, -1) &&
			    (expected < 0 || postdominates(function, expected, a)))
				expected = a;
		CHECK_INT(given, expected);
	}
}

static int dominates(const struct ptx_function *function, int a, int b)
{
	return a == b || a == 0 || (b != 0 && !reaches(function, 0, b, a));
}

/* Whether every cycle is entered at one block only: edges that go back in the order go to dominators. */
static int check_order(const struct ptx_function *function)
{
	unsigned char taken[MOST] = {0};
	int reducible = 1;
	CHECK_INT(function->blocks[0].order, 0);
	for (int b = 0; b < function->block_count; b++) {
		CHECK(function->blocks[b].order < (uint32_t)function->block_count);
		CHECK(!taken[function->blocks[b].order]++);
	}
	for (int b = 0; b < function->block_count; b++) {
		if (b != 0 && !reaches(function, 0, b, -1))
			continue;
		for (int s = 0; s < ptx_successor_count(function, &function->blocks[b]); s++) {
			const int to = ptx_successor(function, &function->blocks[b], s);
			if (to >= 0 && function->blocks[to].order <= function->blocks[b].order && !dominates(function, to, b))
				reducible = 0;
		}
	}
	if (!reducible)
		return 0;
	/* the natural loop of each header stands in a row */
	for (int header = 0; header < function->block_count; header++) {
		unsigned char inside[MOST] = {0};
		int lowest = function->block_count, highest = -1, count = 0;
		for (int b = 0; b < function->block_count; b++) {
			if (b != 0 && !reaches(function, 0, b, -1))
				continue;
			/* b is in the loop: dominated by the header, and back to it without leaving what the header dominates */
			int back = 0;
			for (int latch = 0; latch < function->block_count && !back; latch++) {
				int edge = 0;
				for (int s = 0; s < ptx_successor_count(function, &function->blocks[latch]); s++)
					edge |= ptx_successor(function, &function->blocks[latch], s) == header;
				if (edge && dominates(function, header, latch) && (latch == 0 || reaches(function, 0, latch, -1)))
					back = b == latch || (b != header && reaches(function, b, latch, header)) || b == header;
			}
			inside[b] = back && dominates(function, header, b);
			if (inside[b]) {
				const int order = (int)function->blocks[b].order;
				lowest = order < lowest ? order : lowest;
				highest = order > highest ? order : highest;
				count++;
			}
		}
		if (count)
			CHECK_INT(highest - lowest + 1, count);
	}
	return 1;
}

static void check_all(const struct ptx_function *function)
{
	check_postdominators(function);
	check_order(function);
	CHECK_INT(allocation_faults(function), 0);
	for (int b = 0; b < function->block_count; b++) {
		int predecessors = 0;
		for (int a = 0; a < function->block_count; a++)
			for (int s = 0; s < ptx_successor_count(function, &function->blocks[a]); s++)
				predecessors += ptx_successor(function, &function->blocks[a], s) == b;
		CHECK_INT(function->blocks[b].is_join, b == 0 || predecessors > 1);
	}
}

/* ---- shapes ---- */

static int block_at(const struct ptx_function *function, const char *label)
{
	for (int b = 0; b < function->block_count; b++)
		if (function->blocks[b].label && strcmp(function->blocks[b].label, label) == 0)
			return b;
	return -1;
}

static void test_shapes(void)
{
	const struct ptx_function *f = parse("@%p1 bra ELSE; mov.u32 %r1, 1; bra JOIN; ELSE: mov.u32 %r1, 2; JOIN: st.shared.u32 [0], %r1; ret;");
	CHECK_INT(f->block_count, 4);
	CHECK_INT(f->blocks[0].successors[0], 1);
	CHECK_INT(f->blocks[0].successors[1], block_at(f, "ELSE"));
	CHECK_INT(f->blocks[0].immediate_postdominator, block_at(f, "JOIN"));
	CHECK_INT(f->blocks[3].immediate_postdominator, -1);
	CHECK_INT(f->blocks[3].order, 3);
	CHECK_INT(f->blocks[3].is_join, 1);
	CHECK_INT(f->blocks[1].is_join, 0);
	check_all(f);

	/* a loop whose exit stands in the middle of it in the text comes behind it in order */
	f = parse("L: @%p1 bra OUT; @%p2 bra L; bra L2; OUT: ret; L2: @%p3 bra L; bra OUT;");
	CHECK(f->blocks[block_at(f, "OUT")].order == (uint32_t)f->block_count - 1);
	check_all(f);

	/* the case where reverse postorder alone would not do: both sides of a branch in a loop, one with a way out */
	f = parse("H: @%p1 bra B; A: bra LATCH; B: @%p2 bra OUT; LATCH: @%p3 bra H; bra END; OUT: mov.u32 %r1, 1; END: ret;");
	CHECK(f->blocks[block_at(f, "OUT")].order > f->blocks[block_at(f, "LATCH")].order);
	check_all(f);

	/* a cycle with two entries */
	f = parse("@%p1 bra B; A: @%p2 bra OUT; B: @%p3 bra A; OUT: ret;");
	CHECK_INT(check_order(f), 0);
	check_postdominators(f);

	/* a loop without end, and code that nothing reaches */
	f = parse("@%p1 bra OUT; L: bra L; mov.u32 %r1, 1; OUT: ret;");
	CHECK_INT(f->blocks[block_at(f, "L")].immediate_postdominator, -1);
	check_all(f);

	/* guarded exits, a label at the very end, tables with repeated targets */
	f = parse("@%p1 exit; @%p2 bra END; t: .branchtargets A, B, A; brx.idx %r1, t; A: @%p3 ret; B: @%p4 bra t2; t2: END:");
	CHECK_INT(f->blocks[f->block_count - 1].count, 0);
	CHECK_INT(f->blocks[f->block_count - 1].first, f->instruction_count);
	check_all(f);
	f = parse("");
	CHECK_INT(f->block_count, 1);
	check_all(f);
}

static void test_liveness(void)
{
	/* a guarded write leaves the rest as it was: live at entry */
	const struct ptx_function *f = parse("@%p1 mov.u32 %r1, 1; st.shared.u32 [0], %r1;");
	for (int r = 0; r < f->register_count; r++)
		CHECK_INT(f->registers[r].live_at_entry, 1); /* %p1 too: nobody writes it */
	f = parse("mov.u32 %r1, 1; st.shared.u32 [0], %r1; @%p1 bra L; mov.u32 %r2, 1; L: st.shared.u32 [0], %r2;");
	for (int r = 0; r < f->register_count; r++)
		CHECK_INT(f->registers[r].live_at_entry, strcmp(f->registers[r].name, "%r1") != 0);
	/* a special register under a guard is written where it is read, and nowhere else */
	f = parse("setp.eq.u32 %p1, 0, 0; @%p1 st.shared.u32 [0], %laneid;");
	for (int r = 0; r < f->register_count; r++)
		CHECK_INT(f->registers[r].live_at_entry, 0);

	/* one slot does for a chain, two where sources and destinations may not meet; lane sizes never share */
	f = parse("mov.u32 %r1, 1; add.u32 %r2, %r1, 1; add.u32 %r3, %r2, 1; add.u32 %r4, %r3, 1; cvt.u64.u32 %rd1, %r4; st.shared.u64 [0], %rd1;");
	CHECK_INT(f->register_file_bytes, 2 * 128 + 256);
	CHECK_INT(allocation_faults(f), 0);
	/* what lives around a loop keeps its slot through it */
	f = parse("mov.u32 %r1, 1; mov.u32 %r2, 2; L: mov.u32 %r3, 3; st.shared.u32 [0], %r3; add.u32 %r2, %r2, %r1; setp.lt.u32 %p1, %r2, 9; @%p1 bra L;");
	CHECK_INT(f->register_file_bytes, 4 * 128);
	CHECK_INT(allocation_faults(f), 0);
	/* a result nobody wants has room of its own */
	f = parse("mov.b64 {_, %r1}, %rd1; st.shared.u32 [0], %r1;");
	CHECK_INT(f->register_file_bytes, 128 + 256 + 512);
	CHECK_INT(f->sink_slot, 128 + 256);
}

/* The checker itself: two registers forced into one slot must be seen. */
static void test_checker(void)
{
	const struct ptx_function *f = parse("mov.u32 %r1, 1; mov.u32 %r2, 2; st.shared.u32 [0], %r1; st.shared.u32 [0], %r2;");
	CHECK_INT(allocation_faults(f), 0);
	struct ptx_register *registers = module->functions[0].parsed->registers;
	const uint32_t slot = registers[1].slot;
	CHECK(registers[0].slot != slot);
	registers[1].slot = registers[0].slot;
	allocation_quiet = 1;
	CHECK(allocation_faults(f) > 0);
	allocation_quiet = 0;
	registers[1].slot = slot;
}

static uint64_t state = 88172645463325252u;

static unsigned pick(unsigned below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % below;
}

static void test_random(void)
{
	int reducible = 0, others = 0;
	for (int round = 0; round < 600; round++) {
		struct text body = {0};
		const unsigned blocks = 1 + pick(14), registers = 1 + pick(12);
		const int structured = round % 2; /* jumps back only to a few headers, from below: mostly reducible */
		for (unsigned b = 0; b < blocks; b++) {
			text_append(&body, "L%u:", b);
			for (unsigned i = pick(4); i > 0; i--) {
				const unsigned what = pick(6);
				if (what == 0)
					text_append(&body, " @%%p%u mov.u32 %%r%u, %%laneid;", pick(3), pick(registers));
				else if (what == 1)
					text_append(&body, " mad.wide.u32 %%rd%u, %%r%u, %%r%u, %%rd%u;", pick(4), pick(registers), pick(registers), pick(4));
				else if (what == 2)
					text_append(&body, " setp.eq.u32 %%p%u|%%p%u, %%r%u, 5;", pick(3), 3 + pick(3), pick(registers));
				else
					text_append(&body, " add.u32 %%r%u, %%r%u, %%r%u;", pick(registers), pick(registers), pick(registers));
			}
			const unsigned target = structured && b > 2 && pick(3) == 0 ? b - pick(3) : structured ? b + pick(blocks - b) : pick(blocks);
			switch (pick(7)) {
			case 0: text_append(&body, " bra L%u;", target); break;
			case 1: text_append(&body, " ret;"); break;
			case 2: text_append(&body, " @%%p%u exit;", pick(3)); break;
			case 3: text_append(&body, " t%u: .branchtargets L%u, L%u, L%u; brx.idx %%r0, t%u;", b, target, pick(blocks), pick(blocks), b); break;
			default: text_append(&body, " @%s%%p%u bra L%u;", pick(2) ? "!" : "", pick(3), target); break;
			}
			text_append(&body, "\n");
		}
		const struct ptx_function *function = parse(body.data);
		const int failures = check_failures;
		check_postdominators(function);
		const int is_reducible = check_order(function);
		reducible += is_reducible;
		others += !is_reducible;
		CHECK_INT(allocation_faults(function), 0);
		if (check_failures != failures) {
			fprintf(stderr, "in round %d:\n%s\n", round, body.data);
			for (int b = 0; b < function->block_count; b++)
				fprintf(stderr, "block %d %s order %u postdominator %d\n", b, function->blocks[b].label ? function->blocks[b].label : "",
					function->blocks[b].order, function->blocks[b].immediate_postdominator);
			text_free(&body);
			return;
		}
		text_free(&body);
	}
	CHECK(reducible > 100);
	CHECK(others > 50);
}

int main(void)
{
	test_shapes();
	test_liveness();
	test_checker();
	test_random();
	ptx_module_free(module);
	return check_result();
}
