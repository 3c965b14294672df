/* A family: entry points that compute the same thing. It knows how to make a case, call the entry point, compute the
 * reference, judge the result and count the work. Adding a family is one file in kernels/ (and one in reference/ when the
 * mathematics is new) and one line in kernels/families.c. */
#ifndef ASSAY_KERNELS_FAMILY_H
#define ASSAY_KERNELS_FAMILY_H

#include "dataset/case.h"
#include "dataset/spec.h"
#include "device/device.h"
#include "judge/judge.h"
#include "judge/verdict.h"
#include "kernels/baseline.h"
#include "kernels/operator.h"

/* A tensor of the case on the device. Tensors that share storage share `storage` as well. */
struct bound_tensor {
	const struct tensor *tensor;
	device_pointer storage;  /* first byte of the storage, behind the front canary */
	device_pointer data;     /* first element of this tensor: storage + offset * size */
};

struct binding {
	const struct test_case *test;
	struct bound_tensor tensors[CASE_TENSORS_MAX]; /* same order as test->tensors; expected tensors have no memory */
	void *entry;             /* host function of the archive */
	int abi;                 /* family's own profile number */
	const struct device_properties *device; /* where it runs; NULL where nobody says (tests) */
};
const struct bound_tensor *binding_find(const struct binding *binding, const char *name, enum tensor_role role);
/* Where a host function finds the input or output of that name; NULL: the case has none. */
void *binding_address(const struct binding *binding, const char *name);

/* What an entry point promises about an output tensor. Elements outside the promise are unspecified: they may change or
 * stay. Canaries around the buffer must stay in any case. */
enum promise_kind {
	PROMISE_ALL,     /* every element of the value is written, every gap stays */
	PROMISE_REGIONS, /* the listed regions are written; the rest of the storage is unspecified */
	PROMISE_NOTHING  /* the whole storage is unspecified; `why` is reported */
};
struct output_region { /* in elements of the storage */
	int64_t offset;
	int rank;
	int64_t dims[TENSOR_RANK_MAX], strides[TENSOR_RANK_MAX];
};
struct output_promise {
	enum promise_kind kind;
	struct output_region *regions; /* malloc'd, freed by the caller */
	size_t region_count;
	char why[200];
};

enum work_unit { WORK_FLOPS, WORK_BYTES }; /* which of the two bounds the operation: what its throughput is stated in */
struct work {
	double flops, bytes;     /* of one call: what the case asks for; each input read once, each output written once */
	enum work_unit unit;
};

struct family {
	const char *name;
	const char *const *axes;          /* NULL-terminated axis names for specs */
	const char *const *defaults;      /* for each axis the value of a section that leaves it out */
	const char *const *entry_points;  /* NULL-terminated symbol names it can call; NULL for operators, which have `symbols` */
	const char *const *profiles;      /* NULL-terminated names of ABI profiles: index is binding.abi */

	/* Shapes, attributes and name of the case; tensors without data. `err` names axis and value when they contradict. */
	int (*make_case)(const struct assignment *assignment, uint64_t seed, struct test_case *test, struct error *err);
	/* Fills the inputs. */
	int (*fill)(struct test_case *test, struct error *err);
	/* Checks a case read from a file: attributes present, shapes consistent. */
	int (*check_case)(const struct test_case *test, struct error *err);
	/* 0 when the profile can express the case, else -1 with ERROR_UNSUPPORTED and the reason. */
	int (*supports)(const struct test_case *test, int abi, const struct device_properties *device, struct error *err);
	/* What the profile promises about an output of the case; NULL function: PROMISE_ALL for every output. */
	int (*promise)(const struct test_case *test, int abi, const struct tensor *output, struct output_promise *promise,
		       struct error *err);
	/* Calls the entry point once; the call may return before the work is done. */
	void (*call)(const struct binding *binding);
	/* Per-device state of reference and judge, made once per worker. */
	int (*open)(void **state, struct device *device, struct error *err);
	void (*close)(void *state);
	/* Computes the reference for the inputs in `binding` in `precision` (f64 or f32) and judges its outputs. Fills the
	 * numeric checks and figures of *out; the caller decides the status. */
	int (*judge)(void *state, const struct binding *binding, struct judge *judge, enum dtype precision,
		     struct judgement *out, struct error *err);
	/* float64 expected outputs on the host: adds a TENSOR_EXPECTED tensor for each output to the case that `binding`
	 * was made from. */
	int (*expect)(void *state, const struct binding *binding, struct test_case *test, struct error *err);
	int (*work)(const struct test_case *test, struct work *work, struct error *err);
	/* 1 when the entry point can launch this kernel (mangled name) on this device, by all that is known; 0 when it provably
	 * cannot. NULL function: it can launch every kernel. */
	int (*reaches)(const char *kernel, const struct device_properties *device);

	/* ---- operators (operator.h): everything from `supports` to `judge` above and the baseline below may be NULL, but for
	 * make_case, fill, check_case and work ---- */
	/* Tells all entry points of the profile. Not NULL: this is an operator family. */
	void (*symbols)(enum operator_abi abi, operator_visit visit, void *context);
	/* Arguments and shape of the launch for a case. NULL: the entry points are host functions, called through `call`. */
	int (*launch)(const struct test_case *test, int abi, struct operator_launch *launch, struct error *err);
	/* What every element of `output` has to be: tensor_elements(output) expectations (zeroed before), row-major. The case
	 * has its inputs' data. May be called from any thread. */
	int (*expectations)(const struct test_case *test, int abi, const struct tensor *output, struct expectation *expected,
			    struct error *err);
	/* Further rules, or, where `expectations` is NULL, all of them: breaks and holds checks. */
	int (*judge_outputs)(const struct operator_outputs *outputs, struct judgement *out, struct error *err);
	/* Why outputs of this case may differ between runs on the same inputs ("atomic additions in any order"), or NULL: they
	 * must be equal bit by bit. NULL function: never. */
	const char *(*varies)(const struct test_case *test);

	/* What it is timed against, NULL-terminated. May be NULL: nothing. */
	const struct family_baseline *const *baselines;
};

extern const struct family attention_family;
extern const struct family *const families[]; /* NULL-terminated */
const struct family *family_find(const char *name);
/* Value that `axis` has when a section leaves it out; NULL when the family or the axis is unknown. */
const char *family_default(const char *family, const char *axis);
/* Family that has `symbol` among its entry points (of any profile), or NULL. */
const struct family *family_of_entry_point(const char *symbol);
/* Whether the profile has the symbol; *found (may be NULL) then says what it is, `name` in it being the argument. */
int family_has_symbol(const struct family *family, int abi, const char *symbol, struct operator_symbol *found);

#endif
