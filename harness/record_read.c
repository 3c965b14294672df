/* Reading a result file, which may be anyone's; the layout is described in record.h. */
#include "record_earlier.h"
#include "record_reader.h"

#include "dataset/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TABLE_BYTES_MAX = 1 << 30, CHECKS_TEXT_MAX = 2048 };

/* ---- tables ---- */

static int read_check_names(struct record_reader *reader, hid_t table, struct error *err)
{
	char names[CHECKS_TEXT_MAX];
	if (record_read_text(table, "checks", names, sizeof names, &reader->place, err))
		return -1;
	char *rest = names;
	for (int i = 0; i < RECORD_CHECKS_STORED; i++) {
		const char *name = strsep(&rest, ",");
		reader->checks[i] = name ? check_from_name(name) : CHECK_NAMES_COUNT;
	}
	return 0;
}

static int read_table(struct record_reader *reader, enum record_table table, struct error *err)
{
	char where[64];
	snprintf(where, sizeof where, "cases/%s", record_tables[table].name);
	const struct hdf5_place place = {.file = reader->place.file, .where = where, .file_size = reader->place.file_size};
	hid_t dataset = -1, stored = -1, ours = -1;
	hsize_t dims[H5S_MAX_RANK];
	size_t bytes;
	int rank, result = -1;
	if (record_tables[table].optional && H5Lexists(reader->cases, record_tables[table].name, H5P_DEFAULT) == 0)
		return 0;
	dataset = open_member(reader->cases, record_tables[table].name, H5O_TYPE_DATASET, &place, err);
	if (dataset < 0)
		goto done;
	stored = H5Dget_type(dataset);
	ours = record_type(table);
	if (stored < 0 || ours < 0 || H5Tequal(stored, ours) <= 0) {
		place_error(&place, err, "its columns are not those of schema %d", RECORD_SCHEMA);
		goto done;
	}
	if (check_dataset(dataset, H5Tget_size(stored), &rank, dims, &reader->counts[table], &place, err))
		goto done;
	if (rank != 1 || size_mul(reader->counts[table], record_tables[table].row_size, &bytes) || bytes > TABLE_BYTES_MAX) {
		place_error(&place, err, "it is not one list, or longer than %d MiB", TABLE_BYTES_MAX >> 20);
		goto done;
	}
	reader->rows[table] = calloc(bytes ? bytes : 1, 1);
	if (!reader->rows[table]) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		goto done;
	}
	if (reader->counts[table] && H5Dread(dataset, ours, H5S_ALL, H5S_ALL, H5P_DEFAULT, reader->rows[table]) < 0) {
		place_hdf5_error(&place, err, "it cannot be read");
		goto done;
	}
	result = table == RECORD_ROWS ? read_check_names(reader, dataset, err) : 0;
done:
	hdf5_close(ours);
	hdf5_close(stored);
	hdf5_close(dataset);
	return result;
}

/* ---- the file ---- */

/* Whether a writer holds the file: HDF5 locks what it writes. */
int record_is_being_written(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is not waited for */
	const int locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	if (fd >= 0)
		close(fd);
	return locked;
}

/* PATH, or what a killed run has left of it. */
static int name_file(struct record_reader *reader, const char *path, struct error *err)
{
	reader->place = (struct hdf5_place){.file = path, .where = ""};
	if (path_exists(path))
		return 0;
	reader->partial = record_partial_name(path);
	reader->earlier = record_earlier_name(path);
	if (!reader->partial || !reader->earlier)
		return error_set(err, ERROR_ENVIRONMENT, "out of memory");
	const char *better = record_better_of(reader->partial, reader->earlier);
	if (better)
		reader->place.file = better;
	return 0;
}

static int open_file(struct record_reader *reader, const char *path, struct error *err)
{
	struct stat status;
	if (name_file(reader, path, err))
		return -1;
	struct file_map map; /* says why a file cannot be opened better than HDF5 does */
	if (file_map_open(&map, reader->place.file, err))
		return -1;
	file_map_close(&map);
	if (stat(reader->place.file, &status))
		return place_error(&reader->place, err, "cannot be read");
	reader->place.file_size = status.st_size;
	const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
	if (access >= 0 && H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0)
		reader->file = H5Fopen(reader->place.file, H5F_ACC_RDONLY, access);
	hdf5_close(access);
	if (reader->file < 0 && record_is_being_written(reader->place.file))
		return place_error(&reader->place, err, "is being written by a run: read it when that has ended");
	if (reader->file < 0)
		return place_hdf5_error(&reader->place, err, "is not an HDF5 file that can be read");
	return 0;
}

static int read_head(struct record_reader *reader, struct run_record *run, struct error *err)
{
	char generator[32];
	const int found = read_text(reader->file, "generator", generator, sizeof generator, &reader->place, err);
	if (found < 0)
		return -1;
	if (found == READ_ABSENT || strcmp(generator, "assay") != 0)
		return place_error(&reader->place, err, "is not a result file of assay (give one that `assay run --out` wrote)");
	const int told = read_int(reader->file, "schema", &run->schema, &reader->place, err);
	if (told)
		return told == READ_ABSENT ? place_error(&reader->place, err, "attribute 'schema' is missing") : -1;
	if (run->schema != RECORD_SCHEMA)
		return place_error(&reader->place, err, "has schema %lld, this version of assay reads %d", (long long)run->schema,
				   RECORD_SCHEMA);
	return 0;
}

static int read_whole(struct run_record *run, const char *path, int leaves_copies, struct error *err)
{
	struct record_reader reader = {.file = -1, .cases = -1, .leaves_copies = leaves_copies};
	int result = -1;
	*run = (struct run_record){0};
	hdf5_quiet();
	if (open_file(&reader, path, err) || read_head(&reader, run, err) || record_read_run(&reader, run, err) ||
	    record_read_artifacts(&reader, run, err))
		goto done;
	reader.cases = open_member(reader.file, "cases", H5O_TYPE_GROUP, &reader.place, err);
	if (reader.cases < 0)
		goto done;
	for (int table = 0; table < RECORD_TABLES; table++)
		if (read_table(&reader, (enum record_table)table, err))
			goto done;
	result = record_read_cases(&reader, run, err);
	if (result == 0) {
		run_record_sort(run);
		run_record_order_devices(run);
	}
done:
	for (int table = 0; table < RECORD_TABLES; table++)
		free(reader.rows[table]);
	hdf5_close(reader.cases);
	hdf5_close(reader.file);
	free(reader.partial);
	free(reader.earlier);
	if (result)
		run_record_free(run);
	return result;
}

int record_read(struct run_record *run, const char *path, struct error *err)
{
	return read_whole(run, path, 0, err);
}

int record_read_without_copies(struct run_record *run, const char *path, struct error *err)
{
	return read_whole(run, path, 1, err);
}
