/* Mutates the seeds with a fixed stream of random numbers and runs each mutation through its own target and, as a file, through
 * the whole of `assay inspect`: a fuzzer that needs no clang, for every build.
 *
 *   mutate [SECONDS]     default 4
 *
 * FUZZ_SEED=N starts another stream; FUZZ_KEEP=1 writes every input to ./mutate.last before it runs, to catch what takes the
 * program down. */
#include "seeds.h"
#include "targets.h"

#include "core/util.h"

#include <sys/resource.h>

static uint64_t random_state = 0x853c49e6748fea9bull;

static uint64_t random_bits(void)
{
	/* xorshift64 (Marsaglia, "Xorshift RNGs", 2003) */
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static size_t random_below(size_t limit)
{
	return limit ? (size_t)(random_bits() % limit) : 0;
}

/* One to four changes: a bit, a byte, a number such as a size could be, a cut, a piece copied elsewhere. */
static size_t mutate(unsigned char *data, size_t size)
{
	static const uint64_t numbers[] = {0,          1,          63,         64,         0x7f,       0xff,       0x7fff, 0xffff, 0x10000,
					   0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff, 1ull << 32, 1ull << 40, 1ull << 63, ~0ull,  ~0ull - 63};
	for (size_t i = 1 + random_below(4); i > 0 && size; i--) {
		const size_t at = random_below(size);
		switch (random_below(7)) {
		case 0:
			data[at] ^= (unsigned char)(1u << random_below(8));
			break;
		case 1:
			data[at] = (unsigned char)random_bits();
			break;
		case 2:
		case 3:
		case 4: {
			const uint64_t number = random_below(2) ? numbers[random_below(sizeof numbers / sizeof numbers[0])]
								: size - random_below(size < 256 ? size : 256);
			const size_t width = (size_t)1 << random_below(4), aligned = random_below(4) ? at / width * width : at;
			memcpy(data + aligned, &number, width < size - aligned ? width : size - aligned);
			break;
		}
		case 5: {
			const size_t from = random_below(size), length = random_below(64);
			if (from + length <= size && at + length <= size)
				memmove(data + at, data + from, length);
			break;
		}
		default:
			if (random_below(4) == 0)
				size = at;
			break;
		}
	}
	return size;
}

static void keep(const unsigned char *data, size_t size)
{
	FILE *file = fopen("mutate.last", "wb");
	if (!file)
		return;
	fwrite(data, 1, size, file);
	fclose(file);
}

static const struct fuzz_target *target_of(const char *name)
{
	for (size_t t = 0; t < fuzz_target_count; t++)
		if (strcmp(fuzz_targets[t].name, name) == 0)
			return &fuzz_targets[t];
	abort();
}

int main(int argc, char **argv)
{
	static struct seeds seeds;
	const double seconds = argc > 1 ? strtod(argv[1], NULL) : 4;
	make_seeds(&seeds);
	for (int i = 0; i < seeds.count; i++)
		target_of(seeds.items[i].target)->run(seeds.items[i].bytes.data, seeds.items[i].bytes.size);
	const double start = monotonic_seconds();
	double slowest = 0, now = start;
	long runs = 0;
	const int keep_all = getenv("FUZZ_KEEP") != NULL;
	const char *seed_text = getenv("FUZZ_SEED");
	if (seed_text)
		random_state ^= strtoull(seed_text, NULL, 0) * 0x9e3779b97f4a7c15ull;
	for (; now - start < seconds; runs++) {
		const struct seed *seed = &seeds.items[random_below((size_t)seeds.count)];
		unsigned char *base, *copy = copy_exactly(seed->bytes.data, seed->bytes.size, random_below(8), &base);
		const size_t size = mutate(copy, seed->bytes.size);
		/* the readers get memory that ends where the file ends */
		unsigned char *exact_base, *exact = copy_exactly(copy, size, random_below(8), &exact_base);
		if (keep_all)
			keep(exact, size);
		const double before = monotonic_seconds();
		target_of(seed->target)->run(exact, size);
		fuzz_artifact(exact, size);
		now = monotonic_seconds();
		if (now - before > slowest) {
			slowest = now - before;
			if (slowest > 1)
				keep(exact, size);
		}
		free(base);
		free(exact_base);
	}
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	printf("%ld mutations in %.1f s, slowest %.3f s, at most %ld MB of memory\n", runs, now - start, slowest, usage.ru_maxrss / 1024);
	seeds_free(&seeds);
	if (slowest > 1) {
		fprintf(stderr, "a file of a few kilobytes took %.1f s: see mutate.last\n", slowest);
		return 1;
	}
	if (runs < 100) {
		fprintf(stderr, "only %ld mutations ran\n", runs);
		return 1;
	}
	return 0;
}
