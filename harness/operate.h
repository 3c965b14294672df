/* Running cases of operator families (kernels/operator.h) on one device: loading parts of a module, memory, poison, launches,
 * judgement on the host, samples. Free of processes, so that it can be tested by itself; the body of a worker.
 *
 * What a case goes through:
 *   1  the argument list against the kernel's .param list: a mismatch is unsupported, nothing is launched
 *   2  inputs, canaries and poison in one piece of memory; launch; look at all of it on the host
 *   3  further launches with the same poison under other conditions: other addresses, other content of shared memory, a device
 *      that is busy. The same bits must come out, unless the family says why not; then each run is judged
 *   4  the judged run, from NaN poison: canaries, gaps, inputs, unwritten elements, what the family expects */
#ifndef ASSAY_HARNESS_OPERATE_H
#define ASSAY_HARNESS_OPERATE_H

#include "buffers.h"
#include "execute.h"
#include "judge/expect.h"
#include "kernels/family.h"

struct operate_options {
	struct device *device;       /* borrowed */
	enum guard guard;
	int repeats;                 /* launches of step 3 */
	enum math math;              /* what a build with fast math is held to; others are always held to the precise bounds */
	unsigned disabled_checks;
	int unchecked;               /* device_options.unchecked */
	int keep_outputs;            /* copies of outputs go with the record */
	const char *keep_failures;   /* folder, borrowed; NULL: keep_operator_failure is not called */
	stage_callback on_stage;     /* may be NULL */
	void *context;
};

struct operate;
int operate_open(struct operate **operate, const struct operate_options *options, struct error *err);
void operate_close(struct operate *operate); /* NULL is fine */

struct operate_loaded {
	double seconds;              /* the driver's own: reading and cutting the file are not in it */
	char image[96];              /* "PTX sm_90 (JIT)", "SASS sm_90" */
};
/* Loads the kernels `symbols` of a PTX module, cubin or fatbin, in place of what was loaded. PTX is cut down to them unless
 * `whole` (their own text stays as it is); others are loaded whole. ERROR_INPUT names a symbol that is not there. A module that
 * the driver refuses: its own message, ERROR_UNSUPPORTED where the pair of image and device is at fault. */
int operate_load(struct operate *operate, const char *path, const char *const *symbols, size_t count, int whole,
		 struct operate_loaded *loaded, struct error *err);

/* Runs the case for a symbol that was loaded, or for a host function (`host_entry` not NULL, of a plugin whose calls `log` and
 * `log_reset` tell; these may be NULL) and fills *record, but for what the caller knows (artifact, case_index, times).
 * Problems become a status and a reason. Returns 1 when the device context is lost and the process has to be replaced.
 * `bencher` (may be NULL) times what passed. */
struct bencher;
struct operate_target {
	const struct family *family;
	int abi;
	const char *symbol;
	void *host_entry;
	const char *keep_label;      /* keep.h; NULL: "" */
	const struct cudart_log *(*log)(void);
	void (*log_reset)(void);
	const struct known_outputs *known; /* NULL: none */
};
int operate_case(struct operate *operate, const struct operate_target *target, const struct test_case *test,
		 struct bencher *bencher, struct case_record *record);

#endif
