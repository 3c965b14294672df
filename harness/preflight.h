/* Whether an artifact has anything for a GPU, asked before any of its code is linked or loaded. */
#ifndef ASSAY_HARNESS_PREFLIGHT_H
#define ASSAY_HARNESS_PREFLIGHT_H

#include "artifact/artifact.h"
#include "device/device.h"

/* ERROR_UNSUPPORTED, with the reason and what to do, when no translation unit of the artifact runs on the device: none holds
 * fitting SASS or PTX (under `policy`), or there is only PTX and it is newer than the driver. Where some units run the artifact
 * passes: cases that reach the others tell by themselves. Devices that are no GPU pass as well. ERROR_INPUT when the file cannot
 * be read. */
int preflight(const char *path, const struct device_properties *device, enum image_policy policy, struct error *err);

#endif
