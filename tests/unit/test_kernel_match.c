/* Pairs of kernels of two builds, and the variables of a module. */
#include "artifact/kernel_match.h"
#include "artifact/variables.h"
#include "artifact_fixtures.h"
#include "check.h"

enum { ITEMS_MAX = 6 };

struct question {
	struct match_item base[ITEMS_MAX], next[ITEMS_MAX];
	const char *pairs; /* "02!1-": base's first with next's 0, its second with 2 ambiguously ...; '-': with none */
};

static size_t count_of(const struct match_item *items)
{
	size_t count = 0;
	while (count < ITEMS_MAX && items[count].name)
		count++;
	return count;
}

static void names_pair_up(void)
{
	static const struct question questions[] = {
		/* the same names, in another order */
		{{{.name = "a", .unit_name = "u"}, {.name = "b", .unit_name = "u", .place = 1}},
		 {{.name = "b", .unit_name = "u"}, {.name = "a", .unit_name = "u", .place = 1}}, "10"},
		/* Linux and Windows; the same name goes before a folded one */
		{{{.name = "_Z1kPl", .unit_name = "u"}, {.name = "_Z1kPx", .unit_name = "u", .place = 1}},
		 {{.name = "_Z1kPx", .unit_name = "u"}}, "-0"},
		{{{.name = "_Z1kPl", .unit_name = "u"}}, {{.name = "_Z1kPx", .unit_name = "u"}}, "0"},
		/* one name in two units, which are called alike, and two hashes of one */
		{{{.name = "s", .unit_name = "u"}, {.name = "s", .unit_name = "v", .unit = 1}},
		 {{.name = "s", .unit_name = "v"}, {.name = "s", .unit_name = "u", .unit = 1}}, "10"},
		{{{.name = "_ZN33_GLOBAL__N__4498723b_4_s_cu_plain1kEv", .unit_name = "u"}},
		 {{.name = "_ZN33_GLOBAL__N__cbfae56c_4_w_cu_plain1kEv", .unit_name = "v"},
		  {.name = "_ZN33_GLOBAL__N__cbfae56d_4_u_cu_plain1kEv", .unit_name = "u", .unit = 1}}, "1"},
		/* units that are called otherwise: with one left on each side it is plain, else not */
		{{{.name = "s", .unit_name = "u"}}, {{.name = "s", .unit_name = "w"}}, "0"},
		{{{.name = "s", .unit_name = "u"}}, {{.name = "s", .unit_name = "w"}, {.name = "s", .unit_name = "x", .unit = 1}}, "0!"},
		{{{.name = "s", .unit_name = "u"}, {.name = "s", .unit_name = "v", .unit = 1}}, {{.name = "s", .unit_name = "w"}}, "0!-"},
		/* two of one key in one unit */
		{{{.name = "_Z1kPl", .unit_name = "u"}},
		 {{.name = "_Z1kPx", .unit_name = "u"},
		  {.name = "__nv_static_22__cbfae56c_4_w_cu_plain__Z1kPx", .unit_name = "u", .place = 1}}, "0!"},
		/* other groups do not pair */
		{{{.name = "a", .unit_name = "u", .group = 80}}, {{.name = "a", .unit_name = "u", .group = 90}}, "-"},
		{{{.name = "a", .unit_name = "u"}}, {{0}}, "-"},
	};
	for (size_t q = 0; q < sizeof questions / sizeof questions[0]; q++) {
		struct question question = questions[q];
		struct error err = {0};
		char pairs[32] = "";
		const size_t base = count_of(question.base), next = count_of(question.next);
		CHECK_INT(match_items(question.base, base, question.next, next, &err), 0);
		for (size_t i = 0; i < base; i++) {
			const struct match_item *item = &question.base[i];
			const size_t used = strlen(pairs);
			if (item->kind == MATCH_NONE)
				snprintf(pairs + used, sizeof pairs - used, "-");
			else
				snprintf(pairs + used, sizeof pairs - used, "%zu%s", item->partner, item->ambiguous ? "!" : "");
			if (item->kind != MATCH_NONE) {
				CHECK_INT(question.next[item->partner].partner, i);
				CHECK_INT(question.next[item->partner].kind, item->kind);
				CHECK_INT(item->kind == MATCH_NAME, strcmp(item->name, question.next[item->partner].name) == 0);
			}
		}
		CHECK_TEXT(pairs, questions[q].pairs);
		match_items_free(question.base, base);
		match_items_free(question.next, next);
	}
}

static void ptx_tells_its_variables(void)
{
	static const char text[] =
		"// .global .b8 comment[4];\n.version 9.0\r\n.target sm_90\r\n.address_size 64\n"
		".extern .global .align 4 .b8 elsewhere[4];\n"
		".global .align 4 .b8 _ZN2ns5tableE[16];\r\n"
		".visible .const .align 8 .u64 wide = 7;\n"
		".visible .global .align 16 .v4 .f32 vectors[2][3];\n"
		".global .align 1 .b8 text[6] = {104, 101, 108, 108, 111, 0};\n"
		".global .align 1 .b8 open[] = {1, 2};\n"
		".global .attribute(.managed) .align 4 .u32 managed;\n"
		".global .texref texture;\n"
		".extern .shared .align 16 .b8 shared[];\n"
		".func (.param .b32 r) helper(.param .b32 a)\n{\n.global .align 4 .u32 hidden;\nret;\n}\n"
		".visible .entry k(.param .u64 k_param_0)\n{\n.shared .align 4 .b8 local[4];\nret;\n}\n"
		".global .u8 last;\n";
	static const struct {
		const char *name;
		uint64_t size;
	} expected[] = {{"_ZN2ns5tableE", 16}, {"last", 1}, {"managed", 4}, {"open", 0}, {"text", 6}, {"vectors", 96}, {"wide", 8}};
	struct module_variables variables;
	struct error err = {0};
	CHECK_INT(module_variables_read(text, sizeof text - 1, 1, &variables, &err), 0);
	CHECK_INT(variables.count, sizeof expected / sizeof expected[0]);
	for (size_t i = 0; i < variables.count && i < sizeof expected / sizeof expected[0]; i++) {
		CHECK_TEXT(variables.items[i].name, expected[i].name);
		CHECK_INT(variables.items[i].size, expected[i].size);
	}
	module_variables_free(&variables);
	for (size_t size = 0; size < sizeof text; size++) { /* cut off anywhere, it is read without harm */
		unsigned char *base, *exact = copy_exactly(text, size, 0, &base);
		CHECK_INT(module_variables_read(exact, size, 1, &variables, &err), 0);
		module_variables_free(&variables);
		free(base);
	}
}

static void cubins_tell_their_variables(void)
{
	static const unsigned char data[32];
	struct fixture_symbols symbols = {0};
	struct bytes file = {0};
	struct module_variables variables;
	struct error err = {0};
	put_symbol(&symbols, "initialised", STB_GLOBAL, STT_OBJECT, 0, 3);
	put_symbol(&symbols, "constant", STB_GLOBAL, STT_OBJECT, 0, 4);
	put_symbol(&symbols, "parameters", STB_LOCAL, STT_OBJECT, 0, 5);
	put_symbol(&symbols, "shared", STB_LOCAL, STT_OBJECT, 0, 6);
	put_symbol(&symbols, "function", STB_GLOBAL, STT_FUNC, 0, 3);
	put_symbol(&symbols, "missing", STB_GLOBAL, STT_OBJECT, 0, 0);
	const struct fixture_section sections[] = {
		{".symtab", SHT_SYMTAB, 0, 2, 3, symbols.table.data, symbols.table.size, sizeof(Elf64_Sym)},
		{".strtab", SHT_STRTAB, 0, 0, 0, symbols.names.data, symbols.names.size, 0},
		{".nv.global.init", SHT_PROGBITS, SHF_ALLOC, 0, 0, data, sizeof data, 0},
		{".nv.constant3", SHT_PROGBITS, SHF_ALLOC, 0, 0, data, sizeof data, 0},
		{".nv.constant0.k", SHT_PROGBITS, SHF_ALLOC, 0, 0, data, sizeof data, 0},
		{".nv.shared.k", SHT_NOBITS, SHF_ALLOC, 0, 0, NULL, sizeof data, 0},
	};
	const struct fixture_elf elf = {190, ET_EXEC, 0x41, 8, 1, 90 << 8};
	put_elf(&file, &elf, sections, sizeof sections / sizeof sections[0]);
	CHECK_INT(module_variables_read(file.data, file.size, 0, &variables, &err), 0);
	CHECK_INT(variables.count, 2);
	if (variables.count == 2) {
		CHECK_TEXT(variables.items[0].name, "constant");
		CHECK_TEXT(variables.items[1].name, "initialised");
	}
	module_variables_free(&variables);
	CHECK_INT(module_variables_read("no cubin", 8, 0, &variables, &err), -1);
	CHECK_INT(err.kind, ERROR_INPUT);
	symbols_free(&symbols);
	bytes_free(&file);
}

int main(void)
{
	names_pair_up();
	ptx_tells_its_variables();
	cubins_tell_their_variables();
	return check_result();
}
