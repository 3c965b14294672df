/* Linked ELF files: what they load, by which version nodes. The program looks at itself, and at files written byte by byte. */
#include "artifact/host_object.h"
#include "artifact_fixtures.h"
#include "check.h"
#include "core/util.h"

static void this_program_is_read(void)
{
	struct file_map map;
	struct host_object object;
	struct error err = {0};
	CHECK_INT(file_map_open(&map, "/proc/self/exe", &err), 0);
	CHECK_INT(host_object_parse(map.data, map.size, &object, &err), 0);
	int libc = 0;
	for (int i = 0; i < object.library_count; i++)
		libc |= strcmp(object.libraries[i], "libc.so.6") == 0;
	CHECK(libc);
	CHECK(object.glibc && strncmp(object.glibc, "GLIBC_2.", 8) == 0);
	int of_libc = 0;
	for (int i = 0; i < object.symbol_count; i++) {
		const struct host_symbol *symbol = &object.symbols[i];
		of_libc += !symbol->defined && symbol->library && strcmp(symbol->library, "libc.so.6") == 0 && symbol->version &&
			   strncmp(symbol->version, "GLIBC_2.", 8) == 0;
	}
	CHECK(of_libc > 3);
	CHECK(host_object_is_linked(&object));
	CHECK(object.runtime_library == NULL);
	host_object_free(&object);
	file_map_close(&map);
}

/* A shared object that wants cudaMalloc of libcudart.so.13 and memcpy of two nodes of libc. */
static void put_shared(struct bytes *out, uint32_t next)
{
	struct fixture_symbols symbols = {0};
	struct bytes needs = {0}, dynamic = {0}, versions = {0};
	put_symbol(&symbols, "cudaMalloc", STB_GLOBAL, STT_FUNC, 0, 0);
	put_symbol(&symbols, "memcpy", STB_GLOBAL, STT_FUNC, 0, 0);
	put_symbol(&symbols, "run_mha", STB_GLOBAL, STT_FUNC, 0, 1);
	struct bytes *const names = &symbols.names;
	const uint32_t cudart = (uint32_t)names->size, libc = cudart + 16, newer = libc + 10, older = newer + 11;
	put_string(names, "libcudart.so.13");
	put_string(names, "libc.so.6");
	put_string(names, "GLIBC_2.34");
	put_string(names, "GLIBC_2.9");
	put_u16(&needs, 1); /* libcudart.so.13: one node, of its own name */
	put_u16(&needs, 1);
	put_u32(&needs, cudart);
	put_u32(&needs, 16);
	put_u32(&needs, next);
	put_u32(&needs, 0);
	put_u16(&needs, 0);
	put_u16(&needs, 2);
	put_u32(&needs, cudart);
	put_u32(&needs, 0);
	put_u16(&needs, 1); /* libc.so.6: two */
	put_u16(&needs, 2);
	put_u32(&needs, libc);
	put_u32(&needs, 16);
	put_u32(&needs, 0);
	for (unsigned i = 0; i < 2; i++) {
		put_u32(&needs, 0);
		put_u16(&needs, 0);
		put_u16(&needs, 3 + i);
		put_u32(&needs, i ? older : newer);
		put_u32(&needs, i ? 0 : 16);
	}
	const unsigned indexes[4] = {0, 2, 4, 1};
	for (int i = 0; i < 4; i++)
		put_u16(&versions, indexes[i]);
	const uint64_t entries[][2] = {{DT_NEEDED, cudart}, {DT_NEEDED, libc}, {DT_SONAME, 1}, {DT_NULL, 0}, {DT_NEEDED, 1}};
	for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
		put_u64(&dynamic, entries[i][0]);
		put_u64(&dynamic, entries[i][1]);
	}
	static const unsigned char code[16] = {0xc3};
	const struct fixture_section sections[] = {
		{".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0, 0, code, sizeof code, 0},
		{".dynsym", SHT_DYNSYM, SHF_ALLOC, 3, 1, symbols.table.data, symbols.table.size, sizeof(Elf64_Sym)},
		{".dynstr", SHT_STRTAB, SHF_ALLOC, 0, 0, names->data, names->size, 0},
		{".gnu.version", SHT_GNU_versym, SHF_ALLOC, 2, 0, versions.data, versions.size, 2},
		{".gnu.version_r", SHT_GNU_verneed, SHF_ALLOC, 3, 2, needs.data, needs.size, 0},
		{".dynamic", SHT_DYNAMIC, SHF_ALLOC, 3, 0, dynamic.data, dynamic.size, 16},
	};
	put_elf(out, &(struct fixture_elf){EM_X86_64, ET_DYN, 0, 0, 1, 0}, sections, 6);
	symbols_free(&symbols);
	bytes_free(&needs);
	bytes_free(&dynamic);
	bytes_free(&versions);
}

static void version_nodes_are_read(void)
{
	struct bytes file = {0};
	struct host_object object;
	struct error err = {0};
	put_shared(&file, 32);
	CHECK_INT(host_object_parse(file.data, file.size, &object, &err), 0);
	CHECK_INT(object.library_count, 2);
	CHECK_TEXT(object.runtime_library, "libcudart.so.13");
	CHECK_INT(object.runtime_library_major, 13);
	CHECK_TEXT(object.library_name, "cudaMalloc"); /* whatever stands at 1 */
	CHECK_TEXT(object.glibc, "GLIBC_2.34"); /* not 2.9 */
	const struct host_symbol *symbol = host_object_find(&object, "cudaMalloc", 0);
	CHECK(symbol && symbol->version);
	if (symbol && symbol->version)
		CHECK_TEXT(symbol->version, "libcudart.so.13");
	symbol = host_object_find(&object, "memcpy", 0);
	CHECK(symbol && symbol->version);
	if (symbol && symbol->version) {
		CHECK_TEXT(symbol->version, "GLIBC_2.9");
		CHECK_TEXT(symbol->library, "libc.so.6");
	}
	symbol = host_object_find(&object, "run_mha", 1);
	CHECK(symbol && !symbol->version);
	host_object_free(&object);
	for (size_t at = 0; at < file.size; at++) {
		unsigned char *base, *copy = copy_exactly(file.data, file.size, 0, &base);
		copy[at] ^= 0xff;
		if (host_object_parse(copy, file.size, &object, &err) == 0)
			host_object_free(&object);
		free(base);
	}
	bytes_free(&file);
	/* a chain that never moves on */
	put_shared(&file, 0xffffffff);
	CHECK_INT(host_object_parse(file.data, file.size, &object, &err), 0);
	CHECK_INT(object.library_count, 2);
	host_object_free(&object);
	bytes_free(&file);
}

int main(void)
{
	this_program_is_read();
	version_nodes_are_read();
	return check_result();
}
