/* Kernels of a JSON document of `assay inspect`, one a line and sorted by nothing, in the words of another tool so that the two
 * can be compared by diff.   usage: kernel_lines ptxas|old-ptxas|local|usage|records|entries FILE.json */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void three(const char *name, const char *what, const json_t *values)
{
	if (json_array_size(values) == 3)
		printf("%s %s %lld %lld %lld\n", name, what, (long long)json_integer_value(json_array_get(values, 0)),
		       (long long)json_integer_value(json_array_get(values, 1)), (long long)json_integer_value(json_array_get(values, 2)));
}

static void records(const char *name, const json_t *kernel)
{
	const json_t *parameters = json_object_get(kernel, "parameters");
	const json_t *limit = json_object_get(kernel, "register_limit"), *rank = json_object_get(kernel, "max_cluster_rank");
	for (size_t i = 0; i < json_array_size(parameters); i++) {
		const json_t *parameter = json_array_get(parameters, i);
		printf("%s parameter %zu %lld %lld\n", name, i, (long long)number(parameter, "offset"), (long long)number(parameter, "size"));
	}
	if (json_array_size(parameters)) /* a kernel without any has no record of their size */
		printf("%s parameter_bytes %lld\n", name, (long long)number(kernel, "parameter_bytes"));
	printf("%s register_limit %lld\n", name, json_is_integer(limit) ? (long long)json_integer_value(limit) : 255ll);
	three(name, "max_threads", json_object_get(kernel, "max_threads"));
	three(name, "required_threads", json_object_get(kernel, "required_threads"));
	three(name, "cluster", json_object_get(kernel, "cluster"));
	if (json_is_true(json_object_get(kernel, "explicit_cluster")))
		printf("%s explicit_cluster\n", name);
	if (json_is_integer(rank))
		printf("%s max_cluster_rank %lld\n", name, (long long)json_integer_value(rank));
}

static void kernel_line(const char *mode, const char *target, const json_t *kernel)
{
	const char *name = json_string_value(json_object_get(kernel, "name"));
	const json_t *frame = json_object_get(kernel, "stack_frame_bytes"), *stack = json_object_get(kernel, "stack_bytes");
	if (strcmp(mode, "records") == 0)
		records(name, kernel);
	else if (strcmp(mode, "usage") == 0)
		printf("%s REG:%lld STACK:%lld SHARED:%lld LOCAL:%lld CONSTANT[0]:%lld\n", name, (long long)number(kernel, "registers"),
		       json_is_null(stack) ? -1ll : (long long)json_integer_value(stack),
		       (long long)(number(kernel, "static_shared_bytes") + number(kernel, "reserved_shared_bytes")),
		       (long long)number(kernel, "local_bytes"), (long long)number(kernel, "constant_bytes"));
	else if (strcmp(mode, "local") == 0)
		printf("%s %lld\n", name, (long long)number(kernel, "local_accesses"));
	else if (strcmp(mode, "old-ptxas") == 0) /* which tells neither spills nor barriers */
		printf("%s %s frame=%lld registers=%lld shared=%lld\n", target, name, (long long)json_integer_value(frame),
		       (long long)number(kernel, "registers"), (long long)number(kernel, "static_shared_bytes"));
	else
		printf("%s %s frame=%lld registers=%lld barriers=%lld shared=%lld spills=%s\n", target, name,
		       (long long)json_integer_value(frame), (long long)number(kernel, "registers"), (long long)number(kernel, "barriers"),
		       (long long)number(kernel, "static_shared_bytes"), number(kernel, "spill_instructions") > 0 ? "yes" : "no");
}

int main(int argc, char **argv)
{
	json_error_t error;
	json_t *root = argc == 3 ? json_load_file(argv[2], 0, &error) : NULL;
	if (!root) {
		fprintf(stderr, "kernel_lines: %s\n", argc == 3 ? error.text : "needs a mode and a file");
		return 2;
	}
	const json_t *units = json_object_get(json_array_get(json_object_get(root, "artifacts"), 0), "units");
	for (size_t u = 0; u < json_array_size(units); u++) {
		const json_t *images = json_object_get(json_array_get(units, u), "images");
		for (size_t i = 0; i < json_array_size(images); i++) {
			const json_t *image = json_array_get(images, i), *kernels = json_object_get(image, "kernels");
			const char *kind = json_string_value(json_object_get(image, "kind"));
			const char *target = json_string_value(json_object_get(image, "target"));
			if (strcmp(argv[1], "entries") == 0) {
				printf("%s %s %s\n", kind, target, json_string_value(json_object_get(image, "version")));
				continue;
			}
			for (size_t k = 0; strcmp(kind, "SASS") == 0 && k < json_array_size(kernels); k++)
				kernel_line(argv[1], target, json_array_get(kernels, k));
		}
	}
	json_decref(root);
	return 0;
}
