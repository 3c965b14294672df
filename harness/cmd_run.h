/* `assay verify`, `assay bench` and `assay run`. */
#ifndef ASSAY_HARNESS_CMD_RUN_H
#define ASSAY_HARNESS_CMD_RUN_H

int cmd_verify(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_run(int argc, char **argv);

#endif
