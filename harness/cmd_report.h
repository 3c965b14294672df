/* `assay report FILE.h5...`: result files as a table, Markdown or JSON. argv[0] is the command's name. Returns the exit
 * code: 0, 2 (usage), 3 (a file cannot be read or written). The verdicts in the files do not change it. */
#ifndef ASSAY_HARNESS_CMD_REPORT_H
#define ASSAY_HARNESS_CMD_REPORT_H

int cmd_report(int argc, char **argv);

#endif
