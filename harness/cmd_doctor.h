/* `assay doctor`: whether a folder of prebuilt kernels fits a project and this machine. */
#ifndef ASSAY_HARNESS_CMD_DOCTOR_H
#define ASSAY_HARNESS_CMD_DOCTOR_H

int cmd_doctor(int argc, char **argv);

#endif
