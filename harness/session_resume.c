/* --resume: what an earlier part of a run had finished is taken over from its result file.
 *
 * FILE.h5.partial is what a killed run leaves. It is renamed to FILE.h5.earlier before the new file of that name is begun, and
 * stays, or a later state of the new file does, until the run is complete (record_earlier.h). */
#include "session_private.h"

#include "merge.h"
#include "output_copy.h"
#include "record_earlier.h"
#include "record_match.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static int by_order(const void *a, const void *b)
{
	const struct earlier_case *x = a, *y = b;
	return (x->order > y->order) - (x->order < y->order);
}

const struct case_record *session_earlier(const struct session *session, uint64_t order)
{
	const struct earlier_case key = {.order = order};
	if (!session->earlier_count)
		return NULL;
	const struct earlier_case *found = bsearch(&key, session->earlier, session->earlier_count, sizeof key, by_order);
	return found ? &session->run->cases[found->index] : NULL;
}

/* The cases of `from` that are finished move into the run. */
static int take_cases(struct session *session, struct run_record *from, struct error *err)
{
	struct run_record *run = session->run;
	session->earlier = calloc(from->case_count + 1, sizeof *session->earlier);
	if (!session->earlier)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	run->devices = from->devices;
	run->device_count = from->device_count;
	from->devices = NULL;
	from->device_count = 0;
	for (size_t i = 0; i < from->case_count; i++) {
		struct case_record *record = &from->cases[i];
		/* what this program could not do then it may be able to do now */
		if (record->judgement.status == STATUS_ERROR)
			continue;
		session->earlier[session->earlier_count] = (struct earlier_case){record->order, run->case_count};
		if (run_record_add(run, record, err))
			return -1;
		case_record_forget(record);
		session->earlier_count++;
	}
	/* an artifact of which nothing is left to be run is not loaded again */
	for (size_t i = 0; i < run->artifact_count && i < from->artifact_count; i++)
		if (merge_artifact(&run->artifacts[i], &from->artifacts[i], err))
			return -1;
	qsort(session->earlier, session->earlier_count, sizeof *session->earlier, by_order);
	for (size_t i = 1; i < session->earlier_count; i++)
		if (session->earlier[i].order == session->earlier[i - 1].order)
			return error_set(err, ERROR_INPUT, "%s: has the case %s twice", session->options->resume,
					 run->cases[session->earlier[i].index].name);
	return 0;
}

static int note_resumed(struct session *session, const char *path, struct error *err)
{
	char *notes = NULL;
	if (asprintf(&notes, "%s%sresumed: %zu cases were taken over from %s, a run of %s", session->run->notes,
		     session->run->notes[0] ? "\n" : "", session->earlier_count, path, session->earlier_run.date) < 0)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	free(session->run->notes);
	session->run->notes = notes;
	if (!session->options->quiet)
		fprintf(stderr, "assay: %s: %zu cases are taken over\n", path, session->earlier_count);
	return 0;
}

/* A file that cannot be read is put aside: whoever resumes unattended goes on, and nothing is deleted. */
static int put_aside(const char *path, const struct error *why, struct error *err)
{
	char *aside = NULL;
	if (asprintf(&aside, "%s.damaged", path) < 0)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	int result = 0;
	if (rename(path, aside))
		result = error_set(err, ERROR_INPUT, "%s: cannot be renamed: %s", path, strerror(errno));
	else
		fprintf(stderr, "assay: %s; it is kept as %s, and its cases are run again\n", why->message, aside);
	free(aside);
	return result;
}

/* Until the new file is there, from when on that one is locked, another --resume of the same could take it for abandoned. */
static int lock_earlier(struct session *session, struct error *err)
{
	const int fd = open(session->earlier_file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, ERROR_INPUT, "%s: cannot be opened: %s", session->earlier_file, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
		close(fd);
		return error_set(err, ERROR_INPUT, "%s: is being resumed by another run: wait until that has ended", session->earlier_file);
	}
	session->earlier_lock = fd;
	return 0;
}

static int read_earlier(struct session *session, const char *path, const char *file, int is_partial, struct error *err)
{
	struct run_record *from = &session->earlier_run;
	struct error problem = {0};
	if (record_read(from, file, &problem)) {
		if (is_partial && problem.kind == ERROR_INPUT && !record_is_being_written(file))
			return put_aside(file, &problem, err);
		*err = problem;
		return -1;
	}
	if (record_same_run(session->run, from, file, RECORD_SAME_RESUMED, err))
		return -1;
	if (from->complete) {
		/* killed after its last write and before it had renamed the file: only the name is missing */
		if (is_partial && (path_can_be_replaced(path, err) || record_publish(file, path, NULL, err)))
			return -1;
		run_record_free(session->run);
		*session->run = *from;
		*from = (struct run_record){0};
		if (!session->options->quiet)
			fprintf(stderr, "assay: %s is complete: nothing is left to be run\n", path);
		return 1;
	}
	if (is_partial && lock_earlier(session, err))
		return -1;
	return take_cases(session, from, err) || note_resumed(session, file, err) ? -1 : 0;
}

int session_resume(struct session *session, struct error *err)
{
	const char *path = session->options->resume;
	char *partial = NULL;
	int result = -1;
	if (!path)
		return 0;
	partial = record_partial_name(path);
	session->earlier_file = record_earlier_name(path);
	if (!partial || !session->earlier_file) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	result = 0;
	if (path_exists(partial)) {
		if (record_is_being_written(partial)) {
			result = error_set(err, ERROR_INPUT, "%s: is being written by a run: resume it when that has ended", partial);
			goto done;
		}
		/* the new file starts with what the earlier one has: as long as it has less, it was cut off in the midst of that */
		if (record_better_of(partial, session->earlier_file) == partial && rename(partial, session->earlier_file)) {
			result = error_set(err, ERROR_INPUT, "%s: cannot be renamed: %s", partial, strerror(errno));
			goto done;
		}
	}
	if (path_exists(session->earlier_file))
		result = read_earlier(session, path, session->earlier_file, 1, err);
	else if (path_exists(path))
		result = read_earlier(session, path, path, 0, err);
	else if (!session->options->quiet)
		fprintf(stderr, "assay: %s: there is nothing of an earlier run; this one starts anew\n", path);
done:
	free(partial);
	return result;
}

int session_resume_write(struct session *session, struct error *err)
{
	/* those before were kept before the writer was there */
	for (size_t i = 0; i < session->earlier_count; i++) {
		if (record_writer_add_unflushed(session->writer, &session->run->cases[i], err))
			return -1;
		if (!session->options->hold_outputs)
			case_record_drop_outputs(&session->run->cases[i]);
	}
	return record_writer_flush(session->writer, err);
}

int session_resume_prepare(struct session *session, struct error *err)
{
	if (session->earlier_file)
		return 0;
	/* what a killed run of that name left would otherwise be taken for a part of this one */
	char *partial = record_partial_name(session->options->out), *stale = record_earlier_name(session->options->out);
	int result = partial && stale ? 0 : error_set(err, ERROR_ENVIRONMENT, "out of memory");
	if (result == 0 && !record_is_being_written(partial) && unlink(stale) && errno != ENOENT)
		result = error_set(err, ERROR_INPUT, "%s: cannot be removed: %s", stale, strerror(errno));
	free(partial);
	free(stale);
	return result;
}

void session_resume_close(struct session *session, int is_complete)
{
	char *partial = NULL;
	if (session->earlier_file && is_complete) {
		unlink(session->earlier_file);
	} else if (session->earlier_file && (partial = record_partial_name(session->options->resume))) {
		/* under the name by which everything finds it, where this run has left nothing better, and it is not another's */
		const int is_ours = session->earlier_lock >= 0 || !record_is_being_written(session->earlier_file);
		if (is_ours && !path_exists(partial) && path_exists(session->earlier_file))
			rename(session->earlier_file, partial);
		free(partial);
	}
	if (session->earlier_lock >= 0)
		close(session->earlier_lock);
	run_record_free(&session->earlier_run);
	free(session->earlier);
	free(session->earlier_file);
	session->earlier = NULL;
	session->earlier_file = NULL;
	session->earlier_lock = -1;
	session->earlier_count = 0;
}
