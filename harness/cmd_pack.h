/* `assay pack`: checks a folder of prebuilt kernels and describes it for those who will use it. */
#ifndef ASSAY_HARNESS_CMD_PACK_H
#define ASSAY_HARNESS_CMD_PACK_H

int cmd_pack(int argc, char **argv);

#endif
