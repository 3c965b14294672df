#include "check.h"
#include "core/util.h"
#include "dataset/spec.h"

#include <stdlib.h>
#include <unistd.h>

static const char *const *axes_of(const char *family, void *context)
{
	static const char *const axes[] = {"dtype", "head_dim", "seqlen", "mask", "alibi", "softcap", "batch", "layout",
					   "a", "b", "c", "d", NULL};
	(void)context;
	return strcmp(family, "attention") == 0 || strcmp(family, "other") == 0 ? axes : NULL;
}

static const char *default_of(const char *family, const char *axis, void *context)
{
	(void)family;
	(void)context;
	return strcmp(axis, "alibi") == 0 ? "none" : NULL;
}

static struct spec *parse(const char *text)
{
	struct spec *spec;
	struct error err = {0};
	if (spec_parse(&spec, "test.spec", text, axes_of, NULL, &err)) {
		fprintf(stderr, "%s\n", err.message);
		return NULL;
	}
	return spec;
}

static void products_in_order(void)
{
	struct spec *spec = parse("; a comment\n"
				  "\n"
				  "[first]\n"
				  "family = attention   ; and one at the end of a line\n"
				  "dtype = f16, bf16\n"
				  "head_dim = 8..32:8, 100\n"
				  "# third kind\n"
				  "seqlen = 113/203,\n"
				  "    1/4096, 5/5   ; continued\n"
				  "\n"
				  "    7/7\n"
				  "[second]\r\n"
				  "family: other\r\n"
				  "batch = -2..2\r\n");
	CHECK(spec != NULL);
	if (!spec)
		return;
	CHECK_INT(spec_count(spec), 2 * 5 * 4 + 5);
	struct assignment first = spec_at(spec, 0), second = spec_at(spec, 1), fifth = spec_at(spec, 4), last = spec_at(spec, 39);
	CHECK_TEXT(first.family, "attention");
	CHECK_TEXT(first.group, "first");
	CHECK_INT(first.line, 3);
	CHECK_INT(first.axis_count, 3);
	CHECK_TEXT(assignment_value(&first, "dtype"), "f16");
	CHECK_TEXT(assignment_value(&first, "head_dim"), "8");
	CHECK_TEXT(assignment_value(&first, "seqlen"), "113/203");
	CHECK(assignment_value(&first, "mask") == NULL);
	CHECK_TEXT(assignment_value(&second, "seqlen"), "1/4096");
	CHECK_TEXT(assignment_value(&fifth, "head_dim"), "16");
	CHECK_TEXT(assignment_value(&last, "dtype"), "bf16");
	CHECK_TEXT(assignment_value(&last, "head_dim"), "100");
	CHECK_TEXT(assignment_value(&last, "seqlen"), "7/7");
	const struct assignment other = spec_at(spec, 40), end = spec_at(spec, 44);
	CHECK_TEXT(other.family, "other");
	CHECK_INT(other.line, 12);
	CHECK_TEXT(assignment_value(&other, "batch"), "-2");
	CHECK_TEXT(assignment_value(&end, "batch"), "2");
	CHECK_CONTAINS(spec_text(spec), "and one at the end");
	spec_close(spec);
}

static void exclusions_leave_cases_out(void)
{
	struct spec *spec = parse("[s]\nfamily = attention\nmask = none, causal, left:8\nalibi = none, head, batch\n"
				  "exclude = mask:causal+alibi:head,\n   mask:left*+alibi:?????\n   alibi:batch+mask:none\n");
	CHECK(spec != NULL);
	if (!spec)
		return;
	CHECK_INT(spec_count(spec), 9 - 3);
	for (size_t i = 0; i < spec_count(spec); i++) {
		const struct assignment at = spec_at(spec, i);
		const char *mask = assignment_value(&at, "mask"), *alibi = assignment_value(&at, "alibi");
		CHECK(!(strcmp(mask, "causal") == 0 && strcmp(alibi, "head") == 0));
		CHECK(!(strcmp(mask, "left:8") == 0 && strcmp(alibi, "batch") == 0));
		CHECK(!(strcmp(mask, "none") == 0 && strcmp(alibi, "batch") == 0));
	}
	spec_close(spec);
}

/* Counts pairs of one section by brute force over spec_at, with none of the code that chose them. */
static size_t held_pairs(const struct spec *spec, const char *axis_a, const char *a, const char *axis_b, const char *b)
{
	size_t held = 0;
	for (size_t i = 0; i < spec_count(spec); i++) {
		const struct assignment at = spec_at(spec, i);
		held += strcmp(assignment_value(&at, axis_a), a) == 0 && strcmp(assignment_value(&at, axis_b), b) == 0;
	}
	return held;
}

static void pairwise_holds_every_pair(void)
{
	static const char text[] = "[cover]\nfamily = attention\npairwise = yes\n"
				   "dtype = f16, bf16\nhead_dim = 8..256:8\nseqlen = 1/1, 1/128, 128/1, 113/203, 64/64\n"
				   "mask = none, causal, left, right\nalibi = none, head, batch\nsoftcap = 0, 30\n"
				   "batch = 1, 2, 3\nlayout = dense, packed, strided\n"
				   "exclude = mask:causal+alibi:batch, head_dim:256+mask:left+softcap:30, layout:packed+seqlen:1/*8\n";
	static const struct { const char *axis, *values[33]; } lists[] = {
		{"dtype", {"f16", "bf16"}}, {"seqlen", {"1/1", "1/128", "128/1", "113/203", "64/64"}},
		{"mask", {"none", "causal", "left", "right"}}, {"alibi", {"none", "head", "batch"}}, {"softcap", {"0", "30"}},
		{"batch", {"1", "2", "3"}}, {"layout", {"dense", "packed", "strided"}},
		{"head_dim", {"8", "16", "24", "32", "40", "48", "56", "64", "72", "80", "88", "96", "104", "112", "120", "128",
			      "136", "144", "152", "160", "168", "176", "184", "192", "200", "208", "216", "224", "232", "240",
			      "248", "256"}},
	};
	struct spec *spec = parse(text), *again = parse(text);
	CHECK(spec && again);
	if (!spec || !again)
		return;
	size_t missing = 0, pairs = 0;
	for (size_t a = 0; a < ARRAY_COUNT(lists); a++)
		for (size_t b = a + 1; b < ARRAY_COUNT(lists); b++)
			for (int i = 0; lists[a].values[i]; i++)
				for (int j = 0; lists[b].values[j]; j++) {
					const size_t held = held_pairs(spec, lists[a].axis, lists[a].values[i], lists[b].axis,
								       lists[b].values[j]);
					pairs++;
					missing += held == 0;
				}
	/* causal+batch, packed+1/128 cannot be; everything else is there */
	CHECK_INT(missing, 2);
	CHECK_INT(held_pairs(spec, "mask", "causal", "alibi", "batch"), 0);
	CHECK_INT(held_pairs(spec, "layout", "packed", "seqlen", "1/128"), 0);
	for (size_t i = 0; i < spec_count(spec); i++) {
		const struct assignment at = spec_at(spec, i);
		CHECK(!(strcmp(assignment_value(&at, "head_dim"), "256") == 0 && strcmp(assignment_value(&at, "mask"), "left") == 0 &&
			strcmp(assignment_value(&at, "softcap"), "30") == 0));
	}
	/* 32 * 5 is the least there can be, 34560 the whole product */
	CHECK(spec_count(spec) >= 160 && spec_count(spec) <= 190);
	printf("pairwise: %zu cases for %zu pairs\n", spec_count(spec), pairs);

	CHECK_INT(spec_count(again), spec_count(spec));
	for (size_t i = 0; i < spec_count(spec); i++) {
		const struct assignment one = spec_at(spec, i), two = spec_at(again, i);
		for (int axis = 0; axis < one.axis_count; axis++)
			CHECK_TEXT(one.values[axis], two.values[axis]);
	}

	struct spec_pairs counted;
	struct error err = {0};
	struct text names = {0};
	CHECK_INT(spec_count_pairs(spec, "attention", NULL, NULL, NULL, &counted, &names, &err), 0);
	CHECK_INT(counted.total, pairs);
	CHECK_INT(counted.covered, pairs - 2);
	CHECK_INT(counted.excluded, 2);
	CHECK_INT(counted.apart, 0);
	CHECK_INT(counted.missing, 0);
	CHECK_INT(names.length, 0);
	/* a case that did not run may have been the only one with a pair */
	unsigned char *selected = calloc(spec_count(spec), 1);
	CHECK_INT(spec_count_pairs(spec, "attention", selected, NULL, NULL, &counted, &names, &err), 0);
	CHECK_INT(counted.covered, 0);
	CHECK_INT(counted.missing, pairs - 2);
	CHECK_CONTAINS(names.data, "dtype=bf16 head_dim=104\n");
	memset(selected, 1, spec_count(spec));
	selected[17] = 0;
	CHECK_INT(spec_count_pairs(spec, "attention", selected, NULL, NULL, &counted, NULL, &err), 0);
	CHECK(counted.missing > 0);
	CHECK_INT(counted.covered + counted.missing, pairs - 2);
	CHECK_INT(spec_count_pairs(spec, "other", NULL, NULL, NULL, &counted, NULL, &err), -1);
	free(selected);
	text_free(&names);
	spec_close(spec);
	spec_close(again);
}

static void pairs_over_sections(void)
{
	struct spec *spec = parse("[one]\nfamily = attention\na = 1, 2\nb = x, y\nexclude = a:1+b:y\n"
				  "[two]\nfamily = attention\nb = y, z\nalibi = head\n"
				  "[three]\nfamily = other\na = 1, 2, 3\nb = z\n");
	struct spec_pairs counted;
	struct error err = {0};
	struct text names = {0};
	CHECK(spec != NULL);
	if (!spec)
		return;
	/* values: a 1 2; b x y z; alibi head. a-b: 1x 2x 2y covered, 1y excluded, 1z 2z apart; a-alibi: both apart;
	 * b-alibi: y z covered, x apart */
	CHECK_INT(spec_count_pairs(spec, "attention", NULL, NULL, NULL, &counted, &names, &err), 0);
	CHECK_INT(counted.total, 6 + 2 + 3);
	CHECK_INT(counted.covered, 3 + 2);
	CHECK_INT(counted.excluded, 1);
	CHECK_INT(counted.apart, 2 + 2 + 1);
	CHECK_INT(counted.missing, 0);
	CHECK_CONTAINS(names.data, "b=x alibi=head\n");
	/* with the default, section one holds alibi=none as well */
	CHECK_INT(spec_count_pairs(spec, "attention", NULL, default_of, NULL, &counted, NULL, &err), 0);
	CHECK_INT(counted.total, 6 + 4 + 6);
	CHECK_INT(counted.covered, 3 + 2 + 2 + 2);
	text_free(&names);
	spec_close(spec);
}

static void contradictory_specs_are_refused(void)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{"", "test.spec:1: holds no section"},
		{"; only a comment\n", "holds no section"},
		{"dtype = f16\n", "test.spec:1: 'dtype' stands before the first section"},
		{"[s]\ndtype = f16\n", "test.spec:1: section [s] names no family"},
		{"[s]\nfamily = attention\n", "test.spec:1: section [s] sets no axis"},
		{"[s]\nfamily = convolution\ndtype = f16\n", "there is no family 'convolution'"},
		{"[s]\nfamily =\ndtype = f16\n", "test.spec:2: 'family' is empty"},
		{"[s]\nfamily = attention\nfamily = attention\n", "test.spec:3: section [s] has 'family' twice"},
		{"[s]\nfamily = attention\ndtype = f16\ndtype = bf16\n", "test.spec:4: section [s] has 'dtype' twice, at line 3"},
		{"[s]\nfamily = attention\ndtyp = f16\n", "test.spec:3: family 'attention' has no axis 'dtyp'; it has: dtype"},
		{"[s]\nfamily = attention\ndtype =\n", "test.spec:3: 'dtype' has no values"},
		{"[s]\nfamily = attention\ndtype = f16,,bf16\n", "empty value between commas"},
		{"[s]\nfamily = attention\ndtype = , f16\n", "empty value between commas"},
		{"[s]\nfamily = attention\ndtype = f16, bf16, f16\n", "test.spec:3: 'dtype' has the value 'f16' twice"},
		{"[s]\nfamily = attention\nhead_dim = 8..64:8, 32\n", "has the value '32' twice"},
		{"[s]\nfamily = attention\nhead_dim = 64..8\n", "'64..8' is no range"},
		{"[s]\nfamily = attention\nhead_dim = 8..64:0\n", "is no range"},
		{"[s]\nfamily = attention\nhead_dim = 8..x\n", "is no range"},
		{"[s]\nfamily = attention\nhead_dim = ..\n", "is no range"},
		{"[s]\nfamily = attention\nhead_dim = 1..99999999999999999999\n", "is no range"},
		{"[s]\nfamily = attention\nhead_dim = 0..9223372036854775807\n", "more than 65535 values"},
		{"[s]\nfamily = attention\nhead_dim = 9223372036854775806..9223372036854775807:9\nseqlen = a b\n", "a space"},
		{"[s]\nfamily = attention\n dtype = f16\n", "test.spec:3: 'family' has one value; is this line indented by mistake?"},
		{"[s]\nfamily = attention\ndtype = f16\n head_dim = 8\n", "test.spec:4: the value 'head_dim = 8' of 'dtype' holds"},
		{"[s]\nfamily = attention\ndtype = f\xc3\xa9\n", "not printable ASCII"},
		{"[s]\nfamily = attention\ndtype = f16\npairwise = maybe\n", "test.spec:4: 'pairwise' is 'maybe'; say yes or no"},
		{"[s]\nfamily = attention\ndtype = f16\npairwise = yes\npairwise = yes\n", "'pairwise' twice"},
		{"[s]\nfamily = attention\ndtype = f16\n[s]\n", "test.spec:4: section [s] is there already, at line 1"},
		{"[]\nfamily = attention\n", "a section's name has"},
		{"[a b]\nfamily = attention\n", "has no spaces"},
		{"[s\nfamily = attention\n", "test.spec:1: a section header"},
		{"[s] junk\nfamily = attention\n", "test.spec:1: a section header"},
		{"[s]\nfamily = attention\ndtype\n", "test.spec:3: is neither"},
		{"[s]\nfamily = attention\ndtype = f16\nexclude =\n", "test.spec:4: 'exclude' has no values"},
		{"[s]\nfamily = attention\ndtype = f16\nexclude = dtype\n", "test.spec:4: 'dtype' is no exclusion"},
		{"[s]\nfamily = attention\ndtype = f16\nexclude = dtype:f16+\n", "'' is no exclusion"},
		{"[s]\nfamily = attention\ndtype = f16\nexclude = mask:none\n", "an axis that section [s] does not set"},
		{"[s]\nfamily = attention\ndtype = f16\nexclude = dtype:f32\n", "'dtype:f32' matches no value"},
		{"[s]\nfamily = attention\ndtype = f16\nexclude = dtype:f16+dtype:f16\n", "names 'dtype' twice"},
		{"[s]\nfamily = attention\ndtype = f16\nexclude = dtype:*\n", "test.spec:1: the exclusions of section [s] leave no case"},
		{"[s]\nfamily = attention\ndtype = f16\nbatch = 1\npairwise = yes\nexclude = dtype:f16\n", "leave no case"},
		{"[s]\nfamily = attention\na = 1..1000\nb = 1..1001\n", "more than 1000000 cases"},
		{"[s]\nfamily = attention\na = 1..1000\nb = 1..1000\n[t]\nfamily = attention\na = 1\n", "test.spec:5: with section [t]"},
		{"[s]\nfamily = attention\na = 1..2000\nb = 1..2000\npairwise = yes\n", "pairs of values"},
		{"[s]\nfamily = attention\na = 1..60000\nb = 1..60000\nc = 1..60000\nd = 1, 2\nexclude = d:*\n", "leave too few cases"},
		{"[a_name_of_a_section_that_is_longer_than_forty_seven_bytes]\nfamily = attention\n", "1 to 47 bytes"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct spec *spec = NULL;
		struct error err = {0};
		CHECK_INT(spec_parse(&spec, "test.spec", bad[i].text, axes_of, NULL, &err), -1);
		CHECK(spec == NULL);
		CHECK_INT(err.kind, ERROR_INPUT);
		CHECK_CONTAINS(err.message, bad[i].message);
		CHECK_CONTAINS(err.message, "test.spec:");
		spec_close(spec);
	}
	CHECK_INT(spec_parse(&(struct spec *){NULL}, "test.spec", bad[0].text, axes_of, NULL, NULL), -1);
}

/* inih reads lines of 200 bytes and would take the rest of a longer one for a line of its own. */
static void long_lines_are_refused_or_continued(void)
{
	struct text text = {0};
	struct error err = {0};
	struct spec *spec = NULL;
	text_append(&text, "[s]\nfamily = attention\nhead_dim = ");
	for (int i = 0; i < 60; i++)
		text_append(&text, "%d,", 100 + i);
	CHECK_INT(spec_parse(&spec, "test.spec", text.data, axes_of, NULL, &err), -1);
	CHECK_CONTAINS(err.message, "test.spec:3: the line is longer than 197 bytes; continue it on the next line");
	text_free(&text);

	text_append(&text, "[s]\nfamily = attention ; ");
	for (int i = 0; i < 60; i++)
		text_append(&text, "a long comment ");
	text_append(&text, "\nhead_dim =\n");
	for (int i = 0; i < 60; i++)
		text_append(&text, "\t%d,\n", 100 + i);
	spec = parse(text.data);
	CHECK_INT(spec ? spec_count(spec) : 0, 60);
	spec_close(spec);
	text_free(&text);

	for (size_t length = 197; length <= 198; length++) {
		text_append(&text, "[s]\nfamily = attention\n");
		const size_t start = text.length;
		text_append(&text, "head_dim = 1");
		for (int value = 100; start + length - text.length >= 8; value++)
			text_append(&text, ",%d", value);
		text_append(&text, ",%.*s", (int)(start + length - text.length - 1), "1234567890");
		CHECK_INT(text.length - start, length);
		CHECK_INT(spec_parse(&spec, "test.spec", text.data, axes_of, NULL, &err), length == 197 ? 0 : -1);
		spec_close(spec);
		text_free(&text);
	}
}

/* Damaged text gives a spec or a message, and nothing else; the sanitizers watch. */
static void damaged_text_is_survived(void)
{
	static const char good[] = "[s]\nfamily = attention\npairwise = yes\ndtype = f16, bf16\nmask = none, causal\n"
				   "batch = 1..9:2\n  20, 21 ; more\nexclude = mask:causal+batch:2*, dtype:f16+mask:n?ne\n"
				   "[t]\nfamily = other\na = 1, 2\n";
	static const char alphabet[] = "[]=:;,+*?.#\n\t 19-sa\xff";
	uint32_t random = 1, parsed = 0, refused = 0;
	for (int round = 0; round < 3000; round++) {
		char text[sizeof good];
		struct spec *spec = NULL;
		struct error err = {0};
		memcpy(text, good, sizeof good);
		for (int change = 0; change <= round % 4; change++) {
			random = random * 1664525 + 1013904223;
			text[(random >> 8) % (sizeof good - 1)] = alphabet[(random >> 24) % (sizeof alphabet - 1)];
		}
		if (spec_parse(&spec, "test.spec", text, axes_of, NULL, &err)) {
			refused++;
			CHECK(err.kind == ERROR_INPUT && strncmp(err.message, "test.spec:", 10) == 0);
		} else {
			parsed++;
			CHECK(spec_count(spec) > 0);
			const struct assignment last = spec_at(spec, spec_count(spec) - 1);
			CHECK(last.axis_count > 0 && last.values[last.axis_count - 1][0] != '\0');
		}
		spec_close(spec);
	}
	CHECK(parsed > 100 && refused > 100);
}

static void files(void)
{
	char path[] = "/tmp/assay-spec-XXXXXX";
	const int fd = mkstemp(path);
	struct spec *spec = NULL;
	struct error err = {0};
	CHECK(fd >= 0);
	CHECK_INT(spec_open(&spec, "/nonexistent/x.spec", axes_of, NULL, &err), -1);
	CHECK_CONTAINS(err.message, "/nonexistent/x.spec");
	CHECK_INT(spec_open(&spec, path, axes_of, NULL, &err), -1);
	CHECK_CONTAINS(err.message, "holds no section");
	static const char binary[] = "[s]\nfamily = attention\n\0dtype = f16\n";
	CHECK_INT(write_file_atomically(path, binary, sizeof binary - 1, &err), 0);
	CHECK_INT(spec_open(&spec, path, axes_of, NULL, &err), -1);
	CHECK_CONTAINS(err.message, "is no spec");
	static const char good[] = "\xef\xbb\xbf[s]\nfamily = attention\ndtype = f16";
	CHECK_INT(write_file_atomically(path, good, sizeof good - 1, &err), 0);
	CHECK_INT(spec_open(&spec, path, axes_of, NULL, &err), 0);
	CHECK_INT(spec ? spec_count(spec) : 0, 1);
	spec_close(spec);
	close(fd);
	unlink(path);
}

int main(void)
{
	products_in_order();
	exclusions_leave_cases_out();
	pairwise_holds_every_pair();
	pairs_over_sections();
	contradictory_specs_are_refused();
	long_lines_are_refused_or_continued();
	damaged_text_is_survived();
	files();
	return check_result();
}
