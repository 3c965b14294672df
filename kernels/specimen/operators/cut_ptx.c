/* cut_ptx IN.ptx OUT.ptx ENTRY...: a module with these entries and what they need, of the build of faulty twins: of a twin only
 * the entry that has the fault is of interest. */
#include "artifact/ptx_slice.h"
#include "core/util.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
	struct error err = {0};
	struct file_map map;
	char *text;
	size_t size;
	if (argc < 4) {
		fprintf(stderr, "usage: cut_ptx IN.ptx OUT.ptx ENTRY...\n");
		return 2;
	}
	if (file_map_open(&map, argv[1], &err)) {
		fprintf(stderr, "cut_ptx: %s\n", err.message);
		return 1;
	}
	int failed = ptx_slice((const char *)map.data, map.size, (const char *const *)argv + 3, (size_t)argc - 3, &text, &size, &err);
	if (failed)
		error_context(&err, "%s", argv[1]);
	else
		failed = write_file_atomically(argv[2], text, size, &err);
	if (failed)
		fprintf(stderr, "cut_ptx: %s\n", err.message);
	free(text);
	file_map_close(&map);
	return failed ? 1 : 0;
}
