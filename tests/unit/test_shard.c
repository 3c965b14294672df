/* Shards: every item in exactly one, the same ones in whatever order the items come, about as much for each. */
#include "check.h"
#include "device_list.h"
#include "merge.h"
#include "shard.h"

#include <stdio.h>
#include <string.h>

enum { ITEMS = 500 };

static void deal(int reversed, double step, int64_t count, int64_t parts[ITEMS], double load[])
{
	static char names[ITEMS][24];
	struct shard_item items[ITEMS];
	int64_t dealt[ITEMS];
	struct error err = {0};
	for (int i = 0; i < ITEMS; i++) {
		const int number = reversed ? ITEMS - 1 - i : i;
		snprintf(names[i], sizeof names[i], "case-%d", number);
		items[i] = (struct shard_item){names[i], 1 + step * (number % 7)};
	}
	CHECK_INT(shard_deal(items, ITEMS, count, dealt, &err), 0);
	memset(load, 0, (size_t)count * sizeof *load);
	for (int i = 0; i < ITEMS; i++) {
		CHECK(dealt[i] >= 1 && dealt[i] <= count);
		parts[reversed ? ITEMS - 1 - i : i] = dealt[i];
		load[dealt[i] - 1] += items[i].cost;
	}
}

static void test_deal(void)
{
	const int64_t counts[] = {1, 2, 3, 8, 499, 500, 700};
	for (size_t c = 0; c < ARRAY_COUNT(counts); c++)
		for (int step = 0; step < 2; step++) {
			int64_t one[ITEMS], other[ITEMS];
			double load[700], again[700];
			deal(0, step, counts[c], one, load);
			deal(1, step, counts[c], other, again);
			CHECK(memcmp(one, other, sizeof one) == 0);
			double least = load[0], most = load[0];
			for (int64_t i = 1; i < counts[c]; i++) {
				least = load[i] < least ? load[i] : least;
				most = load[i] > most ? load[i] : most;
			}
			CHECK(most - least <= (step ? 7 : 1)); /* the largest item */
		}
}

static void test_parse(void)
{
	int64_t index = 0, count = 0;
	struct error err = {0};
	CHECK_INT(shard_parse("2/8", &index, &count, &err), 0);
	CHECK(index == 2 && count == 8);
	CHECK_INT(shard_parse("10000/10000", &index, &count, &err), 0);
	static const char *const bad[] = {"", "/", "1", "1/", "/2", "0/2", "3/2", "1/0", "-1/2", "1/-2", " 1/2", "1/2 ", "1 /2", "1/10001",
					  "99999999999999999999/2", "1/99999999999999999999", "a/b", "0x1/2"};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		CHECK_INT(shard_parse(bad[i], &index, &count, &err), -1);
		CHECK_INT(err.kind, ERROR_USAGE);
	}
}

static void test_devices(void)
{
	struct device_list list;
	struct error err = {0};
	CHECK_INT(device_list_parse(&list, "cuda:2,cuda,cuda:01", &err), 0);
	CHECK_INT(list.count, 3);
	CHECK_TEXT(list.ids[0], "cuda:2");
	CHECK_TEXT(list.ids[1], "cuda:0");
	CHECK_TEXT(list.ids[2], "cuda:1");
	CHECK_INT(device_list_parse(&list, "cpu,cpu", &err), 0);
	CHECK_INT(list.count, 2);
	static const char *const bad[] = {"", ",", "cpu,", ",cpu", "cpu,,cpu", "cuda:0,cuda:0", "cuda,cuda:0", "cuda:1,cuda:01", "cpu,cuda:0", "cuda:0,cpu",
					  "cuda:00000000000000000000000000000000000000000"};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		CHECK_INT(device_list_parse(&list, bad[i], &err), -1);
		CHECK_INT(err.kind, ERROR_USAGE);
	}
}

/* A file may speak of any number of shards; what is missing is told without going through all of them. */
static void test_merge_of_many(void)
{
	struct run_record parts[2], out;
	const char *const names[] = {"one.h5", "other.h5"};
	const struct merge_options partial = {.partial = 1}, whole = {0};
	struct error err = {0};
	for (int64_t i = 0; i < 2; i++)
		parts[i] = (struct run_record){.complete = 1, .shard_index = 1 + 2 * i, .shard_count = INT64_MAX};
	CHECK_INT(merge_runs(&out, parts, names, 2, &whole, &err), -1);
	CHECK_CONTAINS(err.message, "missing: shards 2/9223372036854775807, 4/");
	CHECK_CONTAINS(err.message, " and 9223372036854775785 more");
	CHECK_INT(merge_runs(&out, parts, names, 2, &partial, &err), 0);
	CHECK_INT(out.complete, 0);
	run_record_free(&out);
	parts[0].shard_count = parts[1].shard_count = 3;
	CHECK_INT(merge_runs(&out, parts, names, 2, &whole, &err), -1);
	CHECK_CONTAINS(err.message, "missing: shard 2/3)");
	for (int i = 0; i < 2; i++)
		run_record_free(&parts[i]);
}

/* Measured in turns stays so where all of it was measured in the same turns. */
static void test_merge_in_turns(void)
{
	struct run_record parts[2], out;
	const char *const names[] = {"one.h5", "other.h5"};
	const struct merge_options whole = {0};
	struct error err = {0};
	for (int alike = 0; alike < 2; alike++) {
		for (int i = 0; i < 2; i++)
			parts[i] = (struct run_record){.complete = 1, .shard_index = 1 + i, .shard_count = 2,
						       .interleaved = strdup(alike || i ? "a" : "b")};
		CHECK_INT(merge_runs(&out, parts, names, 2, &whole, &err), 0);
		CHECK_TEXT(out.interleaved ? out.interleaved : "", alike ? "a" : "");
		run_record_free(&out);
		for (int i = 0; i < 2; i++)
			run_record_free(&parts[i]);
	}
}

int main(void)
{
	test_merge_of_many();
	test_merge_in_turns();
	test_deal();
	test_parse();
	test_devices();
	return check_result();
}
