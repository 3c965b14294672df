/* `assay dataset build|list|info|check|import`. */
#ifndef ASSAY_HARNESS_CMD_DATASET_H
#define ASSAY_HARNESS_CMD_DATASET_H

int cmd_dataset(int argc, char **argv);

#endif
