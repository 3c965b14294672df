/* Archives made on the spot, linked, cached, loaded and called. Needs cc and ar besides what the program needs. */
#include "check.h"
#include "core/util.h"
#include "cudart/plugin.h"
#include "fake_device.h"

#include <dirent.h>
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

static char work[] = "/tmp/assay-test-plugin-XXXXXX";
static struct fake_device device;
static struct cudart_binding binding;

static int run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int run(const char *format, ...)
{
	char *command;
	va_list args;
	va_start(args, format);
	const int length = vasprintf(&command, format, args);
	va_end(args);
	if (length < 0)
		return -1;
	const int status = system(command);
	free(command);
	return status;
}

/* Static: valid until the next call but three. */
static const char *in_work(const char *name)
{
	static char paths[4][512];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof paths[0], "%s/%s", work, name);
	return path;
}

static void make_archive(const char *name, const char *flags)
{
	CHECK_INT(run("cd %s && rm -f %s.o %s.a && %s -w -O1 %s -c " FIXTURE " -o %s.o && ar rcs %s.a %s.o", work, name, name, CC,
		      flags, name, name, name),
		  0);
}

static int count_entries(const char *folder)
{
	int count = 0;
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	while (dir && (entry = readdir(dir)))
		count += entry->d_name[0] != '.' || (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."));
	if (dir)
		closedir(dir);
	return count;
}

static const char *const entry_point[] = {"run_mha", NULL};

static struct plugin_options options_for(const char *archive)
{
	static char cache[512], path[512];
	snprintf(cache, sizeof cache, "%s/cache", work);
	snprintf(path, sizeof path, "%s/%s", work, archive);
	return (struct plugin_options){
		.archive = path,
		.shim_path = SHIM_PATH,
		.cache_dir = cache,
		.required = entry_point,
		.runtime_major = 12,
	};
}

typedef long entry_fn(int head_dim);

static void an_archive_is_linked_loaded_and_called(void)
{
	struct error err = {0};
	struct plugin plugin, second;
	make_archive("whole", "-fPIC -DWITH_MISSING");
	const struct plugin_options options = options_for("whole.a");
	CHECK_INT(plugin_link(&plugin, &options, &err), 0);
	if (!plugin.path) {
		fprintf(stderr, "%s\n", err.message);
		return;
	}
	CHECK_INT(plugin.from_cache, 0);
	CHECK(plugin.link_seconds > 0);
	CHECK(plugin.temporary_dir == NULL);
	CHECK_INT(plugin.stubbed_count, 3);
	if (plugin.stubbed_count == 3) {
		CHECK_TEXT(plugin.stubbed[0], "cudaGraphCreate");
		CHECK_TEXT(plugin.stubbed[1], "hidden_helper");
		CHECK_TEXT(plugin.stubbed[2], "run_mha_fwd_for_96");
	}
	CHECK_INT(count_entries(options.cache_dir), 2); /* the result and its note, no left-overs */

	CHECK_INT(plugin_load(&plugin, &options, &binding, &err), 0);
	entry_fn *run_mha;
	cudart_log_fn get_log;
	cudart_log_reset_fn reset;
	*(void **)&run_mha = plugin_symbol(&plugin, "run_mha");
	*(void **)&get_log = plugin.shim ? dlsym(plugin.shim, CUDART_LOG) : NULL;
	*(void **)&reset = plugin.shim ? dlsym(plugin.shim, CUDART_LOG_RESET) : NULL;
	if (!run_mha || !get_log || !reset) {
		CHECK(!"the plugin is loaded");
		fprintf(stderr, "%s\n", err.message);
		return;
	}
	const struct cudart_log *log = get_log();
	CHECK_INT(log->fatbins, 1);
	CHECK_INT(log->kernels_registered, 1);
	CHECK_INT(device.loads, 0);
	CHECK_INT(run_mha(64), 0);
	CHECK_TEXT(device.loaded, "fixture PTX");
	CHECK_INT(log->launch_count, 1);
	CHECK_TEXT(log->launches[0].kernel, "fixture_kernel");
	CHECK(log->launches[0].grid.x == 64 && log->launches[0].grid.z == 2 && log->launches[0].block.x == 128);
	CHECK_INT(log->launches[0].dynamic_shared, 49152);
	CHECK_INT(log->launches[0].result, 0);
	CHECK_INT(device.launches, 1);
	CHECK_INT(log->missing_count, 0);
	CHECK_TEXT(log->image_summary, "PTX compute_80 (JIT)");

	/* only the calls that need what is missing are affected */
	CHECK_INT(run_mha(96), 0);
	CHECK_INT(log->missing_count, 1);
	CHECK_TEXT(log->missing[0], "run_mha_fwd_for_96");
	CHECK_INT(run_mha(97), 801);
	CHECK_TEXT(log->missing[1], "cudaGraphCreate");
	CHECK_INT(run_mha(98), 0);
	CHECK_TEXT(log->missing[2], "hidden_helper");
	CHECK_INT(log->launch_count, 1);
	reset();
	CHECK(plugin_symbol(&plugin, "no_such_symbol") == NULL);

	/* the second time it is there already */
	CHECK_INT(plugin_link(&second, &options, &err), 0);
	CHECK_INT(second.from_cache, 1);
	CHECK_TEXT(second.path, plugin.path);
	CHECK_INT(second.stubbed_count, 3);
	plugin_free(&second);

	/* an entry that is damaged is made again (in a new file: this one is mapped) */
	CHECK_INT(run("cp %s %s/damaged && printf x >> %s/damaged && mv %s/damaged %s", plugin.path, work, work, work, plugin.path), 0);
	CHECK_INT(plugin_link(&second, &options, &err), 0);
	CHECK_INT(second.from_cache, 0);
	plugin_free(&second);
	CHECK_INT(plugin_link(&second, &options, &err), 0);
	CHECK_INT(second.from_cache, 1);
	plugin_free(&second);
	CHECK_INT(run("rm %s", plugin.path), 0);
	CHECK_INT(plugin_link(&second, &options, &err), 0);
	CHECK_INT(second.from_cache, 0);
	plugin_free(&second);

	/* another content is another entry, also under the same name */
	make_archive("whole", "-fPIC");
	CHECK_INT(plugin_link(&second, &options, &err), 0);
	CHECK_INT(second.from_cache, 0);
	CHECK_INT(second.stubbed_count, 0);
	CHECK(second.path && strcmp(second.path, plugin.path) != 0);
	plugin_free(&second);
	plugin_free(&plugin);
}

static void a_single_object_will_do(void)
{
	struct error err = {0};
	struct plugin plugin;
	const struct plugin_options options = options_for("whole.o");
	CHECK_INT(plugin_link(&plugin, &options, &err), 0);
	plugin_free(&plugin);
}

/* A name that the linker would take for an option, or for a file of options. */
static void names_are_not_options(void)
{
	static const char *const names[] = {"--help.a", "@whole.a"};
	char here[4096];
	struct plugin_options options = options_for("whole.a");
	CHECK(getcwd(here, sizeof here) != NULL);
	CHECK_INT(chdir(work), 0);
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		struct error err = {0};
		struct plugin plugin;
		char cache[32];
		snprintf(cache, sizeof cache, "cache-%zu", i);
		CHECK_INT(run("cp whole.a ./%s", names[i]), 0);
		options.archive = names[i];
		options.cache_dir = cache;
		CHECK_INT(plugin_link(&plugin, &options, &err), 0);
		CHECK_INT(plugin.from_cache, 0);
		plugin_free(&plugin);
	}
	CHECK_INT(chdir(here), 0);
}

static void without_a_cache_a_temporary_folder_serves(void)
{
	struct error err = {0};
	struct plugin plugin;
	struct plugin_options options = options_for("whole.a");
	options.cache_dir = "/dev/null/cache"; /* nobody can write there, not even root */
	CHECK_INT(mkdir(in_work("tmp"), 0777), 0);
	setenv("TMPDIR", in_work("tmp"), 1);
	CHECK_INT(plugin_link(&plugin, &options, &err), 0);
	CHECK(plugin.temporary_dir && plugin.path && path_exists(plugin.path));
	CHECK_INT(count_entries(in_work("tmp")), 1);
	plugin_free(&plugin);
	CHECK_INT(count_entries(in_work("tmp")), 0);
	setenv("TMPDIR", "/dev/null/tmp", 1);
	CHECK_INT(plugin_link(&plugin, &options, &err), -1);
	CHECK(err.kind == ERROR_ENVIRONMENT || err.kind == ERROR_INPUT);
	CHECK_CONTAINS(err.message, "/dev/null/tmp");
	CHECK_CONTAINS(err.message, "/dev/null/cache");
	unsetenv("TMPDIR");
}

static void expect_refusal(const char *file, enum error_kind kind, const char *word)
{
	struct error err = {0};
	struct plugin plugin;
	const struct plugin_options options = options_for(file);
	const int before = count_entries(options.cache_dir);
	CHECK_INT(plugin_link(&plugin, &options, &err), -1);
	CHECK_INT(err.kind, kind);
	CHECK_CONTAINS(err.message, word);
	CHECK_CONTAINS(err.message, file);
	CHECK(plugin.path == NULL && plugin.stubbed == NULL);
	CHECK_INT(count_entries(options.cache_dir), before);
	if (err.kind != kind)
		fprintf(stderr, "%s: %s\n", file, err.message);
	plugin_free(&plugin);
}

static void write_bytes(const char *name, const void *bytes, size_t size)
{
	CHECK_INT(write_file_atomically(in_work(name), bytes, size, NULL), 0);
}

static void bad_archives_are_refused_with_the_reason(void)
{
	struct file_map map;
	make_archive("other", "-fPIC -DENTRY=run_mha_fwd");
	expect_refusal("other.a", ERROR_INPUT, "it defines run_mha_fwd");
	make_archive("unlike", "-fPIC -DENTRY=other_kernel");
	expect_refusal("unlike.a", ERROR_INPUT, "does not define run_mha nor");
	make_archive("hidden", "-fPIC -DENTRY_HIDDEN");
	expect_refusal("hidden.a", ERROR_INPUT, "hidden");
	make_archive("rdc", "-fPIC -DWITH_RDC");
	expect_refusal("rdc.a", ERROR_UNSUPPORTED, "-rdc");
	make_archive("hostile", "-fPIC -DWITH_HOSTILE_NAME");
	expect_refusal("hostile.a", ERROR_INPUT, "a b");
	make_archive("fixed", "-fno-pic -fno-pie");
	expect_refusal("fixed.a", ERROR_UNSUPPORTED, "-Xcompiler -fPIC");

	expect_refusal("absent.a", ERROR_INPUT, "No such file");
	write_bytes("zero.a", "", 0);
	expect_refusal("zero.a", ERROR_INPUT, "not an archive");
	write_bytes("empty.a", "!<arch>\n", 8);
	expect_refusal("empty.a", ERROR_INPUT, "empty");
	write_bytes("text.a", "a letter to a friend", 20);
	expect_refusal("text.a", ERROR_INPUT, "not an archive");
	write_bytes("bitcode.o", "BC\xc0\xde\x35\x14\0\0\5\0\0\0\x62\x0c\x30\x24", 16);
	expect_refusal("bitcode.o", ERROR_UNSUPPORTED, "bitcode");
	CHECK_INT(run("cd %s && rm -f bitcode.a && ar rcS bitcode.a bitcode.o", work), 0);
	expect_refusal("bitcode.a", ERROR_UNSUPPORTED, "bitcode");
	/* a COFF object: machine x86-64, one section, its header, no symbols */
	unsigned char coff[60] = {0x64, 0x86, 1, 0};
	memcpy(coff + 20, ".text", 5);
	write_bytes("windows.obj", coff, sizeof coff);
	expect_refusal("windows.obj", ERROR_UNSUPPORTED, "operating system");
	/* the same object, said to be for another processor (e_machine at 18) */
	CHECK_INT(file_map_open(&map, in_work("whole.o"), NULL), 0);
	unsigned char *copy = malloc(map.size);
	if (copy && map.size > 20) {
		memcpy(copy, map.data, map.size);
		copy[18] = 243; /* EM_RISCV */
		write_bytes("riscv.o", copy, map.size);
		expect_refusal("riscv.o", ERROR_UNSUPPORTED, "this machine is");
	}
	free(copy);
	file_map_close(&map);

	/* cut anywhere: never a crash, never a success */
	CHECK_INT(file_map_open(&map, in_work("whole.a"), NULL), 0);
	const struct plugin_options options = options_for("cut.a");
	const int before = count_entries(options.cache_dir);
	for (size_t size = 8; size < map.size; size += 1 + map.size / 40) {
		struct plugin plugin;
		struct error err = {0};
		write_bytes("cut.a", map.data, size);
		CHECK_INT(plugin_link(&plugin, &options, &err), -1);
		CHECK_INT(err.kind, ERROR_INPUT);
		CHECK_CONTAINS(err.message, "cut.a");
	}
	CHECK_INT(count_entries(options.cache_dir), before);
	file_map_close(&map);
}

static void a_missing_tool_is_named(void)
{
	struct error err = {0};
	struct plugin plugin;
	struct plugin_options options = options_for("whole.a");
	options.cache_dir = in_work("second-cache");
	setenv("ASSAY_LD", "/nonexistent/ld", 1);
	CHECK_INT(plugin_link(&plugin, &options, &err), -1);
	CHECK_INT(err.kind, ERROR_ENVIRONMENT);
	CHECK_CONTAINS(err.message, "apt install binutils");
	unsetenv("ASSAY_LD");
	setenv("ASSAY_LIBDIR", "/nonexistent", 1);
	options.shim_path = NULL;
	CHECK_INT(plugin_link(&plugin, &options, &err), -1);
	CHECK_INT(err.kind, ERROR_ENVIRONMENT);
	CHECK_CONTAINS(err.message, "ASSAY_LIBDIR");
	unsetenv("ASSAY_LIBDIR");
	CHECK_INT(count_entries(options.cache_dir), 0);
}

/* A shared object in the place of libcudart.so.12 counts what reaches it. */
static void the_real_runtime_bypasses_the_shim(void)
{
	static const char source[] =
		"int registered, launched; static void *configuration[4];\n"
		"void **__cudaRegisterFatBinary(void *w) { registered++; return (void **)w; }\n"
		"void __cudaRegisterFatBinaryEnd(void **h) { }\n"
		"void __cudaUnregisterFatBinary(void **h) { }\n"
		"void __cudaRegisterFunction(void **h) { }\n"
		"unsigned __cudaPushCallConfiguration() { return 0; }\n"
		"int __cudaPopCallConfiguration() { return 0; }\n"
		"int cudaLaunchKernel() { launched++; return 0; }\n";
	struct error err = {0};
	struct plugin plugin;
	write_bytes("runtime.c", source, sizeof source - 1);
	CHECK_INT(run("cd %s && %s -w -shared -fPIC -Wl,-soname,libcudart.so.12 runtime.c -o libcudart.so.12", work, CC), 0);
	make_archive("real", "-fPIC -DWITH_MISSING");
	struct plugin_options options = options_for("real.a");
	char runtime[512];
	snprintf(runtime, sizeof runtime, "%s/libcudart.so.12", work);
	options.cudart = CUDART_REAL;
	options.real_cudart_path = runtime;
	CHECK_INT(plugin_link(&plugin, &options, &err), 0);
	CHECK_INT(plugin.stubbed_count, 3);
	CHECK_INT(plugin_load(&plugin, &options, NULL, &err), 0);
	entry_fn *run_mha;
	cudart_log_fn get_log;
	*(void **)&run_mha = plugin_symbol(&plugin, "run_mha");
	*(void **)&get_log = plugin.shim ? dlsym(plugin.shim, CUDART_LOG) : NULL;
	void *real = dlopen(runtime, RTLD_NOW | RTLD_NOLOAD);
	const int *registered = real ? dlsym(real, "registered") : NULL, *launched = real ? dlsym(real, "launched") : NULL;
	if (!run_mha || !get_log || !registered || !launched) {
		CHECK(!"archive, stubs' runtime and the runtime in the real one's place are loaded");
		fprintf(stderr, "%s\n", err.message);
		return;
	}
	const struct cudart_log *log = get_log();
	const size_t launches_before = log->launch_count, fatbins_before = log->fatbins;
	CHECK_INT(run_mha(64), 0);
	CHECK_INT(*registered, 1);
	CHECK_INT(*launched, 1);
	CHECK_INT(log->launch_count, launches_before);
	CHECK_INT(log->fatbins, fatbins_before);
	/* a function that this runtime lacks is missing, even though the shim may have it */
	CHECK_INT(run_mha(96), 0);
	CHECK_TEXT(log->missing[0], "run_mha_fwd_for_96");
	plugin_free(&plugin);

	/* a shared object is bound to its runtime: with that one it loads, with the shim it cannot */
	CHECK_INT(run("cd %s && %s -w -shared -fPIC " FIXTURE " -o linked.so ./libcudart.so.12", work, CC), 0);
	expect_refusal("linked.so", ERROR_UNSUPPORTED, "--cudart real");
	struct plugin_options linked = options_for("linked.so");
	linked.cudart = CUDART_REAL;
	linked.real_cudart_path = runtime;
	CHECK_INT(plugin_link(&plugin, &linked, &err), 0);
	CHECK_INT(plugin_load(&plugin, &linked, NULL, &err), 0);
	CHECK(plugin.shim == NULL && plugin_symbol(&plugin, "run_mha") != NULL);
	CHECK_INT(*registered, 2);
	plugin_free(&plugin);
	linked.real_cudart_path = "/nonexistent/libcudart.so.12";
	CHECK_INT(plugin_link(&plugin, &linked, &err), 0);
	CHECK_INT(plugin_load(&plugin, &linked, NULL, &err), -1);
	CHECK_CONTAINS(err.message, "/nonexistent");
	plugin_free(&plugin);
}

int main(void)
{
	if (system(CC " --version >/dev/null 2>&1") || system("ar --version >/dev/null 2>&1") ||
	    system("ld --version >/dev/null 2>&1"))
		return check_skip("needs " CC ", ar and ld to make archives");
	if (!mkdtemp(work))
		return 1;
	device = fake_device_make();
	binding = (struct cudart_binding){.device = &device.device, .stream = &fake_stream, .runtime_major = 12};
	an_archive_is_linked_loaded_and_called();
	a_single_object_will_do();
	names_are_not_options();
	without_a_cache_a_temporary_folder_serves();
	bad_archives_are_refused_with_the_reason();
	a_missing_tool_is_named();
	the_real_runtime_bypasses_the_shim();
	run("rm -rf %s", work);
	return check_result();
}
