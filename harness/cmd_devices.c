#include "cmd_devices.h"

#include "cli.h"
#include "device/device.h"

#include <jansson.h>
#include <string.h>

static json_t *describe(const struct device_properties *p)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:I, s:I, s:i, s:s, s:s}", "id", p->id, "name", p->name, "uuid", p->uuid, "cc_major",
			 p->cc_major, "cc_minor", p->cc_minor, "multiprocessors", p->multiprocessors, "memory_bytes",
			 (json_int_t)p->memory_bytes, "l2_bytes", (json_int_t)p->l2_bytes, "driver_cuda_version", p->driver_version,
			 "driver", p->driver_text, "gemm_library", p->gemm_library);
}

static void print_device(const struct device_properties *p)
{
	printf("%-8s %s", p->id, p->name);
	if (p->kind == DEVICE_CUDA)
		printf(", sm_%d%d, %d multiprocessors, %.1f GiB, driver %s (CUDA %d.%d)", p->cc_major, p->cc_minor, p->multiprocessors,
		       (double)p->memory_bytes / (1 << 30), p->driver_text[0] ? p->driver_text : "unknown", p->driver_version / 1000,
		       p->driver_version / 10 % 100);
	else
		printf(", %d cores, %s", p->multiprocessors, p->gemm_library);
	putchar('\n');
}

int cmd_devices(int argc, char **argv)
{
	const char *json = NULL;
	const struct option options[] = {{"--json", OPTION_TEXT, "FILE|-", &json, "write the list as JSON"}};
	const struct command_line command = {"assay devices", NULL, "Lists the devices that --device can name, and says why there is no GPU.",
					     NULL, options, (int)ARRAY_COUNT(options)};
	struct error err = {0};
	int positionals, help, result = 0;
	char why[512] = "";
	if (command_line_parse(&command, argc - 1, argv + 1, &positionals, &help, &err)) {
		return cli_fail(&err);
	}
	if (help)
		return cli_print_help(&command);
	const int to_stdout = json && strcmp(json, "-") == 0;
	const int count = device_cuda_count(why, sizeof why);
	json_t *list = json_array();
	for (int i = 0; i <= count; i++) { /* the last one is the cpu */
		struct device *device;
		char id[32] = "cpu";
		if (i < count)
			snprintf(id, sizeof id, "cuda:%d", i);
		if (device_open(&device, id, &(struct device_options){0}, &err)) {
			result = cli_fail(&err);
			continue;
		}
		if (!to_stdout)
			print_device(&device->properties);
		json_array_append_new(list, describe(&device->properties));
		device_close(device);
	}
	if (count == 0 && !to_stdout)
		printf("%s\n", why);
	if (json) {
		json_t *root = json_pack("{s:i, s:o, s:s}", "schema", 1, "devices", list, "no_cuda_because", why);
		if (!root || cli_write_json(json, root, &err)) {
			result = cli_fail(&err);
		}
		json_decref(root);
	} else {
		json_decref(list);
	}
	return result;
}
