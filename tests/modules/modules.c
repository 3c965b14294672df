/* modules: launches every kernel of PTX modules with plausible arguments (launches.h) on one device and stores all output
 * buffers; or compares two such files. The modules are other people's: neither they nor what is stored belong to the project.
 *
 *     modules --device cuda:0 --store gpu.h5 unary.ptx binary.ptx ...
 *     modules --device cpu --store cpu.h5 unary.ptx binary.ptx ...
 *     modules --compare gpu.h5 cpu.h5
 *
 * File: /MODULE/KERNEL has attributes `status` (0 ran, 1 unsupported, 2 failed) and `message`, and datasets CASE_BUFFER of bytes. */
#include "launches.h"

#include "core/dtype.h"

#include <errno.h>
#include <hdf5.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum status { STATUS_RAN, STATUS_UNSUPPORTED, STATUS_FAILED };
enum { NAMES_MAX = 4096, SECONDS = 300, STUCK = 3 };

struct module {
	char name[64], *text;
	char (*kernels)[128];
	int count;
};

/* Messages from the child: one a buffer, and one with `buffer` -1 when a kernel is done. */
struct message { int32_t kernel, number, buffer, status; uint64_t bytes; char text[256]; };

static int read_module(const char *path, struct module *module, struct error *err)
{
	const char *base = strrchr(path, '/');
	FILE *file = fopen(path, "rb");
	long size = -1;

	memset(module, 0, sizeof(*module));
	snprintf(module->name, sizeof(module->name), "%.*s", (int)strcspn(base ? base + 1 : path, "."), base ? base + 1 : path);
	if (file && !fseek(file, 0, SEEK_END))
		size = ftell(file);
	module->text = size > 0 ? calloc(1, (size_t)size + 1) : NULL;
	module->kernels = calloc(NAMES_MAX, sizeof(*module->kernels));
	const int failed = !module->text || !module->kernels || fseek(file, 0, SEEK_SET) ||
			   fread(module->text, 1, (size_t)size, file) != (size_t)size;
	if (file)
		fclose(file);
	if (failed)
		return error_set(err, ERROR_INPUT, "%s: cannot be read", path);
	for (const char *at = module->text; (at = strstr(at, ".entry ")) && module->count < NAMES_MAX;) {
		at += strlen(".entry ");
		snprintf(module->kernels[module->count++], sizeof(*module->kernels), "%.*s", (int)strcspn(at, " \t\r\n("), at);
	}
	return module->count ? 0 : error_set(err, ERROR_INPUT, "%s: has no kernels", path);
}

static int write_all(int fd, const void *bytes, size_t count)
{
	while (count) {
		const ssize_t written = write(fd, bytes, count);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return -1;
		bytes = (const char *)bytes + written;
		count -= (size_t)written;
	}
	return 0;
}

static int read_all(int fd, void *bytes, size_t count)
{
	while (count) {
		struct pollfd waiting = {.fd = fd, .events = POLLIN};
		const int ready = poll(&waiting, 1, SECONDS * 1000);
		if (ready < 0 && errno == EINTR)
			continue;
		const ssize_t got = ready > 0 ? read(fd, bytes, count) : -1;
		if (got < 0 && ready > 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0 ? 0 : -1;
		bytes = (char *)bytes + got;
		count -= (size_t)got;
	}
	return 1;
}

/* ---- child: one device, the kernels of a module from `first` on ---- */

static int run_case(struct device *device, struct device_function *function, struct launch *launch, struct error *err)
{
	const struct device_ops *ops = device->ops;
	device_pointer pointers[LAUNCH_BUFFERS] = {0};
	void *arguments[LAUNCH_ARGUMENTS];
	int result = -1;

	for (int i = 0; i < launch->buffer_count; i++)
		if (ops->alloc(device, launch->buffers[i].size, &pointers[i], err) ||
		    ops->copy_in(device, pointers[i], launch->buffers[i].bytes, launch->buffers[i].size, NULL, err))
			goto done;
	for (int i = 0; i < launch->argument_count; i++)
		arguments[i] = launch->arguments[i].buffer >= 0 ? (void *)&pointers[launch->arguments[i].buffer]
								: (void *)launch->arguments[i].value;
	if (ops->launch(device, function, launch->grid, launch->block, launch->shared, NULL, arguments, err) ||
	    ops->synchronize(device, err))
		goto done;
	for (int i = 0; i < launch->buffer_count; i++)
		if (ops->copy_out(device, launch->buffers[i].bytes, pointers[i], launch->buffers[i].size, NULL, err))
			goto done;
	result = 0;
done:
	for (int i = 0; i < LAUNCH_BUFFERS; i++)
		device_free(device, pointers[i]);
	return result;
}

static int run_cases(struct device *device, struct device_module *loaded, const char *kernel, int index, int fd,
		     struct error *err)
{
	struct device_function *function;
	int made, cases = 0;

	if (device->ops->module_function(device, loaded, kernel, &function, err))
		return -1;
	for (int number = 0; number < LAUNCH_CASES; number++) {
		struct launch launch;
		made = launch_make(kernel, number, &launch, err);
		if (made < 0)
			return -1;
		if (made == 0)
			continue;
		cases++;
		int failed = run_case(device, function, &launch, err);
		for (int i = 0; i < launch.buffer_count && !failed; i++) {
			const struct message message = {
				.kernel = index, .number = number, .buffer = i, .bytes = launch.buffers[i].size};
			failed = launch.buffers[i].is_output && (write_all(fd, &message, sizeof(message)) ||
								 write_all(fd, launch.buffers[i].bytes, launch.buffers[i].size));
		}
		launch_free(&launch);
		if (failed)
			return -1;
	}
	return cases ? 0 : error_set(err, ERROR_INTERNAL, "%s: no case was made", kernel);
}

static int child(const char *id, const struct module *module, int first, int fd)
{
	struct device *device;
	struct device_module *loaded;
	struct error err = {0};

	if (device_open(&device, id, NULL, &err) || device->ops->module_load(device, module->text, &loaded, &err)) {
		fprintf(stderr, "modules: %s: %s\n", module->name, err.message);
		return 1;
	}
	for (int i = first; i < module->count; i++) {
		struct message message = {.kernel = i, .buffer = -1};
		err = (struct error){0};
		if (run_cases(device, loaded, module->kernels[i], i, fd, &err)) {
			message.status = err.kind == ERROR_UNSUPPORTED ? STATUS_UNSUPPORTED : STATUS_FAILED;
			snprintf(message.text, sizeof(message.text), "%.255s", err.message);
		}
		if (write_all(fd, &message, sizeof(message)))
			return 1;
		if (message.status == STATUS_FAILED && err.kind == ERROR_DEVICE)
			_exit(STUCK); /* the next one gets a fresh device */
	}
	device_close(device);
	return 0;
}

/* ---- parent ---- */

static int put_attributes(hid_t group, int status, const char *text)
{
	const hid_t space = H5Screate(H5S_SCALAR), type = H5Tcopy(H5T_C_S1);
	H5Tset_size(type, strlen(text) + 1);
	const hid_t state = H5Acreate2(group, "status", H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT);
	const hid_t words = H5Acreate2(group, "message", type, space, H5P_DEFAULT, H5P_DEFAULT);
	const int failed =
		state < 0 || words < 0 || H5Awrite(state, H5T_NATIVE_INT, &status) < 0 || H5Awrite(words, type, text) < 0;
	if (state >= 0)
		H5Aclose(state);
	if (words >= 0)
		H5Aclose(words);
	H5Sclose(space);
	H5Tclose(type);
	return failed ? -1 : 0;
}

static int put_bytes(hid_t group, const char *name, const void *bytes, hsize_t count)
{
	const hid_t space = H5Screate_simple(1, &count, NULL);
	const hid_t dataset = H5Dcreate2(group, name, H5T_NATIVE_UINT8, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	const int failed = dataset < 0 || H5Dwrite(dataset, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) < 0;
	if (dataset >= 0)
		H5Dclose(dataset);
	H5Sclose(space);
	return failed ? -1 : 0;
}

/* One child. Returns the kernel to go on with, -1 when the module is done, -2 when nothing of it can be run. */
static int run_child(const char *id, const struct module *module, int first, hid_t group)
{
	int ends[2], next = first, status = 0, got = 0;
	hid_t kernel = -1;

	if (pipe(ends))
		return -2;
	fflush(NULL);
	const pid_t pid = fork(); /* the parent never opens a device, so that the child may */
	if (pid == 0) {
		close(ends[0]);
		_exit(child(id, module, first, ends[1]));
	}
	close(ends[1]);
	for (;;) {
		struct message message;
		unsigned char *bytes = NULL;
		got = pid > 0 ? read_all(ends[0], &message, sizeof(message)) : 0;
		if (got <= 0 || message.kernel != next || message.bytes > (64u << 20))
			break;
		if (kernel < 0)
			kernel = H5Gcreate2(group, module->kernels[next], H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
		if (message.buffer >= 0) {
			char name[32];
			bytes = malloc(message.bytes + 1);
			got = bytes ? read_all(ends[0], bytes, message.bytes) : 0;
			snprintf(name, sizeof(name), "%d_%d", message.number, message.buffer);
			if (got > 0)
				put_bytes(kernel, name, bytes, message.bytes);
			free(bytes);
			if (got <= 0)
				break;
			continue;
		}
		message.text[sizeof(message.text) - 1] = 0;
		put_attributes(kernel, message.status, message.text);
		if (message.status != STATUS_RAN)
			printf("  %s %s: %s\n", message.status == STATUS_FAILED ? "failed     " : "unsupported",
			       module->kernels[next], message.text);
		H5Gclose(kernel);
		kernel = -1;
		next++;
	}
	close(ends[0]);
	if (pid > 0) {
		if (got < 0)
			kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (next >= module->count)
		return -1;
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == STUCK)
		return next;
	if (pid <= 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 1 && next == first)) {
		if (kernel >= 0)
			H5Gclose(kernel);
		return -2;
	}
	if (kernel < 0)
		kernel = H5Gcreate2(group, module->kernels[next], H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	printf("  failed      %s: %s\n", module->kernels[next], got < 0 ? "no answer in time" : "its process ended");
	put_attributes(kernel, STATUS_FAILED, got < 0 ? "no answer in time" : "its process ended");
	H5Gclose(kernel);
	return next + 1 < module->count ? next + 1 : -1;
}

static int store(const char *id, const char *path, char **files, int count)
{
	const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
	int failed = file < 0;

	if (failed)
		fprintf(stderr, "modules: %s: cannot be written\n", path);
	for (int i = 0; i < count && !failed; i++) {
		struct module module;
		struct error err = {0};
		if (read_module(files[i], &module, &err)) {
			fprintf(stderr, "modules: %s\n", err.message);
			failed = 1;
		} else {
			const hid_t group = H5Gcreate2(file, module.name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
			int next = 0;
			printf("%s: %d kernels\n", module.name, module.count);
			while (next >= 0)
				next = run_child(id, &module, next, group);
			failed = next == -2;
			H5Gclose(group);
		}
		free(module.text);
		free(module.kernels);
	}
	if (file >= 0 && H5Fclose(file) < 0)
		failed = 1;
	return failed;
}

/* ---- comparison ---- */

struct side { hid_t file, kernel; int status; char message[256]; };

static int open_kernel(struct side *side, const char *path)
{
	side->status = -1;
	side->message[0] = 0;
	side->kernel = H5Lexists(side->file, path, H5P_DEFAULT) > 0 ? H5Gopen2(side->file, path, H5P_DEFAULT) : -1;
	if (side->kernel < 0)
		return -1;
	const hid_t state = H5Aopen(side->kernel, "status", H5P_DEFAULT), words = H5Aopen(side->kernel, "message", H5P_DEFAULT),
		    type = H5Tcopy(H5T_C_S1);
	H5Tset_size(type, sizeof(side->message));
	const int failed = state < 0 || words < 0 || H5Aread(state, H5T_NATIVE_INT, &side->status) < 0 ||
			   H5Aread(words, type, side->message) < 0;
	if (state >= 0)
		H5Aclose(state);
	if (words >= 0)
		H5Aclose(words);
	H5Tclose(type);
	return failed ? -1 : 0;
}

static int read_bytes(hid_t kernel, const char *name, unsigned char *bytes, hsize_t wanted)
{
	const hid_t dataset = H5Lexists(kernel, name, H5P_DEFAULT) > 0 ? H5Dopen2(kernel, name, H5P_DEFAULT) : -1;
	const hid_t space = dataset < 0 ? -1 : H5Dget_space(dataset);
	hsize_t length = 0;
	int failed = 1;
	if (space >= 0 && H5Sget_simple_extent_ndims(space) == 1 && H5Sget_simple_extent_dims(space, &length, NULL) == 1 &&
	    length == wanted)
		failed = H5Dread(dataset, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) < 0;
	if (space >= 0)
		H5Sclose(space);
	if (dataset >= 0)
		H5Dclose(dataset);
	return failed ? -1 : 0;
}

static double element_value(const struct element *element, const unsigned char *bytes, size_t index)
{
	static const struct {
		const char *name;
		enum dtype type;
	} types[] = {{"bf16", DTYPE_BF16}, {"f16", DTYPE_F16}, {"f32", DTYPE_F32}, {"f64", DTYPE_F64}};
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(element->name, types[i].name))
			return dtype_load(types[i].type, bytes, index);
	return 0;
}

/* Largest error over its bound; the index of it in *worst. */
static double compare_buffers(const struct launch *launch, const struct launch_buffer *buffer, const unsigned char *a,
			      const unsigned char *b, size_t *worst)
{
	const size_t width = buffer->element ? (size_t)buffer->element->bytes : 1;
	double largest = 0;
	for (size_t i = 0; i < buffer->size / width; i++) {
		double ratio = INFINITY;
		if (!memcmp(a + i * width, b + i * width, width))
			continue;
		if (buffer->element && buffer->element->is_float) {
			const double x = element_value(buffer->element, a, i), y = element_value(buffer->element, b, i);
			const double bound = launch->relative * fmax(fabs(x), fabs(y)) + launch->absolute;
			ratio = (x != x && y != y) || x == y		  ? 0
				: isfinite(x) && isfinite(y) && bound > 0 ? fabs(x - y) / bound
									  : INFINITY;
			if (launch->relative == 0 && launch->absolute == 0 && x == y)
				ratio = INFINITY; /* +0 and -0 are not the same bits */
		}
		if (ratio > largest) {
			largest = ratio;
			*worst = i;
		}
	}
	return largest;
}

struct names { char (*items)[192]; int count, room; };
static herr_t add_name(hid_t group, const char *name, const H5L_info_t *info, void *context)
{
	struct names *names = context;
	(void)info, (void)group;
	if (names->count == names->room) {
		names->room = names->room ? names->room * 2 : 256;
		void *grown = realloc(names->items, (size_t)names->room * sizeof(*names->items));
		if (!grown)
			return -1;
		names->items = grown;
	}
	snprintf(names->items[names->count++], sizeof(*names->items), "%s", name);
	return 0;
}

static int compare(const char *first, const char *second)
{
	struct side sides[2] = {{.file = H5Fopen(first, H5F_ACC_RDONLY, H5P_DEFAULT)},
				{.file = H5Fopen(second, H5F_ACC_RDONLY, H5P_DEFAULT)}};
	struct names modules = {0};
	int agree = 0, differ = 0, not_run = 0, identical = 0;

	if (sides[0].file < 0 || sides[1].file < 0) {
		fprintf(stderr, "modules: %s: cannot be read\n", sides[0].file < 0 ? first : second);
		return 1;
	}
	H5Literate(sides[0].file, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, add_name, &modules);
	for (int m = 0; m < modules.count; m++) {
		struct names kernels = {0};
		const hid_t group = H5Gopen2(sides[0].file, modules.items[m], H5P_DEFAULT);
		H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, add_name, &kernels);
		H5Gclose(group);
		for (int k = 0; k < kernels.count; k++) {
			const char *kernel = kernels.items[k];
			char path[512];
			int bad = 0, same = 1, cases = 0;
			snprintf(path, sizeof(path), "%s/%s", modules.items[m], kernel);
			const int missing = open_kernel(&sides[0], path) | open_kernel(&sides[1], path);
			if (missing || sides[0].status != STATUS_RAN || sides[1].status != STATUS_RAN) {
				const struct side *why = sides[1].status == STATUS_RAN ? &sides[0] : &sides[1];
				printf("  not run    %s: %s\n", path, why->message[0] ? why->message : "not in both files");
				not_run++;
			} else {
				for (int number = 0; number < LAUNCH_CASES && !bad; number++) {
					struct launch launch;
					struct error err = {0};
					const int made = launch_make(kernel, number, &launch, &err);
					if (made < 0)
						bad = 1;
					if (made <= 0)
						continue;
					for (int i = 0; i < launch.buffer_count && !bad; i++) {
						const struct launch_buffer *buffer = &launch.buffers[i];
						unsigned char *bytes[2] = {malloc(buffer->size + 1), malloc(buffer->size + 1)};
						char name[32];
						size_t worst = 0;
						double ratio = 0;
						snprintf(name, sizeof(name), "%d_%d", number, i);
						if (buffer->is_output) {
							cases++;
							if (!bytes[0] || !bytes[1] ||
							    read_bytes(sides[0].kernel, name, bytes[0], buffer->size) ||
							    read_bytes(sides[1].kernel, name, bytes[1], buffer->size))
								ratio = INFINITY;
							else {
								ratio = compare_buffers(&launch, buffer, bytes[0], bytes[1],
											&worst);
								same &= !memcmp(bytes[0], bytes[1], buffer->size);
							}
						}
						if (!(ratio <= 1)) {
							const size_t width = buffer->element ? (size_t)buffer->element->bytes : 1;
							uint64_t values[2] = {0, 0};
							for (int s = 0; s < 2 && bytes[s] && buffer->size; s++)
								memcpy(&values[s], bytes[s] + worst * width, width);
							printf("  differ     %s: case %d, element %zu: 0x%llx and 0x%llx, %g "
							       "times what is permitted (%s)\n",
							       path, number, worst, (unsigned long long)values[0],
							       (unsigned long long)values[1], ratio, launch.why);
							bad = 1;
						}
						free(bytes[0]);
						free(bytes[1]);
					}
					launch_free(&launch);
				}
				bad |= cases == 0;
				differ += bad;
				agree += !bad;
				identical += !bad && same;
			}
			for (int s = 0; s < 2; s++)
				if (sides[s].kernel >= 0)
					H5Gclose(sides[s].kernel);
		}
		free(kernels.items);
	}
	free(modules.items);
	H5Fclose(sides[0].file);
	H5Fclose(sides[1].file);
	printf("%d kernels agree (%d of them bit by bit), %d differ, %d were not run on both\n", agree, identical, differ,
	       not_run);
	return agree == 0 || differ > 0;
}

int main(int argc, char **argv)
{
	const char *device = NULL, *path = NULL;
	int at = 1;

	if (argc == 4 && !strcmp(argv[1], "--compare"))
		return compare(argv[2], argv[3]);
	for (; at + 1 < argc && !strncmp(argv[at], "--", 2); at += 2) {
		if (!strcmp(argv[at], "--device"))
			device = argv[at + 1];
		else if (!strcmp(argv[at], "--store"))
			path = argv[at + 1];
		else
			break;
	}
	if (!path || at >= argc || !strncmp(argv[at], "--", 2)) {
		fputs("usage: modules [--device ID] --store FILE MODULE.ptx...\n       modules --compare FILE FILE\n", stderr);
		return 2;
	}
	/* asked only where it must be: to look for a GPU is to start the driver, and the children that are forked could not */
	return store(device ? device : device_default_id(), path, argv + at, argc - at);
}
