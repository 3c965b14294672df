/* `assay inspect PATH...`: what is inside artifacts, and who can run them. argv[0] is the command's name. Returns
 * the exit code: 0, 2 (usage), 3 (an artifact cannot be read, or there is none). */
#ifndef ASSAY_HARNESS_CMD_INSPECT_H
#define ASSAY_HARNESS_CMD_INSPECT_H

int cmd_inspect(int argc, char **argv);

#endif
