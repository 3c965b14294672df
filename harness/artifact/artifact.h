/* An artifact: a file that somebody wants to publish, as units (what one compilation made: a member of an archive, an
 * object, a PTX module ...) that hold images (SASS for one sm_XX, PTX for one compute_XX) that hold kernels.
 *
 * Opening maps the file and reads structure only: no image is decompressed or parsed before artifact_load_image or a
 * function that says so. Everything lives until artifact_close. No GPU is needed. */
#ifndef ASSAY_ARTIFACT_ARTIFACT_H
#define ASSAY_ARTIFACT_ARTIFACT_H

#include "artifact/ar.h"
#include "artifact/cubin.h"
#include "artifact/fatbin.h"
#include "artifact/host_object.h"
#include "artifact/object_kind.h"
#include "artifact/provenance.h"
#include "artifact/ptx.h"
#include "artifact/zip_members.h"
#include "core/error.h"
#include "core/util.h"

struct artifact_image {
	struct fatbin_entry entry; /* of a plain .ptx or .cubin: made up from its contents, raw, without flags */
	int relocatable_section;   /* lies in __nv_relfatbin: has to be linked first */
	int loaded;                /* by artifact_load_image; then: */
	const void *bytes;         /* the cubin or PTX text (NUL-terminated in the second case); NULL where they had to be
				      decompressed and are no longer needed: fatbin_entry_decompress gives them again */
	size_t size;
	struct cubin cubin;        /* of kind FATBIN_ELF */
	struct ptx ptx;            /* of kind FATBIN_PTX */
	void *owned;               /* the bytes, where they are not those of the file */
};

struct artifact_unit {
	char *name;                /* of the member, or of the file; of a member of an archive in a zip archive: "x/liby.a(z.o)" */
	size_t offset, size;       /* in the file; of what lies elsewhere (a thin archive's member, a compressed member of a zip
				      archive): 0 and its own size */
	const unsigned char *data;
	enum object_kind kind;
	unsigned machine;
	int library;               /* which one of a zip archive it belongs to; 0 elsewhere. See artifact_library */
	struct host_object host;   /* of ELF, COFF and PE units for the CPU */
	struct artifact_image *images; /* those of one container follow each other */
	int image_count;
	int container_count;       /* images[].entry.container < container_count */
	char *problem;             /* why nothing more could be read from it, with the remedy; NULL: nothing wrong */
};

struct artifact {
	char *path;
	enum object_kind kind;
	struct file_map map;
	struct ar ar;                      /* of archives */
	struct artifact_unit *units;
	int unit_count;
	struct file_map *members;          /* files that a thin archive names */
	int member_count;
	struct zip_archive *zip;           /* of zip archives; NULL otherwise */
	struct provenance *provenance;     /* NULL: the file does not lie in a build-output folder */
	struct readme_claims *claims;      /* of a README beside it or its build-output folder, or a folder above; NULL: none */
	char sha256[65];                   /* "" until artifact_sha256 */
};

/* Opens a file. ERROR_INPUT when it cannot be read, is damaged, or is nothing that could be published (named by its
 * kind). A unit that is well formed but cannot be looked into (bitcode, LTCG ...) has `problem` set instead; so has a member of
 * a zip archive that cannot be read, damaged or not. */
int artifact_open(const char *path, struct artifact *artifact, struct error *err);

/* Why host code of this unit cannot be linked into a program on Linux, with the remedy ("is a Windows object (COFF) ..."), or
 * NULL when nothing speaks against it. A Windows unit has no `problem`: all of it can be inspected. */
const char *artifact_unit_not_linkable(const struct artifact_unit *unit);
void artifact_close(struct artifact *artifact);

/* SHA-256 of the whole file as 64 hex digits, computed once. */
const char *artifact_sha256(struct artifact *artifact);

/* Decompresses and parses one image of the unit (idempotent). */
int artifact_load_image(const struct artifact *artifact, const struct artifact_unit *unit, struct artifact_image *image,
			struct error *err);

/* The same for all images of the given kinds (bits 1u << FATBIN_PTX ...), in as many threads as there are processors where
 * that pays; what is obfuscated or packed in an unknown way is passed over. Fails with the error of the first image in the
 * order of the file that could not be read. */
int artifact_load_images(struct artifact *artifact, unsigned kinds, struct error *err);

/* The paths of the artifacts under `path`: a file stands for itself; of a folder, the files in it, in its `out/` and in
 * its folders (and their `out/`) that can be artifacts by name, sorted by path, links to a neighbour left out. Objects
 * beside an archive or shared object in the same folder are its ingredients and are left out: `left_out` counts them.
 * ERROR_INPUT, saying what was looked for, when there is nothing. */
struct artifact_list {
	char **paths;
	int count, left_out;
};
int artifact_discover(const char *path, struct artifact_list *list, struct error *err);
void artifact_list_free(struct artifact_list *list);

/* A function that other programs can call: defined, not hidden, and with a C name (neither C++ nor reserved). */
struct artifact_entry_point {
	const char *name;
	int unit;
};
struct artifact_entry_points {
	struct artifact_entry_point *items; /* sorted by name, each once */
	int count;
};
int artifact_entry_points(const struct artifact *artifact, struct artifact_entry_points *points, struct error *err);
void artifact_entry_points_free(struct artifact_entry_points *points);
/* Index of the unit that defines `symbol`, or -1. */
int artifact_defines(const struct artifact *artifact, const char *symbol);

/* What the artifact as a whole needs from elsewhere: undefined in a unit, not weak, and not defined by another unit. */
struct artifact_undefined {
	struct undefined_symbol {
		const char *name;
		int unit;                  /* the first that wants it */
		enum symbol_origin origin;
	} *items;                          /* sorted by name, each once */
	int count;
};
int artifact_undefined(const struct artifact *artifact, struct artifact_undefined *undefined, struct error *err);
void artifact_undefined_free(struct artifact_undefined *undefined);

/* How the artifact fares on one compute capability. Every translation unit (container) with kernels counts by itself,
 * since one without a fitting image fails at its first launch: `verdict` is the worst of them. */
enum coverage_verdict { COVERAGE_NOTHING = 0, COVERAGE_SASS, COVERAGE_JIT, COVERAGE_NONE };
struct artifact_coverage {
	int sass, jit, none;       /* containers */
	int relinked;              /* of `jit`: results of a device link without code for it, whose inputs all have some: the
				      driver compiles those and links them again ("JIT linking" in the manual of nvcc) */
	enum coverage_verdict verdict; /* COVERAGE_NOTHING: the artifact holds no device code */
	int first_none;            /* unit of the first container that does not run; -1 */
	char reason[256];          /* why that one does not; without one, why the first of `relinked` has to be */
	int first_jit;             /* unit of the first container that has to be compiled; -1 */
	int tegra;                 /* of `sass`: containers whose SASS is for another GPU, where one of the two is a Tegra part:
				      NVIDIA promises no binary compatibility between them and others */
	int debug;                 /* containers whose fitting image was built for debugging */
	unsigned ptx_isa;          /* newest PTX ISA (10 * major + minor) among those that have to be compiled; 0 */
};
/* Loads images that fit, to see whether they have been linked, and those of containers that do not fit, to see whether they
 * hold kernels at all. */
int artifact_coverage(struct artifact *artifact, int cc_major, int cc_minor, enum image_policy policy,
		      struct artifact_coverage *coverage, struct error *err);
const char *coverage_verdict_name(enum coverage_verdict verdict); /* "SASS", "JIT", "no", "no device code" */

/* Units [first, end) that are used together, and so have to agree on toolkit, targets and runtimes. Every artifact is one
 * such library but a zip archive, which may hold several for its users to choose from: a wheel has one for each toolkit. There
 * each linked file and each archive is one, and so are objects and modules that follow each other in one folder.
 * device_linked: relocatable device code in it has been linked: it is a linked file, or a member is what nvcc -dlink makes.
 * Containers of relocatable code are then what the linked one was made from, and of no further interest. */
struct artifact_library {
	int first, end;
	int device_linked;
};
/* Whether the images [first, end) of a unit, a container of the library, are what its device link made: their kernels are those
 * of relocatable code. Of images that have been loaded. */
int artifact_is_link_result(const struct artifact *artifact, const struct artifact_library *library,
			    const struct artifact_unit *unit, int first, int end);

/* Moves on to the next one: 1; 0 at the end. Starts from {0}. */
int artifact_library_next(const struct artifact *artifact, struct artifact_library *library);

/* The kernels that compute capability major.minor would find: of each container, those of the image that runs there. */
struct artifact_kernel {
	const char *name;          /* mangled */
	int unit, image;
	const struct cubin_kernel *sass; /* one of the two is set */
	const struct ptx_entry *ptx;
};
struct artifact_kernels {
	struct artifact_kernel *items; /* sorted by name; the same name may occur in several units */
	int count;
	int missing;               /* containers without an image that runs there */
};
int artifact_kernel_names(struct artifact *artifact, int cc_major, int cc_minor, enum image_policy policy,
			  struct artifact_kernels *kernels, struct error *err);
void artifact_kernels_free(struct artifact_kernels *kernels);

/* Which release's run_mha an archive holds. The entry point is the same symbol in all of them, so the parameter struct
 * of its kernels tells: sizeof(Flash_fwd_params) is 440 in candle-flash-attn 0.9.x and 0.10.x and 464 in 0.11.0
 * (flash.h at those tags, LP64 layout), whose archive also brings split-KV kernels. */
enum mha_abi { MHA_ABI_NONE = 0, MHA_ABI_CANDLE_0_9, MHA_ABI_CANDLE_0_11, MHA_ABI_FLASH3 };
/* MHA_ABI_NONE: no run_mha in it. `assumed` is 1 where nothing told and 0.9's is taken. Loads images until one tells. */
struct mha_abi_evidence {
	enum mha_abi abi;
	int assumed;
	char evidence[256];
};
int artifact_mha_abi(struct artifact *artifact, struct mha_abi_evidence *evidence, struct error *err);
const char *mha_abi_name(enum mha_abi abi); /* "none", "candle-0.9", "candle-0.11", "flash-attn-3" */

/* Whether an archive is in order; of other files everything is 0. Units are given by index, -1: none. */
struct archive_facts {
	int empty_members, first_empty;
	int nested_archives, first_nested;
	int import_members;        /* of a Windows import library */
	int other_machine;         /* the first unit for another CPU than those before it; -1 */
	int other_format;          /* the first unit of another format (ELF, COFF) than those before it; -1 */
	int duplicate_names, first_duplicate; /* members called as an earlier one: legal, but extracting loses one */
	int temporary_names, first_temporary; /* called "tmpxft_<process id>...": another name at every build */
	int index_damaged;         /* its counts, offsets or names lie outside it */
	uint64_t index_dangling;   /* symbols of the index whose member is not there */
	uint64_t index_wrong;      /* symbols of the index that their member does not define; not counted for members that
				      cannot be looked into */
	const char *first_wrong;   /* one of either; NULL */
	uint64_t index_missing;    /* symbols that a member defines and the index lacks: a linker will not find them */
	const char *first_missing;
};
int artifact_archive_facts(const struct artifact *artifact, struct archive_facts *facts, struct error *err);

/* Drivers the artifact needs, on Linux and on Windows, each with what asks for it; compat.h has the tables. */
struct artifact_driver_needs {
	unsigned toolkit_min, toolkit_max; /* CUDA releases (10 * major + minor) of the SASS and PTX; 0: nothing tells */
	int toolkit_at_least;              /* by the ISA of its PTX alone, which every later release can write too */
	unsigned runtime_major;            /* of the CUDA runtime its host code wants; 0: no host code, or nothing tells */
	const char *runtime_evidence;      /* "toolkit of the SASS", or the symbol that says so; NULL */
	unsigned ptx_isa;                  /* newest PTX in it, 10 * major + minor; 0: none */
	int zstd;                          /* a zstd entry, which only drivers of CUDA 12.4 and newer unpack */
	const char *to_load;               /* "525.60.13": for SASS and the runtime; NULL when nothing tells */
	const char *to_compile;            /* for PTX; NULL when there is none or nothing tells */
	const char *windows_to_load, *windows_to_compile; /* the same for Windows drivers */
	unsigned major;                    /* CUDA major that decides what loads it: the runtime's, or the SASS's; 0: nothing tells */
	const char *linux_runtime, *windows_runtime; /* first drivers of that major: to_load without compression; NULL */
};
/* Loads all SASS images. */
int artifact_driver_needs(struct artifact *artifact, struct artifact_driver_needs *needs, struct error *err);

/* What does not fit together, or will surprise its users. */
enum finding_level { FINDING_NOTE = 0, FINDING_WARNING };
struct finding {
	enum finding_level level;
	char *text;
};
struct artifact_findings {
	struct finding *items;
	int count;
};
/* Loads all SASS images. */
int artifact_findings(struct artifact *artifact, struct artifact_findings *findings, struct error *err);
void artifact_findings_free(struct artifact_findings *findings);

#endif
