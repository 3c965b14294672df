/* What an entry point is timed against: another way of computing the same case on the same inputs, which comes with the system
 * rather than with the artifact. A family lists its baselines; each is opened for one case, queued as often as the sampler
 * wants, checked once, and closed. */
#ifndef ASSAY_KERNELS_BASELINE_H
#define ASSAY_KERNELS_BASELINE_H

#include "core/error.h"
#include "device/device.h"

enum { BASELINE_NOTE_MAX = 192 };

struct binding;

struct baseline_options {
	const char *cudnn; /* path of a libcudnn; NULL: search */
};

struct family_baseline {
	const char *name;  /* "unfused", "cudnn" */
	int plans;         /* opening it takes tenths of a second: left out where a case gets less than that */
	/* `state` is the family's. Inputs are those of `binding`; its outputs are not written. Fills `note` (library and
	 * engine, as "cuDNN 9.14.0, engine 6"; may stay ""). ERROR_UNSUPPORTED and ERROR_ENVIRONMENT: there is no such baseline
	 * for the case or on this machine, and the message says why. */
	int (*open)(void *state, const struct baseline_options *options, const struct binding *binding, void **baseline,
		    char note[BASELINE_NOTE_MAX], struct error *err);
	int (*enqueue)(void *baseline, struct device_stream *stream, struct error *err);
	/* After a run: does it compute what the case's outputs hold, which have been judged? Loose, against a baseline that
	 * computes something else. NULL: it has tests of its own. -1 with ERROR_UNSUPPORTED when not. */
	int (*check)(void *baseline, const struct binding *binding, struct error *err);
	void (*close)(void *baseline);
};

#endif
