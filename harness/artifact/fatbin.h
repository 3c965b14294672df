/* CUDA fat binaries: the containers that nvcc puts into a host object's `.nv_fatbin` section, and that host code hands
 * to __cudaRegisterFatBinary through a wrapper.
 *
 * NVIDIA documents the wrapper (fatbinary_section.h of the toolkit) but not the container. The layout below was taken
 * from files written by CUDA 11.6 to 13.1; entry kinds and flags that are not known are passed on as they are and never
 * an error. All functions are pure: bytes in, description out. Pointers in a description point into the bytes given,
 * which must outlive it. */
#ifndef ASSAY_ARTIFACT_FATBIN_H
#define ASSAY_ARTIFACT_FATBIN_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>

#define FATBIN_WRAPPER_MAGIC 0x466243b1u   /* __fatBinC_Wrapper_t::magic */
#define FATBIN_CONTAINER_MAGIC 0xba55ed50u /* first word of a container */
#define FATBIN_ANCIENT_MAGIC 0x1ee55a01u   /* containers before CUDA 4; named, not read */
#define FATBIN_HEADER_SIZE 16u             /* of a container */
#define FATBIN_DECOMPRESSED_LIMIT ((size_t)1 << 30) /* no entry is decompressed beyond this */

/* What __cudaRegisterFatBinary receives. version 2: prelinked, `filename_or_fatbins` is an array of containers. */
struct fatbin_wrapper {
	uint32_t magic, version;
	const void *container;
	const void *filename_or_fatbins;
};

enum fatbin_kind { FATBIN_OTHER = 0, FATBIN_PTX, FATBIN_ELF, FATBIN_NVVM };
/* FATBIN_PACKED: by a method that is not known (flags 0x1000 and 0x4000, which no toolkit since 11.6 was seen to write). */
enum fatbin_compression { FATBIN_RAW = 0, FATBIN_LZ4, FATBIN_ZSTD, FATBIN_OBFUSCATED, FATBIN_PACKED };

/* Bits of fatbin_entry.flags. */
#define FATBIN_FLAG_64BIT 0x1ull
#define FATBIN_FLAG_DEBUG 0x2ull
#define FATBIN_FLAG_CUDA 0x4ull
#define FATBIN_FLAG_OPENCL 0x8ull
#define FATBIN_FLAG_LINUX 0x10ull
#define FATBIN_FLAG_MAC 0x20ull
#define FATBIN_FLAG_WINDOWS 0x40ull
#define FATBIN_FLAG_PACKED 0x5000ull            /* either bit: cuobjdump 13.5 calls the entry compressed */
#define FATBIN_FLAG_LZ4 0x2000ull
#define FATBIN_FLAG_ZSTD 0x8000ull
#define FATBIN_FLAG_OBFUSCATED 0x10000ull
#define FATBIN_FLAG_ARCH_SPECIFIC 0x100000ull   /* suffix a */
#define FATBIN_FLAG_FAMILY_SPECIFIC 0x200000ull /* suffix f */
#define FATBIN_FLAG_COMPAT 0x1000000ull         /* carries a copy of the cubin's .nv.compat */
#define FATBIN_FLAGS_KNOWN 0x131f07full

struct fatbin_entry {
	enum fatbin_kind kind;
	unsigned raw_kind;              /* as stored: 1 PTX, 2 ELF, 8 NVVM; fatbin_entry_kind_name has the others */
	unsigned arch;                  /* 90 for sm_90 or compute_90 */
	char suffix;                    /* 'a', 'f' or 0 */
	unsigned version_major, version_minor; /* PTX: the PTX ISA; ELF: 1.7 or 1.8 for cubin ABI 7 or 8 */
	uint64_t flags;
	enum fatbin_compression compression;
	const unsigned char *payload;   /* as stored */
	size_t payload_size;            /* bytes really used by the payload, without padding (raw: with it) */
	size_t decompressed_size;       /* as the header claims; payload_size when raw */
	const char *identifier;         /* name of the source file; not NUL-terminated; NULL when absent */
	size_t identifier_length;
	const char *options;            /* options of ptxas or cicc; not NUL-terminated; NULL when absent or not text */
	size_t options_length;
	size_t offset;                  /* of the entry's header from the start of the bytes given */
	int container;                  /* ordinal of the container, from 0 */
	const unsigned char *container_bytes; /* the container as a whole, what `nvcc -fatbin` writes; NULL: the entry is no
						 part of one */
	size_t container_size;
};

struct fatbin {
	struct fatbin_entry *entries; /* owned */
	int count;
	int containers;
};

/* Bytes from the start of a container to its end, from its header alone (16 readable bytes): for containers that a
 * program has in memory. ERROR_INPUT when this is no container. */
int fatbin_container_size(const void *container, size_t *size, struct error *err);

/* Reads the one container at the start of `bytes` (`available` of them; more than the container needs is fine).
 * ERROR_INPUT when the bytes are no container, are cut off or contradict themselves. */
int fatbin_parse(const void *bytes, size_t available, struct fatbin *fatbin, struct error *err);

/* Reads containers that lie back to back, such as a whole `.nv_fatbin` section or a .fatbin file, with zero padding
 * between them. An empty section gives no entries and is no error. */
int fatbin_parse_section(const void *bytes, size_t size, struct fatbin *fatbin, struct error *err);

void fatbin_free(struct fatbin *fatbin);

/* The payload as it was before compression, in memory the caller frees; a NUL that `size` does not count follows.
 * Trailing NULs of PTX are not counted either. ERROR_INPUT when the data are damaged or larger than
 * FATBIN_DECOMPRESSED_LIMIT, ERROR_UNSUPPORTED when they are obfuscated. */
int fatbin_entry_decompress(const struct fatbin_entry *entry, void **bytes, size_t *size, struct error *err);

/* Name of the entry's kind, also of those that are only passed on, by what cuobjdump 13.5 prints for their code: "index",
 * "relocatable PTX", "Tile IR", "concatenated", "old cubin"; "unknown". */
const char *fatbin_entry_kind_name(const struct fatbin_entry *entry);

/* "sm_90a" or "compute_80" (PTX and NVVM). */
void fatbin_entry_target(const struct fatbin_entry *entry, char text[24]);
const char *fatbin_kind_name(enum fatbin_kind kind);               /* "SASS", "PTX", "NVVM", "unknown" */
const char *fatbin_compression_name(enum fatbin_compression compression); /* "raw", "lz4", "zstd", "obfuscated", "packed" */

/* Whether code for `arch` (90) and `suffix` runs on compute capability major.minor: SASS by binary compatibility (same
 * major, minor not lower; f: same family, which is the major; a: that very one), PTX by compiling (not older; f: same
 * family; a: that very one). CUDA programming guide, "Compute Capabilities" and "Family-Specific Features". */
int sass_runs_on(unsigned arch, char suffix, int cc_major, int cc_minor);
int ptx_runs_on(unsigned arch, char suffix, int cc_major, int cc_minor);

enum image_policy { IMAGE_ANY = 0, IMAGE_SASS, IMAGE_PTX };

/* Index of the entry that compute capability major.minor would run, or -1. SASS goes before PTX, the nearest target
 * before a farther one, and a before f before none. Entries of another container than `container` are passed over
 * (-1: all are looked at). When the answer is -1, `reason` says what there is instead, as in "holds SASS for sm_80
 * only; this GPU is sm_90". */
int fatbin_select(const struct fatbin_entry *entries, int count, int container, int cc_major, int cc_minor,
		  enum image_policy policy, char *reason, size_t reason_size);

#endif
