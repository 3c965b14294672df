/* For which GPUs an artifact holds device code, as a record keeps it. */
#ifndef ASSAY_HARNESS_ARTIFACT_IMAGES_H
#define ASSAY_HARNESS_ARTIFACT_IMAGES_H

#include "artifact/artifact.h"

/* "PTX compute_80 (9.0)" and "SASS sm_90", each once, sorted, a line each; "" where there is no device code. malloc'd; NULL when
 * memory runs out. */
char *artifact_images_text(const struct artifact *artifact);

#endif
