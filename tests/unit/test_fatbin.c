#include "artifact/fatbin.h"
#include "artifact_fixtures.h"
#include "check.h"

static const char ptx_text[] = ".version 8.4\n.target sm_80\n.address_size 64\n"
			       "// a line to compress, a line to compress, a line to compress, a line to compress\n\0\0\0";
static unsigned char cubin_bytes[1000];

static struct bytes sample(void)
{
	const struct fixture_entry entries[] = {
		{1, 80, 8, 4, 0x8011, ptx_text, sizeof ptx_text - 1, NULL, "-O1 --maxrregcount=32  "},
		{2, 80, 1, 7, 0x11, cubin_bytes, 1000, "/home/someone/kernel.cu", NULL},
		{2, 90, 1, 8, 0x102011, cubin_bytes, 1000, NULL, NULL},
		{2, 120, 1, 8, 0x1208041, cubin_bytes, 1000, "k.cu", "-v"},
		{8, 90, 1, 61, 0x10011, cubin_bytes, 64, NULL, NULL},
		{0x40, 90, 1, 0, 0x11, cubin_bytes, 8, NULL, NULL},
	};
	struct bytes out = {0};
	for (size_t i = 0; i < sizeof cubin_bytes; i++)
		cubin_bytes[i] = (unsigned char)(i / 7);
	put_fatbin(&out, entries, 6);
	return out;
}

static void reads_every_field(void)
{
	struct bytes file = sample();
	struct fatbin fatbin;
	struct error err = {0};
	size_t size = 0;
	CHECK_INT(fatbin_container_size(file.data, &size, &err), 0);
	CHECK_INT(size, file.size);
	CHECK_INT(fatbin_parse(file.data, file.size, &fatbin, &err), 0);
	CHECK_INT(fatbin.count, 6);
	CHECK_INT(fatbin.containers, 1);
	const struct fatbin_entry *e = fatbin.entries;
	CHECK_INT(e[0].kind, FATBIN_PTX);
	CHECK_INT(e[0].arch, 80);
	CHECK_INT(e[0].version_major, 8);
	CHECK_INT(e[0].version_minor, 4);
	CHECK_INT(e[0].compression, FATBIN_ZSTD);
	CHECK_INT(e[0].decompressed_size, sizeof ptx_text - 1);
	CHECK_INT(e[0].options_length, 23);
	CHECK(memcmp(e[0].options, "-O1 --maxrregcount=32", 21) == 0);
	CHECK(e[0].identifier == NULL);
	CHECK_INT(e[1].kind, FATBIN_ELF);
	CHECK_INT(e[1].compression, FATBIN_RAW);
	CHECK_INT(e[1].payload_size, 1000);
	CHECK(e[1].identifier_length == 23 && memcmp(e[1].identifier, "/home/someone/kernel.cu", 23) == 0);
	CHECK_INT(e[2].suffix, 'a');
	CHECK_INT(e[2].compression, FATBIN_LZ4);
	CHECK_INT(e[3].suffix, 'f');
	CHECK(e[3].flags & FATBIN_FLAG_WINDOWS);
	CHECK_INT(e[4].kind, FATBIN_NVVM);
	CHECK_INT(e[4].compression, FATBIN_OBFUSCATED);
	CHECK_INT(e[5].kind, FATBIN_OTHER);
	CHECK_INT(e[5].raw_kind, 0x40);
	char target[24];
	fatbin_entry_target(&e[2], target);
	CHECK_TEXT(target, "sm_90a");
	fatbin_entry_target(&e[0], target);
	CHECK_TEXT(target, "compute_80");

	for (int i = 0; i < 4; i++) {
		void *bytes;
		size_t got;
		CHECK_INT(fatbin_entry_decompress(&e[i], &bytes, &got, &err), 0);
		if (i == 0) {
			CHECK_INT(got, strlen(ptx_text)); /* its trailing NULs are gone, one stands behind it */
			CHECK_TEXT((const char *)bytes, ptx_text);
		} else {
			CHECK_INT(got, 1000);
			CHECK(memcmp(bytes, cubin_bytes, 1000) == 0);
		}
		free(bytes);
	}
	void *bytes;
	size_t got;
	CHECK_INT(fatbin_entry_decompress(&e[4], &bytes, &got, &err), -1);
	CHECK_INT(err.kind, ERROR_UNSUPPORTED);
	CHECK(bytes == NULL);
	fatbin_free(&fatbin);
	bytes_free(&file);
}

static void a_section_holds_many(void)
{
	struct bytes file = {0}, one = sample();
	put(&file, one.data, one.size);
	put(&file, NULL, 24); /* what a linker may leave between two */
	put(&file, one.data, one.size);
	put_fatbin(&file, NULL, 0);
	put(&file, NULL, 5);
	struct fatbin fatbin;
	struct error err = {0};
	CHECK_INT(fatbin_parse_section(file.data, file.size, &fatbin, &err), 0);
	CHECK_INT(fatbin.containers, 3);
	CHECK_INT(fatbin.count, 12);
	CHECK_INT(fatbin.entries[6].container, 1);
	CHECK_INT(fatbin.entries[6].offset, one.size + 24 + 16);
	fatbin_free(&fatbin);
	CHECK_INT(fatbin_parse_section(NULL, 0, &fatbin, &err), 0);
	CHECK_INT(fatbin.count, 0);
	put_text(&file, "foreign");
	CHECK_INT(fatbin_parse_section(file.data, file.size, &fatbin, &err), -1);
	CHECK_INT(err.kind, ERROR_INPUT);
	bytes_free(&one);
	bytes_free(&file);
}

/* Every prefix is refused, at every alignment, and nothing is read beyond it. */
static void cut_files_are_refused(void)
{
	struct bytes file = sample();
	struct error err = {0};
	for (size_t size = 0; size < file.size; size++) {
		unsigned char *base, *copy = copy_exactly(file.data, size, size % 8, &base);
		struct fatbin fatbin;
		const int result = fatbin_parse(copy, size, &fatbin, &err);
		CHECK_INT(result, -1);
		CHECK_INT(fatbin.count, 0);
		free(base);
	}
	bytes_free(&file);
}

static int parse_with(size_t at, uint64_t value, int width, struct error *err)
{
	struct bytes file = sample();
	struct fatbin fatbin;
	memcpy(file.data + at, &value, (size_t)width);
	const int result = fatbin_parse(file.data, file.size, &fatbin, err);
	int damaged = 0;
	for (int i = 0; i < fatbin.count; i++) {
		void *bytes;
		size_t size;
		if (fatbin.entries[i].compression == FATBIN_OBFUSCATED)
			continue;
		damaged |= fatbin_entry_decompress(&fatbin.entries[i], &bytes, &size, err) != 0;
		free(bytes);
	}
	fatbin_free(&fatbin);
	bytes_free(&file);
	return result ? -1 : damaged;
}

static void lies_are_refused(void)
{
	struct error err = {0};
	const size_t entry = 16;
	CHECK_INT(parse_with(0, 0x12345678, 4, &err), -1);
	CHECK_CONTAINS(err.message, "0x12345678");
	CHECK_INT(parse_with(0, FATBIN_ANCIENT_MAGIC, 4, &err), -1);
	CHECK_INT(err.kind, ERROR_UNSUPPORTED);
	CHECK_INT(parse_with(4, 2, 2, &err), -1);
	CHECK_INT(parse_with(6, 24, 2, &err), -1);
	CHECK_INT(parse_with(8, UINT64_MAX, 8, &err), -1);
	CHECK_INT(parse_with(8, UINT64_MAX - 15, 8, &err), -1);
	CHECK_INT(parse_with(entry + 0x04, 63, 4, &err), -1);
	CHECK_CONTAINS(err.message, "header of 63 bytes");
	CHECK_INT(parse_with(entry + 0x04, UINT32_MAX, 4, &err), -1);
	CHECK_INT(parse_with(entry + 0x08, UINT64_MAX, 8, &err), -1);
	CHECK_INT(parse_with(entry + 0x08, UINT64_MAX - 64, 8, &err), -1);
	CHECK_INT(parse_with(entry + 0x10, 0, 4, &err), -1);
	CHECK_INT(parse_with(entry + 0x10, 1 << 20, 4, &err), -1);
	/* texts that point elsewhere are left out; they are only for people */
	CHECK_INT(parse_with(entry + 0x14, UINT32_MAX - 3, 4, &err), 0);
	CHECK_INT(parse_with(entry + 0x20, UINT32_MAX, 4, &err), 0);
	/* sizes that the data do not have */
	CHECK_INT(parse_with(entry + 0x38, sizeof ptx_text, 8, &err), 1);
	CHECK_CONTAINS(err.message, "claims");
	CHECK_INT(parse_with(entry + 0x38, 10, 8, &err), 1);
	CHECK_INT(parse_with(entry + 0x38, FATBIN_DECOMPRESSED_LIMIT, 8, &err), 1);
	CHECK_INT(parse_with(entry + 0x38, FATBIN_DECOMPRESSED_LIMIT + 1, 8, &err), 1);
	CHECK_CONTAINS(err.message, "reads up to");
	CHECK_INT(parse_with(entry + 0x38, UINT64_MAX, 8, &err), 1);
	/* and of the LZ4 entry, the third */
	struct bytes file = sample();
	struct fatbin fatbin;
	CHECK_INT(fatbin_parse(file.data, file.size, &fatbin, &err), 0);
	const size_t third = fatbin.entries[2].offset;
	fatbin_free(&fatbin);
	bytes_free(&file);
	CHECK_INT(parse_with(third + 0x38, FATBIN_DECOMPRESSED_LIMIT, 8, &err), 1);
	CHECK_CONTAINS(err.message, "cannot hold");
	CHECK_INT(parse_with(third + 0x38, 1001, 8, &err), 1);
	CHECK_INT(parse_with(third + 0x38, 999, 8, &err), 1);
	CHECK_INT(parse_with(third + 64, UINT64_MAX, 8, &err), 1);
	CHECK_CONTAINS(err.message, "damaged");
}

/* Which compute capabilities run which targets, as ptxas and the driver have it (CUDA 13.0). */
static void targets_run_where_they_should(void)
{
	static const int ccs[] = {75, 80, 86, 89, 90, 100, 103, 110, 120, 121};
	static const struct {
		unsigned arch;
		char suffix;
		const char *sass, *ptx; /* one letter for each of ccs: y or n */
	} table[] = {
		{75, 0, "ynnnnnnnnn", "yyyyyyyyyy"},  {80, 0, "nyyynnnnnn", "nyyyyyyyyy"},   {86, 0, "nnyynnnnnn", "nnyyyyyyyy"},
		{89, 0, "nnnynnnnnn", "nnnyyyyyyy"},  {90, 0, "nnnnynnnnn", "nnnnyyyyyy"},   {90, 'a', "nnnnynnnnn", "nnnnynnnnn"},
		{100, 0, "nnnnnyynnn", "nnnnnyyyyy"}, {100, 'f', "nnnnnyynnn", "nnnnnyynnn"}, {100, 'a', "nnnnnynnnn", "nnnnnynnnn"},
		{103, 'a', "nnnnnnynnn", "nnnnnnynnn"}, {120, 'f', "nnnnnnnnyy", "nnnnnnnnyy"}, {121, 0, "nnnnnnnnny", "nnnnnnnnny"},
	};
	for (size_t t = 0; t < sizeof table / sizeof table[0]; t++)
		for (size_t c = 0; c < sizeof ccs / sizeof ccs[0]; c++) {
			CHECK_INT(sass_runs_on(table[t].arch, table[t].suffix, ccs[c] / 10, ccs[c] % 10), table[t].sass[c] == 'y');
			CHECK_INT(ptx_runs_on(table[t].arch, table[t].suffix, ccs[c] / 10, ccs[c] % 10), table[t].ptx[c] == 'y');
		}
	CHECK(!sass_runs_on(4294967290u, 0, 9, 0));
}

static struct fatbin_entry entry_of(enum fatbin_kind kind, unsigned arch, char suffix, int container)
{
	return (struct fatbin_entry){.kind = kind, .arch = arch, .suffix = suffix, .container = container};
}

static void the_best_image_is_selected(void)
{
	const struct fatbin_entry entries[] = {
		entry_of(FATBIN_PTX, 90, 0, 0),  entry_of(FATBIN_ELF, 80, 0, 0),  entry_of(FATBIN_ELF, 86, 0, 0),
		entry_of(FATBIN_ELF, 90, 0, 0),  entry_of(FATBIN_ELF, 90, 'a', 0), entry_of(FATBIN_PTX, 80, 0, 0),
		entry_of(FATBIN_NVVM, 90, 0, 0), entry_of(FATBIN_ELF, 80, 0, 1),
	};
	char reason[256] = "";
	CHECK_INT(fatbin_select(entries, 8, 0, 8, 0, IMAGE_ANY, reason, sizeof reason), 1);
	CHECK_INT(fatbin_select(entries, 8, 0, 8, 6, IMAGE_ANY, reason, sizeof reason), 2);
	CHECK_INT(fatbin_select(entries, 8, 0, 8, 9, IMAGE_ANY, reason, sizeof reason), 2);
	CHECK_INT(fatbin_select(entries, 8, 0, 9, 0, IMAGE_ANY, reason, sizeof reason), 4);
	CHECK_INT(fatbin_select(entries, 8, 0, 9, 0, IMAGE_PTX, reason, sizeof reason), 0);
	CHECK_INT(fatbin_select(entries, 8, 0, 8, 6, IMAGE_PTX, reason, sizeof reason), 5);
	CHECK_INT(fatbin_select(entries, 8, 0, 12, 0, IMAGE_ANY, reason, sizeof reason), 0);
	CHECK_INT(fatbin_select(entries, 8, 1, 8, 6, IMAGE_ANY, reason, sizeof reason), 7);
	CHECK_TEXT(reason, "");
	CHECK_INT(fatbin_select(entries, 8, 1, 9, 0, IMAGE_ANY, reason, sizeof reason), -1);
	CHECK_TEXT(reason, "holds SASS for sm_80 only; this GPU is sm_90");
	CHECK_INT(fatbin_select(entries, 8, 0, 12, 0, IMAGE_SASS, reason, sizeof reason), -1);
	CHECK_TEXT(reason, "holds SASS for sm_80, sm_86, sm_90, sm_90a and PTX for compute_90, compute_80, and SASS was asked for; this GPU "
			   "is sm_120");
	CHECK_INT(fatbin_select(entries, 0, -1, 9, 0, IMAGE_ANY, reason, sizeof reason), -1);
	CHECK_TEXT(reason, "holds no device code");
	CHECK_INT(fatbin_select(entries + 6, 1, -1, 9, 0, IMAGE_ANY, reason, sizeof reason), -1);
	CHECK_CONTAINS(reason, "linked first");
	CHECK_INT(fatbin_select(entries + 5, 1, -1, 7, 5, IMAGE_ANY, reason, sizeof reason), -1);
	CHECK_TEXT(reason, "holds PTX for compute_80 only; this GPU is sm_75");
	CHECK_INT(fatbin_select(entries, 8, 1, 9, 0, IMAGE_ANY, NULL, 0), -1);
}

/* Kinds and compressions that are only passed on: named, and never an error. */
static void kinds_have_names(void)
{
	static const struct {
		unsigned kind;
		uint64_t flags;
		const char *name;
		enum fatbin_compression compression;
	} kinds[] = {{1, 0x11, "PTX", FATBIN_RAW},	    {2, 0x11, "SASS", FATBIN_RAW},	   {8, 0x11, "NVVM", FATBIN_RAW},
		     {4, 0x11, "old cubin", FATBIN_RAW},    {0x20, 0x11, "index", FATBIN_RAW},	   {0x40, 0x11, "relocatable PTX", FATBIN_RAW},
		     {0x80, 0x11, "Tile IR", FATBIN_RAW},   {0x100, 0x11, "concatenated", FATBIN_RAW}, {0x10, 0x11, "unknown", FATBIN_RAW},
		     {2, 0x1011, "SASS", FATBIN_PACKED},    {2, 0x4011, "SASS", FATBIN_PACKED},	   {9, 0x800000000000011ull, "unknown", FATBIN_RAW}};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		const struct fixture_entry entry = {kinds[i].kind, 90, 1, 8, kinds[i].flags, "some bytes", 10, NULL, NULL};
		struct bytes file = {0};
		struct fatbin fatbin;
		struct error err = {0};
		void *unpacked = NULL;
		size_t size;
		put_fatbin(&file, &entry, 1);
		CHECK_INT(fatbin_parse(file.data, file.size, &fatbin, &err), 0);
		CHECK_INT(fatbin.count, 1);
		CHECK_TEXT(fatbin_entry_kind_name(&fatbin.entries[0]), kinds[i].name);
		CHECK_INT(fatbin.entries[0].compression, kinds[i].compression);
		CHECK_INT((fatbin.entries[0].flags & ~FATBIN_FLAGS_KNOWN) != 0, kinds[i].flags > 0xffffffffu);
		CHECK(fatbin.entries[0].container_bytes == file.data && fatbin.entries[0].container_size == file.size);
		CHECK_INT(fatbin_entry_decompress(&fatbin.entries[0], &unpacked, &size, &err), kinds[i].compression == FATBIN_PACKED ? -1 : 0);
		free(unpacked);
		fatbin_free(&fatbin);
		bytes_free(&file);
	}
}

int main(void)
{
	kinds_have_names();
	reads_every_field();
	a_section_holds_many();
	cut_files_are_refused();
	lies_are_refused();
	targets_run_where_they_should();
	the_best_image_is_selected();
	return check_result();
}
