#include "artifact/object_kind.h"

#include "artifact/reader.h"

#include <elf.h>
#include <strings.h>

enum { ELF_MACHINE_CUDA = 190 };

static enum object_kind identify_elf(struct reader *reader, unsigned *machine)
{
	const unsigned type = read_u16(reader, 16);
	*machine = read_u16(reader, 18);
	if (reader->failed || read_u8(reader, EI_DATA) != ELFDATA2LSB)
		return OBJECT_ELF_OTHER;
	if (*machine == ELF_MACHINE_CUDA)
		return OBJECT_CUBIN;
	if (read_u8(reader, EI_CLASS) != ELFCLASS64)
		return OBJECT_ELF_OTHER;
	return type == ET_REL ? OBJECT_ELF_RELOCATABLE
	     : type == ET_DYN ? OBJECT_ELF_SHARED
	     : type == ET_EXEC ? OBJECT_ELF_EXECUTABLE
			       : OBJECT_ELF_OTHER;
}

/* Class identifiers of "anonymous objects" (winnt.h ANON_OBJECT_HEADER_BIGOBJ; LTCG as link.exe names them). */
static const unsigned char class_bigobj[16] = {0xc7, 0xa1, 0xba, 0xd1, 0xee, 0xba, 0xa9, 0x4b,
					       0xaf, 0x20, 0xfa, 0xf6, 0x6a, 0xa4, 0xdc, 0xb8};
static const unsigned char class_ltcg[16] = {0x38, 0xfe, 0xb3, 0x0c, 0xa5, 0xd9, 0xab, 0x4d,
					     0xac, 0x9b, 0xd6, 0xb6, 0x22, 0x26, 0x53, 0xc2};

static enum object_kind identify_anonymous(struct reader *reader, unsigned *machine)
{
	const unsigned version = read_u16(reader, 4);
	*machine = read_u16(reader, 6);
	if (version == 0)
		return reader->size >= 20 ? OBJECT_COFF_IMPORT : OBJECT_UNKNOWN;
	const unsigned char *class_id = read_bytes(reader, 12, 16);
	if (class_id && memcmp(class_id, class_bigobj, 16) == 0)
		return OBJECT_COFF_BIGOBJ;
	if (class_id && memcmp(class_id, class_ltcg, 16) == 0)
		return OBJECT_COFF_LTCG;
	return OBJECT_UNKNOWN;
}

static int is_coff_machine(unsigned machine)
{
	return machine == 0x8664 || machine == 0xaa64 || machine == 0xa641 || machine == 0x014c || machine == 0x01c4;
}

/* PTX is text: after blanks and comments it begins with a directive, .version in every valid module. */
static int is_ptx(const unsigned char *data, size_t size)
{
	size_t at = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	while (at < size) {
		if (strchr(" \t\r\n", data[at]) && data[at]) {
			at++;
		} else if (at + 1 < size && data[at] == '/' && data[at + 1] == '/') {
			while (at < size && data[at] != '\n')
				at++;
		} else if (at + 1 < size && data[at] == '/' && data[at + 1] == '*') {
			for (at += 2; at + 1 < size && !(data[at] == '*' && data[at + 1] == '/'); at++)
				;
			at += 2;
		} else {
			return size - at >= 8 && memcmp(data + at, ".version", 8) == 0;
		}
	}
	return 0;
}

enum object_kind object_identify(const void *bytes, size_t size, unsigned *machine)
{
	enum { LOOK_AT = 4096 };
	unsigned ignored;
	if (!machine)
		machine = &ignored;
	*machine = 0;
	struct reader reader = reader_of(bytes, size < LOOK_AT ? size : LOOK_AT);
	const unsigned char *data = reader.data;
	size = reader.size;
	if (size == 0)
		return OBJECT_EMPTY;
	if (size >= 16 && memcmp(data, ELFMAG, SELFMAG) == 0)
		return identify_elf(&reader, machine);
	if (size >= 8 && memcmp(data, "!<arch>\n", 8) == 0)
		return OBJECT_ARCHIVE;
	if (size >= 8 && memcmp(data, "!<thin>\n", 8) == 0)
		return OBJECT_ARCHIVE_THIN;
	if (size >= 4) {
		const uint32_t magic = read_u32(&reader, 0);
		if (magic == 0xba55ed50u || magic == 0x1ee55a01u)
			return OBJECT_FATBIN;
		if (magic == 0xffff0000u)
			return identify_anonymous(&reader, machine);
		if (magic == 0xfeedfacfu || magic == 0xfeedfaceu || magic == 0xbebafecau || magic == 0xcffaedfeu)
			return OBJECT_MACHO;
		if (magic == 0xdec04342u || magic == 0x0b17c0deu)
			return OBJECT_LLVM_BITCODE;
		if (magic == 0x04034b50u || magic == 0x06054b50u)
			return OBJECT_ZIP;
	}
	if (size >= 64 && memcmp(data, "MZ", 2) == 0) {
		const uint32_t start = read_u32(&reader, 60); /* e_lfanew; the machine follows the signature */
		*machine = read_u16(&reader, (uint64_t)start + 4);
		return OBJECT_PE;
	}
	if (size >= 8 && memcmp(data, "rust\0\0\0", 7) == 0)
		return OBJECT_RUST_METADATA;
	if (size >= 20 && is_coff_machine(read_u16(&reader, 0)) && read_u16(&reader, 16) == 0) {
		*machine = read_u16(&reader, 0);
		return OBJECT_COFF;
	}
	return is_ptx(data, size) ? OBJECT_PTX : OBJECT_UNKNOWN;
}

const char *object_kind_name(enum object_kind kind)
{
	static const char *const names[OBJECT_KIND_COUNT] = {
		[OBJECT_UNKNOWN] = "unknown",
		[OBJECT_EMPTY] = "empty",
		[OBJECT_ELF_RELOCATABLE] = "ELF object",
		[OBJECT_ELF_SHARED] = "ELF shared object",
		[OBJECT_ELF_EXECUTABLE] = "ELF executable",
		[OBJECT_ELF_OTHER] = "ELF file of another class",
		[OBJECT_CUBIN] = "cubin",
		[OBJECT_COFF] = "COFF object",
		[OBJECT_COFF_BIGOBJ] = "COFF object (bigobj)",
		[OBJECT_COFF_IMPORT] = "COFF import member",
		[OBJECT_COFF_LTCG] = "COFF object (LTCG)",
		[OBJECT_PE] = "PE image",
		[OBJECT_MACHO] = "Mach-O file",
		[OBJECT_LLVM_BITCODE] = "LLVM bitcode",
		[OBJECT_RUST_METADATA] = "Rust metadata",
		[OBJECT_ARCHIVE] = "archive",
		[OBJECT_ARCHIVE_THIN] = "thin archive",
		[OBJECT_FATBIN] = "fatbin",
		[OBJECT_PTX] = "PTX",
		[OBJECT_ZIP] = "zip archive",
	};
	return (unsigned)kind < OBJECT_KIND_COUNT ? names[kind] : "unknown";
}

const char *object_machine_name(enum object_kind kind, unsigned machine)
{
	switch (kind) {
	case OBJECT_ELF_RELOCATABLE:
	case OBJECT_ELF_SHARED:
	case OBJECT_ELF_EXECUTABLE:
	case OBJECT_ELF_OTHER:
		return machine == EM_X86_64 ? "x86-64" : machine == EM_AARCH64 ? "AArch64" : machine == EM_386 ? "i386" : NULL;
	case OBJECT_COFF:
	case OBJECT_COFF_BIGOBJ:
	case OBJECT_COFF_IMPORT:
	case OBJECT_COFF_LTCG:
	case OBJECT_PE:
		return machine == 0x8664 ? "x86-64" : machine == 0xaa64 ? "AArch64" : machine == 0x014c ? "i386" : NULL;
	default:
		return NULL;
	}
}

static int ends_with(const char *name, const char *ending)
{
	const size_t length = strlen(name), end = strlen(ending);
	return length > end && strcasecmp(name + length - end, ending) == 0;
}

enum name_class object_name_class(const char *name)
{
	static const struct {
		const char *ending;
		enum name_class class;
	} endings[] = {
		{".a", NAME_LIBRARY},    {".lib", NAME_LIBRARY},  {".rlib", NAME_LIBRARY},  {".so", NAME_LIBRARY}, {".dll", NAME_LIBRARY},
		{".pyd", NAME_LIBRARY},  {".exe", NAME_LIBRARY},  {".o", NAME_OBJECT},      {".obj", NAME_OBJECT}, {".ptx", NAME_MODULE},
		{".cubin", NAME_MODULE}, {".fatbin", NAME_MODULE}, {".whl", NAME_PACKAGE}, {".zip", NAME_PACKAGE},
	};
	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
		if (ends_with(name, endings[i].ending))
			return endings[i].class;
	/* libx.so.1.2 */
	const char *so = strstr(name, ".so.");
	return so && strspn(so + 4, "0123456789.") == strlen(so + 4) ? NAME_LIBRARY : NAME_OTHER;
}
