#include "artifact/ar.h"
#include "artifact_fixtures.h"
#include "check.h"

static const char long_name[] = "a_name_that_is_longer_than_fifteen_bytes.o";
static const char elf_head[64] = "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\1\0\076\0";                      /* relocatable, x86-64 */
static const char coff_head[21] = "\144\206\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";                  /* AMD64 */
static const char import_head[22] = "\0\0\377\377\0\0\144\206";
static const char bigobj_head[56] = "\0\0\377\377\2\0\144\206\0\0\0\0\307\241\272\321\356\272\251\113\257\040\372\366\152\244\334\270";
static const char ltcg_head[56] = "\0\0\377\377\1\0\144\206\0\0\0\0\070\376\263\014\245\331\253\115\254\233\326\266\042\046\123\302";

static const struct fixture_member members[] = {
	{"short.o", elf_head, sizeof elf_head},
	{long_name, coff_head, sizeof coff_head}, /* odd size: a pad byte follows */
	{"short.o", import_head, sizeof import_head},
	{"empty.o", "", 0},
	{"big.obj", bigobj_head, sizeof bigobj_head},
	{"ltcg.obj", ltcg_head, sizeof ltcg_head},
};
enum { MEMBERS = sizeof members / sizeof members[0] };

static void every_flavour_is_read(void)
{
	static const struct {
		enum fixture_ar made;
		enum ar_flavour read;
		const char *name;
	} flavours[] = {{FIXTURE_GNU, AR_GNU, "GNU ar"},
			{FIXTURE_BSD, AR_BSD, "BSD ar"},
			{FIXTURE_MSVC, AR_MSVC, "MSVC lib"},
			{FIXTURE_THIN, AR_GNU, "thin GNU ar"}};
	static const enum object_kind kinds[MEMBERS] = {OBJECT_ELF_RELOCATABLE, OBJECT_COFF,        OBJECT_COFF_IMPORT,
							OBJECT_EMPTY,           OBJECT_COFF_BIGOBJ, OBJECT_COFF_LTCG};
	for (size_t f = 0; f < sizeof flavours / sizeof flavours[0]; f++) {
		struct bytes file = {0};
		struct ar ar;
		struct error err = {0};
		const int thin = flavours[f].made == FIXTURE_THIN;
		put_ar(&file, flavours[f].made, members, MEMBERS, 3);
		CHECK_INT(ar_parse(file.data, file.size, &ar, &err), 0);
		CHECK_TEXT(ar_flavour_name(&ar), flavours[f].name);
		CHECK_INT(ar.flavour, flavours[f].read);
		CHECK_INT(ar.thin, thin);
		CHECK_INT(ar.count, MEMBERS);
		CHECK_INT(ar.has_index, 1);
		CHECK_INT(ar.index_symbols, 3);
		for (int i = 0; i < ar.count && i < MEMBERS; i++) {
			CHECK_TEXT(ar.members[i].name, members[i].name);
			CHECK_INT(ar.members[i].size, members[i].size);
			CHECK_INT(ar.members[i].kind, thin ? OBJECT_UNKNOWN : kinds[i]);
			CHECK(thin ? ar.members[i].data == NULL : ar.members[i].data == file.data + ar.members[i].offset);
			if (!thin && members[i].size)
				CHECK(memcmp(ar.members[i].data, members[i].data, members[i].size) == 0);
		}
		ar_free(&ar);

		/* cut anywhere, it is refused or ends at a member's end; nothing is read beyond */
		for (size_t size = 0; size < file.size; size++) {
			unsigned char *base, *copy = copy_exactly(file.data, size, size % 2, &base);
			const int result = ar_parse(copy, size, &ar, &err);
			CHECK(result == 0 ? ar.count <= MEMBERS : ar.count == 0);
			if (size < 8)
				CHECK_INT(result, -1);
			ar_free(&ar);
			free(base);
		}
		bytes_free(&file);
	}
}

static int parse_text(const char *text, size_t size, struct error *err)
{
	struct ar ar;
	const int result = ar_parse(text, size, &ar, err);
	ar_free(&ar);
	return result;
}

static int parse_member(const char *name, const char *size_field, const char *data, struct error *err)
{
	char file[512];
	const int length = snprintf(file, sizeof file, "!<arch>\n%-16s%-12s%-6s%-6s%-8s%-10s`\n%s", name, "-1", "", "", "100666", size_field,
				    data);
	return parse_text(file, (size_t)length, err);
}

static void damage_is_named(void)
{
	struct error err = {0};
	struct ar ar;
	CHECK_INT(parse_text("!<arch>\n", 8, &err), 0);
	CHECK_INT(ar_parse(NULL, 0, &ar, &err), -1);
	CHECK_INT(parse_text("!<arch>", 7, &err), -1);
	CHECK_INT(parse_text("!<ARCH>\n", 8, &err), -1);
	CHECK_INT(parse_text("!<arch>\n\n", 9, &err), 0); /* a pad byte left at the end */
	CHECK_INT(parse_text("!<arch>\nshort", 13, &err), -1);
	CHECK_CONTAINS(err.message, "cut off");
	/* MSVC leaves uid and gid blank and may write -1 for the time */
	CHECK_INT(parse_member("x.o/", "4", "data", &err), 0);
	CHECK_INT(parse_member("x.o/", "5", "data", &err), -1);
	CHECK_CONTAINS(err.message, "claims 5 bytes where 4 are left");
	CHECK_INT(parse_member("x.o/", "9999999999", "data", &err), -1);
	CHECK_INT(parse_member("x.o/", "-4", "data", &err), -1);
	CHECK_CONTAINS(err.message, "is not a number");
	CHECK_INT(parse_member("x.o/", "4 4", "data", &err), -1);
	CHECK_INT(parse_member("/0", "4", "data", &err), -1); /* no table of long names */
	CHECK_CONTAINS(err.message, "table of 0 bytes");
	CHECK_INT(parse_member("/99999999999999", "4", "data", &err), -1);
	CHECK_INT(parse_member("/1x", "4", "data", &err), -1);
	CHECK_INT(parse_member("#1/5", "4", "data", &err), -1);
	CHECK_CONTAINS(err.message, "longer than the member");
	CHECK_INT(parse_member("#1/4", "4", "name", &err), 0);
	CHECK_INT(parse_member("#1/x", "4", "name", &err), -1);
	CHECK_INT(parse_member("/strange", "4", "data", &err), -1);
	CHECK_INT(parse_member("/<ECSYMBOLS>/", "4", "data", &err), 0);
	CHECK_INT(parse_member("/SYM64/", "8", "\1\1\1\1\1\1\1\1", &err), 0);
}

/* The index of each flavour leads to the member that has the symbol. */
static void the_index_is_read(void)
{
	static const enum fixture_ar flavours[] = {FIXTURE_GNU, FIXTURE_BSD, FIXTURE_MSVC};
	static const char *const names[] = {"first", "second", "third"};
	struct bytes objects[3] = {{0}};
	struct fixture_member files[3];
	for (int i = 0; i < 3; i++) {
		const char *const defined[] = {names[i], NULL};
		put_host_object(&objects[i], defined, NULL, NULL);
		files[i] = (struct fixture_member){i == 1 ? long_name : "x.o", objects[i].data, objects[i].size};
	}
	for (size_t f = 0; f < sizeof flavours / sizeof flavours[0]; f++) {
		struct bytes file = {0};
		struct ar ar;
		struct ar_index_cursor cursor = {0};
		struct error err = {0};
		const char *name;
		uint64_t header;
		put_ar(&file, flavours[f], files, 3, 0);
		CHECK_INT(ar_parse(file.data, file.size, &ar, &err), 0);
		CHECK_INT(ar.index_symbols, 3);
		CHECK_INT(ar.has_second_index, flavours[f] == FIXTURE_MSVC);
		for (int i = 0; i < 3; i++) {
			const unsigned char *data;
			size_t length;
			CHECK_INT(ar_index_next(&ar, &cursor, &name, &header), 1);
			CHECK_TEXT(name, names[i]);
			CHECK_INT(header, ar.members[i].header_offset);
			CHECK_INT(ar_member_at(file.data, file.size, header, &data, &length, &err), 0);
			CHECK(data <= ar.members[i].data && data + length == ar.members[i].data + ar.members[i].size);
		}
		CHECK_INT(ar_index_next(&ar, &cursor, &name, &header), 0);
		ar_free(&ar);
		bytes_free(&file);
	}
	for (int i = 0; i < 3; i++)
		bytes_free(&objects[i]);
}

/* Archives of more than 4 GiB have wider indexes; small ones may. */
static void wide_indexes_are_read(void)
{
	for (int bsd = 0; bsd < 2; bsd++) {
		struct bytes file = {0};
		struct ar ar;
		struct ar_index_cursor cursor = {0};
		struct error err = {0};
		const char *name;
		uint64_t header;
		put_text(&file, "!<arch>\n");
		if (bsd) {
			put_ar_header(&file, "#1/12", 12 + 8 + 32 + 8 + 8);
			put(&file, "__.SYMDEF_64", 12);
			put_u64(&file, 32);
			put_u64(&file, 4);
			put_u64(&file, 0x123456789ull);
			put_u64(&file, 0);
			put_u64(&file, 8);
			put_u64(&file, 8);
			put(&file, "one\0two\0", 8);
		} else {
			put_ar_header(&file, "/SYM64/", 8 + 16 + 8);
			put_u64(&file, __builtin_bswap64(2));
			put_u64(&file, __builtin_bswap64(0x123456789ull));
			put_u64(&file, __builtin_bswap64(8));
			put(&file, "two\0one\0", 8);
		}
		CHECK_INT(ar_parse(file.data, file.size, &ar, &err), 0);
		CHECK_INT(ar.index_symbols, 2);
		CHECK_INT(ar.index.form, bsd ? AR_INDEX_BSD_64 : AR_INDEX_GNU_64);
		CHECK_INT(ar_index_next(&ar, &cursor, &name, &header), 1);
		CHECK_TEXT(name, "two");
		CHECK(header == 0x123456789ull);
		CHECK_INT(ar_index_next(&ar, &cursor, &name, &header), 1);
		CHECK_TEXT(name, "one");
		CHECK_INT(header, 8);
		CHECK_INT(ar_index_next(&ar, &cursor, &name, &header), 0);
		ar_free(&ar);
		bytes_free(&file);
	}
}

static void kinds_are_told_by_their_first_bytes(void)
{
	static const struct {
		const char *bytes;
		size_t size;
		enum object_kind kind;
	} heads[] = {
		{"rust\0\0\0\11rest", 12, OBJECT_RUST_METADATA}, /* lib.rmeta of an rlib, where it is no object */
		{"PK\3\4", 4, OBJECT_ZIP},
		{"BC\300\336", 4, OBJECT_LLVM_BITCODE},
		{"MZ", 2, OBJECT_UNKNOWN},
		{"//\n.version 8.0", 15, OBJECT_PTX},
		{"!<arch>\n", 8, OBJECT_ARCHIVE},
		{"", 0, OBJECT_EMPTY},
	};
	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
		CHECK_INT(object_identify(heads[i].bytes, heads[i].size, NULL), heads[i].kind);
	static const struct {
		const char *name;
		enum name_class class;
	} names[] = {{"liba.a", NAME_LIBRARY},    {"libx.rlib", NAME_LIBRARY}, {"X.DLL", NAME_LIBRARY},   {"m.cp312-win_amd64.pyd", NAME_LIBRARY},
		     {"libx.so.1.2", NAME_LIBRARY}, {"x.so.txt", NAME_OTHER},    {"x.obj", NAME_OBJECT},    {"k.ptx", NAME_MODULE},
		     {"x.whl", NAME_PACKAGE},       {".so", NAME_OTHER},         {"readme.md", NAME_OTHER}};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		CHECK_INT(object_name_class(names[i].name), names[i].class);
}

static void hostile_names_stay_small(void)
{
	enum { NAMES = 1 << 20, MEMBERS_OF_IT = 4000 };
	struct bytes file = {0}, names = {0};
	struct ar ar;
	struct error err = {0};
	put(&names, NULL, NAMES);
	memset(names.data, 'n', NAMES);
	/* one endless name, to which every member refers */
	put_text(&file, "!<arch>\n");
	put_ar_header(&file, "//", NAMES);
	put(&file, names.data, NAMES);
	for (int i = 0; i < MEMBERS_OF_IT; i++)
		put_ar_header(&file, "/0", 0);
	CHECK_INT(ar_parse(file.data, file.size, &ar, &err), -1);
	CHECK_CONTAINS(err.message, "name is too long");
	/* names that are long but not endless, over and over */
	for (size_t i = 4000; i < NAMES; i += 4000)
		file.data[8 + 60 + i] = '\n';
	CHECK_INT(ar_parse(file.data, file.size, &ar, &err), -1);
	CHECK_CONTAINS(err.message, "name is too long");
	bytes_free(&file);
	bytes_free(&names);

	/* an index that counts more symbols than it has bytes */
	put_text(&file, "!<arch>\n");
	put_ar_header(&file, "/", 8);
	put_u32_be(&file, 0xffffffff);
	put_u32_be(&file, 8);
	CHECK_INT(ar_parse(file.data, file.size, &ar, &err), 0);
	struct ar_index_cursor cursor = {0};
	const char *name;
	uint64_t header;
	CHECK_INT(ar_index_next(&ar, &cursor, &name, &header), -1);
	ar_free(&ar);
	bytes_free(&file);
}

int main(void)
{
	every_flavour_is_read();
	the_index_is_read();
	wide_indexes_are_read();
	hostile_names_stay_small();
	kinds_are_told_by_their_first_bytes();
	damage_is_named();
	return check_result();
}
