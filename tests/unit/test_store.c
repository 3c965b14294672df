#include "check.h"
#include "core/digest.h"
#include "core/util.h"
#include "dataset/generate.h"
#include "dataset/store.h"

#include <hdf5.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/assay-store-XXXXXX";

static const char *in_folder(const char *name)
{
	static char path[256];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

/* Every kind of attribute, type and layout the format has. */
static int make_case(struct test_case *test, int number, int64_t rows, struct error *err)
{
	const int64_t packed[3] = {rows, 3, 16}, slice[2] = {rows, 16}, slice_strides[2] = {48, 1};
	const int64_t gappy[2] = {5, 7}, gappy_strides[2] = {9, 1}, none[2] = {0, 16}, lse[1] = {rows};
	*test = (struct test_case){.seed = UINT64_MAX - (uint64_t)number};
	snprintf(test->name, sizeof test->name, "attention/f16/number:%d", number);
	snprintf(test->family, sizeof test->family, "attention");
	if (case_set_int(test, "zebra", INT64_MIN + number, err) || case_set_real(test, "scale", 0.1 * number, err) ||
	    case_set_text(test, "mask", "causal", err) || case_set_text(test, "empty", "", err))
		return -1;
	struct tensor *k = case_add_tensor(test, "k", TENSOR_INPUT, DTYPE_F16, 2, slice, slice_strides, err);
	struct tensor *qkv = case_add_tensor(test, "qkv", TENSOR_INPUT, DTYPE_F16, 3, packed, NULL, err);
	struct tensor *bias = case_add_tensor(test, "bias", TENSOR_INPUT, DTYPE_BF16, 2, gappy, gappy_strides, err);
	if (bias)
		bias->extent += 3; /* as an owner of shared storage has it */
	struct tensor *nothing = case_add_tensor(test, "nothing", TENSOR_INPUT, DTYPE_F32, 2, none, NULL, err);
	struct tensor *scalar = case_add_tensor(test, "scalar", TENSOR_INPUT, DTYPE_I64, 0, NULL, NULL, err);
	struct tensor *out = case_add_tensor(test, "o", TENSOR_OUTPUT, DTYPE_F16, 2, slice, NULL, err);
	struct tensor *expected = case_add_tensor(test, "o", TENSOR_EXPECTED, DTYPE_F64, 2, slice, NULL, err);
	struct tensor *expected_lse = case_add_tensor(test, "lse", TENSOR_EXPECTED, DTYPE_F64, 1, lse, NULL, err);
	if (!k || !qkv || !bias || !nothing || !scalar || !out || !expected || !expected_lse ||
	    case_share_storage(test, k, "qkv", 16, err) || generate_tensor(qkv, "normal", 1.0, test->seed, 1, err) ||
	    generate_tensor(bias, "uniform", 1.0, test->seed, 2, err) || generate_tensor(nothing, "zeros", 1.0, 0, 0, err) ||
	    generate_tensor(scalar, "integers", 1e15, test->seed, 3, err) ||
	    generate_tensor(expected, "normal", 1.0, test->seed, 4, err) ||
	    generate_tensor(expected_lse, "uniform", 1.0, test->seed, 5, err))
		return -1;
	return 0;
}

static void fold(uint64_t *sum, const void *bytes, size_t size)
{
	*sum = digest_mix(*sum + digest_bytes(bytes, size).half[0]);
}

/* Everything a reader can see of a case, the order of attributes and of the tensors of a role included. */
static uint64_t fold_case(const struct test_case *test)
{
	uint64_t sum = test->seed;
	fold(&sum, test->name, strlen(test->name));
	fold(&sum, test->family, strlen(test->family));
	for (int i = 0; i < test->attribute_count; i++) {
		const struct attribute *attribute = &test->attributes[i];
		fold(&sum, attribute->name, strlen(attribute->name));
		fold(&sum, &attribute->type, sizeof attribute->type);
		fold(&sum, &attribute->integer, sizeof attribute->integer);
		fold(&sum, &attribute->real, sizeof attribute->real);
		fold(&sum, attribute->text, strlen(attribute->text));
	}
	for (int role = TENSOR_INPUT; role <= TENSOR_EXPECTED; role++)
		for (int i = 0; i < test->tensor_count; i++) {
			const struct tensor *tensor = &test->tensors[i];
			size_t bytes;
			if ((int)tensor->role != role || tensor_bytes(tensor, &bytes))
				continue;
			const int64_t numbers[] = {tensor->role, tensor->dtype, tensor->rank, tensor->extent, tensor->offset,
						   tensor->data != NULL};
			fold(&sum, numbers, sizeof numbers);
			fold(&sum, tensor->dims, (size_t)tensor->rank * sizeof tensor->dims[0]);
			fold(&sum, tensor->strides, (size_t)tensor->rank * sizeof tensor->strides[0]);
			fold(&sum, tensor->name, strlen(tensor->name));
			fold(&sum, tensor->storage, strlen(tensor->storage));
			fold(&sum, tensor->generator, strlen(tensor->generator));
			if (tensor->data)
				fold(&sum, tensor->data, bytes);
		}
	return sum;
}

static int build(const char *path, int cases, int64_t rows, int deflate, struct error *err)
{
	static struct test_case test;
	struct dataset_writer *writer;
	if (dataset_writer_open(&writer, path, "[s]\nfamily = attention\n", deflate, err))
		return -1;
	for (int i = 0; i < cases; i++) {
		const int failed = make_case(&test, i, rows, err) || dataset_writer_add(writer, &test, err);
		case_free(&test);
		if (failed) {
			dataset_writer_discard(writer);
			return -1;
		}
	}
	return dataset_writer_commit(writer, err);
}

static void what_is_written_is_read(void)
{
	static struct test_case wrote, got;
	static const int64_t rows[] = {1, 40, 40000}; /* in the header, one chunk, several chunks */
	struct error err = {0};
	for (int deflate = 0; deflate <= 6; deflate += 6)
		for (size_t r = 0; r < ARRAY_COUNT(rows); r++) {
			struct dataset *dataset = NULL;
			CHECK_INT(build(in_folder("a.h5"), 3, rows[r], deflate, &err), 0);
			CHECK_INT(dataset_open(&dataset, in_folder("a.h5"), &err), 0);
			if (!dataset) {
				fprintf(stderr, "%s\n", err.message);
				return;
			}
			CHECK_INT(dataset_count(dataset), 3);
			CHECK_INT(dataset_schema(dataset), DATASET_SCHEMA);
			CHECK_TEXT(dataset_spec(dataset), "[s]\nfamily = attention\n");
			CHECK_TEXT(dataset_case_name(dataset, 2), "attention/f16/number:2");
			for (int i = 0; i < 3; i++) {
				CHECK_INT(make_case(&wrote, i, rows[r], &err), 0);
				CHECK_INT(dataset_read(dataset, (size_t)i, 1, &got, &err), 0);
				CHECK_INT(fold_case(&got), fold_case(&wrote));
				const struct tensor *k = case_find_tensor_const(&got, "k", TENSOR_INPUT);
				const struct tensor *k_wrote = case_find_tensor_const(&wrote, "k", TENSOR_INPUT);
				CHECK(k && case_tensor_data(&got, k) &&
				      memcmp(case_tensor_data(&got, k), case_tensor_data(&wrote, k_wrote), 32) == 0);
				case_free(&got);
				CHECK_INT(dataset_read(dataset, (size_t)i, 0, &got, &err), 0);
				CHECK_INT(got.tensor_count, wrote.tensor_count);
				CHECK(case_find_tensor_const(&got, "qkv", TENSOR_INPUT)->data == NULL);
				CHECK_INT(case_find_tensor_const(&got, "qkv", TENSOR_INPUT)->extent, rows[r] * 48);
				case_free(&got);
				case_free(&wrote);
			}
			CHECK_INT(dataset_read(dataset, 3, 1, &got, &err), -1);
			dataset_close(dataset);
		}
}

static int64_t file_size(const char *path)
{
	struct stat status;
	return stat(path, &status) ? -1 : (int64_t)status.st_size;
}

static void files_are_small_and_reproducible(void)
{
	struct error err = {0};
	struct file_map a = {0}, b = {0};
	char first[256];
	snprintf(first, sizeof first, "%s", in_folder("one.h5"));
	CHECK_INT(build(first, 60, 40, 6, &err), 0);
	CHECK_INT(build(in_folder("two.h5"), 60, 40, 6, &err), 0);
	CHECK_INT(file_map_open(&a, first, &err), 0);
	CHECK_INT(file_map_open(&b, in_folder("two.h5"), &err), 0);
	CHECK(a.size > 0 && a.size == b.size && memcmp(a.data, b.data, a.size) == 0);
	/* tensor data of a case: qkv 3840 bytes, bias 86, expected 5120 + 320: 9.4 KB, of which deflate takes a little */
	const int64_t overhead = (int64_t)a.size / 60 - (3840 + 86 + 5120 + 320);
	printf("60 cases: %zu bytes, %lld bytes a case besides its data before compression\n", a.size, (long long)overhead);
	CHECK(overhead < 4096);
	file_map_close(&a);
	file_map_close(&b);
}

/* The types are what other readers of HDF5 take for the formats: HDF5's own conversion agrees with ours. */
static void sixteen_bit_floats_are_real_floats(void)
{
	static uint16_t bits[65536];
	static double converted[65536];
	hdf5_quiet();
	for (int type = DTYPE_F16; type <= DTYPE_BF16; type++) {
		const hid_t file_type = hdf5_type_of((enum dtype)type);
		CHECK(file_type >= 0);
		CHECK_INT(H5Tget_class(file_type), H5T_FLOAT);
		CHECK_INT(H5Tget_size(file_type), 2);
		CHECK_INT(H5Tget_ebias(file_type), type == DTYPE_F16 ? 15 : 127);
		CHECK_INT(hdf5_dtype_of(file_type), type);
		for (int i = 0; i < 65536; i++)
			bits[i] = (uint16_t)i;
		memset(converted, 0, sizeof converted);
		memcpy(converted, bits, sizeof bits);
		CHECK(H5Tconvert(file_type, H5T_NATIVE_DOUBLE, 65536, converted, NULL, H5P_DEFAULT) >= 0);
		int wrong = 0;
		for (int i = 0; i < 65536; i++) {
			const double ours = type == DTYPE_F16 ? f16_to_f64(bits[i]) : bf16_to_f64(bits[i]);
			wrong += isnan(ours) ? !isnan(converted[i]) : ours != converted[i];
		}
		CHECK_INT(wrong, 0);
		H5Tclose(file_type);
	}
	for (int type = DTYPE_F32; type < DTYPE_COUNT; type++) {
		const hid_t file_type = hdf5_type_of((enum dtype)type);
		CHECK_INT(hdf5_dtype_of(file_type), type);
		H5Tclose(file_type);
	}
	CHECK(hdf5_type_of(DTYPE_INVALID) < 0);
	CHECK_INT(hdf5_dtype_of(H5T_IEEE_F32BE), DTYPE_INVALID);
	CHECK_INT(hdf5_dtype_of(H5T_STD_I8LE), DTYPE_INVALID);
}

static int count_files(void)
{
	char command[300];
	int count = -1;
	snprintf(command, sizeof command, "ls -A '%s' | wc -l", folder);
	FILE *listing = popen(command, "r");
	if (listing) {
		if (fscanf(listing, "%d", &count) != 1)
			count = -1;
		pclose(listing);
	}
	return count;
}

static void failures_leave_nothing_behind(void)
{
	static struct test_case test;
	struct error err = {0};
	struct dataset_writer *writer = NULL;
	char path[256];
	snprintf(path, sizeof path, "%s", in_folder("kept.h5"));
	CHECK_INT(write_file_atomically(path, "precious", 8, &err), 0);
	const int files = count_files();

	CHECK_INT(dataset_writer_open(&writer, path, NULL, 0, &err), 0);
	CHECK_INT(count_files(), files + 1);
	dataset_writer_discard(writer);
	CHECK_INT(count_files(), files);

	CHECK_INT(dataset_writer_open(&writer, path, NULL, 0, &err), 0);
	CHECK_INT(dataset_writer_commit(writer, &err), -1);
	CHECK_CONTAINS(err.message, "without a case");

	CHECK_INT(dataset_writer_open(&writer, path, NULL, 0, &err), 0);
	CHECK_INT(make_case(&test, 1, 4, &err), 0);
	CHECK_INT(dataset_writer_add(writer, &test, &err), 0);
	CHECK_INT(dataset_writer_add(writer, &test, &err), 0);
	CHECK_INT(dataset_writer_commit(writer, &err), -1);
	CHECK_CONTAINS(err.message, "two cases are named 'attention/f16/number:1'");

	CHECK_INT(dataset_writer_open(&writer, path, NULL, 0, &err), 0);
	struct tensor *expected = case_find_tensor(&test, "o", TENSOR_EXPECTED);
	free(expected->data);
	expected->data = NULL;
	CHECK_INT(dataset_writer_add(writer, &test, &err), -1);
	CHECK_CONTAINS(err.message, "'o' has no data");
	CHECK_INT(case_set_int(&test, "seed", 1, &err), 0);
	CHECK_INT(dataset_writer_add(writer, &test, &err), -1);
	CHECK_CONTAINS(err.message, "'seed' is taken");
	snprintf(test.name, sizeof test.name, "a b");
	CHECK_INT(dataset_writer_add(writer, &test, &err), -1);
	dataset_writer_discard(writer);
	case_free(&test);

	CHECK_INT(dataset_writer_open(&writer, in_folder("absent/x.h5"), NULL, 0, &err), -1);
	CHECK_CONTAINS(err.message, "absent/x.h5");
	CHECK_INT(dataset_writer_open(&writer, folder, NULL, 0, &err), -1);
	CHECK_INT(dataset_writer_open(&writer, path, NULL, 10, &err), -1);
	CHECK_INT(count_files(), files);
	CHECK_INT(file_size(path), 8);
	unlink(path);
}

/* A full disk: the child may write 20 kB a file only. */
static void a_full_disk_is_reported(void)
{
	const int files = count_files();
	fflush(NULL);
	const pid_t child = fork();
	if (child == 0) {
		struct error err = {0};
		signal(SIGXFSZ, SIG_IGN);
		const struct rlimit limit = {20000, 20000};
		setrlimit(RLIMIT_FSIZE, &limit);
		const int failed = build(in_folder("full.h5"), 20, 40, 0, &err);
		/* by exit, not _exit: the library must not crash there either */
		exit(failed && strstr(err.message, "full.h5") && strstr(err.message, "File too large") ? 0 : 1);
	}
	int status = -1;
	waitpid(child, &status, 0);
	CHECK_INT(status, 0);
	CHECK_INT(count_files(), files);
}

static void check_refused(const char *path, const char *message)
{
	static struct test_case test;
	struct dataset *dataset = NULL;
	struct error err = {0};
	int failed = dataset_open(&dataset, path, &err);
	for (size_t i = 0; !failed && i < dataset_count(dataset); i++) {
		failed = dataset_read(dataset, i, 1, &test, &err);
		case_free(&test);
	}
	dataset_close(dataset);
	CHECK(failed);
	CHECK_INT(err.kind, ERROR_INPUT);
	CHECK_CONTAINS(err.message, message);
	CHECK_CONTAINS(err.message, path);
}

static void foreign_files_are_named(void)
{
	struct error err = {0};
	char path[256];
	snprintf(path, sizeof path, "%s", in_folder("foreign.h5"));
	check_refused(in_folder("none.h5"), "No such file");
	check_refused(folder, "not a regular file");
	CHECK_INT(write_file_atomically(path, "", 0, &err), 0);
	check_refused(path, "is no HDF5 file");
	CHECK_INT(write_file_atomically(path, "!<arch>\n", 8, &err), 0);
	check_refused(path, "is no HDF5 file");
	const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
	H5Fclose(file);
	check_refused(path, "no dataset of this program");
}

/* Changes one thing of a good file, through HDF5 itself so that all checksums are right. */
static hid_t reopen(const char *path)
{
	const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
	H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
	H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
	const hid_t file = H5Fopen(path, H5F_ACC_RDWR, access);
	H5Pclose(access);
	return file;
}

static void put_int(hid_t file, const char *object, const char *name, int64_t value)
{
	H5Adelete_by_name(file, object, name, H5P_DEFAULT);
	const hid_t space = H5Screate(H5S_SCALAR);
	const hid_t at = H5Acreate_by_name(file, object, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	CHECK(H5Awrite(at, H5T_NATIVE_INT64, &value) >= 0);
	H5Aclose(at);
	H5Sclose(space);
}

static void put_ints(hid_t file, const char *object, const char *name, hsize_t count, const int64_t *values)
{
	H5Adelete_by_name(file, object, name, H5P_DEFAULT);
	const hid_t space = H5Screate_simple(1, &count, NULL);
	const hid_t at = H5Acreate_by_name(file, object, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	CHECK(H5Awrite(at, H5T_NATIVE_INT64, values) >= 0);
	H5Aclose(at);
	H5Sclose(space);
}

static void put_text(hid_t file, const char *object, const char *name, const char *value)
{
	H5Adelete_by_name(file, object, name, H5P_DEFAULT);
	const hid_t space = H5Screate(H5S_SCALAR), type = H5Tcopy(H5T_C_S1);
	H5Tset_size(type, strlen(value));
	const hid_t at = H5Acreate_by_name(file, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	CHECK(H5Awrite(at, type, value) >= 0);
	H5Aclose(at);
	H5Sclose(space);
	H5Tclose(type);
}

static void put_variable_text(hid_t file, const char *object, const char *name)
{
	static const char *const value = "long";
	H5Adelete_by_name(file, object, name, H5P_DEFAULT);
	const hid_t space = H5Screate(H5S_SCALAR), type = H5Tcopy(H5T_C_S1);
	H5Tset_size(type, H5T_VARIABLE);
	const hid_t at = H5Acreate_by_name(file, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	CHECK(H5Awrite(at, type, &value) >= 0);
	H5Aclose(at);
	H5Sclose(space);
	H5Tclose(type);
}

/* Replaces a tensor by a dataset of `count` elements of which none is stored. */
static void put_hollow(hid_t file, const char *object, hid_t type, hsize_t count, hsize_t chunk)
{
	H5Ldelete(file, object, H5P_DEFAULT);
	const hid_t space = H5Screate_simple(1, &count, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
	if (chunk)
		H5Pset_chunk(creation, 1, &chunk);
	const hid_t dataset = H5Dcreate2(file, object, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
	CHECK(dataset >= 0);
	H5Dclose(dataset);
	H5Pclose(creation);
	H5Sclose(space);
	const int64_t dims[1] = {(int64_t)count}, strides[1] = {1};
	put_int(file, object, "rank", 1);
	put_ints(file, object, "dims", 1, dims);
	put_ints(file, object, "strides", 1, strides);
}

static void put_external(hid_t file, const char *object)
{
	const hsize_t count = 48;
	H5Ldelete(file, object, H5P_DEFAULT);
	const hid_t space = H5Screate_simple(1, &count, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
	H5Pset_external(creation, "/etc/passwd", 0, H5F_UNLIMITED);
	const hid_t dataset = H5Dcreate2(file, object, H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
	CHECK(dataset >= 0);
	H5Dclose(dataset);
	H5Pclose(creation);
	H5Sclose(space);
}

#define QKV "/cases/00001/inputs/qkv"

static void contradictions_are_found(void)
{
	static const int64_t huge[3] = {INT64_C(1) << 40, INT64_C(1) << 40, 1}, minus[3] = {-4, 3, 16}, other[3] = {5, 3, 16};
	static const int64_t seven[7] = {1, 1, 1, 1, 1, 1, 1};
	static const char *const messages[] = {
		/* 0 */ "has schema 2, but this program reads 1",
		"no dataset of this program",
		"'schema'",
		"case 'attention/f16/number:1': has no attribute 'family'",
		"the index gives this name, the case itself 'other'",
		/* 5 */ "attribute 'seed' is not a whole number",
		"attribute 'mask' is not a text of fixed size",
		"has rank 7, outside 0 to 6",
		"has rank -1",
		"attribute 'dims' is not a list of the rank's length",
		/* 10 */ "negative length or stride",
		"more bytes than a 64-bit size can hold",
		"its storage has",
		"its storage has 240 elements, but 192 are stored",
		"reaches beyond the storage of 'qkv'",
		/* 15 */ "shares the storage of 'absent'",
		"none of f16, bf16",
		"it claims 1099511627776 elements of 4 bytes, but the file holds 0 bytes",
		"chunks of more than 64 MiB",
		"soft or external link",
		/* 20 */ "other files",
		"there is no group '00001'",
		"is not a dataset",
		"there is no dataset 'index'",
		"shares the storage of 'k' and yet has data of its own",
		/* 25 */ "attribute 'family' is not a text",
		"is not a list of the rank's length",
		"has no attribute 'offset'",
		"names of at most",
		"has an extent of 191 elements, but its shape reaches over 192",
		/* 30 */ "its storage has 193 elements, but 192 are stored",
		"has an extent of 9223372036854775807",
	};
	struct error err = {0};
	char path[256];
	snprintf(path, sizeof path, "%s", in_folder("wrong.h5"));
	for (size_t i = 0; i < ARRAY_COUNT(messages); i++) {
		CHECK_INT(build(path, 2, 4, 0, &err), 0);
		const hid_t file = reopen(path);
		CHECK(file >= 0);
		switch (i) {
		case 0: put_int(file, "/", "schema", 2); break;
		case 1: put_text(file, "/", "generator", "something else"); break;
		case 2: put_text(file, "/", "schema", "one"); break;
		case 3: H5Adelete_by_name(file, "/cases/00001", "family", H5P_DEFAULT); break;
		case 4: put_text(file, "/cases/00001", "name", "other"); break;
		case 5: put_text(file, "/cases/00001", "seed", "x"); break;
		case 6: put_variable_text(file, "/cases/00001", "mask"); break;
		case 7: put_int(file, QKV, "rank", 7); put_ints(file, QKV, "dims", 7, seven); break;
		case 8: put_int(file, QKV, "rank", -1); break;
		case 9: put_int(file, QKV, "rank", 2); break;
		case 10: put_ints(file, QKV, "dims", 3, minus); break;
		case 11: put_ints(file, QKV, "dims", 3, huge); break;
		case 12: put_ints(file, QKV, "strides", 3, huge); break;
		case 13: put_ints(file, QKV, "dims", 3, other); break;
		case 14: put_int(file, "/cases/00001/inputs/k", "offset", 160); break;
		case 15: put_text(file, "/cases/00001/inputs/k", "storage", "absent"); break;
		case 16: put_hollow(file, QKV, H5T_IEEE_F32BE, 4, 0); break;
		case 17: put_hollow(file, QKV, H5T_IEEE_F32LE, (hsize_t)1 << 40, 1024); break;
		case 18: put_hollow(file, QKV, H5T_IEEE_F32LE, (hsize_t)1 << 40, (hsize_t)1 << 25); break;
		case 19:
			H5Ldelete(file, QKV, H5P_DEFAULT);
			H5Lcreate_external("/etc/passwd", "/x", file, QKV, H5P_DEFAULT, H5P_DEFAULT);
			break;
		case 20: put_external(file, QKV); break;
		case 21: H5Ldelete(file, "/cases/00001", H5P_DEFAULT); break;
		case 22:
			H5Ldelete(file, QKV, H5P_DEFAULT);
			H5Gclose(H5Gcreate2(file, QKV, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
			break;
		case 23: H5Ldelete(file, "/index", H5P_DEFAULT); break;
		case 24: put_text(file, QKV, "storage", "k"); put_int(file, QKV, "offset", 0); break;
		case 25: put_text(file, "/cases/00001", "family", "a family whose name is longer than thirty-one bytes"); break;
		case 26: put_ints(file, QKV, "strides", 2, seven); break;
		case 27: H5Adelete_by_name(file, "/cases/00001/inputs/k", "offset", H5P_DEFAULT); break;
		case 28: put_hollow(file, "/index", H5T_STD_U8LE, 0, 0); break;
		case 29: put_int(file, QKV, "extent", 191); break;
		case 30: put_int(file, QKV, "extent", 193); break;
		case 31: put_int(file, QKV, "extent", INT64_MAX); break;
		}
		H5Fclose(file);
		check_refused(path, messages[i]);
	}
}

/* ---- damage: bits flipped and files cut short, in a child, since libhdf5 itself may not survive ---- */

struct damage_count {
	int next, refused, same, different, crashed, hung;
	int first_different, first_crashed;
};

static uint64_t fold_file(const char *path, int *failed)
{
	static struct test_case test;
	struct dataset *dataset;
	struct error err = {0};
	uint64_t sum = 0;
	*failed = dataset_open(&dataset, path, &err);
	if (*failed)
		return 0;
	fold(&sum, dataset_spec(dataset), strlen(dataset_spec(dataset)));
	for (size_t i = 0; i < dataset_count(dataset) && !*failed; i++) {
		*failed = dataset_read(dataset, i, 1, &test, &err);
		const uint64_t one = fold_case(&test);
		fold(&sum, &one, sizeof one);
		case_free(&test);
	}
	dataset_close(dataset);
	return sum;
}

static void damage(unsigned char *bytes, size_t *size, size_t whole, int number, int rounds)
{
	if (number >= rounds) { /* the last ones: cut short */
		*size = whole - 1 - (size_t)(number - rounds) * (whole / 128);
		return;
	}
	uint64_t random = digest_mix((uint64_t)number + 1);
	for (int flip = 0; flip <= number % 3; flip++) {
		random = digest_mix(random + DIGEST_KEY_0);
		bytes[random % whole] ^= (unsigned char)(1u << (random >> 40 & 7));
	}
}

static void run_damaged(struct damage_count *count, const char *path, const struct file_map *good, uint64_t right, int rounds,
			int cuts)
{
	unsigned char *bytes = malloc(good->size);
	for (; count->next < rounds + cuts; count->next++) {
		size_t size = good->size;
		int failed;
		memcpy(bytes, good->data, size);
		damage(bytes, &size, good->size, count->next, rounds);
		FILE *file = fopen(path, "wb");
		if (!file || fwrite(bytes, 1, size, file) != size || fclose(file))
			_exit(3);
		alarm(20);
		const uint64_t sum = fold_file(path, &failed);
		alarm(0);
		if (failed)
			count->refused++;
		else if (sum == right)
			count->same++;
		else if (count->different++ == 0)
			count->first_different = count->next;
	}
	free(bytes);
}

static void damaged_files_are_survived(void)
{
	enum { ROUNDS = 2000, CUTS = 120 };
	struct error err = {0};
	struct file_map good = {0};
	char path[256];
	int failed;
	snprintf(path, sizeof path, "%s", in_folder("good.h5"));
	CHECK_INT(build(path, 2, 12, 6, &err), 0);
	CHECK_INT(file_map_open(&good, path, &err), 0);
	const uint64_t right = fold_file(path, &failed);
	CHECK_INT(failed, 0);
	snprintf(path, sizeof path, "%s", in_folder("damaged.h5"));
	struct damage_count *count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(count != MAP_FAILED);
	const double start = monotonic_seconds();
	while (count->next < ROUNDS + CUTS) {
		fflush(NULL);
		const pid_t child = fork();
		if (child == 0) {
			run_damaged(count, path, &good, right, ROUNDS, CUTS);
			_exit(0);
		}
		int status = -1;
		CHECK(child > 0);
		waitpid(child, &status, 0);
		if (status == 0)
			break;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
			count->hung++;
		else if (count->crashed++ == 0)
			count->first_crashed = count->next;
		count->next++;
	}
	printf("damaged: %d of %zu bytes each: %d refused, %d read the same (damage in unused bytes), %d read differently, "
	       "%d crashed, %d hung (in %.1f s)\n", count->next, good.size, count->refused, count->same, count->different,
	       count->crashed, count->hung, monotonic_seconds() - start);
	if (count->crashed)
		printf("first crash within libhdf5: number %d\n", count->first_crashed);
	CHECK_INT(count->next, ROUNDS + CUTS);
	CHECK_INT(count->refused + count->same + count->different + count->crashed + count->hung, ROUNDS + CUTS);
	/* every byte that is read is under a checksum */
	CHECK_INT(count->different, 0);
	CHECK(count->refused > ROUNDS / 2);
	/* the library's own faults are not this program's, but more than a few would be ours */
	CHECK(count->crashed + count->hung <= ROUNDS / 100);
	munmap(count, sizeof *count);
	file_map_close(&good);
}

int main(void)
{
	char command[300];
	if (!mkdtemp(folder))
		return 1;
	a_full_disk_is_reported(); /* first: its child wants a library that was not used before */
	what_is_written_is_read();
	files_are_small_and_reproducible();
	sixteen_bit_floats_are_real_floats();
	failures_leave_nothing_behind();
	foreign_files_are_named();
	contradictions_are_found();
	damaged_files_are_survived();
	snprintf(command, sizeof command, "rm -r '%s'", folder);
	return system(command) || check_result();
}
