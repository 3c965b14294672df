/* assay merge OUT.h5 IN.h5...: parts of a run put together. */
#ifndef ASSAY_HARNESS_CMD_MERGE_H
#define ASSAY_HARNESS_CMD_MERGE_H

int cmd_merge(int argc, char **argv);

#endif
