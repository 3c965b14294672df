/* Zip archives and wheels: their members as units; bombs, lies and damage refused. */
#include "artifact/artifact.h"
#include "artifact/policy.h"
#include "check.h"
#include "coff_fixtures.h"

#include <unistd.h>
#include <zip.h>

static char folder[256];

static const char *in_folder(const char *name)
{
	static char path[512];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

struct entry {
	const char *name;
	const struct bytes *content;
	int stored;
	const char *password;
};

static void write_zip(const char *name, const struct entry *entries, size_t count)
{
	int code;
	unlink(in_folder(name));
	zip_t *zip = zip_open(in_folder(name), ZIP_CREATE | ZIP_EXCL, &code);
	CHECK(zip != NULL);
	for (size_t i = 0; zip && i < count; i++) {
		zip_source_t *source = zip_source_buffer(zip, entries[i].content->data, entries[i].content->size, 0);
		const zip_int64_t index = zip_file_add(zip, entries[i].name, source, 0);
		CHECK(index >= 0);
		CHECK_INT(zip_set_file_compression(zip, (zip_uint64_t)index, entries[i].stored ? ZIP_CM_STORE : ZIP_CM_DEFLATE, 9), 0);
		if (entries[i].password)
			CHECK_INT(zip_file_set_encryption(zip, (zip_uint64_t)index, ZIP_EM_AES_256, entries[i].password), 0);
	}
	if (zip)
		CHECK_INT(zip_close(zip), 0);
}

static struct bytes read_bytes_of(const char *name)
{
	struct bytes bytes = {0};
	struct file_map map;
	struct error err = {0};
	CHECK_INT(file_map_open(&map, in_folder(name), &err), 0);
	put(&bytes, map.data, map.size);
	file_map_close(&map);
	return bytes;
}

static void write_bytes(const char *name, const struct bytes *bytes)
{
	struct error err = {0};
	CHECK_INT(write_file_atomically(in_folder(name), bytes->data, bytes->size, &err), 0);
}

static struct bytes object_of(const char *defines)
{
	const struct fixture_kernel kernel = {"k", 64, 0, 0, 0, {8}, 0, NULL, 0};
	const char *const defined[] = {defines, NULL}, *const undefined[] = {"__cudaLaunchKernel", NULL};
	struct bytes cubin = {0}, fatbin = {0}, object = {0};
	put_cubin(&cubin, 8, 90, 0, 130, &kernel, 1);
	put_fatbin(&fatbin, &(struct fixture_entry){2, 90, 1, 8, 0x11, cubin.data, cubin.size, NULL, NULL}, 1);
	put_host_object(&object, defined, undefined, &fatbin);
	bytes_free(&cubin);
	bytes_free(&fatbin);
	return object;
}

static void wheels_are_opened(void)
{
	struct bytes object = object_of("run_mha"), archive = {0}, ptx = {0}, note = {0}, metadata = {0}, wheel_file = {0}, empty = {0};
	struct artifact artifact;
	struct artifact_coverage coverage;
	struct artifact_undefined undefined;
	struct error err = {0};
	put_text(&ptx, ".version 8.4\n.target sm_80\n.address_size 64\n.entry p(.param .u64 a) { ret; }\n");
	put_text(&note, "nothing");
	put_text(&metadata, "Metadata-Version: 2.1\nName: flash-attn\nVersion: 2.7.4\nRequires-Dist: torch\n"
			    "Requires-Dist: nvidia-cuda-runtime-cu12==12.4.127 ; platform_system == 'Linux'\n\nName: not this one\n");
	put_text(&wheel_file, "Wheel-Version: 1.0\r\nGenerator: setuptools (75.1.0)\r\nTag: cp312-cp312-linux_x86_64\r\nTag: cp312-abi3-linux_x86_64\r\n");
	const struct fixture_member members[] = {{"one.o", object.data, object.size}, {"two.o", object.data, object.size}};
	put_ar(&archive, FIXTURE_GNU, members, 2, 0);
	const struct entry entries[] = {
		{"flash/_C.so", &object, 0, NULL},
		{"flash/readme.txt", &note, 0, NULL},
		{"flash/lib/liba.a", &archive, 0, NULL},
		{"flash/lib/libstored.a", &archive, 1, NULL},
		{"flash/k.ptx", &ptx, 1, NULL},
		{"flash/secret.so", &object, 0, "word"},
		{"flash/empty.so", &empty, 1, NULL},
		{"flash/inner.whl", &note, 0, NULL},
		{"flash_attn-2.7.4.dist-info/METADATA", &metadata, 0, NULL},
		{"flash_attn-2.7.4.dist-info/WHEEL", &wheel_file, 0, NULL},
	};
	static const char name[] = "flash_attn-2.7.4+cu12-1-cp312-cp312-manylinux_2_28_x86_64.whl";
	write_zip(name, entries, sizeof entries / sizeof entries[0]);
	CHECK_INT(artifact_open(in_folder(name), &artifact, &err), 0);
	CHECK_INT(artifact.kind, OBJECT_ZIP);
	CHECK_INT(artifact.zip->count, 7);
	CHECK_INT(artifact.zip->others, 3);
	static const struct {
		const char *name;
		int images;
		const char *problem;
	} expected[] = {
		{"flash/_C.so", 1, NULL},
		{"flash/lib/liba.a(one.o)", 1, NULL},
		{"flash/lib/liba.a(two.o)", 1, NULL},
		{"flash/lib/libstored.a(one.o)", 1, NULL},
		{"flash/lib/libstored.a(two.o)", 1, NULL},
		{"flash/k.ptx", 1, NULL},
		{"flash/secret.so", 0, "is encrypted; unpack"},
		{"flash/empty.so", 0, "is empty"},
		{"flash/inner.whl", 0, "is nothing this program knows"},
	};
	CHECK_INT(artifact.unit_count, sizeof expected / sizeof expected[0]);
	for (int i = 0; i < artifact.unit_count && i < (int)(sizeof expected / sizeof expected[0]); i++) {
		const struct artifact_unit *unit = &artifact.units[i];
		CHECK_TEXT(unit->name, expected[i].name);
		CHECK_INT(unit->image_count, expected[i].images);
		if (expected[i].problem)
			CHECK_CONTAINS(unit->problem ? unit->problem : "", expected[i].problem);
		else
			CHECK(unit->problem == NULL);
	}
	/* what is stored without compression is not copied */
	CHECK(artifact.units[5].data >= artifact.map.data && artifact.units[5].data < artifact.map.data + artifact.map.size);
	CHECK(artifact.units[5].data == artifact.map.data + artifact.units[5].offset);
	CHECK(artifact.units[3].data == artifact.map.data + artifact.units[3].offset);
	CHECK(artifact.units[0].data < artifact.map.data || artifact.units[0].data >= artifact.map.data + artifact.map.size);
	CHECK_INT(artifact.units[0].size, object.size);
	CHECK(artifact.units[0].data && memcmp(artifact.units[0].data, object.data, object.size) == 0);
	const struct wheel *wheel = artifact.zip->wheel;
	CHECK(wheel != NULL);
	if (wheel) {
		CHECK_TEXT(wheel->distribution, "flash_attn");
		CHECK_TEXT(wheel->version, "2.7.4+cu12");
		CHECK_TEXT(wheel->build, "1");
		CHECK_TEXT(wheel->python_tag, "cp312");
		CHECK_TEXT(wheel->abi_tag, "cp312");
		CHECK_TEXT(wheel->platform_tag, "manylinux_2_28_x86_64");
		CHECK_TEXT(wheel->generator, "setuptools (75.1.0)");
		CHECK_TEXT(wheel->metadata_name, "flash-attn");
		CHECK_TEXT(wheel->metadata_version, "2.7.4");
		CHECK_INT(wheel->tag_count, 2);
		CHECK_TEXT(wheel->tags[1], "cp312-abi3-linux_x86_64");
		CHECK_INT(wheel->require_count, 1);
		CHECK_CONTAINS(wheel->requires[0], "nvidia-cuda-runtime-cu12==12.4.127");
	}
	CHECK_INT(artifact_coverage(&artifact, 9, 0, IMAGE_SASS, &coverage, &err), 0);
	CHECK_INT(coverage.sass, 5);
	CHECK_INT(artifact_undefined(&artifact, &undefined, &err), 0);
	CHECK_INT(undefined.count, 1);
	artifact_undefined_free(&undefined);
	artifact_close(&artifact);

	/* cut anywhere and changed anywhere: refused or read, without a step beyond */
	struct bytes file = read_bytes_of(name);
	for (size_t i = 0; i < file.size; i += 37) {
		struct bytes changed = {0};
		put(&changed, file.data, i % 2 ? i : file.size);
		if (i % 2 == 0)
			changed.data[i] ^= 0x55;
		write_bytes("changed.whl", &changed);
		if (artifact_open(in_folder("changed.whl"), &artifact, &err) == 0)
			artifact_close(&artifact);
		bytes_free(&changed);
	}
	bytes_free(&file);
	bytes_free(&object);
	bytes_free(&archive);
	bytes_free(&ptx);
	bytes_free(&note);
	bytes_free(&metadata);
	bytes_free(&wheel_file);
}

/* Changes the first 4-byte number `from` in the central directory's entry of `name` to `to`. */
static void lie_about(struct bytes *file, const char *name, size_t field, uint32_t to)
{
	for (size_t at = 0; at + 46 < file->size; at++) {
		uint32_t magic;
		uint16_t length;
		memcpy(&magic, file->data + at, 4);
		memcpy(&length, file->data + at + 28, 2);
		if (magic == 0x02014b50u && length == strlen(name) && at + 46 + length <= file->size &&
		    memcmp(file->data + at + 46, name, length) == 0)
			memcpy(file->data + at + field, &to, 4);
	}
}

static void lies_are_refused(void)
{
	struct bytes object = object_of("run_mha"), zeros = {0}, file;
	struct artifact artifact;
	struct error err = {0};
	put(&zeros, NULL, 8 << 20);
	const struct entry two[] = {{"a.so", &object, 0, NULL}, {"b.so", &object, 0, NULL}};

	/* a size that no deflated data could have, one that they have not, and data that are damaged */
	static const struct {
		uint32_t size;
		const char *says;
	} sizes[] = {{0x7fffffff, "no deflated data could hold"}, {100, "another number of bytes"}, {0xfffffff0, "claims 4294967280 bytes"}};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		write_zip("lies.zip", two, 2);
		file = read_bytes_of("lies.zip");
		lie_about(&file, "a.so", 24, sizes[i].size);
		write_bytes("lies.zip", &file);
		bytes_free(&file);
		CHECK_INT(artifact_open(in_folder("lies.zip"), &artifact, &err), 0);
		CHECK_INT(artifact.unit_count, 2);
		CHECK_CONTAINS(artifact.units[0].problem ? artifact.units[0].problem : "", sizes[i].says);
		CHECK(artifact.units[1].problem == NULL);
		artifact_close(&artifact);
	}
	write_zip("lies.zip", two, 2);
	file = read_bytes_of("lies.zip");
	file.data[30 + 4 + 10] ^= 0xff; /* within the deflated data of the first */
	write_bytes("lies.zip", &file);
	CHECK_INT(artifact_open(in_folder("lies.zip"), &artifact, &err), 0);
	CHECK_CONTAINS(artifact.units[0].problem ? artifact.units[0].problem : "", "cannot be unpacked");
	artifact_close(&artifact);
	bytes_free(&file);

	/* members that share their bytes: both point at the first one's */
	const struct entry same[] = {{"a.so", &zeros, 1, NULL}, {"b.so", &zeros, 1, NULL}};
	write_zip("shared.zip", same, 2);
	file = read_bytes_of("shared.zip");
	lie_about(&file, "b.so", 42, 0);
	/* cut out what the second one had */
	struct bytes cut = {0};
	const size_t member = 30 + 4 + zeros.size;
	put(&cut, file.data, member);
	put(&cut, file.data + 2 * member, file.size - 2 * member);
	uint32_t directory;
	memcpy(&directory, cut.data + cut.size - 6, 4);
	directory -= (uint32_t)member;
	memcpy(cut.data + cut.size - 6, &directory, 4);
	write_bytes("shared.zip", &cut);
	CHECK_INT(artifact_open(in_folder("shared.zip"), &artifact, &err), -1);
	CHECK_INT(err.kind, ERROR_INPUT);
	CHECK_CONTAINS(err.message, "share their bytes");
	bytes_free(&cut);
	bytes_free(&file);

	/* a bomb */
	put(&zeros, NULL, 72 << 20);
	const struct entry bomb[] = {{"a.so", &object, 0, NULL}, {"zeros.lib", &zeros, 0, NULL}};
	write_zip("bomb.zip", bomb, 2);
	CHECK_INT(artifact_open(in_folder("bomb.zip"), &artifact, &err), 0);
	CHECK_CONTAINS(artifact.units[1].problem ? artifact.units[1].problem : "", "times its size");
	artifact_close(&artifact);
	zeros.size = 8 << 20;

	/* not a bomb, but well compressed: read */
	const struct entry dense[] = {{"a.so", &object, 0, NULL}, {"zeros.lib", &zeros, 0, NULL}};
	write_zip("dense.zip", dense, 2);
	CHECK_INT(artifact_open(in_folder("dense.zip"), &artifact, &err), 0);
	CHECK_INT(artifact.units[1].size, zeros.size);
	artifact_close(&artifact);

	const struct entry text[] = {{"a.txt", &object, 0, NULL}};
	write_zip("text.zip", text, 1);
	CHECK_INT(artifact_open(in_folder("text.zip"), &artifact, &err), -1);
	CHECK_CONTAINS(err.message, "none of 1 members");
	bytes_free(&zeros);
	bytes_free(&object);
}

/* A shared object keeps what its device link was made from. In a zip archive each one is linked by itself. */
static void linked_libraries_stand_alone(void)
{
	const struct fixture_kernel kernel = {"k", 64, 0, 0, 0, {8}, 0, NULL, 0};
	struct bytes cubin = {0}, fatbin = {0}, linked = {0}, unlinked = {0};
	struct artifact artifact;
	struct artifact_coverage coverage;
	struct error err = {0};
	put_cubin(&cubin, 8, 90, 0, 130, &kernel, 1);
	put_fatbin(&fatbin, &(struct fixture_entry){2, 90, 1, 8, 0x11, cubin.data, cubin.size, NULL, NULL}, 1);
	const struct fixture_section sections[] = {{"__nv_relfatbin", SHT_PROGBITS, SHF_ALLOC, 0, 0, fatbin.data, fatbin.size, 0},
						   {".nv_fatbin", SHT_PROGBITS, SHF_ALLOC, 0, 0, fatbin.data, fatbin.size, 0}};
	put_elf(&linked, &(struct fixture_elf){EM_X86_64, ET_DYN, 0, 0, 1, 0}, sections, 2);
	put_elf(&unlinked, &(struct fixture_elf){EM_X86_64, ET_REL, 0, 0, 1, 0}, sections, 1);
	const struct entry entries[] = {{"a.so", &linked, 0, NULL}, {"b.so", &linked, 0, NULL}, {"c.o", &unlinked, 0, NULL}};
	for (size_t count = 1; count <= 3; count++) {
		write_zip("linked.zip", entries, count);
		CHECK_INT(artifact_open(in_folder("linked.zip"), &artifact, &err), 0);
		CHECK_INT(artifact.units[0].host.needs_device_link, 0);
		struct artifact_library library = {0};
		for (size_t i = 0; i < count; i++) {
			CHECK_INT(artifact_library_next(&artifact, &library), 1);
			CHECK_INT(library.first, i);
			CHECK_INT(library.device_linked, i < 2);
		}
		CHECK_INT(artifact_library_next(&artifact, &library), 0);
		CHECK_INT(artifact_coverage(&artifact, 9, 0, IMAGE_ANY, &coverage, &err), 0);
		CHECK_INT(coverage.sass, count < 3 ? count : 2);
		CHECK_INT(coverage.none, count == 3);
		CHECK_INT(coverage.verdict, count < 3 ? COVERAGE_SASS : COVERAGE_NONE);
		artifact_close(&artifact);
	}
	bytes_free(&cubin);
	bytes_free(&fatbin);
	bytes_free(&linked);
	bytes_free(&unlinked);
}

/* A device link leaves SASS only. For other GPUs the driver compiles and links its inputs again, if all of them have code. */
static void the_driver_links_again(void)
{
	static const char ptx[] = ".version 8.4\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 a) { ret; }\n";
	const struct fixture_kernel kernel = {"k", 64, 0, 0, 0, {8}, 0, NULL, 0}, stranger = {"alone", 64, 0, 0, 0, {8}, 0, NULL, 0};
	struct bytes cubin = {0}, other = {0}, result = {0}, whole = {0}, with_ptx = {0}, without_ptx = {0};
	put_cubin(&cubin, 8, 80, 0, 124, &kernel, 1);
	put_cubin(&other, 8, 80, 0, 124, &stranger, 1);
	const struct fixture_entry sass = {2, 80, 1, 8, 0x11, cubin.data, cubin.size, NULL, NULL},
				   alone = {2, 80, 1, 8, 0x11, other.data, other.size, NULL, NULL};
	put_fatbin(&result, &sass, 1);
	put_fatbin(&whole, &alone, 1);
	put_fatbin(&without_ptx, &sass, 1);
	put_fatbin(&with_ptx, (struct fixture_entry[]){sass, {1, 80, 8, 4, 0x11, (const unsigned char *)ptx, sizeof ptx, NULL, NULL}}, 2);
	const struct {
		const struct bytes *inputs, *linked;
		int relinked;
		enum coverage_verdict verdict;
		enum policy_verdict ptx;
	} cases[] = {
		{&with_ptx, &result, 1, COVERAGE_JIT, POLICY_PASS},
		{&without_ptx, &result, 0, COVERAGE_NONE, POLICY_FAIL},
		{&with_ptx, &whole, 0, COVERAGE_NONE, POLICY_FAIL}, /* not what was linked */
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct fixture_section sections[] = {
			{"__nv_relfatbin", SHT_PROGBITS, SHF_ALLOC, 0, 0, cases[i].inputs->data, cases[i].inputs->size, 0},
			{".nv_fatbin", SHT_PROGBITS, SHF_ALLOC, 0, 0, cases[i].linked->data, cases[i].linked->size, 0}};
		struct bytes file = {0};
		struct artifact artifact;
		struct artifact_coverage coverage;
		struct policy policy = {0};
		struct policy_report report = {0};
		struct error err = {0};
		const int before = check_failures;
		put_elf(&file, &(struct fixture_elf){EM_X86_64, ET_DYN, 0, 0, 1, 0}, sections, 2);
		write_bytes("linked.so", &file);
		CHECK_INT(artifact_open(in_folder("linked.so"), &artifact, &err), 0);
		CHECK_INT(artifact_coverage(&artifact, 9, 0, IMAGE_ANY, &coverage, &err), 0);
		CHECK_INT(coverage.verdict, cases[i].verdict);
		CHECK_INT(coverage.relinked, cases[i].relinked);
		CHECK_INT(coverage.ptx_isa, cases[i].relinked ? 84 : 0);
		CHECK_CONTAINS(coverage.reason, "holds SASS for sm_80 only");
		CHECK_INT(artifact_coverage(&artifact, 9, 0, IMAGE_SASS, &coverage, &err), 0);
		CHECK_INT(coverage.verdict, COVERAGE_NONE);
		CHECK_INT(artifact_coverage(&artifact, 8, 6, IMAGE_ANY, &coverage, &err), 0);
		CHECK_INT(coverage.verdict, COVERAGE_SASS);
		CHECK_INT(policy_parse(&policy, "rules", "[targets]\nptx = some\n", &err), 0);
		CHECK_INT(policy_check(&policy, &artifact, &report, &err), 0);
		CHECK_INT(report.count, 1);
		CHECK_INT(report.count ? report.items[0].verdict : POLICY_NOT_APPLICABLE, cases[i].ptx);
		if (check_failures != before)
			fprintf(stderr, "case %zu\n", i);
		policy_report_free(&report);
		policy_free(&policy);
		artifact_close(&artifact);
		bytes_free(&file);
	}
	bytes_free(&cubin);
	bytes_free(&other);
	bytes_free(&result);
	bytes_free(&whole);
	bytes_free(&with_ptx);
	bytes_free(&without_ptx);
}

/* An object or shared object with one kernel for sm_XX by a toolkit (10 * major + minor). */
static struct bytes code_of(unsigned sm, unsigned toolkit, int elf_type)
{
	const struct fixture_kernel kernel = {"k", 64, 0, 0, 0, {8}, 0, NULL, 0};
	struct bytes cubin = {0}, fatbin = {0}, object = {0};
	put_cubin(&cubin, 8, sm, 0, toolkit, &kernel, 1);
	put_fatbin(&fatbin, &(struct fixture_entry){2, sm, 1, 8, 0x11, cubin.data, cubin.size, NULL, NULL}, 1);
	const struct fixture_section sections[] = {{".nv_fatbin", SHT_PROGBITS, SHF_ALLOC, 0, 0, fatbin.data, fatbin.size, 0}};
	put_elf(&object, &(struct fixture_elf){EM_X86_64, elf_type, 0, 0, 1, 0}, sections, 1);
	bytes_free(&cubin);
	bytes_free(&fatbin);
	return object;
}

/* A wheel holds a library for each toolkit on purpose; within one of them the parts have to agree as everywhere. */
static void libraries_are_judged_apart(void)
{
	struct bytes old = code_of(80, 118, ET_DYN), new = code_of(90, 130, ET_DYN), old_object = code_of(80, 118, ET_REL),
		     new_object = code_of(90, 130, ET_REL), old_archive = {0}, mixed_archive = {0};
	put_ar(&old_archive, FIXTURE_GNU,
	       (struct fixture_member[]){{"x.o", old_object.data, old_object.size}, {"y.o", old_object.data, old_object.size}}, 2, 0);
	put_ar(&mixed_archive, FIXTURE_GNU,
	       (struct fixture_member[]){{"x.o", old_object.data, old_object.size}, {"y.o", new_object.data, new_object.size}}, 2, 0);
	const struct {
		struct entry entries[3];
		size_t count;
		int libraries, disagreements;
	} archives[] = {
		{{{"w/a.so", &old, 0, NULL}, {"w/b.so", &new, 0, NULL}}, 2, 2, 0},
		{{{"w/a.so", &old, 0, NULL}, {"w/b.so", &old, 0, NULL}, {"w/libc.a", &old_archive, 0, NULL}}, 3, 3, 0},
		{{{"w/liba.a", &old_archive, 0, NULL}, {"w/b.so", &new, 0, NULL}, {"w/libc.a", &mixed_archive, 0, NULL}}, 3, 3, 1},
		/* what lies loose in one folder belongs together */
		{{{"w/a.o", &old_object, 0, NULL}, {"w/b.o", &new_object, 0, NULL}}, 2, 1, 1},
		{{{"old/a.o", &old_object, 0, NULL}, {"new/b.o", &new_object, 0, NULL}, {"new/c.o", &new_object, 0, NULL}}, 3, 2, 0},
	};
	for (size_t i = 0; i < sizeof archives / sizeof archives[0]; i++) {
		static const char *const rules[] = {"targets.sass", "toolkit.release"};
		struct artifact artifact;
		struct artifact_findings findings;
		struct artifact_library library = {0};
		struct policy policy = {0};
		struct policy_report report = {0};
		struct error err = {0};
		int libraries = 0, toolkits = 0, targets = 0, failures[2] = {0};
		const int before = check_failures;
		write_zip("libraries.whl", archives[i].entries, archives[i].count);
		CHECK_INT(artifact_open(in_folder("libraries.whl"), &artifact, &err), 0);
		while (artifact_library_next(&artifact, &library))
			libraries++;
		CHECK_INT(libraries, archives[i].libraries);
		CHECK_INT(artifact_findings(&artifact, &findings, &err), 0);
		for (int f = 0; f < findings.count; f++) {
			toolkits += strstr(findings.items[f].text, "more than one CUDA release") != NULL;
			targets += strstr(findings.items[f].text, "is missing in") != NULL;
		}
		CHECK_INT(toolkits, archives[i].disagreements);
		CHECK_INT(targets, 2 * archives[i].disagreements);
		CHECK_INT(policy_parse(&policy, "rules", "[targets]\nsass = same\n[toolkit]\nrelease = one\n", &err), 0);
		CHECK_INT(policy_check(&policy, &artifact, &report, &err), 0);
		for (int r = 0; r < report.count; r++)
			for (int k = 0; k < 2; k++)
				failures[k] += strcmp(report.items[r].rule, rules[k]) == 0 && report.items[r].verdict == POLICY_FAIL;
		CHECK_INT(failures[0], archives[i].disagreements);
		CHECK_INT(failures[1], archives[i].disagreements);
		if (check_failures != before)
			fprintf(stderr, "archive %zu\n", i);
		policy_report_free(&report);
		policy_free(&policy);
		artifact_findings_free(&findings);
		artifact_close(&artifact);
	}
	bytes_free(&old);
	bytes_free(&new);
	bytes_free(&old_object);
	bytes_free(&new_object);
	bytes_free(&old_archive);
	bytes_free(&mixed_archive);
}

int main(void)
{
	char line[512];
	const char *base = getenv("TMPDIR");
	snprintf(folder, sizeof folder, "%s/assay-test-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	wheels_are_opened();
	lies_are_refused();
	linked_libraries_stand_alone();
	libraries_are_judged_apart();
	the_driver_links_again();
	snprintf(line, sizeof line, "rm -rf '%s'", folder);
	CHECK_INT(system(line), 0);
	return check_result();
}
