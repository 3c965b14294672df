/* index_select, gather, index_add, scatter, scatter_add. */
#include "launches.h"

#include <string.h>

enum { LEFT = 3, DIM = 9, IDS = 5, RIGHT = 17 };

static int ids_buffer(struct launch *launch, const struct element *index, size_t count, uint64_t below, int with_none)
{
	const int buffer = launch_buffer(launch, index, count, 0);
	for (size_t i = 0; i < count && !launch->failed; i++) {
		uint64_t value = input_mix(i + 77) % below;
		if (with_none && i % 7 == 3) /* the largest value of the type: none */
			value = index->name[0] == 'u' ? UINT64_MAX : UINT64_MAX >> (65 - 8 * index->bytes);
		memcpy(launch->buffers[buffer].bytes + i * (size_t)index->bytes, &value, (size_t)index->bytes);
	}
	return buffer;
}

int launch_indexing(const char *kernel, int number, struct launch *launch)
{
	static const char *const prefixes[] = {"is_", "gather_", "ia_", "s_", "sa_"};
	const struct element *element = element_of_suffix(kernel);
	const struct element *index = NULL;
	int which = -1;

	for (int i = 0; i < 5 && which < 0; i++) {
		const size_t length = strlen(prefixes[i]);
		if (strncmp(kernel, prefixes[i], length))
			continue;
		const char *end = strchr(kernel + length, '_');
		char name[8] = "";
		if (end && (size_t)(end - kernel) - length < sizeof(name))
			memcpy(name, kernel + length, (size_t)(end - kernel) - length);
		index = element_find(name);
		which = index ? i : -1;
	}
	if (which < 0 || !element)
		return -1;
	if (number > 1)
		return 0;
	switch (which) {
	case 0: {
		const uint64_t info[2] = {IDS, number ? 2 : 1}; /* every second id */
		launch_add(launch, LEFT * IDS * RIGHT);
		launch_add(launch, 1);
		launch_sizes(launch, info, 2);
		launch_add_buffer(launch, ids_buffer(launch, index, 2 * IDS, DIM, 1));
		launch_input(launch, element, LEFT * DIM * RIGHT, 1, 71);
		launch_output(launch, element, LEFT * IDS * RIGHT);
		for (int i = 0; i < 4; i++)
			launch_add(launch, (const uint64_t[]){LEFT, DIM, IDS, RIGHT}[i]);
		launch_for_elements(launch, LEFT * IDS * RIGHT);
		return 1;
	}
	case 1:
		launch_add(launch, LEFT * IDS * RIGHT);
		launch_add_buffer(launch, ids_buffer(launch, index, LEFT * IDS * RIGHT, DIM, 1));
		launch_input(launch, element, LEFT * DIM * RIGHT, 1, 72);
		launch_output(launch, element, LEFT * IDS * RIGHT);
		for (int i = 0; i < 4; i++)
			launch_add(launch, (const uint64_t[]){LEFT, DIM, IDS, RIGHT}[i]);
		launch_for_elements(launch, LEFT * IDS * RIGHT);
		return number == 0;
	default:
		break;
	}
	/* in place on the output: source [LEFT, IDS, RIGHT], destination [LEFT, DIM, RIGHT] */
	/* the kernels for float8 have no "none": they would read far outside */
	const int with_none = number && !strstr(element->name, "e4m3");
	launch_add_buffer(launch, ids_buffer(launch, index, which == 2 ? IDS : LEFT * IDS * RIGHT, DIM, with_none));
	if (which == 2)
		launch_add(launch, IDS);
	launch_input(launch, element, LEFT * IDS * RIGHT, number, 73);
	const int out = launch_buffer(launch, element, LEFT * DIM * RIGHT, 1);
	launch_fill(launch, out, 0, 74);
	launch_add_buffer(launch, out);
	for (int i = 0; i < 4; i++)
		launch_add(launch, (const uint64_t[]){LEFT, IDS, DIM, RIGHT}[i]);
	launch_for_elements(launch, LEFT * RIGHT);
	return 1;
}
