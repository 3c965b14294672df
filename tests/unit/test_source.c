/* Specs and stored datasets seen alike, and the filter over their names. */
#include "check.h"

#include "core/util.h"
#include "dataset/store.h"
#include "source.h"

#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/assay-test-source.XXXXXX";

static char *file(const char *name)
{
	static char path[4][128];
	static int next;
	char *at = path[next++ % 4];
	snprintf(at, sizeof path[0], "%s/%s", folder, name);
	return at;
}

static const char *write_spec(const char *name, const char *text)
{
	const char *path = file(name);
	struct error err = {0};
	if (write_file_atomically(path, text, strlen(text), &err)) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	return path;
}

static int matches(const char *name, int count, const char *const *filters)
{
	return filter_matches(filters, count, name);
}
#define MATCHES(name, ...)                                                                     \
	matches(name, (int)ARRAY_COUNT(((const char *const[]){__VA_ARGS__})), (const char *const[]){__VA_ARGS__})

static void test_filter(void)
{
	const char *const name = "attention/f16/d64/h2:2/b1/s5:5/window:3:1/bshd/normal";
	CHECK_INT(filter_matches(NULL, 0, name), 1);
	CHECK_INT(MATCHES(name, name), 1);
	CHECK_INT(MATCHES(name, "d64"), 1);
	CHECK_INT(MATCHES(name, "d65"), 0);
	CHECK_INT(MATCHES(name, ""), 1);
	CHECK_INT(MATCHES(name, "attention/*/normal"), 1);
	CHECK_INT(MATCHES(name, "*d64*"), 1);
	CHECK_INT(MATCHES(name, "d64*"), 0); /* a pattern is over the whole name */
	CHECK_INT(MATCHES(name, "*/d?4/*"), 1);
	CHECK_INT(MATCHES(name, "d128", "d64"), 1);
	CHECK_INT(MATCHES(name, "d64", "d128"), 1);
	CHECK_INT(MATCHES(name, "d128", "d96"), 0);
	CHECK_INT(MATCHES(name, "-d64"), 0);
	CHECK_INT(MATCHES(name, "-d65"), 1);
	CHECK_INT(MATCHES(name, "-*normal"), 0);
	CHECK_INT(MATCHES(name, "d64", "-f16"), 0);
	CHECK_INT(MATCHES(name, "-f16", "d64"), 0);
	CHECK_INT(MATCHES(name, "-bf16", "d64"), 1);
	CHECK_INT(MATCHES(name, "-bf16", "d65"), 0);
	/* a name that holds a wildcard character still finds itself */
	CHECK_INT(MATCHES("attention/a*b", "attention/a*b"), 1);
}

static void test_spec_source(void)
{
	struct error err = {0};
	struct case_source *source = NULL, *seeded = NULL;
	const struct family *family = NULL;
	struct test_case one, again, other;
	/* the second section repeats cases of the first, written otherwise */
	const char *path = write_spec("a.spec", "[a]\nfamily = attention\nhead_dim = 16, 8\nseqlen = 3\nlayout = bshd, varlen:ragged\nbatch = 3\n"
						"[b]\nfamily = attention\nhead_dim = 8, 24\nseqlen = 3/3\nheads = 2/2\nbatch = 3\n");
	CHECK_INT(case_source_open(&source, path, 0, &err), 0);
	CHECK_TEXT(err.message, "");
	if (!source)
		return;
	CHECK_INT(case_source_is_stored(source), 0);
	CHECK_INT(case_source_count(source), 5);
	CHECK_TEXT(case_source_name(source, 0), "attention/f16/d16/h2:2/b3/s3:3/full/bshd/normal");
	CHECK_TEXT(case_source_name(source, 4), "attention/f16/d24/h2:2/b3/s3:3/full/bshd/normal");
	CHECK_INT(case_source_load(source, 5, 1, &one, &family, &err), -1);

	/* the same data every time; other data for another seed, under the same name */
	CHECK_INT(case_source_open(&seeded, path, 1, &err), 0);
	CHECK_INT(case_source_load(source, 1, 1, &one, &family, &err), 0);
	CHECK_TEXT(family ? family->name : "", "attention");
	CHECK_INT(case_source_load(source, 1, 1, &again, &family, &err), 0);
	CHECK_INT(case_source_load(seeded, 1, 1, &other, &family, &err), 0);
	const struct tensor *q = case_find_tensor_const(&one, "q", TENSOR_INPUT);
	const struct tensor *same = case_find_tensor_const(&again, "q", TENSOR_INPUT);
	const struct tensor *different = case_find_tensor_const(&other, "q", TENSOR_INPUT);
	CHECK_TEXT(one.name, other.name);
	CHECK(q && same && different);
	if (q && same && different) {
		CHECK_INT(q->extent, same->extent);
		CHECK(memcmp(q->data, same->data, (size_t)q->extent * 2) == 0);
		const int64_t common = q->extent < different->extent ? q->extent : different->extent;
		CHECK(q->extent != different->extent || memcmp(q->data, different->data, (size_t)common * 2) != 0);
	}
	case_free(&one);
	case_free(&again);
	case_free(&other);
	/* without data there is only the description */
	CHECK_INT(case_source_load(source, 1, 0, &one, &family, &err), 0);
	q = case_find_tensor_const(&one, "q", TENSOR_INPUT);
	CHECK(q && !q->data);
	case_free(&one);
	case_source_close(seeded);
	case_source_close(source);
}

/* A case keeps its data when the spec around it changes. */
static void test_independence(void)
{
	struct error err = {0};
	struct case_source *alone = NULL, *among = NULL;
	const struct family *family;
	struct test_case one, other;
	CHECK_INT(case_source_open(&alone, write_spec("alone.spec", "[a]\nfamily = attention\nhead_dim = 24\nseqlen = 4\n"), 9, &err), 0);
	CHECK_INT(case_source_open(&among, write_spec("among.spec", "[a]\nfamily = attention\nhead_dim = 8..32:8\nseqlen = 2, 4\n"), 9, &err), 0);
	if (!alone || !among)
		return;
	size_t at = 0;
	while (at < case_source_count(among) && strcmp(case_source_name(among, at), case_source_name(alone, 0)) != 0)
		at++;
	CHECK(at > 0 && at < case_source_count(among));
	CHECK_INT(case_source_load(alone, 0, 1, &one, &family, &err), 0);
	CHECK_INT(case_source_load(among, at, 1, &other, &family, &err), 0);
	for (int i = 0; i < one.tensor_count; i++)
		if (one.tensors[i].data && one.tensors[i].role == TENSOR_INPUT)
			CHECK(memcmp(one.tensors[i].data, other.tensors[i].data, (size_t)one.tensors[i].extent * dtype_size(one.tensors[i].dtype)) == 0);
	case_free(&one);
	case_free(&other);
	case_source_close(alone);
	case_source_close(among);
}

static void test_stored_source(void)
{
	struct error err = {0};
	struct case_source *spec = NULL, *stored = NULL;
	struct dataset_writer *writer = NULL;
	const struct family *family;
	struct test_case from_spec, from_file;
	const char *path = file("stored.h5");
	CHECK_INT(case_source_open(&spec, write_spec("c.spec", "[a]\nfamily = attention\nhead_dim = 8, 16\nseqlen = 2\n"), 0, &err), 0);
	CHECK_INT(dataset_writer_open(&writer, path, "", 0, &err), 0);
	for (size_t i = 0; spec && writer && i < case_source_count(spec); i++) {
		CHECK_INT(case_source_load(spec, i, 1, &from_spec, &family, &err), 0);
		CHECK_INT(dataset_writer_add(writer, &from_spec, &err), 0);
		case_free(&from_spec);
	}
	CHECK_INT(writer ? dataset_writer_commit(writer, &err) : -1, 0);
	/* the seed is the user's for specs only */
	CHECK_INT(case_source_open(&stored, path, 5, &err), 0);
	if (!spec || !stored)
		return;
	CHECK_INT(case_source_is_stored(stored), 1);
	CHECK_INT(case_source_count(stored), case_source_count(spec));
	for (size_t i = 0; i < case_source_count(spec); i++) {
		CHECK_TEXT(case_source_name(stored, i), case_source_name(spec, i));
		CHECK_INT(case_source_load(spec, i, 1, &from_spec, &family, &err), 0);
		CHECK_INT(case_source_load(stored, i, 1, &from_file, &family, &err), 0);
		const struct tensor *a = case_find_tensor_const(&from_spec, "v", TENSOR_INPUT);
		const struct tensor *b = case_find_tensor_const(&from_file, "v", TENSOR_INPUT);
		CHECK(a && b && a->extent == b->extent && memcmp(a->data, b->data, (size_t)a->extent * 2) == 0);
		case_free(&from_spec);
		case_free(&from_file);
	}
	case_source_close(spec);
	case_source_close(stored);
}

static void test_refusals(void)
{
	struct error err = {0};
	struct case_source *source;
	CHECK_INT(case_source_open(&source, file("missing.spec"), 0, &err), -1);
	CHECK_INT(err.kind, ERROR_INPUT);
	CHECK(source == NULL);
	CHECK_INT(case_source_open(&source, folder, 0, &err), -1);
	CHECK_INT(case_source_open(&source, write_spec("text.h5", "[a]\nfamily = attention\nseqlen = 2\n"), 0, &err), -1);
	CHECK_CONTAINS(err.message, "is no HDF5 file");
	CHECK_INT(case_source_open(&source, write_spec("bad.spec", "[a]\nfamily = attention\nheads = 4/3\n"), 0, &err), -1);
	CHECK_CONTAINS(err.message, "bad.spec:1: axis heads: '4/3'");
	CHECK_INT(case_source_open(&source, write_spec("signature.spec", "\211HDF\r\n\032\n and nothing else"), 0, &err), -1);
	CHECK_INT(err.kind, ERROR_INPUT);
}

int main(void)
{
	hdf5_quiet();
	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	test_filter();
	test_spec_source();
	test_independence();
	test_stored_source();
	test_refusals();
	static const char *const files[] = {"a.spec", "alone.spec", "among.spec", "c.spec", "stored.h5", "text.h5", "bad.spec", "signature.spec"};
	for (size_t i = 0; i < ARRAY_COUNT(files); i++)
		unlink(file(files[i]));
	CHECK_INT(rmdir(folder), 0);
	return check_result();
}
