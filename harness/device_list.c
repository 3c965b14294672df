#include "device_list.h"

#include "core/util.h"
#include "device/device.h"

#include <stdlib.h>
#include <string.h>

static int add(struct device_list *list, const char *id, const char *text, struct error *err)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(id, "cpu") != 0 && strcmp(list->ids[i], id) == 0)
			return error_set(err, ERROR_USAGE, "--device %s: %s is there twice", text, id);
		if ((strcmp(id, "cpu") == 0) != (strcmp(list->ids[i], "cpu") == 0))
			return error_set(err, ERROR_USAGE, "--device %s: GPUs and the cpu device do not go together in one run: seconds of the "
					 "latter say nothing", text);
	}
	if (list->count == RECORD_DEVICES_MAX)
		return error_set(err, ERROR_USAGE, "--device %s: at most %d devices can be used at once", text, RECORD_DEVICES_MAX);
	snprintf(list->ids[list->count++], sizeof list->ids[0], "%s", id);
	return 0;
}

static int add_all(struct device_list *list, const char *text, struct error *err)
{
	char why[512] = "";
	const int count = device_cuda_count(why, sizeof why);
	if (count < 1)
		return error_set(err, ERROR_ENVIRONMENT, "--device %s: %s", text, why[0] ? why : "there is no CUDA device");
	for (int i = 0; i < count; i++) {
		char id[32];
		snprintf(id, sizeof id, "cuda:%d", i);
		if (add(list, id, text, err))
			return -1;
	}
	return 0;
}

/* "cuda:07" and "cuda:7" are one GPU. What is no number goes through as it is: device_open says what is wrong with it. */
static void normalise(const char *word, size_t length, char *id, size_t size)
{
	snprintf(id, size, "%.*s", (int)length, word);
	if (strcmp(id, "cuda") == 0)
		snprintf(id, size, "cuda:0");
	if (strncmp(id, "cuda:", 5) == 0 && id[5] && strspn(id + 5, "0123456789") == strlen(id + 5) && strlen(id + 5) < 9) {
		const int number = atoi(id + 5);
		snprintf(id, size, "cuda:%d", number);
	}
}

int device_list_parse(struct device_list *list, const char *text, struct error *err)
{
	*list = (struct device_list){0};
	if (!text)
		return add(list, device_default_id(), "", err);
	for (const char *at = text;; at++) {
		const size_t length = strcspn(at, ",");
		char id[sizeof list->ids[0]];
		if (length == 0 || length >= sizeof id)
			return error_set(err, ERROR_USAGE, "--device '%s': takes cpu, cuda:N, cuda:all, or several with commas between", text);
		normalise(at, length, id, sizeof id);
		if (strcmp(id, "cuda:all") == 0 ? add_all(list, text, err) : add(list, id, text, err))
			return -1;
		at += length;
		if (!*at)
			return 0;
	}
}
