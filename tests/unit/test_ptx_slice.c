#include "artifact/ptx.h"
#include "artifact/ptx_slice.h"
#include "check.h"
#include "core/util.h"

#include <stdlib.h>

#define HEAD ".version 8.4\n.target sm_80\n.address_size 64\n"
#define ENTRY(name, body) ".visible .entry " name "(\n\t.param .u64 " name "_param_0\n)\n.maxntid 128, 1, 1\n{\n" body "\tret;\n}\n"

/* The entry `third` reaches: helper, and through it deeper, its table, the prototype of vprintf and a string. */
static const char module[] =
	"// Cuda compilation tools, release 12.4, V12.4.131\n" HEAD "\n"
	".extern .func  (.param .b32 func_retval0) vprintf\n(\n\t.param .b64 vprintf_param_0\n)\n;\n"
	".func  (.param .b32 func_retval0) deeper\n(\n\t.param .b32 deeper_param_0\n)\n;\n"
	".global .align 4 .b8 table[8] = {1, 0, 0, 0, 2};\n"
	".global .align 8 .u64 behind = generic(table);\n"
	".global .align 4 .u32 one, two[4];\n"
	".const .align 4 .f32 weights[2] = {0f3F800000, 0f40000000};\n"
	".extern .shared .align 16 .b8 dynamic_shared[];\n"
	".global .align 1 .b8 $str[4] = {37, 100, 10};\n"
	"// .entry commented() { ret; }\n"
	ENTRY("first", "\tld.const.f32 \t%f1, [weights+4]; // second } in a comment\n")
	ENTRY("second", "\t{\n\t.reg .b32 %r<3>; /* third } */\n\t}\n\t.pragma \"third } \\\" }\";\n\tst.shared.u32 [dynamic_shared], %r1;\n"
			"\tld.global.u32 %r1, [two];\n")
	".func (.param .b32 func_retval0) helper(\n\t.param .b32 helper_param_0\n)\n{\n\tmov.u64 %rd1, behind;\n\tcall.uni (retval0), deeper, (param0);\n}\n"
	".func  (.param .b32 func_retval0) deeper(\n\t.param .b32 deeper_param_0\n)\n{\n\tmov.u64 %rd1, $str;\n\tcall.uni (r), vprintf, (p);\n\tret;\n}\n"
	".func unused()\n{\n\tret;\n}\n"
	ENTRY("third", "\tcall.uni (retval0), helper, (param0);\n")
	"\t.file\t1 \"/tmp/source } .cu\"";

static char *cut(const char *text, size_t size, const char *entry, struct error *err)
{
	char *out;
	size_t length;
	const char *const entries[] = {entry};
	*err = (struct error){0};
	if (ptx_slice(text, size, entries, 1, &out, &length, err)) {
		CHECK(!out);
		return NULL;
	}
	CHECK_INT(strlen(out), length);
	return out;
}

/* Text of `from` up to its end `to`, both included. */
static char *part(const char *text, const char *from, const char *to)
{
	const char *start = strstr(text, from), *end = start ? strstr(start, to) : NULL;
	return end ? copy_text(start, (size_t)(end - start) + strlen(to)) : NULL;
}

static void only_what_is_reached(void)
{
	static const struct {
		const char *entry, *has[6], *lacks[10];
	} cuts[] = {
		{"first", {"weights[2]", ".entry first("},
		 {".entry second", ".entry third", "helper", "deeper", "vprintf", "table", "$str", "dynamic_shared", "one"}},
		{"second", {".extern .shared .align 16 .b8 dynamic_shared[];", ".global .align 4 .u32 one, two[4];"},
		 {".entry first", ".entry third(", "weights", "helper", "vprintf", "unused", "table"}},
		{"third", {".func (.param .b32 func_retval0) helper(", "generic(table)", "table[8]", "$str[4]", "vprintf"},
		 {".entry first", ".entry second", "weights", "dynamic_shared", "unused", "one"}},
	};
	struct error err;
	for (size_t i = 0; i < ARRAY_COUNT(cuts); i++) {
		char *out = cut(module, sizeof module - 1, cuts[i].entry, &err), *last = NULL;
		CHECK(out != NULL);
		CHECK(out && strncmp(out, HEAD, strlen(HEAD)) == 0);
		for (size_t k = 0; k < ARRAY_COUNT(cuts[i].has) && cuts[i].has[k]; k++)
			CHECK_CONTAINS(out, cuts[i].has[k]);
		for (size_t k = 0; out && k < ARRAY_COUNT(cuts[i].lacks) && cuts[i].lacks[k]; k++)
			if (strstr(out, cuts[i].lacks[k]) != NULL) {
				/* names in comments and strings of the entry itself stay, with its text */
				fprintf(stderr, "%s: has '%s'\n", cuts[i].entry, cuts[i].lacks[k]);
				CHECK(0);
			}
		char from[64];
		snprintf(from, sizeof from, ".visible .entry %s(", cuts[i].entry);
		char *text = part(module, from, "\tret;\n}");
		CHECK_CONTAINS(out, text ? text : "(no such entry)");
		CHECK_CONTAINS(out, ".file\t1 \"/tmp/source } .cu\"");
		/* a cut of the cut is the same */
		last = out ? cut(out, strlen(out), cuts[i].entry, &err) : NULL;
		CHECK_TEXT(last, out);
		free(last);
		free(text);
		free(out);
	}
}

static void several_in_order(void)
{
	struct ptx_slicer *slicer;
	struct error err = {0};
	CHECK_INT(ptx_slicer_open(&slicer, module, sizeof module - 1, &err), 0);
	if (!slicer)
		return;
	CHECK_INT(ptx_slicer_entry_count(slicer), 3);
	for (size_t i = 0; i < ptx_slicer_entry_count(slicer); i++) {
		static const char *const names[] = {"first", "second", "third"};
		const struct ptx_slice_entry entry = ptx_slicer_entry(slicer, i);
		CHECK_INT(entry.name_length, strlen(names[i]));
		CHECK(strncmp(entry.name, names[i], entry.name_length) == 0);
		char from[64];
		snprintf(from, sizeof from, ".visible .entry %s(", names[i]);
		char *text = part(module, from, "\tret;\n}");
		CHECK_INT(entry.text_size, text ? strlen(text) : 0);
		free(text);
	}
	static const char *const both[] = {"third", "first", "third"}, *const none[] = {"first", "fourth"}, *const function[] = {"helper"};
	char *out;
	struct ptx ptx;
	CHECK_INT(ptx_slicer_cut(slicer, both, 3, &out, NULL, &err), 0);
	CHECK_INT(ptx_parse(out ? out : "", out ? strlen(out) : 0, &ptx, &err), 0);
	CHECK_INT(ptx.entry_count, 2);
	if (ptx.entry_count == 2) {
		CHECK_TEXT(ptx.entries[0].name, "first");
		CHECK_TEXT(ptx.entries[1].name, "third");
	}
	ptx_free(&ptx);
	free(out);
	CHECK_INT(ptx_slicer_cut(slicer, none, 2, &out, NULL, &err), -1);
	CHECK_INT(err.kind, ERROR_INPUT);
	CHECK_CONTAINS(err.message, "'fourth'");
	CHECK(!out);
	CHECK_INT(ptx_slicer_cut(slicer, function, 1, &out, NULL, &err), -1);
	CHECK_CONTAINS(err.message, "'helper'");
	CHECK_INT(ptx_slicer_cut(slicer, none, 0, &out, NULL, &err), -1);
	ptx_slicer_close(slicer);
}

static void debug_data_goes(void)
{
	static const char debugged[] = ".version 8.4\n.target sm_80, texmode_independent , debug\n.address_size 64\n"
		ENTRY("one", "$L__func_begin0:\n\t.loc 1 2 71, function_name $L__info_string0, inlined_at 1 6 41\n") ENTRY("two", "")
		"\t.file 1 \"a.cu\"\n\t.section\t.debug_info\n\t{\n.b64 $L__func_begin0\n.b8 1,2\n\t}\n"
		"\t.section .debug_str\n\t{\n$L__info_string0:\n.b8 95,0\n\t}\n";
	struct error err;
	char *out = cut(debugged, sizeof debugged - 1, "one", &err);
	CHECK_CONTAINS(out, ".target sm_80, texmode_independent\n");
	CHECK_CONTAINS(out, ".debug_str");
	CHECK_CONTAINS(out, ".loc 1 2 71, function_name $L__info_string0");
	CHECK(out && !strstr(out, ".debug_info"));
	CHECK(out && !strstr(out, "two"));
	free(out);
}

/* What a scanner could trip over: pragmas between head and body, prototypes of entries, aliases, end in NULs, no end of line. */
static void odd_modules(void)
{
	static const char odd[] = HEAD ".entry e(.param .u64 p) ;\n.entry e(.param .u64 p) .pragma \"nounroll\"; { call f, (); ret; }\n"
		".weak .func f() { ret; }\n.func g() { ret; }\n.alias f, g;\n.visible .entry other() { ret; }\0\0";
	struct error err;
	char *out = cut(odd, sizeof odd - 1, "e", &err);
	CHECK_CONTAINS(out, "{ call f, (); ret; }");
	CHECK_CONTAINS(out, ".func g()");
	CHECK_CONTAINS(out, ".alias f, g;");
	CHECK(out && !strstr(out, "other"));
	free(out);
	out = cut(odd, sizeof odd - 1, "other", &err);
	CHECK_TEXT(out, HEAD ".visible .entry other() { ret; }\n");
	free(out);
	static const char *const bad[] = {"", ".target sm_80\n", "hello", ".version 8.0\n", HEAD ".entry e(", HEAD ".entry e() { ret; ",
					  HEAD ".entry () { ret; }", HEAD ".entry e() { \"} ", HEAD ".entry e(); ",
					  HEAD ".section .debug_info", HEAD ".global .u32 e;"};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		out = cut(bad[i], strlen(bad[i]), "e", &err);
		CHECK(!out);
		CHECK_INT(err.kind, ERROR_INPUT);
		free(out);
	}
	for (size_t size = 0; size < sizeof module; size += 7) { /* cut anywhere: an error or a cut, within the bytes there are */
		char *bytes = malloc(size + 1);
		if (!bytes)
			break;
		memcpy(bytes, module, size);
		out = cut(bytes, size, "first", &err);
		free(out);
		free(bytes);
	}
}

/* Each of these would take minutes if time grew with the square of the size. */
static void time_is_linear(void)
{
	enum { COUNT = 40000 };
	struct text text = {0};
	struct error err = {0};
	text_append(&text, HEAD);
	for (int i = 0; i < COUNT; i++)
		text_append(&text, ".func same() ;.func f%d() { call f%d, (); call same, (); }\n", i, i + 1);
	text_append(&text, ".func f%d() { call same, (); }\n.entry e() { call f0, (); call same, (); call same, (); }\n", COUNT);
	for (int i = 0; i < COUNT; i++)
		text_append(&text, ".entry e%d() { }\n", i);
	const double start = monotonic_seconds();
	struct ptx_slicer *slicer = NULL;
	CHECK_INT(ptx_slicer_open(&slicer, text.data, text.length, &err), 0);
	char *out = NULL;
	size_t size = 0;
	static const char *const all[] = {"e"}, *const last[] = {"e39999"};
	if (slicer) {
		CHECK_INT(ptx_slicer_entry_count(slicer), COUNT + 1);
		CHECK_INT(ptx_slicer_cut(slicer, all, 1, &out, &size, &err), 0);
		CHECK(size > 20 * COUNT);
		free(out);
		for (int i = 0; i < 200; i++) {
			CHECK_INT(ptx_slicer_cut(slicer, last, 1, &out, &size, &err), 0);
			CHECK_INT(size, strlen(HEAD) + strlen(".entry e39999() { }\n"));
			free(out);
		}
	}
	CHECK(monotonic_seconds() - start < 20);
	ptx_slicer_close(slicer);
	text_free(&text);
}

/* usage: test_ptx_slice [FILE.ptx...]: every entry of the files is cut out, and is the only one in its cut. */
static void cut_file(const char *path)
{
	struct file_map map;
	struct ptx_slicer *slicer;
	struct error err = {0};
	if (file_map_open(&map, path, &err) || ptx_slicer_open(&slicer, (const char *)map.data, map.size, &err)) {
		fprintf(stderr, "%s: %s\n", path, err.message);
		CHECK(0);
		return;
	}
	struct ptx whole;
	CHECK_INT(ptx_parse((const char *)map.data, map.size, &whole, &err), 0);
	CHECK_INT(ptx_slicer_entry_count(slicer), whole.entry_count);
	const double start = monotonic_seconds();
	size_t total = 0, size = 0;
	for (int i = 0; i < whole.entry_count; i++) {
		const char *const names[] = {whole.entries[i].name};
		char *out;
		struct ptx ptx;
		CHECK_INT(ptx_slicer_cut(slicer, names, 1, &out, &size, &err), 0);
		CHECK_INT(ptx_parse(out ? out : "", out ? size : 0, &ptx, &err), 0);
		CHECK_INT(ptx.entry_count, 1);
		if (ptx.entry_count == 1) {
			CHECK_TEXT(ptx.entries[0].name, whole.entries[i].name);
			CHECK_INT(ptx.entries[0].text_size, whole.entries[i].text_size);
			CHECK_INT(ptx.entries[0].parameter_bytes, whole.entries[i].parameter_bytes);
		}
		total += size;
		ptx_free(&ptx);
		free(out);
	}
	printf("%s: %d entries, %zu bytes in %zu of cuts, %.3f s\n", path_base(path), whole.entry_count, map.size, total,
	       monotonic_seconds() - start);
	ptx_free(&whole);
	ptx_slicer_close(slicer);
	file_map_close(&map);
}

int main(int argc, char **argv)
{
	only_what_is_reached();
	several_in_order();
	debug_data_goes();
	odd_modules();
	time_is_linear();
	for (int i = 1; i < argc; i++)
		cut_file(argv[i]);
	return check_result();
}
