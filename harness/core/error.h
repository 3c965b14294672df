/* An error is a value: a kind and a message in storage the caller owns.
 *
 * Functions that can fail return 0 on success and -1 on failure, take a
 * `struct error *` last and fill it where the cause is known. `main` prints it
 * once and turns the kind into the exit code. Passing NULL is allowed: the
 * failure is then reported by the return value alone. */
#ifndef ASSAY_CORE_ERROR_H
#define ASSAY_CORE_ERROR_H

enum error_kind {
	ERROR_NONE = 0,
	ERROR_USAGE,       /* the command line is wrong: exit 2 */
	ERROR_INPUT,       /* a file cannot be read, parsed or written: exit 3 */
	ERROR_ENVIRONMENT, /* no device, driver too old, missing library, out of memory: exit 3 */
	ERROR_UNSUPPORTED, /* well formed, but outside what this program or device can do */
	ERROR_DEVICE,      /* the device reported a failure while running something: see device_code */
	ERROR_TIMEOUT,     /* a limit in time was reached */
	ERROR_INTERNAL     /* a fault of this program */
};

struct error {
	enum error_kind kind;
	int device_code; /* CUresult when kind is ERROR_DEVICE, else 0 */
	char message[1024];
};

/* Fills *err and returns -1, so that `return error_set(err, ...)` reads well. */
int error_set(struct error *err, enum error_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Memory ran out. Returns -1. */
int error_out_of_memory(struct error *err);

/* Puts "context: " before the message that is already there; keeps the kind. Returns -1. */
int error_context(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Exit code that an error of this kind gives the process (0, 2 or 3; 1 is left to verdicts). */
int error_exit_code(enum error_kind kind);

#endif
