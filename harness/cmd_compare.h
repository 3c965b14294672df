/* `assay compare BASE.h5 NEW.h5...`: result files held against the first one. argv[0] is the command's name. Returns the exit
 * code: 0 no regression, 1 a regression, 2 usage, 3 a file cannot be read or written, or two have no case in common. */
#ifndef ASSAY_HARNESS_CMD_COMPARE_H
#define ASSAY_HARNESS_CMD_COMPARE_H

int cmd_compare(int argc, char **argv);

#endif
