/* `assay install` and `assay uninstall`: prebuilt files into the folders where build scripts look for them, and out again. */
#ifndef ASSAY_HARNESS_CMD_INSTALL_H
#define ASSAY_HARNESS_CMD_INSTALL_H

int cmd_install(int argc, char **argv);
int cmd_uninstall(int argc, char **argv);

#endif
