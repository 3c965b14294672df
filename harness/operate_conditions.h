/* Conditions under which a kernel is run again: what depends on them shows as a result that repeats only sometimes. */
#ifndef ASSAY_HARNESS_OPERATE_CONDITIONS_H
#define ASSAY_HARNESS_OPERATE_CONDITIONS_H

#include "device/device.h"

struct operate_condition {
	const char *name;      /* "with other content of shared memory", ... */
	int stale_shared;      /* shared memory of every multiprocessor holds NaN patterns */
	int busy;              /* half of the multiprocessors are taken by other work when the launch begins */
};
/* The condition of repeat 0, 1, ...: they take turns. */
struct operate_condition operate_condition(int repeat);

struct operate_conditions;
/* Loads the two small kernels that are needed for it; on a device other than cuda nothing. */
int operate_conditions_open(struct operate_conditions **conditions, struct device *device, struct error *err);
/* Queues what the condition asks for, before a launch on the device's own stream. */
int operate_conditions_set(struct operate_conditions *conditions, const struct operate_condition *condition, struct error *err);
void operate_conditions_close(struct operate_conditions *conditions);

#endif
