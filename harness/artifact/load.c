/* Many images at once. Decompressing and reading one image touches nothing that another one touches, so threads take them
 * one after the other; this is the only place of the artifact layer that starts any. */
#include "artifact/artifact.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	THREADS_MAX = 16,
	/* a thread is not worth its start for less than a few milliseconds of decompression */
	BYTES_PER_THREAD = 4 << 20,
	/* images that are larger than this unpacked are unpacked one at a time: some are of more than 100 MB */
	LARGE = 16 << 20,
};

struct task {
	int unit, image;
};

struct pool {
	const struct artifact *artifact;
	struct task *tasks; /* in the order of the file */
	size_t count;
	size_t next;        /* the first that no thread has taken; atomic */
	pthread_mutex_t large; /* held while a large image is read */
	pthread_mutex_t lock;
	size_t failed;      /* index of the first task in that order that failed; `count`: none */
	struct error err;   /* what it failed with */
};

static void *work(void *context)
{
	struct pool *pool = context;
	for (;;) {
		const size_t index = __atomic_fetch_add(&pool->next, 1, __ATOMIC_RELAXED);
		if (index >= pool->count)
			return NULL;
		struct artifact_unit *unit = &pool->artifact->units[pool->tasks[index].unit];
		struct artifact_image *image = &unit->images[pool->tasks[index].image];
		const int is_large = image->entry.compression != FATBIN_RAW && image->entry.decompressed_size > LARGE;
		struct error err = {0};
		if (is_large)
			pthread_mutex_lock(&pool->large);
		const int failed = artifact_load_image(pool->artifact, unit, image, &err);
		if (is_large)
			pthread_mutex_unlock(&pool->large);
		if (!failed)
			continue;
		pthread_mutex_lock(&pool->lock);
		/* which one is told does not depend on who came first */
		if (index < pool->failed) {
			pool->failed = index;
			pool->err = err;
		}
		pthread_mutex_unlock(&pool->lock);
		__atomic_store_n(&pool->next, pool->count, __ATOMIC_RELAXED);
	}
}

static int can_load(const struct fatbin_entry *entry, unsigned kinds)
{
	return (kinds & 1u << entry->kind) && entry->compression != FATBIN_OBFUSCATED && entry->compression != FATBIN_PACKED;
}

static size_t thread_count(size_t bytes, size_t tasks)
{
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t threads = bytes / BYTES_PER_THREAD;
	if (threads > tasks)
		threads = tasks;
	if (processors > 0 && threads > (size_t)processors)
		threads = (size_t)processors;
	return threads > THREADS_MAX ? THREADS_MAX : threads;
}

int artifact_load_images(struct artifact *artifact, unsigned kinds, struct error *err)
{
	struct pool pool = {.artifact = artifact, .large = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER};
	pthread_t threads[THREADS_MAX];
	size_t count = 0, bytes = 0, started = 0;
	for (int u = 0; u < artifact->unit_count; u++)
		for (int i = 0; i < artifact->units[u].image_count; i++)
			count += !artifact->units[u].images[i].loaded && can_load(&artifact->units[u].images[i].entry, kinds);
	if (count == 0)
		return 0;
	pool.tasks = calloc(count, sizeof *pool.tasks);
	if (!pool.tasks)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	for (int u = 0; u < artifact->unit_count; u++)
		for (int i = 0; i < artifact->units[u].image_count; i++) {
			const struct artifact_image *image = &artifact->units[u].images[i];
			if (image->loaded || !can_load(&image->entry, kinds))
				continue;
			pool.tasks[pool.count++] = (struct task){u, i};
			/* a claim may be a lie; it only chooses the number of threads */
			if (image->entry.decompressed_size < SIZE_MAX - bytes)
				bytes += image->entry.decompressed_size;
		}
	pool.failed = pool.count;
	/* the first one alone: libelf sets itself up in its first call */
	struct artifact_unit *first = &artifact->units[pool.tasks[0].unit];
	if (artifact_load_image(artifact, first, &first->images[pool.tasks[0].image], err)) {
		free(pool.tasks);
		return -1;
	}
	pool.next = 1;
	/* this thread works as well, and alone where none can be started */
	for (size_t wanted = thread_count(bytes, pool.count); started + 1 < wanted; started++)
		if (pthread_create(&threads[started], NULL, work, &pool))
			break;
	work(&pool);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	pthread_mutex_destroy(&pool.large);
	pthread_mutex_destroy(&pool.lock);
	free(pool.tasks);
	if (pool.failed == pool.count)
		return 0;
	if (err)
		*err = pool.err;
	return -1;
}
