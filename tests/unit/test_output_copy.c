/* Copies of outputs: what is kept, how far two are apart in every type, what a result file makes of them. */
#include "check.h"

#include "dataset/hdf5_access.h"
#include "output_copy.h"
#include "record_samples.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static struct tensor tensor_of(enum dtype dtype, int rank, const int64_t *dims, const int64_t *strides)
{
	struct tensor tensor = {.name = "out", .role = TENSOR_OUTPUT, .dtype = dtype, .rank = rank};
	for (int i = 0; i < rank; i++) {
		tensor.dims[i] = dims[i];
		tensor.strides[i] = strides[i];
	}
	tensor.extent = tensor_reach(&tensor);
	return tensor;
}

static void taken(void)
{
	static const uint16_t storage[] = {1, 2, 3, 99, 4, 5, 6, 99, 7, 8, 9};
	const int64_t dims[] = {3, 3}, gaps[] = {4, 1}, turned[] = {1, 4};
	struct tensor tensor = tensor_of(DTYPE_F16, 2, dims, gaps);
	struct output_copy copy;
	static const uint16_t rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, columns[] = {1, 4, 7, 2, 5, 8, 3, 6, 9};
	CHECK_INT(output_copy_take(&copy, &tensor, storage, NULL), 0);
	CHECK_INT(copy.dtype, DTYPE_F16);
	CHECK_INT(copy.size, sizeof rows);
	CHECK(memcmp(copy.bytes, rows, sizeof rows) == 0);
	free(copy.bytes);
	tensor = tensor_of(DTYPE_F16, 2, dims, turned);
	CHECK_INT(output_copy_take(&copy, &tensor, storage, NULL), 0);
	CHECK(memcmp(copy.bytes, columns, sizeof columns) == 0);
	free(copy.bytes);
	const int64_t none[] = {0, 3};
	tensor = tensor_of(DTYPE_F16, 2, none, gaps);
	CHECK_INT(output_copy_take(&copy, &tensor, storage, NULL), 0);
	CHECK_INT(copy.size, 0);
	CHECK(copy.bytes != NULL);
	free(copy.bytes);
}

/* Outputs of a case are kept all or not at all. */
static void limits(void)
{
	struct case_record *record = calloc(1, sizeof *record);
	const int64_t small[] = {4}, one[] = {1}, large[] = {OUTPUT_CASE_BYTES_MAX / 4 - 3};
	static const float values[4] = {1, 2, 3, 4};
	const struct tensor tensor = tensor_of(DTYPE_F32, 1, small, one), huge = tensor_of(DTYPE_F32, 1, large, one);
	CHECK_INT(case_record_keep_output(record, 0, &tensor, values, NULL), 0);
	CHECK_INT(case_record_output_bytes(record), 16);
	CHECK_INT(case_record_has_room(record, &huge), 0);
	CHECK_INT(case_record_keep_output(record, 1, &huge, NULL, NULL), 0);
	CHECK_INT(case_record_output_bytes(record), 0);
	CHECK(record->outputs[0].bytes == NULL);
	CHECK_INT(case_record_has_room(record, &tensor), 0);
	CHECK_INT(case_record_keep_output(record, 2, &tensor, values, NULL), 0);
	CHECK_INT(case_record_output_bytes(record), 0);
	case_record_free(record);
	free(record);
}

static struct output_difference differ(enum dtype dtype, const void *base, const void *next, size_t size)
{
	struct output_copy old = {.dtype = dtype, .size = size, .bytes = malloc(size + 1)}, new = old;
	new.bytes = malloc(size + 1);
	memcpy(old.bytes, base, size);
	memcpy(new.bytes, next, size);
	const struct output_difference difference = output_compare(&old, &new);
	free(old.bytes);
	free(new.bytes);
	return difference;
}

static void distances(void)
{
	/* f16: 1, the next one, 5 and 300 further, over zero, an infinity, NaN for a number, another NaN, -0 */
	static const uint16_t base[] = {0x3c00, 0x3c00, 0x3c00, 0x3c00, 0x0001, 0x7bff, 0x3c00, 0x7e00, 0x0000};
	static const uint16_t next[] = {0x3c00, 0x3c01, 0x3c05, 0x3d2c, 0x8001, 0x7c00, 0x7e00, 0xfe01, 0x8000};
	const struct output_difference halves = differ(DTYPE_F16, base, next, sizeof base);
	CHECK_INT(halves.is_known, 1);
	CHECK_INT(halves.elements, 9);
	CHECK_INT(halves.differing, 8);
	CHECK_INT(halves.bins[ULP_NONE], 3);
	CHECK_INT(halves.bins[ULP_ONE], 2);
	CHECK_INT(halves.bins[ULP_FEW], 1);
	CHECK_INT(halves.bins[ULP_SOME], 1);
	CHECK_INT(halves.bins[ULP_MANY], 0);
	CHECK_INT(halves.bins[ULP_FAR], 1);
	CHECK_INT(halves.bins[ULP_NAN], 1);
	CHECK_INT(halves.largest, 300);
	CHECK_INT(halves.at, 3);
	CHECK_NEAR(halves.base, 1, 0);
	CHECK_NEAR(halves.next, 1 + 300.0 / 1024, 0);
	static const uint16_t brain[] = {0x3f80}, brain_next[] = {0x3f84};
	CHECK_INT(differ(DTYPE_BF16, brain, brain_next, 2).largest, 4);
	static const uint8_t small[] = {0x38, 0x7f}, small_next[] = {0xb8, 0x7e};
	const struct output_difference eighths = differ(DTYPE_F8_E4M3, small, small_next, 2);
	CHECK_INT(eighths.largest, 0x70);
	CHECK_INT(eighths.bins[ULP_NAN], 1);
	const float single[] = {1.0F, 1e30F}, single_next[] = {nextafterf(1.0F, 2), -1e30F};
	const struct output_difference singles = differ(DTYPE_F32, single, single_next, sizeof single);
	CHECK_INT(singles.bins[ULP_ONE], 1);
	CHECK_INT(singles.bins[ULP_BEYOND], 1);
	CHECK_INT(singles.at, 1);
	const double wide[] = {0.1, (double)NAN}, wide_next[] = {nextafter(nextafter(0.1, 1), 1), (double)INFINITY};
	const struct output_difference doubles = differ(DTYPE_F64, wide, wide_next, sizeof wide);
	CHECK_INT(doubles.largest, 2);
	CHECK_INT(doubles.bins[ULP_NAN], 1);
	/* integers: differences, across zero and over the whole range */
	const int32_t whole[] = {-2, INT32_MIN}, whole_next[] = {3, INT32_MAX};
	const struct output_difference integers = differ(DTYPE_I32, whole, whole_next, sizeof whole);
	CHECK_INT(integers.bins[ULP_SOME], 1);
	CHECK_INT(integers.largest, UINT32_MAX);
	const int64_t long_one[] = {INT64_MIN}, long_other[] = {INT64_MAX};
	CHECK(differ(DTYPE_I64, long_one, long_other, 8).largest == UINT64_MAX);
	const uint8_t bytes[] = {255}, bytes_next[] = {0};
	CHECK_INT(differ(DTYPE_U8, bytes, bytes_next, 1).largest, 255);
	/* only signs of zeros and kinds of NaN: other bits, no distance */
	static const uint16_t zero[] = {0x0000, 0x7e00}, zero_next[] = {0x8000, 0x7e01};
	const struct output_difference signs = differ(DTYPE_F16, zero, zero_next, 4);
	CHECK_INT(signs.differing, 2);
	CHECK_INT(signs.bins[ULP_NONE], 2);
	CHECK_INT(signs.largest, 0);
	CHECK_INT(signs.at, 0);
}

static void unknown(void)
{
	float values[2] = {1, 2};
	struct output_copy a = {.dtype = DTYPE_F32, .size = 8, .bytes = values}, b = a;
	CHECK_INT(output_compare(&a, &b).is_known, 1);
	b.size = 4;
	CHECK_INT(output_compare(&a, &b).is_known, 0);
	b = a;
	b.dtype = DTYPE_U32;
	CHECK_INT(output_compare(&a, &b).is_known, 0);
	b = a;
	b.bytes = NULL;
	CHECK_INT(output_compare(&a, &b).is_known, 0);
	a.size = b.size = 6;
	b.bytes = values;
	CHECK_INT(output_compare(&a, &b).is_known, 0);
}

/* Result files are anyone's: what `change` did to the copy of case 1's first output is refused with these words. */
static void refused(const char *path, void (*change)(hid_t outputs), const char *words)
{
	struct run_record run = sample_run(3), back;
	struct record_writer *writer;
	struct error err = {0};
	struct output_copy *copy = &run.cases[1].outputs[0];
	*copy = (struct output_copy){.dtype = DTYPE_F16, .size = 8, .bytes = calloc(8, 1)};
	CHECK_INT(record_writer_open(&writer, path, &run, &err), 0);
	for (size_t i = 0; i < run.case_count; i++)
		CHECK_INT(record_writer_add(writer, &run.cases[i], &err), 0);
	CHECK_INT(record_writer_commit(writer, &run, &err), 0);
	const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), outputs = H5Gopen2(file, "cases/outputs", H5P_DEFAULT);
	change(outputs);
	H5Gclose(outputs);
	H5Fclose(file);
	CHECK_INT(record_read(&back, path, &err), -1);
	CHECK_INT(err.kind, ERROR_INPUT);
	CHECK_CONTAINS(err.message, words);
	run_record_free(&run);
}

static void other_type(hid_t outputs)
{
	const hid_t dataset = H5Dopen2(outputs, "1.0", H5P_DEFAULT);
	H5Adelete(dataset, "dtype");
	write_text(dataset, "dtype", "f64");
	H5Dclose(dataset);
}

static void no_type(hid_t outputs)
{
	const hid_t dataset = H5Dopen2(outputs, "1.0", H5P_DEFAULT);
	H5Adelete(dataset, "dtype");
	H5Dclose(dataset);
}

static void unknown_type(hid_t outputs)
{
	no_type(outputs);
	const hid_t dataset = H5Dopen2(outputs, "1.0", H5P_DEFAULT);
	write_text(dataset, "dtype", "f128");
	H5Dclose(dataset);
}

static void no_dataset(hid_t outputs)
{
	H5Ldelete(outputs, "1.0", H5P_DEFAULT);
	H5Gclose(H5Gcreate2(outputs, "1.0", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

/* A small file that claims an array of 2^40 elements, none of which is there. */
static void endless(hid_t outputs)
{
	const hsize_t elements = (hsize_t)1 << 40, chunk = 1 << 16;
	const hid_t space = H5Screate_simple(1, &elements, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
	H5Ldelete(outputs, "1.0", H5P_DEFAULT);
	H5Pset_chunk(creation, 1, &chunk);
	const hid_t dataset = H5Dcreate2(outputs, "1.0", H5T_STD_U16LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
	write_text(dataset, "dtype", "f16");
	H5Dclose(dataset);
	H5Pclose(creation);
	H5Sclose(space);
}

static void hostile(void)
{
	char path[] = "/tmp/assay-outputs.XXXXXX";
	close(mkstemp(path));
	refused(path, other_type, "output 1.0 is not of the type that it names");
	refused(path, no_type, "output 1.0 has no dtype");
	refused(path, unknown_type, "output 1.0 is not of the type that it names");
	refused(path, no_dataset, "1.0");
	refused(path, endless, "");
	unlink(path);
}

/* Every type through a result file, beside cases that have none. */
static void stored(void)
{
	char path[] = "/tmp/assay-outputs.XXXXXX";
	const int fd = mkstemp(path);
	struct run_record run = sample_run(3), back;
	struct error err = {0};
	struct record_writer *writer;
	static const enum dtype types[] = {DTYPE_F8_E4M3, DTYPE_BF16, DTYPE_I32, DTYPE_F64};
	struct case_record *kept = &run.cases[1];
	kept->output_count = 4;
	for (int i = 0; i < 4; i++) {
		const size_t count = i == 2 ? 0 : 70000 + (size_t)i;
		snprintf(kept->output_names[i], sizeof kept->output_names[i], "out%d", i);
		kept->outputs[i] = (struct output_copy){.dtype = types[i], .size = count * dtype_size(types[i])};
		kept->outputs[i].bytes = malloc(kept->outputs[i].size + 1);
		for (size_t k = 0; k < kept->outputs[i].size; k++)
			((unsigned char *)kept->outputs[i].bytes)[k] = (unsigned char)(k * k >> 3);
	}
	close(fd);
	CHECK_INT(record_writer_open(&writer, path, &run, &err), 0);
	for (size_t i = 0; i < run.case_count; i++)
		CHECK_INT(record_writer_add(writer, &run.cases[i], &err), 0);
	CHECK_INT(record_writer_commit(writer, &run, &err), 0);
	CHECK_INT(record_read(&back, path, &err), 0);
	CHECK_TEXT(err.message, "");
	CHECK_INT(case_record_output_bytes(&back.cases[0]), 0);
	CHECK_INT(case_record_output_bytes(&back.cases[2]), 0);
	CHECK_INT(case_record_output_bytes(&back.cases[1]), case_record_output_bytes(kept));
	for (int i = 0; i < 4; i++) {
		const struct output_copy *copy = &back.cases[1].outputs[i];
		CHECK_INT(copy->dtype, types[i]);
		CHECK_INT(copy->size, kept->outputs[i].size);
		CHECK(copy->bytes && memcmp(copy->bytes, kept->outputs[i].bytes, copy->size) == 0);
	}
	run_record_free(&back);
	CHECK_INT(record_read_without_copies(&back, path, &err), 0);
	CHECK_INT(case_record_output_bytes(&back.cases[1]), 0);
	CHECK_INT(back.cases[1].output_count, kept->output_count);
	run_record_free(&run);
	run_record_free(&back);
	unlink(path);
}

/* ---- copies that nobody will look at ---- */

/* A case with a copy of its one output, `bits` of it being its digest. */
static void add_copied(struct run_record *run, const char *name, int artifact, uint64_t bits)
{
	struct case_record record = {.artifact = artifact, .output_count = 1};
	snprintf(record.name, sizeof record.name, "%s", name);
	snprintf(record.family, sizeof record.family, "unary");
	snprintf(record.entry_point, sizeof record.entry_point, "uexp_f32");
	snprintf(record.output_names[0], sizeof record.output_names[0], "out");
	record.digests[0] = (struct digest){{bits, 1}};
	record.outputs[0] = (struct output_copy){.dtype = DTYPE_F32, .size = 4, .bytes = calloc(1, 4)};
	CHECK_INT(run_record_add(run, &record, NULL), 0);
}

static int has_copy(const struct run_record *run, size_t index)
{
	return run->cases[index].outputs[0].bytes != NULL;
}

static void dropped(void)
{
	struct run_record runs[3] = {{0}};
	for (int i = 0; i < 3; i++) {
		add_copied(&runs[i], "same everywhere", 0, 1);
		add_copied(&runs[i], "other in the third", 0, i == 2 ? 9 : 2);
		add_copied(&runs[i], i == 1 ? "here alone" : "not in the second", 0, 3);
		/* the same case of two artifacts, one of which has other bits: which belong together is told by more than this */
		add_copied(&runs[i], "twice", 0, 4);
		add_copied(&runs[i], "twice", 1, 5);
		/* other outputs are not the same, whatever their digests */
		add_copied(&runs[i], "renamed", 0, 6);
		if (i)
			snprintf(runs[i].cases[5].output_names[0], sizeof runs[i].cases[5].output_names[0], "other");
	}
	runs_drop_same_outputs(runs, 1, 0);
	for (size_t i = 0; i < 6; i++)
		CHECK_INT(has_copy(&runs[0], i), 1); /* others are still to come */
	runs_drop_same_outputs(runs, 2, 0);
	for (size_t i = 0; i < 6; i++)
		CHECK_INT(has_copy(&runs[0], i), 1);
	const int second[] = {0, 0, 0, 1, 1, 1};
	for (size_t i = 0; i < 6; i++)
		CHECK_INT(has_copy(&runs[1], i), second[i]);
	runs_drop_same_outputs(runs, 3, 1);
	const int base[] = {0, 1, 0, 1, 1, 1}, third[] = {0, 1, 0, 1, 1, 1};
	for (size_t i = 0; i < 6; i++) {
		CHECK_INT(has_copy(&runs[0], i), base[i]);
		CHECK_INT(has_copy(&runs[1], i), second[i]);
		CHECK_INT(has_copy(&runs[2], i), third[i]);
	}
	/* one case of several sides: nobody to compare with, then a base */
	struct case_record *const alone[] = {NULL, &runs[2].cases[1]}, *const both[] = {&runs[0].cases[1], NULL};
	case_records_drop_same(alone, 2, 1);
	CHECK_INT(has_copy(&runs[2], 1), 0);
	case_records_drop_same(both, 2, 0);
	CHECK_INT(has_copy(&runs[0], 1), 1);
	case_records_drop_same(both, 2, 1);
	CHECK_INT(has_copy(&runs[0], 1), 0);
	for (int i = 0; i < 3; i++)
		run_record_free(&runs[i]);
}

/* Written without copies, the rest is what it was. */
static void written_without(void)
{
	char path[64];
	struct error err = {0};
	struct run_record run = sample_run(3), back;
	snprintf(path, sizeof path, "/tmp/assay-copies.%ld.h5", (long)getpid());
	run.cases[1].outputs[0] = (struct output_copy){.dtype = DTYPE_F32, .size = 4, .bytes = calloc(1, 4)};
	CHECK_INT(record_write_without_copies(path, &run, &err), 0);
	CHECK_INT(has_copy(&run, 1), 1);
	CHECK_INT(record_read(&back, path, &err), 0);
	CHECK_INT(back.case_count, 3);
	CHECK_INT(has_copy(&back, 1), 0);
	CHECK(memcmp(back.cases[1].digests, run.cases[1].digests, sizeof run.cases[1].digests) == 0);
	run_record_free(&back);
	CHECK_INT(record_write(path, &run, &err), 0);
	CHECK_INT(record_read(&back, path, &err), 0);
	CHECK_INT(has_copy(&back, 1), 1);
	run_record_free(&back);
	run_record_free(&run);
	unlink(path);
}

int main(void)
{
	dropped();
	written_without();
	taken();
	limits();
	distances();
	unknown();
	stored();
	hostile();
	return check_result();
}
