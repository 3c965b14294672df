/* `assay devices`: what --device can name here. */
#ifndef ASSAY_HARNESS_CMD_DEVICES_H
#define ASSAY_HARNESS_CMD_DEVICES_H

int cmd_devices(int argc, char **argv);

#endif
