#include "artifact/host_build.h"

#include "core/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int host_take_name(uint64_t *left, const char *name, struct error *err)
{
	const size_t length = strlen(name);
	if (length > *left)
		return error_set(err, ERROR_INPUT, "has symbols whose names come to many times its size; it is damaged");
	*left -= length;
	return 0;
}

int host_add_fatbin(struct host_object *object, struct host_section section, struct error *err)
{
	if (section.size == 0)
		return 0;
	/* room for 1, 2, 4, 8 ...: it is full when the count is a power of two */
	if ((object->fatbin_count & (object->fatbin_count - 1)) == 0) {
		const size_t room = object->fatbin_count ? (size_t)object->fatbin_count * 2 : 1;
		struct host_section *fatbins = realloc(object->fatbins, room * sizeof *fatbins);
		if (!fatbins)
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		object->fatbins = fatbins;
	}
	object->fatbins[object->fatbin_count++] = section;
	object->needs_device_link |= section.relocatable;
	return 0;
}

/* "libcudart.so.13" tells 13. Windows' "cudart64_12.dll" tells 12; before 12 the number holds the minor version too:
 * "cudart64_110.dll", "cudart64_101.dll". */
static void note_runtime_library(struct host_object *object, const char *name)
{
	unsigned number = 0;
	if (sscanf(name, "libcudart.so.%3u", &number) == 1) {
		object->runtime_library = name;
		object->runtime_library_major = number;
	} else if (strncasecmp(name, "cudart64_", 9) == 0 || strncasecmp(name, "cudart32_", 9) == 0) {
		object->runtime_library = name;
		if (sscanf(name + 9, "%4u", &number) == 1)
			object->runtime_library_major = number >= 50 ? number / 10 : number;
	} else if (strncmp(name, "libcudart.so", 12) == 0) {
		object->runtime_library = name;
	}
}

int host_add_library(struct host_object *object, const char *name, struct error *err)
{
	if ((object->library_count & (object->library_count - 1)) == 0) {
		const size_t room = object->library_count ? (size_t)object->library_count * 2 : 1;
		const char **libraries = realloc(object->libraries, room * sizeof *libraries);
		if (!libraries)
			return error_set(err, ERROR_ENVIRONMENT, "out of memory");
		object->libraries = libraries;
	}
	object->libraries[object->library_count++] = name;
	note_runtime_library(object, name);
	return 0;
}

int host_object_parse(const void *bytes, size_t size, struct host_object *object, struct error *err)
{
	*object = (struct host_object){.msvc.iterator_debug_level = -1};
	object->kind = object_identify(bytes, size, &object->machine);
	int result;
	switch (object->kind) {
	case OBJECT_COFF:
	case OBJECT_COFF_BIGOBJ:
		result = host_coff_read(bytes, size, object, err);
		break;
	case OBJECT_COFF_IMPORT:
		result = host_import_read(bytes, size, object, err);
		break;
	case OBJECT_PE:
		result = host_pe_read(bytes, size, object, err);
		break;
	default:
		result = host_elf_read(bytes, size, object, err);
		break;
	}
	/* sections that share their bytes would multiply what is read from them */
	size_t device_code = 0;
	for (int i = 0; i < object->fatbin_count && result == 0; i++) {
		device_code += object->fatbins[i].size;
		if (device_code > size)
			result = error_set(err, ERROR_INPUT, "has sections of device code that overlap; the file is damaged");
	}
	if (result)
		host_object_free(object);
	return result;
}

void host_object_free(struct host_object *object)
{
	free(object->symbols);
	free(object->fatbins);
	free(object->libraries);
	free(object->names);
	*object = (struct host_object){0};
}

int host_object_is_linked(const struct host_object *object)
{
	return object->kind == OBJECT_ELF_SHARED || object->kind == OBJECT_ELF_EXECUTABLE || object->kind == OBJECT_PE;
}

const struct host_symbol *host_object_find(const struct host_object *object, const char *name, int defined)
{
	for (int i = 0; i < object->symbol_count; i++)
		if (!object->symbols[i].defined == !defined && strcmp(object->symbols[i].name, name) == 0)
			return &object->symbols[i];
	return NULL;
}
