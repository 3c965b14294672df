/* What --device says: one device or several. */
#ifndef ASSAY_HARNESS_DEVICE_LIST_H
#define ASSAY_HARNESS_DEVICE_LIST_H

#include "record.h"

struct device_list {
	char ids[RECORD_DEVICES_MAX][32]; /* "cuda:0", "cpu": as device_open takes them */
	size_t count;
};

/* "cpu", "cuda:0", "cuda:0,cuda:2", "cuda:all"; NULL: the default device. A GPU may be named once, since two cases that are timed
 * on it at once would say nothing; "cpu,cpu" is two workers. ERROR_USAGE; ERROR_ENVIRONMENT where "cuda:all" is none. */
int device_list_parse(struct device_list *list, const char *text, struct error *err);

#endif
