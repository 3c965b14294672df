#include "core/parallel.h"

#include <pthread.h>
#include <unistd.h>

enum { THREADS_MAX = 64 };

struct part {
	void (*body)(void *context, int64_t first, int64_t last);
	void *context;
	int64_t first, last;
	pthread_t thread;
	int started;
};

static void *run_part(void *opaque)
{
	struct part *part = opaque;
	part->body(part->context, part->first, part->last);
	return NULL;
}

void parallel_for(int64_t count, int64_t least, void (*body)(void *context, int64_t first, int64_t last), void *context)
{
	struct part parts[THREADS_MAX];
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t wanted = least > 0 ? count / least : count;
	if (wanted > processors)
		wanted = processors;
	if (wanted > THREADS_MAX)
		wanted = THREADS_MAX;
	if (count <= 0)
		return;
	if (wanted < 2) {
		body(context, 0, count);
		return;
	}
	for (int i = 0; i < wanted; i++) {
		parts[i] = (struct part){body, context, count / wanted * i, i == wanted - 1 ? count : count / wanted * (i + 1), 0, 0};
		parts[i].started = i > 0 && pthread_create(&parts[i].thread, NULL, run_part, &parts[i]) == 0;
	}
	for (int i = 0; i < wanted; i++)
		if (!parts[i].started)
			run_part(&parts[i]);
	for (int i = 0; i < wanted; i++)
		if (parts[i].started)
			pthread_join(parts[i].thread, NULL);
}
