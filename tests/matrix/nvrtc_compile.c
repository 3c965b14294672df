/* nvrtc_compile LIBNVRTC SOURCE.cu OUT.ptx OPTION...: what `nvcc --ptx` does, where there is no nvcc but NVRTC, as package
 * registries have it. Headers of the host's C library are left out: they are not for NVRTC, which has its own of their types. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct program *nvrtc_program; /* nvrtc.h: names and types of the functions below */

static struct {
	int (*create)(nvrtc_program *, const char *, const char *, int, const char *const *, const char *const *);
	int (*compile)(nvrtc_program, int, const char *const *);
	int (*log_size)(nvrtc_program, size_t *);
	int (*log)(nvrtc_program, char *);
	int (*ptx_size)(nvrtc_program, size_t *);
	int (*ptx)(nvrtc_program, char *);
	const char *(*message)(int);
} nvrtc;

static int load(const char *path)
{
	static const struct {
		const char *name;
		void *function;
	} functions[] = {
		{"nvrtcCreateProgram", &nvrtc.create}, {"nvrtcCompileProgram", &nvrtc.compile},
		{"nvrtcGetProgramLogSize", &nvrtc.log_size}, {"nvrtcGetProgramLog", &nvrtc.log},
		{"nvrtcGetPTXSize", &nvrtc.ptx_size}, {"nvrtcGetPTX", &nvrtc.ptx}, {"nvrtcGetErrorString", &nvrtc.message}};
	void *library = dlopen(path, RTLD_NOW);
	if (!library) {
		fprintf(stderr, "nvrtc_compile: %s\n", dlerror());
		return -1;
	}
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		void *symbol = dlsym(library, functions[i].name);
		if (!symbol) {
			fprintf(stderr, "nvrtc_compile: %s has no %s\n", path, functions[i].name);
			return -1;
		}
		memcpy(functions[i].function, &symbol, sizeof symbol);
	}
	return 0;
}

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *text = NULL;
	long size;
	if (file && !fseek(file, 0, SEEK_END) && (size = ftell(file)) >= 0 && !fseek(file, 0, SEEK_SET) &&
	    (text = calloc((size_t)size + 1, 1)) != NULL && fread(text, 1, (size_t)size, file) != (size_t)size) {
		free(text);
		text = NULL;
	}
	if (file)
		fclose(file);
	if (!text)
		perror(path);
	return text;
}

static char *result_text(nvrtc_program program, int (*get_size)(nvrtc_program, size_t *), int (*get)(nvrtc_program, char *))
{
	size_t size = 0;
	char *text = get_size(program, &size) || size == 0 ? NULL : calloc(size, 1);
	if (text && get(program, text)) {
		free(text);
		text = NULL;
	}
	return text;
}

int main(int argc, char **argv)
{
	static const char *const names[] = {"stdint.h", "stddef.h", "string.h", "stdlib.h", "stdio.h", "math.h", "float.h"};
	static const char *const texts[] = {
		"#pragma once\n"
		"typedef signed char int8_t; typedef unsigned char uint8_t;\n"
		"typedef short int16_t; typedef unsigned short uint16_t;\n"
		"typedef int int32_t; typedef unsigned int uint32_t; typedef long int64_t; typedef unsigned long uint64_t;\n"
		"typedef unsigned long uintptr_t; typedef long intptr_t;\n"
		"#define INT8_MIN (-128)\n#define INT32_MAX 2147483647\n#define INT32_MIN (-INT32_MAX - 1)\n"
		"#define UINT32_MAX 4294967295u\n#define INT64_MAX 9223372036854775807l\n#define INT64_MIN (-INT64_MAX - 1)\n"
		"#define UINT64_MAX 18446744073709551615ul\n",
		"", "", "", "",
		"#pragma once\n#define INFINITY __int_as_float(0x7f800000)\n#define NAN __int_as_float(0x7fffffff)\n",
		"#pragma once\n#define FLT_MAX 3.402823466e+38f\n#define DBL_MAX 1.7976931348623157e+308\n"};
	nvrtc_program program;
	if (argc < 4) {
		fprintf(stderr, "usage: nvrtc_compile LIBNVRTC SOURCE.cu OUT.ptx OPTION...\n");
		return 2;
	}
	char *source = read_text(argv[2]);
	if (!source || load(argv[1]))
		return 1;
	int code = nvrtc.create(&program, source, argv[2], (int)(sizeof names / sizeof *names), texts, names);
	if (!code)
		code = nvrtc.compile(program, argc - 4, (const char *const *)argv + 4);
	char *log = code ? result_text(program, nvrtc.log_size, nvrtc.log) : NULL;
	char *ptx = code ? NULL : result_text(program, nvrtc.ptx_size, nvrtc.ptx);
	if (!ptx) {
		fprintf(stderr, "nvrtc_compile: %s: %s\n%s", argv[2], nvrtc.message(code), log ? log : "");
		return 1;
	}
	FILE *out = fopen(argv[3], "wb");
	const int bad = !out || fputs(ptx, out) < 0;
	if ((out && fclose(out)) || bad) {
		perror(argv[3]);
		return 1;
	}
	return 0;
}
