#include "check.h"
#include "core/digest.h"
#include "core/util.h"
#include "dataset/import.h"
#include "dataset/store.h"

#include <hdf5.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/assay-import-XXXXXX";

/* "FOLDER/name" and what follows in the source */
static const char *in_folder(const char *name)
{
	static char paths[4][256];
	static int turn;
	char *path = paths[turn = (turn + 1) % 4];
	snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	return path;
}

static void put_file(const char *name, const void *head, size_t head_size, const void *data, size_t size)
{
	struct text text = {0};
	struct error err = {0};
	text_append_bytes(&text, head, head_size);
	if (size)
		text_append_bytes(&text, data, size);
	CHECK_INT(write_file_atomically(in_folder(name), text.data, text.length, &err), 0);
	text_free(&text);
}

static void put_npy(const char *name, int major, const char *header, const void *data, size_t size)
{
	unsigned char head[1024] = "\x93NUMPY";
	const size_t prefix = major == 1 ? 10 : 12, length = strlen(header);
	head[6] = (unsigned char)major;
	head[8] = (unsigned char)(length & 255);
	head[9] = (unsigned char)(length >> 8);
	memcpy(head + prefix, header, length);
	put_file(name, head, prefix + length, data, size);
}

static void put_safetensors(const char *name, const char *header, const void *data, size_t size)
{
	unsigned char head[4096] = {0};
	const size_t length = strlen(header);
	head[0] = (unsigned char)(length & 255);
	head[1] = (unsigned char)(length >> 8);
	memcpy(head + 8, header, length);
	put_file(name, head, 8 + length, data, size);
}

static void check_refused(const char *source, const char *message)
{
	struct tensor tensor;
	struct error err = {0};
	CHECK_INT(import_tensor(&tensor, source, &err), -1);
	CHECK(tensor.data == NULL);
	CHECK(err.kind == ERROR_INPUT || err.kind == ERROR_USAGE);
	CHECK_CONTAINS(err.message, message);
	free(tensor.data);
}

static void npy_files(void)
{
	static const float six[6] = {1.0f, -2.5f, 3.0f, 4.0f, 5.0f, 6.0f};
	static const double wide[2] = {0.1, -1e300};
	static const uint16_t half[4] = {0x3c00, 0xc000, 0x7bff, 0x0001};
	struct tensor tensor;
	struct error err = {0};
	/* as numpy writes it: padded with spaces to a multiple of 64 and a newline */
	put_npy("q.npy", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }                               \n", six, sizeof six);
	CHECK_INT(import_tensor(&tensor, in_folder("q.npy"), &err), 0);
	CHECK_TEXT(tensor.name, "q");
	CHECK_TEXT(tensor.generator, "import");
	CHECK_INT(tensor.dtype, DTYPE_F32);
	CHECK_INT(tensor.rank, 2);
	CHECK_INT(tensor.dims[0], 2);
	CHECK_INT(tensor.dims[1], 3);
	CHECK_INT(tensor.strides[0], 3);
	CHECK_INT(tensor.extent, 6);
	CHECK(tensor.data && memcmp(tensor.data, six, sizeof six) == 0);
	free(tensor.data);

	put_npy("w.npy", 2, "{\"shape\":(2,),\"descr\":\"<f8\",\"fortran_order\":True}\n", wide, sizeof wide);
	CHECK_INT(import_tensor(&tensor, in_folder("w.npy"), &err), 0);
	CHECK_INT(tensor.dtype, DTYPE_F64);
	CHECK_INT(tensor.rank, 1);
	CHECK(tensor.data && memcmp(tensor.data, wide, sizeof wide) == 0);
	free(tensor.data);

	put_npy("h.npy", 3, "{'descr': '<f2', 'fortran_order': False, 'shape': (1, 2, 1, 2)}", half, sizeof half);
	CHECK_INT(import_tensor(&tensor, in_folder("h.npy"), &err), 0);
	CHECK_INT(tensor.dtype, DTYPE_F16);
	CHECK_INT(tensor.rank, 4);
	free(tensor.data);
	put_npy("b.npy", 1, "{'descr': '<V2', 'fortran_order': False, 'shape': (4,), }\n", half, sizeof half);
	CHECK_INT(import_tensor(&tensor, in_folder("b.npy:bf16"), &err), 0);
	CHECK_INT(tensor.dtype, DTYPE_BF16);
	CHECK_TEXT(tensor.name, "b");
	free(tensor.data);
	put_npy("scalar.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (), }\n", wide, 8);
	CHECK_INT(import_tensor(&tensor, in_folder("scalar.npy"), &err), 0);
	CHECK_INT(tensor.rank, 0);
	CHECK_INT(tensor.extent, 1);
	free(tensor.data);
	put_npy("empty.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4), }\n", wide, 0);
	CHECK_INT(import_tensor(&tensor, in_folder("empty.npy"), &err), 0);
	CHECK_INT(tensor.extent, 0);
	free(tensor.data);

	check_refused(in_folder("b.npy"), "say FILE.npy:bf16");
	check_refused(in_folder("q.npy:bf16"), "with :bf16 they must have two bytes");
	check_refused(in_folder("absent.npy"), "absent.npy");
}

static void hostile_npy_headers(void)
{
	static const unsigned char data[64] = {0};
	static const struct {
		const char *header;
		size_t size;
		const char *message;
	} bad[] = {
		{"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", 24, "numpy.ascontiguousarray"},
		{"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", 24, "holds elements of type '>f4'"},
		{"{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }", 24, "float16, float32 or float64"},
		{"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }", 24, "records"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 23, "needs 24 bytes of data, but there are 23"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 25, "needs 24 bytes"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 0, "more bytes than"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 0, "64-bit number"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296), }", 0, "more bytes than"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000,), }", 64, "needs 4000000000 bytes"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1), }", 4, "more than 6 axes"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3), }", 24, "no dictionary"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2 3), }", 24, "no dictionary"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (,), }", 24, "no dictionary"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)", 24, "no dictionary"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3", 24, "no dictionary"},
		{"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2, 3)}", 24, "no dictionary"},
		{"{'descr': '<f4', 'fortran_order': False}", 24, "no dictionary"},
		{"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 24, "no dictionary"},
		{"{'descr': '<f4', 'more': 1, 'fortran_order': False, 'shape': (2, 3)}", 24, "no dictionary"},
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} x", 24, "no dictionary"},
		{"{'descr': '<f4", 24, "no dictionary"},
		{"{", 24, "no dictionary"},
		{"", 24, "no dictionary"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		put_npy("bad.npy", 1, bad[i].header, data, bad[i].size);
		check_refused(in_folder("bad.npy"), bad[i].message);
	}
	put_file("bad.npy", "\x93NUMPY\x01\x00\xff\xff{}", 12, NULL, 0);
	check_refused(in_folder("bad.npy"), "does not fit");
	put_file("bad.npy", "\x93NUMPY\x02\x00\xff\xff", 10, NULL, 0);
	check_refused(in_folder("bad.npy"), "does not fit");
	put_file("bad.npy", "\x93NUMPY\x02\x00\xff\xff\xff\xff{}", 14, NULL, 0);
	check_refused(in_folder("bad.npy"), "does not fit");
	put_file("bad.npy", "\x93NUMPY\x04\x00\x02\x00{}", 12, NULL, 0);
	check_refused(in_folder("bad.npy"), "format 4");
	put_file("bad.npy", "PK\x03\x04 a zip archive", 18, NULL, 0);
	check_refused(in_folder("bad.npy"), "is no .npy file");
	put_file("bad.npy", "", 0, NULL, 0);
	check_refused(in_folder("bad.npy"), "is no .npy file");
}

static void safetensors_files(void)
{
	static const uint16_t bits[6] = {0x3f80, 0xbf80, 0x4000, 0x3c00, 0xbc00, 0x4000};
	struct tensor tensor;
	struct error err = {0};
	put_safetensors("m.safetensors",
			"{\"__metadata__\":{\"format\":\"pt\"},\"layers.0.attn.q_proj\":{\"dtype\":\"BF16\",\"shape\":[1,3],"
			"\"data_offsets\":[0,6]},\"a:b/k\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[6,12]}}   ", bits, sizeof bits);
	CHECK_INT(import_tensor(&tensor, in_folder("m.safetensors:layers.0.attn.q_proj"), &err), 0);
	CHECK_TEXT(tensor.name, "q_proj");
	CHECK_INT(tensor.dtype, DTYPE_BF16);
	CHECK_INT(tensor.rank, 2);
	CHECK_INT(tensor.dims[1], 3);
	CHECK(tensor.data && memcmp(tensor.data, bits, 6) == 0);
	free(tensor.data);
	CHECK_INT(import_tensor(&tensor, in_folder("m.safetensors:a:b/k"), &err), 0);
	CHECK_TEXT(tensor.name, "k");
	CHECK_INT(tensor.dtype, DTYPE_F16);
	CHECK(tensor.data && memcmp(tensor.data, bits + 3, 6) == 0);
	free(tensor.data);
	check_refused(in_folder("m.safetensors:v"), "has no tensor 'v'; it has: layers.0.attn.q_proj, a:b/k");
	check_refused(in_folder("m.safetensors:__metadata__"), "has no tensor '__metadata__'");
	check_refused(in_folder("m.safetensors"), "FILE.safetensors:KEY");
	check_refused(in_folder("absent.safetensors:q"), "absent.safetensors");
}

static void hostile_safetensors_headers(void)
{
	static const unsigned char data[12] = {0};
	static const struct {
		const char *header, *message;
	} bad[] = {
		{"{\"q\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[0,13]}}", "outside the file"},
		{"{\"q\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[8,2]}}", "outside the file"},
		{"{\"q\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[-6,0]}}", "outside the file"},
		{"{\"q\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[0,9223372036854775807]}}", "outside the file"},
		{"{\"q\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[0,9223372036854775808]}}", "no JSON object"},
		{"{\"q\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[0,8]}}", "needs 6 bytes of data, but there are 8"},
		{"{\"q\":{\"dtype\":\"F16\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}", "more bytes than"},
		{"{\"q\":{\"dtype\":\"F16\",\"shape\":[-1],\"data_offsets\":[0,8]}}", "no whole number"},
		{"{\"q\":{\"dtype\":\"F16\",\"shape\":[1.5],\"data_offsets\":[0,8]}}", "no whole number"},
		{"{\"q\":{\"dtype\":\"F16\",\"shape\":[1,1,1,1,1,1,3],\"data_offsets\":[0,6]}}", "more than 6"},
		{"{\"q\":{\"dtype\":\"F16\",\"shape\":3,\"data_offsets\":[0,6]}}", "lacks dtype, shape or data_offsets"},
		{"{\"q\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[0]}}", "lacks dtype, shape or data_offsets"},
		{"{\"q\":{\"dtype\":16,\"shape\":[3],\"data_offsets\":[0,6]}}", "lacks dtype, shape or data_offsets"},
		{"{\"q\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}}", "is of type I64"},
		{"{\"q\":[]}", "has no tensor 'q'"},
		{"{\"q\":{},\"q\":{}}", "no JSON object"},
		{"[1]", "no JSON object"},
		{"{\"q\":", "no JSON object"},
		{"", "no JSON object"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		put_safetensors("bad.safetensors", bad[i].header, data, sizeof data);
		check_refused(in_folder("bad.safetensors:q"), bad[i].message);
	}
	put_file("bad.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, NULL, 0);
	check_refused(in_folder("bad.safetensors:q"), "does not fit");
	put_file("bad.safetensors", "\x03\0\0\0\0\0\0\0{}", 10, NULL, 0);
	check_refused(in_folder("bad.safetensors:q"), "does not fit");
	put_file("bad.safetensors", "\x03", 1, NULL, 0);
	check_refused(in_folder("bad.safetensors:q"), "does not fit");
	struct text deep = {0};
	for (int i = 0; i < 4000; i++)
		text_append(&deep, "[");
	put_safetensors("bad.safetensors", deep.data, data, 0);
	check_refused(in_folder("bad.safetensors:q"), "no JSON object");
	text_free(&deep);
}

static void put_dataset(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims, hid_t memory_type, const void *data)
{
	const hid_t space = H5Screate_simple(rank, dims, NULL);
	const hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	CHECK(dataset >= 0);
	if (data)
		CHECK(H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
	H5Dclose(dataset);
	H5Sclose(space);
}

static void hdf5_files(void)
{
	static const float values[6] = {1.0f, -2.0f, 0.5f, 65504.0f, 0.0f, 3.0f};
	static const hsize_t dims[2] = {2, 3}, many[7] = {1, 1, 1, 1, 1, 1, 6}, huge[1] = {(hsize_t)1 << 40};
	static const struct { const char *name; enum dtype dtype; } good[] = {
		{"f16", DTYPE_F16}, {"bf16", DTYPE_BF16}, {"f32", DTYPE_F32}, {"f64", DTYPE_F64}, {"f32be", DTYPE_F32}, {"f64be", DTYPE_F64}};
	struct tensor tensor;
	struct error err = {0};
	char path[300], source[400];
	hdf5_quiet();
	snprintf(path, sizeof path, "%s", in_folder("x.h5"));
	const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
	H5Gclose(H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
	for (int type = DTYPE_F16; type <= DTYPE_F64; type++) {
		const hid_t file_type = hdf5_type_of((enum dtype)type);
		snprintf(source, sizeof source, "g/%s", dtype_name((enum dtype)type));
		put_dataset(file, source, file_type, 2, dims, H5T_NATIVE_FLOAT, values);
		H5Tclose(file_type);
	}
	put_dataset(file, "g/f32be", H5T_IEEE_F32BE, 2, dims, H5T_NATIVE_FLOAT, values);
	put_dataset(file, "g/f64be", H5T_IEEE_F64BE, 2, dims, H5T_NATIVE_FLOAT, values);
	put_dataset(file, "g/int", H5T_STD_I32LE, 2, dims, H5T_NATIVE_FLOAT, values);
	put_dataset(file, "g/many", H5T_IEEE_F32LE, 7, many, H5T_NATIVE_FLOAT, values);
	put_dataset(file, "g/huge", H5T_IEEE_F32LE, 1, huge, H5T_NATIVE_FLOAT, NULL);
	H5Lcreate_soft("/g/f32", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
	H5Fclose(file);
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		snprintf(source, sizeof source, "%s:/g/%s", path, good[i].name);
		CHECK_INT(import_tensor(&tensor, source, &err), 0);
		CHECK_INT(tensor.dtype, good[i].dtype);
		CHECK_TEXT(tensor.name, good[i].name);
		CHECK_INT(tensor.rank, 2);
		CHECK_INT(tensor.dims[1], 3);
		for (size_t at = 0; at < 6 && tensor.data; at++) {
			double right = (double)values[at];
			if (good[i].dtype == DTYPE_BF16)
				right = bf16_to_f64(bf16_from_f64(right));
			CHECK_NEAR(dtype_load(tensor.dtype, tensor.data, at), right, 0.0);
		}
		free(tensor.data);
	}
	CHECK_INT(import_tensor(&tensor, (snprintf(source, sizeof source, "%s:g//f16", path), source), &err), 0);
	free(tensor.data);
	static const struct { const char *inner, *message; } bad[] = {
		{":/g/absent", "there is no dataset 'absent'"}, {":/absent/f16", "there is no group 'absent'"},
		{":/g", "'g' is not a dataset"},                {":/", "names no dataset"},
		{":", "names no dataset"},                      {":/g/f16/x", "'f16' is not a group"},
		{":/soft", "soft or external link"},            {":/g/int", "no floating-point numbers"},
		{":/g/many", "more than 6"},                    {":/g/huge", "but the file holds 0 bytes"},
		{"", "names no tensor"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		snprintf(source, sizeof source, "%s%s", path, bad[i].inner);
		check_refused(source, bad[i].message);
	}
	check_refused(in_folder("absent.h5:/x"), "No such file");
	put_file("text.h5", "no HDF5", 7, NULL, 0);
	check_refused(in_folder("text.h5:/x"), "is no HDF5 file");
	check_refused("tensor.bin", "names no tensor");
	check_refused("", "names no tensor");
	check_refused(".npy", "names no tensor");
}

/* Bytes changed at random: a tensor or a message; the sanitizers watch. */
static void damaged_files_are_survived(void)
{
	static const char *const files[] = {"q.npy", "m.safetensors"};
	static const char *const sources[] = {"damaged.npy", "damaged.safetensors:a:b/k"};
	for (size_t kind = 0; kind < ARRAY_COUNT(files); kind++) {
		struct file_map good = {0};
		struct error err = {0};
		int taken = 0, refused = 0;
		CHECK_INT(file_map_open(&good, in_folder(files[kind]), &err), 0);
		unsigned char *bytes = malloc(good.size);
		for (uint64_t round = 0; round < 1000; round++) {
			uint64_t random = digest_mix(round + 77);
			size_t size = good.size;
			memcpy(bytes, good.data, size);
			for (uint64_t change = 0; change <= round % 3; change++) {
				bytes[random % size] = (unsigned char)(random >> 40);
				random = digest_mix(random);
			}
			if (round % 8 == 7)
				size = random % size;
			FILE *file = fopen(in_folder(kind ? "damaged.safetensors" : "damaged.npy"), "wb");
			CHECK(file && fwrite(bytes, 1, size, file) == size);
			if (file)
				fclose(file);
			struct tensor tensor;
			if (import_tensor(&tensor, in_folder(sources[kind]), &err)) {
				refused++;
				CHECK(err.kind == ERROR_INPUT);
			} else {
				taken++;
				CHECK(tensor.data != NULL);
			}
			free(tensor.data);
		}
		CHECK(taken > 50 && refused > 50);
		free(bytes);
		file_map_close(&good);
	}
}

int main(void)
{
	char command[300];
	if (!mkdtemp(folder))
		return 1;
	npy_files();
	hostile_npy_headers();
	safetensors_files();
	hostile_safetensors_headers();
	hdf5_files();
	damaged_files_are_survived();
	snprintf(command, sizeof command, "rm -r '%s'", folder);
	return system(command) || check_result();
}
