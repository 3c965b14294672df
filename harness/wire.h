/* Messages between the program and its worker processes: a type, a length, bytes. Both ends are the same executable, so
 * plain structs travel as they are. */
#ifndef ASSAY_HARNESS_WIRE_H
#define ASSAY_HARNESS_WIRE_H

#include "core/error.h"
#include "record.h"
#include "worker.h"

enum wire_type {
	WIRE_SETUP = 1,   /* to the worker: struct worker_setup */
	WIRE_CASE,        /* to the worker: struct wire_case */
	WIRE_QUIT,        /* to the worker */
	WIRE_UNIT,        /* to the worker: struct wire_unit, then symbols */
	WIRE_LOADED,      /* from the worker, to WIRE_UNIT: struct wire_loaded */
	WIRE_READY,       /* from the worker: struct worker_ready, then names as NUL-terminated strings */
	WIRE_FAILED,      /* from the worker: struct error; it could not be set up */
	WIRE_STAGE,       /* from the worker: uint32_t stage */
	WIRE_RESULT       /* from the worker: struct case_record, raw samples, clocks */
};

struct wire_message {
	uint32_t type;
	size_t size;
	unsigned char *bytes; /* malloc'd */
};

int wire_send(int fd, enum wire_type type, const void *bytes, size_t size, struct error *err);
/* Waits until `deadline` (monotonic seconds; <= 0: for ever). ERROR_TIMEOUT when it passes; ERROR_ENVIRONMENT with the
 * message "closed" when the other end is gone; wire_garbage when what comes is no message. */
int wire_receive(int fd, double deadline, struct wire_message *message, struct error *err);
void wire_free(struct wire_message *message);
/* ERROR_INPUT: the artifact shares the worker's address space and descriptors and may have written into the socket. */
int wire_garbage(struct error *err);

int wire_send_record(int fd, const struct case_record *record, struct error *err);
/* The artifact may have written into the record too: texts end, counts are within their tables, enumerations are known;
 * else wire_garbage. */
int wire_read_record(const struct wire_message *message, struct case_record *record, struct error *err);

#endif
