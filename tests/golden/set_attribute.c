/* Changes one attribute of an HDF5 file, or the length of one dataset, to make files that contradict themselves.
 * usage: set_attribute FILE OBJECT NAME VALUE     a whole number or a text, as the attribute is
 *        set_attribute FILE DATASET --length N    the dataset is replaced by one of N elements of the same type, all 0
 *        set_attribute FILE OBJECT --delete NAME
 *        set_attribute FILE OBJECT --unlink       removes the object */
#include <hdf5.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int set_value(hid_t object, const char *name, const char *value)
{
	const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT), type = H5Aget_type(attribute);
	int failed;
	if (H5Tget_class(type) == H5T_STRING) {
		/* texts have the length that they were written with: a longer value is cut */
		char *text = calloc(1, H5Tget_size(type) + 1);
		if (!text)
			return -1;
		snprintf(text, H5Tget_size(type) + 1, "%s", value);
		failed = H5Awrite(attribute, type, text) < 0;
		free(text);
	} else {
		const long long number = strtoll(value, NULL, 10);
		failed = H5Awrite(attribute, H5T_NATIVE_LLONG, &number) < 0;
	}
	H5Tclose(type);
	H5Aclose(attribute);
	return failed ? -1 : 0;
}

static int set_length(hid_t file, const char *path, const char *value)
{
	const hid_t old = H5Dopen2(file, path, H5P_DEFAULT), type = H5Dget_type(old);
	const hsize_t length = (hsize_t)strtoull(value, NULL, 10);
	const hid_t space = H5Screate_simple(1, &length, NULL);
	const hid_t made = H5Dcreate2(file, "replacement", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
	void *zeros = calloc((size_t)length + 1, H5Tget_size(type));
	int failed = made < 0 || !zeros || H5Dwrite(made, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros) < 0;
	free(zeros);
	/* the attributes are those of the old one */
	for (int i = 0; !failed && i < (int)H5Aget_num_attrs(old); i++) {
		char name[256];
		const hid_t from = H5Aopen_by_idx(old, ".", H5_INDEX_NAME, H5_ITER_INC, (hsize_t)i, H5P_DEFAULT, H5P_DEFAULT);
		const hid_t of = H5Aget_type(from), in = H5Aget_space(from);
		char *bytes = calloc(1, H5Aget_storage_size(from) + 1);
		H5Aget_name(from, sizeof name, name);
		const hid_t to = H5Acreate2(made, name, of, in, H5P_DEFAULT, H5P_DEFAULT);
		failed = !bytes || H5Aread(from, of, bytes) < 0 || H5Awrite(to, of, bytes) < 0;
		free(bytes);
		H5Aclose(to);
		H5Sclose(in);
		H5Tclose(of);
		H5Aclose(from);
	}
	failed = failed || H5Ldelete(file, path, H5P_DEFAULT) < 0 ||
		 H5Lmove(file, "replacement", file, path, H5P_DEFAULT, H5P_DEFAULT) < 0;
	H5Dclose(made);
	H5Sclose(space);
	H5Tclose(type);
	H5Dclose(old);
	return failed ? -1 : 0;
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: set_attribute FILE OBJECT NAME VALUE\n");
		return 2;
	}
	const hid_t file = H5Fopen(argv[1], H5F_ACC_RDWR, H5P_DEFAULT);
	int failed = file < 0;
	if (!failed && strcmp(argv[3], "--unlink") == 0) {
		failed = H5Ldelete(file, argv[2], H5P_DEFAULT) < 0;
	} else if (!failed && argc == 5 && strcmp(argv[3], "--length") == 0) {
		failed = set_length(file, argv[2], argv[4]) != 0;
	} else if (!failed && argc == 5) {
		const hid_t object = H5Oopen(file, argv[2], H5P_DEFAULT);
		failed = object < 0 || (strcmp(argv[3], "--delete") == 0 ? H5Adelete(object, argv[4]) < 0
									 : set_value(object, argv[3], argv[4]) != 0);
		H5Oclose(object);
	} else {
		failed = 1;
	}
	H5Fclose(file);
	if (failed)
		fprintf(stderr, "set_attribute: failed\n");
	return failed;
}
