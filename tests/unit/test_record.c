/* Result files: what is written comes back, a killed run keeps what it had, failures leave nothing half-written, and files
 * of other people do no harm. */
#include "check.h"
#include "record_same.h"
#include "record_samples.h"

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/assay-record-XXXXXX";

struct path {
	char text[256];
};

static struct path in_folder(const char *name)
{
	struct path path;
	snprintf(path.text, sizeof path.text, "%s/%s", folder, name);
	return path;
}

/* Writes the cases of `run`; -1 with a message when something fails. */
static int write_all(const char *path, const struct run_record *run, struct error *err)
{
	struct record_writer *writer;
	if (record_writer_open(&writer, path, run, err))
		return -1;
	for (size_t i = 0; i < run->case_count; i++)
		if (record_writer_add(writer, &run->cases[i], err)) {
			record_writer_discard(writer);
			return -1;
		}
	return record_writer_commit(writer, run, err);
}

static void test_round_trip(void)
{
	struct error err = {0};
	struct run_record run = sample_run(37), back;
	sample_operators(&run);
	sample_newer(&run);
	const struct path path_at = in_folder("trip.h5");
	const char *path = path_at.text;
	CHECK_INT(write_all(path, &run, &err), 0);
	CHECK_TEXT(err.message, "");
	CHECK(path_exists(path) && !path_exists(in_folder("trip.h5.partial").text));
	CHECK_INT(record_read(&back, path, &err), 0);
	CHECK_TEXT(err.message, "");
	CHECK_INT(back.complete, 1);
	same_run(&run, &back);
	/* what was read can be written again */
	const struct path again_at = in_folder("again.h5");
	const char *again = again_at.text;
	struct run_record third;
	CHECK_INT(write_all(again, &back, &err), 0);
	CHECK_INT(record_read(&third, again, &err), 0);
	same_run(&run, &third);
	run_record_free(&third);
	run_record_free(&back);
	run_record_free(&run);
	/* no case, no artifact, no text */
	struct run_record empty = {.schema = RECORD_SCHEMA};
	const struct path last_at = in_folder("empty.h5");
	path = last_at.text;
	CHECK_INT(write_all(path, &empty, &err), 0);
	CHECK_INT(record_read(&back, path, &err), 0);
	CHECK_INT(back.case_count, 0);
	CHECK_TEXT(back.command, "");
	run_record_free(&back);
}

/* What 0.1.0 wrote: without the tables that came later, with one device and the unfused chain in a place of the table. */
static void test_older(void)
{
	struct error err = {0};
	struct run_record run = sample_run(12), back;
	const struct path path = in_folder("older.h5");
	struct case_record *timed = &run.cases[1];
	CHECK_INT(timed->baseline_count, 1);
	case_record_free(timed);
	timed->baseline_count = 0;
	timed->hot.samples = timed->cold.samples = 0;
	CHECK_INT(write_all(path.text, &run, &err), 0);
	const hid_t file = H5Fopen(path.text, H5F_ACC_RDWR, H5P_DEFAULT), group = H5Gopen2(file, "run", H5P_DEFAULT);
	static const char *const later[] = {"cases/resources", "cases/measured", "cases/baselines", "cases/rounds", "run/devices"};
	for (size_t i = 0; i < ARRAY_COUNT(later); i++)
		CHECK(H5Ldelete(file, later[i], H5P_DEFAULT) >= 0);
	CHECK(H5Adelete(group, "shard_index") >= 0 && H5Adelete(group, "shard_count") >= 0);
	const hid_t table = H5Dopen2(file, "/cases/table", H5P_DEFAULT), space = H5Dget_space(table), memory = H5Screate(H5S_SCALAR);
	struct {
		uint8_t measured;
		double median;
	} chain = {1, 3e-4};
	const hid_t inner = H5Tcreate(H5T_COMPOUND, sizeof chain), outer = H5Tcreate(H5T_COMPOUND, sizeof chain);
	H5Tinsert(inner, "measured", 0, H5T_NATIVE_UINT8);
	H5Tinsert(inner, "median_seconds", sizeof chain - sizeof chain.median, H5T_NATIVE_DOUBLE);
	H5Tinsert(outer, "baseline", 0, inner);
	const hsize_t row = 1, one = 1;
	CHECK(H5Sselect_hyperslab(space, H5S_SELECT_SET, &row, NULL, &one, NULL) >= 0);
	CHECK(H5Dwrite(table, outer, memory, space, H5P_DEFAULT, &chain) >= 0);
	const hid_t ids[] = {inner, outer};
	for (size_t i = 0; i < ARRAY_COUNT(ids); i++)
		H5Tclose(ids[i]);
	H5Sclose(space);
	H5Sclose(memory);
	H5Dclose(table);
	H5Gclose(group);
	H5Fclose(file);
	CHECK_INT(record_read(&back, path.text, &err), 0);
	CHECK_TEXT(err.message, "");
	const struct baseline_record *unfused = back.case_count > 1 ? case_record_baseline(&back.cases[1], NULL) : NULL;
	CHECK(unfused && strcmp(unfused->name, RECORD_UNFUSED) == 0 && unfused->hot.median == 3e-4);
	CHECK_INT(back.device_count, 1);
	if (back.device_count)
		same_device(&run.devices[0], &back.devices[0]);
	CHECK_TEXT(back.artifacts[0].images, "");
	CHECK_INT(back.cases[0].launches[0].registers, back.cases[0].launch_count ? -1 : 0);
	run_record_free(&back);
	run_record_free(&run);
}

/* Cases that ran side by side come in any order and wait for a flush: what is read is as it was planned. */
static void test_order(void)
{
	struct error err = {0};
	struct run_record run = sample_run(9), back;
	struct record_writer *writer;
	const struct path path = in_folder("order.h5");
	sample_operators(&run);
	CHECK_INT(record_writer_open(&writer, path.text, &run, &err), 0);
	for (size_t i = run.case_count; i-- > 0;) {
		CHECK_INT(record_writer_add_unflushed(writer, &run.cases[i], &err), 0);
		if (i == 6) {
			/* what was flushed is there, and no more */
			struct run_record early;
			CHECK_INT(record_writer_flush(writer, &err), 0);
			CHECK_INT(record_writer_add_unflushed(writer, &run.cases[0], &err), 0);
			CHECK_INT(setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1), 0);
			CHECK_INT(record_read(&early, path.text, &err), 0);
			CHECK_INT(early.case_count, 3);
			if (early.case_count == 3)
				CHECK_TEXT(early.cases[0].name, "case-6");
			run_record_free(&early);
			CHECK_INT(unsetenv("HDF5_USE_FILE_LOCKING"), 0);
		}
	}
	CHECK_INT(record_writer_commit(writer, &run, &err), 0);
	CHECK_INT(record_read(&back, path.text, &err), 0);
	CHECK_TEXT(err.message, "");
	CHECK_INT(back.case_count, 10); /* one of them twice */
	for (size_t i = 1; i < back.case_count; i++)
		CHECK(back.cases[i - 1].order <= back.cases[i].order);
	if (back.case_count == 10) {
		CHECK_TEXT(back.cases[1].name, "case-0");
		same_case(&run.cases[8], &back.cases[9]);
		same_case(&run.cases[5], &back.cases[6]);
	}
	run_record_free(&back);
	run_record_free(&run);
}

/* Devices answer in any order; they are listed, and cases belong to them, by their places in --device. */
static void test_device_places(void)
{
	struct run_record run = sample_run(6), back;
	struct device_properties other = run.devices[0].properties;
	struct error err = {0};
	const struct path path = in_folder("places.h5");
	snprintf(other.id, sizeof other.id, "cuda:7");
	CHECK_INT(run_record_append_device(&run, &other, "", NULL), 1);
	snprintf(other.id, sizeof other.id, "cuda:3");
	CHECK_INT(run_record_append_device(&run, &other, "", NULL), 2);
	run.devices[0].place = 2;
	run.devices[1].place = 0;
	run.devices[2].place = 1;
	for (size_t i = 0; i < run.case_count; i++)
		run.cases[i].device = (int32_t)(i % 3);
	CHECK_INT(write_all(path.text, &run, &err), 0);
	CHECK_INT(record_read(&back, path.text, &err), 0);
	CHECK_TEXT(err.message, "");
	CHECK_INT(back.device_count, 3);
	CHECK_INT(back.case_count, 6);
	if (back.device_count == 3) {
		same_device(&run.devices[1], &back.devices[0]);
		same_device(&run.devices[2], &back.devices[1]);
		same_device(&run.devices[0], &back.devices[2]);
	}
	for (size_t i = 0; i < back.case_count; i++)
		CHECK_TEXT(run_record_device(&back, &back.cases[i])->properties.id, run_record_device(&run, &run.cases[i])->properties.id);
	run_record_free(&back);
	run_record_free(&run);
}

static void test_inventory_fails(void)
{
	struct run_record run = sample_run(1);
	sample_operators(&run);
	CHECK_INT(run_record_exit_code(&run, 0), 0);
	free(run.inventories[0].claim);
	run.inventories[0].claim = sample_text("--abi");
	CHECK_INT(inventory_is_broken(&run.inventories[0]), 1);
	CHECK_INT(run_record_exit_code(&run, 0), 1);
	run.inventories[0].missing_count = 0;
	CHECK_INT(run_record_exit_code(&run, 0), 0);
	run_record_free(&run);
}

/* Which dataset a case is from goes into the command that repeats it. */
static void test_datasets(void)
{
	struct error err = {0};
	struct run_record run = {0};
	struct text command = {0};
	const struct path one = in_folder("data.spec"), other = in_folder("other.spec");
	CHECK_INT(write_file_atomically(one.text, "one", 3, &err), 0);
	CHECK_INT(write_file_atomically(other.text, "other", 5, &err), 0);
	CHECK_INT(run_record_add_dataset(&run, one.text, &err), 0);
	CHECK_INT(run_record_add_dataset(&run, other.text, &err), 1);
	CHECK_INT(run_record_add_dataset(&run, one.text, &err), 0);
	CHECK_INT(run.dataset_count, 2);
	CHECK_TEXT(run.dataset, one.text);
	CHECK_TEXT(run.dataset_sha256, run.datasets[0].sha256);
	CHECK_TEXT(run.datasets[1].sha256, "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa");
	CHECK_INT(run_record_add_dataset(&run, "/nowhere/at.all", &err), -1);
	CHECK_INT(run.dataset_count, 2);
	const struct case_record record = {.name = "x", .dataset = 1};
	run_record_reproduction(&run, &record, &command);
	CHECK_CONTAINS(command.data, other.text);
	text_free(&command);
	run_record_free(&run);
}

static void test_killed(void)
{
	struct error err = {0};
	struct run_record run = sample_run(60), back;
	const struct path path_at = in_folder("killed.h5");
	const char *path = path_at.text;
	int ready[2];
	if (pipe(ready))
		exit(1);
	const pid_t child = fork();
	if (child == 0) {
		struct record_writer *writer;
		memset(run.artifacts[0].kernel_launched, 0, run.artifacts[0].kernel_count);
		if (record_writer_open(&writer, path, &run, &err))
			_exit(1);
		for (size_t i = 0; i < 50; i++)
			if (record_writer_add(writer, &run.cases[i], &err))
				_exit(1);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	char byte;
	close(ready[1]);
	CHECK_INT(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK(!path_exists(path));
	/* by the name that was wanted, and by its own */
	for (int own = 0; own < 2; own++) {
		CHECK_INT(record_read(&back, own ? in_folder("killed.h5.partial").text : path, &err), 0);
		CHECK_TEXT(err.message, "");
		CHECK_INT(back.complete, 0);
		CHECK_INT(back.case_count, 50);
		for (size_t i = 0; i < back.case_count; i++)
			same_case(&run.cases[i], &back.cases[i]);
		/* coverage comes from the launches of the cases */
		size_t launched = 0;
		for (size_t k = 0; k < back.artifacts[0].kernel_count; k++)
			launched += back.artifacts[0].kernel_launched[k];
		CHECK(launched > 0);
		run_record_free(&back);
	}
	/* a new run of the same name replaces it */
	CHECK_INT(write_all(path, &run, &err), 0);
	CHECK(!path_exists(in_folder("killed.h5.partial").text));
	CHECK_INT(record_read(&back, path, &err), 0);
	CHECK_INT(back.case_count, 60);
	run_record_free(&back);
	run_record_free(&run);
}

static void test_discard(void)
{
	struct error err = {0};
	struct run_record run = sample_run(3);
	struct record_writer *writer;
	const struct path path_at = in_folder("ended.h5"), partial_at = in_folder("ended.h5.partial");
	const char *path = path_at.text, *partial = partial_at.text;
	CHECK_INT(record_writer_open(&writer, path, &run, &err), 0);
	CHECK(path_exists(partial));
	record_writer_discard(writer); /* nothing was in it */
	CHECK(!path_exists(partial));
	CHECK_INT(record_writer_open(&writer, path, &run, &err), 0);
	CHECK_INT(record_writer_add(writer, &run.cases[0], &err), 0);
	record_writer_discard(writer);
	CHECK(path_exists(partial) && !path_exists(path));
	struct run_record back;
	CHECK_INT(record_read(&back, path, &err), 0);
	CHECK_INT(back.case_count, 1);
	run_record_free(&back);
	run_record_free(&run);
	record_writer_discard(NULL);
}

static void test_unwritable(void)
{
	struct error err = {0};
	struct run_record run = sample_run(40);
	struct record_writer *writer = NULL;
	CHECK_INT(record_writer_open(&writer, in_folder("missing/x.h5").text, &run, &err), -1);
	CHECK(writer == NULL);
	CHECK_CONTAINS(err.message, "missing/x.h5");
	CHECK_CONTAINS(err.message, "No such file");
	CHECK_INT(err.kind, ERROR_INPUT);
	CHECK_INT(record_writer_open(&writer, folder, &run, &err), -1);
	CHECK_CONTAINS(err.message, "is a folder");

	/* a disk that fills up: the file may not grow beyond a limit; in a child, since the limit stays */
	const struct path path_at = in_folder("full.h5"), partial_at = in_folder("full.h5.partial");
	const char *path = path_at.text, *partial = partial_at.text;
	static const rlim_t limits[] = {1000, 20000, 60000, 110000};
	for (size_t i = 0; i < ARRAY_COUNT(limits); i++) {
		const pid_t child = fork();
		if (child == 0) {
			const struct rlimit limit = {limits[i], limits[i]};
			signal(SIGXFSZ, SIG_IGN);
			if (setrlimit(RLIMIT_FSIZE, &limit))
				_exit(2);
			const int failed = write_all(path, &run, &err);
			_exit(failed && err.kind == ERROR_INPUT && strstr(err.message, "full.h5") ? 0 : 1);
		}
		int status = -1;
		waitpid(child, &status, 0);
		CHECK_INT(status, 0);
		CHECK(!path_exists(path));
		CHECK(!path_exists(partial));
	}
	run_record_free(&run);
}

/* ---- other people's files --------------------------------------------------------------------------------------------- */

/* Opens one table of a copy of `from`, changes a member of one row, and reads the file. */
static int read_changed_in(const char *from, const char *table_name, const char *member, hid_t member_type, const void *value,
			   struct error *err)
{
	const struct path path_at = in_folder("changed.h5");
	const char *path = path_at.text;
	struct file_map map;
	struct run_record run;
	if (file_map_open(&map, from, err) || write_file_atomically(path, map.data, map.size, err))
		exit(1);
	file_map_close(&map);
	const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
	const hid_t table = H5Dopen2(file, table_name, H5P_DEFAULT);
	/* "hot.raw.count" is a compound in a compound in a compound */
	char part[64];
	snprintf(part, sizeof part, "%s", member);
	hid_t type = H5Tcopy(member_type);
	for (int left = 1; left;) {
		char *dot = strrchr(part, '.');
		const hid_t outer = H5Tcreate(H5T_COMPOUND, H5Tget_size(member_type));
		H5Tinsert(outer, dot ? dot + 1 : part, 0, type);
		H5Tclose(type);
		type = outer;
		left = dot != NULL;
		if (dot)
			*dot = '\0';
	}
	const hid_t space = H5Dget_space(table), memory = H5Screate(H5S_SCALAR);
	const hsize_t row = 2, one = 1;
	CHECK(H5Sselect_hyperslab(space, H5S_SELECT_SET, &row, NULL, &one, NULL) >= 0);
	CHECK(H5Dwrite(table, type, memory, space, H5P_DEFAULT, value) >= 0);
	H5Sclose(space);
	H5Sclose(memory);
	H5Tclose(type);
	H5Dclose(table);
	H5Fclose(file);
	const int result = record_read(&run, path, err);
	CHECK(result == 0 || (run.cases == NULL && run.artifacts == NULL));
	run_record_free(&run);
	return result;
}

static int read_changed(const char *from, const char *member, hid_t member_type, const void *value, struct error *err)
{
	return read_changed_in(from, "/cases/table", member, member_type, value, err);
}

static void test_contradictions(void)
{
	struct error err = {0};
	struct run_record run = sample_run(20);
	sample_newer(&run);
	const struct path path_at = in_folder("good.h5");
	const char *path = path_at.text;
	CHECK_INT(write_all(path, &run, &err), 0);
	const int64_t same = 7;
	CHECK_INT(read_changed(path, "head_dim", H5T_NATIVE_INT64, &same, &err), 0);
	const int32_t artifacts[] = {-1, 2, INT32_MAX};
	for (size_t i = 0; i < ARRAY_COUNT(artifacts); i++) {
		CHECK_INT(read_changed(path, "artifact", H5T_NATIVE_INT32, &artifacts[i], &err), -1);
		CHECK_CONTAINS(err.message, "row 2 of cases/table");
	}
	const uint64_t spans[] = {1000000, UINT64_MAX, UINT64_MAX - 3};
	static const char *const members[] = {"texts.first",  "texts.count",   "launches.first", "launches.count",    "clocks.first",
					      "clocks.count", "hot.raw.first", "hot.raw.count",  "baseline.raw.count"};
	for (size_t m = 0; m < ARRAY_COUNT(members); m++)
		for (size_t i = 0; i < ARRAY_COUNT(spans); i++)
			CHECK_INT(read_changed(path, members[m], H5T_NATIVE_UINT64, &spans[i], &err), -1);
	const int64_t counts[] = {-1, INT64_MIN};
	for (size_t i = 0; i < ARRAY_COUNT(counts); i++) {
		CHECK_INT(read_changed(path, "launch_count", H5T_NATIVE_INT64, &counts[i], &err), -1);
		CHECK_INT(read_changed(path, "hot.samples", H5T_NATIVE_INT64, &counts[i], &err), -1);
	}
	const int32_t outputs[] = {-1, 5, INT32_MAX};
	for (size_t i = 0; i < ARRAY_COUNT(outputs); i++)
		CHECK_INT(read_changed(path, "output_count", H5T_NATIVE_INT32, &outputs[i], &err), -1);
	const int32_t beyond[] = {-1, 2, 33, INT32_MIN, INT32_MAX};
	for (size_t i = 0; i < ARRAY_COUNT(beyond); i++) {
		CHECK_INT(read_changed_in(path, "/cases/measured", "device", H5T_NATIVE_INT32, &beyond[i], &err), -1);
		CHECK_CONTAINS(err.message, "contradicts");
		CHECK_INT(read_changed_in(path, "/cases/rounds", "rounds", H5T_NATIVE_INT32, &beyond[i], &err), beyond[i] == 2 ? 0 : -1);
		CHECK_INT(read_changed_in(path, "/cases/rounds", "timing", H5T_NATIVE_INT32, &beyond[i], &err), -1);
	}
	for (size_t i = 0; i < ARRAY_COUNT(spans); i++) {
		CHECK_INT(read_changed_in(path, "/cases/baselines", "hot.raw.first", H5T_NATIVE_UINT64, &spans[i], &err), -1);
		/* what belongs to no row is passed over */
		CHECK_INT(read_changed_in(path, "/cases/resources", "launch_row", H5T_NATIVE_UINT64, &spans[i], &err), 0);
	}
	const hid_t word = H5Tcopy(H5T_C_S1);
	H5Tset_size(word, 16);
	H5Tset_cset(word, H5T_CSET_UTF8);
	CHECK_INT(read_changed(path, "status", word, "splendid\0\0\0\0\0\0\0\0", &err), -1);
	H5Tclose(word);
	/* escape sequences do not come through */
	const hid_t name = H5Tcopy(H5T_C_S1);
	char text[CASE_NAME_MAX];
	H5Tset_size(name, sizeof text);
	H5Tset_cset(name, H5T_CSET_UTF8);
	memset(text, '\x1b', sizeof text);
	err = (struct error){0};
	CHECK_INT(read_changed(path, "name", name, text, &err), 0);
	CHECK_TEXT(err.message, "");
	H5Tclose(name);
	struct run_record back;
	CHECK_INT(record_read(&back, in_folder("changed.h5").text, &err), 0);
	CHECK(back.case_count == 20 && strspn(back.cases[2].name, "?") == CASE_NAME_MAX - 1);
	run_record_free(&back);
	run_record_free(&run);
}

static void test_foreign(void)
{
	struct error err = {0};
	struct run_record run;
	const struct path path_at = in_folder("foreign.h5");
	const char *path = path_at.text;
	CHECK_INT(record_read(&run, in_folder("nowhere.h5").text, &err), -1);
	CHECK_CONTAINS(err.message, "nowhere.h5");
	CHECK_INT(record_read(&run, folder, &err), -1);
	CHECK_INT(write_file_atomically(path, "no HDF5", 7, &err), 0);
	CHECK_INT(record_read(&run, path, &err), -1);
	CHECK_CONTAINS(err.message, "not an HDF5 file");
	CHECK_INT(write_file_atomically(path, "", 0, &err), 0);
	CHECK_INT(record_read(&run, path, &err), -1);
	H5Fclose(H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
	CHECK_INT(record_read(&run, path, &err), -1);
	CHECK_CONTAINS(err.message, "not a result file of assay");
	struct run_record later = {.schema = 1};
	CHECK_INT(write_all(path, &later, &err), 0);
	const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), attribute = H5Aopen(file, "schema", H5P_DEFAULT);
	const int64_t schema = RECORD_SCHEMA + 1;
	CHECK(H5Awrite(attribute, H5T_NATIVE_INT64, &schema) >= 0);
	H5Aclose(attribute);
	H5Fclose(file);
	CHECK_INT(record_read(&run, path, &err), -1);
	CHECK_CONTAINS(err.message, "has schema 2");
}

/* Damage anywhere: reading may fail, but does no harm (the sanitizer build is what this is for). */
static void damage(void)
{
	struct error err = {0};
	struct run_record run = sample_run(6), back;
	sample_operators(&run);
	const struct path path_at = in_folder("damage.h5"), bad_at = in_folder("damaged.h5");
	const char *path = path_at.text, *bad = bad_at.text;
	struct file_map map;
	CHECK_INT(write_all(path, &run, &err), 0);
	run_record_free(&run);
	if (file_map_open(&map, path, &err))
		exit(1);
	unsigned char *bytes = malloc(map.size);
	if (!bytes)
		exit(1);
	size_t refused = 0, rounds = 0;
	uint64_t state = 42;
	for (; rounds < 600; rounds++) {
		memcpy(bytes, map.data, map.size);
		for (int flips = 0; flips < 6; flips++) {
			const uint64_t random = digest_mix(state++);
			bytes[random % map.size] ^= (unsigned char)(1u << (random >> 60) % 8);
		}
		/* half of the rounds also lose the end of the file */
		const size_t size = rounds % 2 ? map.size : (size_t)(digest_mix(state++) % map.size);
		FILE *file = fopen(bad, "wb");
		if (!file || fwrite(bytes, 1, size, file) != size || fclose(file))
			exit(1);
		const int failed = record_read(&back, bad, &err);
		refused += failed != 0;
		if (failed)
			CHECK(err.message[0] && back.cases == NULL);
		run_record_free(&back);
	}
	CHECK(refused >= rounds / 2); /* at least every truncated one */
	free(bytes);
	file_map_close(&map);
}

/* In a child that leaves without the leak check: HDF5 itself forgets memory when a checksum is wrong. */
static void test_damage(void)
{
	fflush(NULL);
	const pid_t child = fork();
	if (child == 0) {
		damage();
		fflush(NULL);
		_exit(check_failures != 0);
	}
	int status = -1;
	waitpid(child, &status, 0);
	CHECK_INT(status, 0);
}

/* ---- in memory --------------------------------------------------------------------------------------------------------- */

static void test_exit_code(void)
{
	struct run_record run = {0};
	struct case_record record = {0};
	CHECK_INT(run_record_exit_code(&run, 0), 3);
	record.judgement.status = STATUS_SKIPPED;
	CHECK_INT(run_record_add(&run, &record, NULL), 0);
	CHECK_INT(run_record_exit_code(&run, 0), 3);
	CHECK_INT(run_record_exit_code(&run, 1), 1);
	record.judgement.status = STATUS_PASS;
	CHECK_INT(run_record_add(&run, &record, NULL), 0);
	CHECK_INT(run_record_exit_code(&run, 0), 0);
	CHECK_INT(run_record_exit_code(&run, 1), 1);
	for (int status = 0; status < STATUS_COUNT; status++) {
		const int fine = status == STATUS_PASS || status == STATUS_SKIPPED || status == STATUS_UNSUPPORTED;
		run.cases[0].judgement.status = (enum status)status;
		CHECK_INT(run_record_exit_code(&run, 0), fine ? 0 : 1);
		CHECK_INT(run_record_exit_code(&run, 1), status == STATUS_PASS ? 0 : 1);
	}
	run_record_free(&run);
}

static void test_marks(void)
{
	struct artifact_record artifact = {0};
	struct run_record run = {.artifacts = calloc(1, sizeof *run.artifacts), .artifact_count = 1};
	char name[400];
	memset(name, 'k', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	CHECK_INT(artifact_record_mark(&artifact, "a", NULL), 0);
	CHECK_INT(artifact_record_mark(&artifact, name, NULL), 0);
	CHECK_INT(artifact.kernel_count, 2);
	artifact.kernel_launched[0] = artifact.kernel_launched[1] = 0;
	name[319] = '\0'; /* as a launch keeps it */
	CHECK_INT(artifact_record_mark(&artifact, name, NULL), 0);
	CHECK_INT(artifact.kernel_count, 2);
	CHECK_INT(artifact.kernel_launched[1], 1);
	name[318] = '\0'; /* short enough to be whole: another kernel */
	CHECK_INT(artifact_record_mark(&artifact, name, NULL), 0);
	CHECK_INT(artifact.kernel_count, 3);
	CHECK_INT(artifact.kernel_launched[0], 0);
	run.artifacts[0] = artifact;
	run_record_free(&run);
}

static void test_reproduction(void)
{
	struct run_record run = sample_run(2);
	struct text command = {0};
	run_record_reproduction(&run, &run.cases[0], &command);
	CHECK_TEXT(command.data, "assay verify '/artifacts/a b/libflashattention.a' --dataset datasets/attention.spec --filter case-0 "
				 "--device cuda:0 --seed 5");
	text_free(&command);
	run_record_free(&run);
}

int main(void)
{
	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	test_round_trip();
	test_older();
	test_order();
	test_device_places();
	test_inventory_fails();
	test_datasets();
	test_killed();
	test_discard();
	test_unwritable();
	test_contradictions();
	test_foreign();
	test_damage();
	test_exit_code();
	test_marks();
	test_reproduction();
	static const char *const names[] = {"trip.h5", "older.h5", "order.h5", "places.h5", "data.spec", "other.spec", "again.h5", "empty.h5",
					    "killed.h5", "ended.h5.partial", "good.h5", "changed.h5", "foreign.h5", "damage.h5", "damaged.h5"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		unlink(in_folder(names[i]).text);
	CHECK_INT(rmdir(folder), 0); /* nothing else was left behind */
	return check_result();
}
