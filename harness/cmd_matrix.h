#ifndef ASSAY_HARNESS_CMD_MATRIX_H
#define ASSAY_HARNESS_CMD_MATRIX_H

/* `assay matrix --artifacts A,B,C [--datasets D,E] [--devices F,G]`; gives the exit code. */
int cmd_matrix(int argc, char **argv);

#endif
