/* Runs one kernel of a PTX module in the virtual machine, with what the command line gives it:
 *
 *     ptx_run FILE                                 names of its kernels, and whether each can be run
 *     ptx_run FILE KERNEL [OPTION...] ARGUMENT...
 *
 * An argument is a number, TYPE:VALUE (u8 u16 u32 u64 s32 s64 f32 f64), hex:BYTES for a structure, or memory,
 * TYPE*COUNT=CONTENT[:SHOW] (also f16, bf16), CONTENT one of zero, one, iota, random, undefined (an output), input (random,
 * read-only); the first SHOW elements are printed afterwards.
 *
 *     ptx_run unary.ptx usigmoid_f32 --grid 64 --block 256 u64:16384 u64:1 u64:0 'f32*16384=random' 'f32*16384=undefined:4' */
#include "device/ptx/launch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ARGUMENTS_MAX = 64 };

struct argument {
	unsigned char value[4096];  /* what the kernel is given */
	size_t bytes;
	unsigned char *memory;      /* of a buffer */
	size_t memory_bytes, show;
	enum ptx_type type;
};

static const struct { const char *name; enum ptx_type type; } types[] = {
	{"u8", PTX_U8}, {"u16", PTX_U16}, {"u32", PTX_U32}, {"u64", PTX_U64}, {"s32", PTX_S32}, {"s64", PTX_S64},
	{"f16", PTX_F16}, {"bf16", PTX_BF16}, {"f32", PTX_F32}, {"f64", PTX_F64},
};

static enum ptx_type type_of(const char *text, size_t length)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strlen(types[i].name) == length && strncmp(types[i].name, text, length) == 0)
			return types[i].type;
	return PTX_NO_TYPE;
}

static uint64_t next_random(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15u;
	uint64_t value = (*state ^ *state >> 30) * 0xbf58476d1ce4e5b9u;
	value = (value ^ value >> 27) * 0x94d049bb133111ebu;
	return value ^ value >> 31;
}

/* Element i of a buffer: integers as they are, floating-point ones in [-2, 2). */
static void store(unsigned char *at, enum ptx_type type, uint64_t integer, double real)
{
	const float single = (float)real;
	uint32_t bits;
	memcpy(&bits, &single, sizeof bits);
	uint16_t half;
	switch (type) {
	case PTX_F64:
		memcpy(at, &real, sizeof real);
		return;
	case PTX_F32:
		memcpy(at, &single, sizeof single);
		return;
	case PTX_BF16:
		half = (uint16_t)(bits >> 16);
		memcpy(at, &half, sizeof half);
		return;
	case PTX_F16: /* truncated; below 2^-14 zero */
		half = (uint16_t)(bits >> 16 & 0x8000);
		if ((bits >> 23 & 255) >= 113)
			half |= (uint16_t)((((bits >> 23 & 255) - 112) << 10) | (bits >> 13 & 1023));
		memcpy(at, &half, sizeof half);
		return;
	default:
		memcpy(at, &integer, ptx_type_bytes(type));
		return;
	}
}

static void print_element(const unsigned char *at, enum ptx_type type)
{
	uint64_t integer = 0;
	float single;
	double real;
	memcpy(&integer, at, ptx_type_bytes(type));
	if (type == PTX_F32) {
		memcpy(&single, at, sizeof single);
		printf(" %.9g", single);
	} else if (type == PTX_F64) {
		memcpy(&real, at, sizeof real);
		printf(" %.17g", real);
	} else if (type == PTX_S32) {
		printf(" %d", (int32_t)integer);
	} else if (type == PTX_S64) {
		printf(" %lld", (long long)integer);
	} else if (type == PTX_F16 || type == PTX_BF16) {
		printf(" 0x%04x", (unsigned)integer);
	} else {
		printf(" %llu", (unsigned long long)integer);
	}
}

static int fail(const char *text, const char *why)
{
	fprintf(stderr, "ptx_run: '%s': %s\n", text, why);
	return -1;
}

static int parse_memory(struct ptx_memory *memory, const char *text, const char *star, struct argument *argument, int number)
{
	argument->type = type_of(text, (size_t)(star - text));
	char *end;
	const unsigned long long count = strtoull(star + 1, &end, 0);
	if (argument->type == PTX_NO_TYPE || *end != '=' || count == 0 || count > 1ull << 34)
		return fail(text, "TYPE*COUNT=CONTENT[:SHOW] expected");
	const char *const content = end + 1, *const colon = strchr(content, ':');
	const size_t length = colon ? (size_t)(colon - content) : strlen(content), each = ptx_type_bytes(argument->type);
	argument->show = colon ? strtoull(colon + 1, NULL, 0) : 0;
	argument->show = argument->show > count ? count : argument->show;
	argument->memory_bytes = count * each;
	argument->memory = aligned_alloc(256, (argument->memory_bytes + 511) / 256 * 256);
	if (!argument->memory)
		return fail(text, "no memory");
	const int is_output = strncmp(content, "undefined", length) == 0, is_input = strncmp(content, "input", length) == 0;
	const int is_random = is_input || strncmp(content, "random", length) == 0, is_iota = strncmp(content, "iota", length) == 0;
	const int is_one = strncmp(content, "one", length) == 0;
	if (!is_output && !is_random && !is_iota && !is_one && strncmp(content, "zero", length) != 0)
		return fail(text, "content is zero, one, iota, random, input or undefined");
	uint64_t state = (uint64_t)number;
	for (size_t i = 0; i < count; i++) {
		const uint64_t random = next_random(&state);
		store(argument->memory + i * each, argument->type, is_random ? random : is_iota ? i : (uint64_t)is_one,
		      is_random ? (double)(random >> 11) * 0x1p-51 - 2 : is_iota ? (double)i : is_one);
	}
	char name[32];
	snprintf(name, sizeof name, "argument %d", number);
	const uint64_t address = (uint64_t)(uintptr_t)argument->memory;
	struct error err = {0};
	if (ptx_memory_add(memory, address, argument->memory_bytes, PTX_BUFFER_ALLOCATION, name, &err) < 0)
		return fail(text, err.message);
	ptx_memory_mark(memory, address, argument->memory_bytes,
			is_output ? DEVICE_MEMORY_OUTPUT : is_input ? DEVICE_MEMORY_INPUT : DEVICE_MEMORY_PLAIN);
	memcpy(argument->value, &address, sizeof address);
	argument->bytes = sizeof address;
	return 0;
}

static int parse_argument(struct ptx_memory *memory, const char *text, struct argument *argument, int number)
{
	const char *const colon = strchr(text, ':'), *const star = strchr(text, '*');
	if (strncmp(text, "hex:", 4) == 0) {
		for (const char *at = text + 4; at[0] && at[1] && argument->bytes < sizeof argument->value; at += 2) {
			const char digits[3] = {at[0], at[1], 0};
			argument->value[argument->bytes++] = (unsigned char)strtoul(digits, NULL, 16);
		}
		return 0;
	}
	if (star)
		return parse_memory(memory, text, star, argument, number);
	argument->type = colon ? type_of(text, (size_t)(colon - text)) : PTX_NO_TYPE;
	if (argument->type == PTX_NO_TYPE)
		return fail(text, "TYPE:VALUE expected");
	store(argument->value, argument->type, strtoull(colon + 1, NULL, 0), strtod(colon + 1, NULL));
	argument->bytes = ptx_type_bytes(argument->type);
	return 0;
}

static struct device_dim3 dimensions(const char *text)
{
	struct device_dim3 size = {1, 1, 1};
	sscanf(text, "%u,%u,%u", &size.x, &size.y, &size.z);
	return size;
}

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *text = NULL;
	size_t length = 0, room = 0;
	while (file) {
		if (length + 65536 > room) {
			char *const grown = realloc(text, room = 2 * room + 131072);
			if (!grown)
				break;
			text = grown;
		}
		const size_t n = fread(text + length, 1, 65535, file);
		length += n;
		text[length] = '\0';
		if (n == 0)
			break;
	}
	if (file)
		fclose(file);
	else
		fprintf(stderr, "ptx_run: %s: %s\n", path, strerror(errno));
	return text;
}

/* Every kernel is lowered; says what stops the others. */
static int list_kernels(struct ptx_image *image, const char *text)
{
	int refused = 0, all = 0;
	for (const char *at = text; (at = strstr(at, ".entry")); at += 6) {
		char name[1024] = "";
		if (sscanf(at + 6, " %1023[^( \t\n]", name) != 1)
			continue;
		struct ptx_kernel *kernel;
		struct error err = {0};
		all++;
		if (ptx_image_kernel(image, name, &kernel, &err) < 0) {
			refused++;
			printf("%s: %s\n", name, err.message);
			continue;
		}
		struct ptx_kernel_facts facts;
		ptx_kernel_facts(kernel, &facts);
		printf("%s: %d parameters of %u bytes, %u bytes of shared and %u of local memory, %u threads, %u registers\n", name,
		       facts.parameter_count, facts.parameter_bytes, facts.shared_bytes, facts.local_bytes, facts.max_threads, facts.registers);
	}
	printf("%d of %d kernels can be run\n", all - refused, all);
	return refused != 0;
}

/* Of all threads: what others do on the machine does not show. */
static double cpu_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void print_profile(const struct ptx_launch_result *result)
{
	for (int i = 0; i < result->profile_count; i++) {
		const struct ptx_profile *const line = &result->profile[i];
		if (line->executed)
			printf("%6u %14llu %14llu  %.*s\n", line->instruction->position.line, (unsigned long long)line->executed,
			       (unsigned long long)line->lanes, (int)line->instruction->text_length, line->instruction->text);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: ptx_run FILE [KERNEL [--grid X,Y,Z] [--block X,Y,Z] [--shared BYTES] [--threads N] [--seed N] [--budget N]\n"
				"               [--repeat N] [--no-check] [--profile] ARGUMENT...]\n");
		return 2;
	}
	static struct argument arguments[ARGUMENTS_MAX];
	struct ptx_image *image = NULL;
	struct error err = {0};
	int status = 2, count = 0, repeat = 1;
	struct ptx_memory *const memory = ptx_memory_create();
	char *const text = read_file(argv[1]);
	struct ptx_launch launch = {.memory = memory, .grid = {1, 1, 1}, .block = {32, 1, 1}, .checks = 1};
	static struct ptx_launch_result result;
	void *pointers[ARGUMENTS_MAX];
	if (!text || !memory)
		goto done;
	if (ptx_image_load(text, memory, &image, &err) < 0) {
		fprintf(stderr, "ptx_run: %s: %s\n", argv[1], err.message);
		goto done;
	}
	if (argc < 3) {
		status = list_kernels(image, text);
		goto done;
	}
	for (int i = 3; i < argc; i++) {
		const char *const value = i + 1 < argc ? argv[i + 1] : "";
		if (strcmp(argv[i], "--no-check") == 0) {
			launch.checks = 0;
			continue;
		}
		if (strcmp(argv[i], "--profile") == 0) {
			launch.profile = 1;
			continue;
		}
		if (argv[i][0] != '-') {
			if (count == ARGUMENTS_MAX || parse_argument(memory, argv[i], &arguments[count], count + 1) < 0)
				goto done;
			pointers[count] = arguments[count].value;
			count++;
			continue;
		}
		i++;
		if (strcmp(argv[i - 1], "--grid") == 0)
			launch.grid = dimensions(value);
		else if (strcmp(argv[i - 1], "--block") == 0)
			launch.block = dimensions(value);
		else if (strcmp(argv[i - 1], "--shared") == 0)
			launch.dynamic_shared = (uint32_t)strtoul(value, NULL, 0);
		else if (strcmp(argv[i - 1], "--threads") == 0)
			launch.threads = atoi(value);
		else if (strcmp(argv[i - 1], "--seed") == 0)
			launch.seed = strtoull(value, NULL, 0);
		else if (strcmp(argv[i - 1], "--budget") == 0)
			launch.budget = strtoull(value, NULL, 0);
		else if (strcmp(argv[i - 1], "--repeat") == 0)
			repeat = atoi(value);
		else {
			fail(argv[i - 1], "no such option");
			goto done;
		}
	}
	struct ptx_kernel_facts facts;
	if (ptx_image_kernel(image, argv[2], &launch.kernel, &err) < 0) {
		fprintf(stderr, "ptx_run: %s\n", err.message);
		goto done;
	}
	ptx_kernel_facts(launch.kernel, &facts);
	int fits = count == facts.parameter_count;
	for (int i = 0; fits && i < count; i++)
		fits = arguments[i].bytes == facts.parameters[i].bytes;
	if (!fits) {
		fprintf(stderr, "ptx_run: %s takes %d arguments, of", argv[2], facts.parameter_count);
		for (int i = 0; i < facts.parameter_count; i++)
			fprintf(stderr, " %llu", (unsigned long long)facts.parameters[i].bytes);
		fprintf(stderr, " bytes\n");
		goto done;
	}
	launch.arguments = pointers;
	for (int i = 0; i < repeat; i++) {
		free(result.profile);
		const double begin = cpu_seconds();
		if (ptx_launch(&launch, &result, &err) < 0) {
			fprintf(stderr, "ptx_run: %s\n", err.message);
			goto done;
		}
		uint64_t warps = 0, lanes = 0;
		for (int c = 0; c < PTX_CLASS_COUNT; c++) {
			warps += result.counts.warp_instructions[c];
			lanes += result.counts.lane_instructions[c];
		}
		const double cpu = cpu_seconds() - begin;
		printf("%.6f s, %llu warp instructions, %llu lane instructions, %.4g a second, %.4g a second of one processor\n", result.seconds,
		       (unsigned long long)warps, (unsigned long long)lanes, (double)lanes / result.seconds, (double)lanes / cpu);
	}
	for (int i = 0; i < result.finding_count; i++) {
		char line[1024];
		ptx_finding_text(&result.findings[i], line, sizeof line);
		printf("%s\n", line);
	}
	if (result.device_code)
		printf("stopped with code %d\n", result.device_code);
	for (int i = 0; i < count; i++) {
		if (!arguments[i].show)
			continue;
		printf("argument %d:", i + 1);
		for (size_t n = 0; n < arguments[i].show; n++)
			print_element(arguments[i].memory + n * ptx_type_bytes(arguments[i].type), arguments[i].type);
		printf("\n");
	}
	if (launch.profile)
		print_profile(&result);
	status = result.finding_count != 0;
done:
	free(result.profile);
	ptx_image_free(image);
	ptx_memory_destroy(memory);
	for (int i = 0; i < count; i++)
		free(arguments[i].memory);
	free(text);
	return status;
}
