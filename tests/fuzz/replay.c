/* Runs the fuzz targets without libFuzzer:
 *
 *   replay FOLDER               every file of FOLDER/<target>/ through its target (the test)
 *   replay TARGET FILE...       these files through one target, such as a crash that was found
 *   replay --seeds FOLDER       writes the seeds of seeds.h to FOLDER/<target>/
 *
 * Each input is copied to memory that ends where it ends, so that a sanitizer sees a read beyond. Exit code 1 when an input took
 * more than a second, or a target had no input at all. */
#include "seeds.h"
#include "targets.h"

#include "core/util.h"

#include <dirent.h>

static double slowest;

static int run_file(const struct fuzz_target *target, const char *path)
{
	struct file_map map;
	struct error err = {0};
	if (file_map_open(&map, path, &err)) {
		fprintf(stderr, "%s\n", err.message);
		return -1;
	}
	unsigned char *base, *copy = copy_exactly(map.data, map.size, 0, &base);
	const double start = monotonic_seconds();
	target->run(copy, map.size);
	const double seconds = monotonic_seconds() - start;
	if (seconds > slowest)
		slowest = seconds;
	if (seconds > 1)
		fprintf(stderr, "%s: %zu bytes took %.1f s\n", path, map.size, seconds);
	free(base);
	file_map_close(&map);
	return 0;
}

/* Number of files, or -1. */
static int run_folder(const struct fuzz_target *target, const char *folder)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", folder, target->name);
	DIR *directory = opendir(path);
	int count = 0;
	if (!directory) {
		perror(path);
		return -1;
	}
	for (const struct dirent *item; (item = readdir(directory)) && count >= 0;) {
		if (item->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s/%s", folder, target->name, item->d_name);
		count = run_file(target, path) ? -1 : count + 1;
	}
	closedir(directory);
	return count;
}

static int write_seeds(const char *folder)
{
	static struct seeds seeds;
	int result = 0;
	make_seeds(&seeds);
	for (int i = 0; i < seeds.count && result == 0; i++) {
		const struct seed *seed = &seeds.items[i];
		char path[4096];
		struct error err = {0};
		snprintf(path, sizeof path, "%s/%s", folder, seed->target);
		result = make_dirs(path, &err);
		snprintf(path, sizeof path, "%s/%s/%s", folder, seed->target, seed->name);
		if (result == 0)
			result = write_file_atomically(path, seed->bytes.data, seed->bytes.size, &err);
		if (result)
			fprintf(stderr, "%s\n", err.message);
	}
	seeds_free(&seeds);
	return result ? 3 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
		return write_seeds(argv[2]);
	if (argc < 2) {
		fprintf(stderr, "usage: replay FOLDER | replay TARGET FILE... | replay --seeds FOLDER\n");
		return 2;
	}
	for (size_t t = 0; t < fuzz_target_count; t++) {
		const struct fuzz_target *target = &fuzz_targets[t];
		if (argc == 2) {
			const int count = run_folder(target, argv[1]);
			printf("%-10s %d files\n", target->name, count);
			if (count <= 0)
				return 1;
		} else if (strcmp(argv[1], target->name) == 0) {
			for (int i = 2; i < argc; i++)
				if (run_file(target, argv[i]))
					return 3;
			printf("%d files replayed\n", argc - 2);
			return slowest > 1;
		}
	}
	if (argc > 2) {
		fprintf(stderr, "replay: there is no target '%s'\n", argv[1]);
		return 2;
	}
	printf("slowest %.3f s\n", slowest);
	return slowest > 1;
}
