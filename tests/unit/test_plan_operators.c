/* Entry points of modules: their release, what is missing, how the work on them is shared out. */
#include "check.h"

#include "operator_units.h"
#include "plan.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/assay-test-plan.XXXXXX";

static char *in_folder(const char *name)
{
	static char path[4][160];
	static int next;
	char *at = path[next++ % 4];
	snprintf(at, sizeof path[0], "%s/%s", folder, name);
	return at;
}

/* A module with these entries, each with a body of `size` bytes and more. */
static char *write_module(const char *name, unsigned arch, const char *const *entries, const size_t *sizes)
{
	struct text text = {0};
	struct error err = {0};
	char *path = in_folder(name);
	text_append(&text, ".version 8.0\n.target sm_%u\n.address_size 64\n", arch);
	for (size_t i = 0; entries[i]; i++) {
		text_append(&text, ".visible .entry %s(.param .u64 p)\n{\n", entries[i]);
		for (size_t k = 0; sizes && k < sizes[i]; k += 16)
			text_append(&text, "add.f32 a, b, c;\n");
		text_append(&text, "ret;\n}\n");
	}
	if (text.failed || write_file_atomically(path, text.data, text.length, &err)) {
		fprintf(stderr, "%s\n", err.message);
		exit(1);
	}
	text_free(&text);
	return path;
}

static int make(struct plan *plan, struct run_record *run, const char *path, const char *abi, struct error *err)
{
	const char *const paths[] = {path};
	const struct plan_options options = {.abi = abi, .paths = paths, .path_count = 1};
	*run = (struct run_record){0};
	return plan_make(plan, &options, run, err);
}

static void names_every_entry_point(void)
{
	static const char *const entries[] = {"fill_f32", "fill_f64", "fill_mystery", NULL};
	struct error err = {0};
	struct plan plan;
	struct run_record run;
	CHECK_INT(make(&plan, &run, write_module("fill.ptx", 80, entries, NULL), NULL, &err), 0);
	CHECK_TEXT(err.message, "");
	CHECK_INT(plan.count, 1);
	CHECK(job_is_operators(&plan.jobs[0]));
	CHECK_INT(plan.jobs[0].entry_count, 3);
	CHECK(plan.jobs[0].entries[0].family != NULL && strcmp(plan.jobs[0].entries[0].family->name, "fill") == 0);
	CHECK_TEXT(plan.jobs[0].entries[0].module, "fill");
	CHECK(plan.jobs[0].entries[2].family == NULL);
	CHECK_TEXT(plan.jobs[0].entries[2].symbol, "fill_mystery");
	CHECK(plan.jobs[0].entries[0].text_size > 20);
	CHECK_INT(run.artifacts[0].entry_points, 3);
	CHECK_CONTAINS(run.artifacts[0].abi, "0.9.2 (assumed");
	CHECK_INT(run.inventory_count, 1);
	const struct inventory_record *inventory = &run.inventories[0];
	CHECK_TEXT(inventory->modules, "fill");
	CHECK_TEXT(inventory->unknown, "fill: fill_mystery");
	CHECK_INT(inventory->present, 2);
	CHECK_INT(inventory->missing_count, inventory->expected - 2);
	CHECK(inventory->expected > 10);
	CHECK_INT(inventory->architecture, 80);
	CHECK_INT(inventory_is_broken(inventory), 0);
	plan_free(&plan);
	run_record_free(&run);
	/* the profile is asked for, and so it has to be whole */
	CHECK_INT(make(&plan, &run, in_folder("fill.ptx"), "0.9.2", &err), 0);
	CHECK_TEXT(run.inventories[0].claim, "--abi");
	CHECK_INT(inventory_is_broken(&run.inventories[0]), 1);
	CHECK_CONTAINS(run.artifacts[0].abi, "0.9.2 (asked for)");
	plan_free(&plan);
	run_record_free(&run);
	CHECK_INT(make(&plan, &run, in_folder("fill.ptx"), "0.8", &err), -1);
	CHECK_CONTAINS(err.message, "there are 0.9.2, 0.11");
	run_record_free(&run);
}

static void older_architectures_have_less(void)
{
	static const char *const entries[] = {"affine_f32", NULL};
	struct error err = {0};
	struct plan plan;
	struct run_record old, new;
	CHECK_INT(make(&plan, &old, write_module("affine.ptx", 80, entries, NULL), NULL, &err), 0);
	plan_free(&plan);
	CHECK_INT(make(&plan, &new, write_module("affine.ptx", 90, entries, NULL), NULL, &err), 0);
	plan_free(&plan);
	CHECK_INT(old.inventories[0].expected, 9);
	CHECK_INT(new.inventories[0].expected, 10); /* f8 from sm_89 on */
	CHECK(!strstr(old.inventories[0].missing, "f8_e4m3"));
	CHECK_CONTAINS(new.inventories[0].missing, "affine: affine_f8_e4m3");
	run_record_free(&old);
	run_record_free(&new);
}

/* Of a module that has nothing of ours every kernel is named, long names that begin alike each; without a kernel it is refused. */
static void foreign_modules_are_named(void)
{
	static const char alike[] = "_ZN7foreign20a_name_that_is_longer_than_64_bytes_and_begins_like_another_one";
	static char first[100], second[100];
	snprintf(first, sizeof first, "%s_a", alike);
	snprintf(second, sizeof second, "%s_b", alike);
	static const char *const entries[] = {"somebody_elses", first, second, NULL}, *const none[] = {NULL};
	struct error err = {0};
	struct plan plan;
	struct run_record run;
	CHECK_INT(make(&plan, &run, write_module("other.ptx", 80, entries, NULL), NULL, &err), 0);
	CHECK_INT(plan.count, 1);
	CHECK(job_is_operators(&plan.jobs[0]));
	CHECK_TEXT(plan.jobs[0].reason, "");
	CHECK_INT(plan.jobs[0].entry_count, 3);
	for (size_t i = 0; i < 3 && i < plan.jobs[0].entry_count; i++) {
		CHECK_TEXT(plan.jobs[0].entries[i].symbol, entries[i]);
		CHECK(plan.jobs[0].entries[i].family == NULL);
	}
	CHECK_INT(run.inventory_count, 1);
	CHECK_INT(run.inventories[0].unknown_count, 3);
	CHECK_INT(run.inventories[0].expected, 0);
	CHECK_INT(inventory_is_broken(&run.inventories[0]), 0);
	plan_free(&plan);
	run_record_free(&run);
	CHECK_INT(make(&plan, &run, write_module("other.ptx", 80, none, NULL), NULL, &err), 0);
	CHECK(!job_is_operators(&plan.jobs[0]));
	CHECK_INT(plan.jobs[0].refused, STATUS_UNSUPPORTED);
	CHECK_CONTAINS(plan.jobs[0].reason, "has no kernel");
	plan_free(&plan);
	run_record_free(&run);
	unlink(in_folder("other.ptx"));
}

/* Names of C functions are whole; what is longer is listed, each once, and told to be so. */
static void long_names_are_whole_or_told(void)
{
	enum { NAMES = 5 };
	static const size_t lengths[NAMES] = {200, RECORD_ENTRY_MAX - 1, RECORD_ENTRY_MAX, 300, 300};
	char names[NAMES][301];
	const char *entries[NAMES + 1] = {NULL};
	for (size_t i = 0; i < NAMES; i++) {
		memset(names[i], 'k', lengths[i]);
		names[i][lengths[i]] = '\0';
		names[i][lengths[i] - 1] = (char)('a' + i);
		entries[i] = names[i];
	}
	struct error err = {0};
	struct plan plan;
	struct run_record run;
	CHECK_INT(make(&plan, &run, write_module("long.ptx", 80, entries, NULL), NULL, &err), 0);
	CHECK_TEXT(err.message, "");
	CHECK_INT(plan.jobs[0].entry_count, NAMES);
	for (size_t i = 0; i < NAMES && i < plan.jobs[0].entry_count; i++) {
		const struct job_entry *entry = &plan.jobs[0].entries[i];
		const int is_whole = lengths[i] < RECORD_ENTRY_MAX;
		CHECK_INT(entry->whole_length, is_whole ? 0 : lengths[i]);
		CHECK_INT(strlen(entry->symbol), is_whole ? lengths[i] : RECORD_ENTRY_MAX - 1);
		CHECK(entry->family == NULL);
		if (is_whole)
			CHECK_TEXT(entry->symbol, names[i]);
		else
			CHECK_INT(entry->symbol[RECORD_ENTRY_MAX - 18], '~');
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(plan.jobs[0].entries[k].symbol, entry->symbol) != 0);
	}
	plan_free(&plan);
	run_record_free(&run);
	unlink(in_folder("long.ptx"));
}

/* What only one release has tells it. */
static void the_release_is_told(void)
{
	struct symbol_table tables[OPERATOR_ABI_COUNT];
	struct error err = {0};
	for (int abi = 0; abi < OPERATOR_ABI_COUNT; abi++)
		CHECK_INT(symbol_table_make(&tables[abi], (enum operator_abi)abi, &err), 0);
	CHECK_INT(tables[OPERATOR_ABI_092].count > 700, 1);
	for (int abi = 0; abi < OPERATOR_ABI_COUNT; abi++) {
		const char *only = NULL;
		for (size_t i = 0; i < tables[abi].count && !only; i++)
			if (!symbol_table_find(&tables[!abi], tables[abi].items[i].name))
				only = tables[abi].items[i].name;
		if (!only)
			continue; /* a release may hold all of an earlier one */
		const char *const entries[] = {"fill_f32", only, NULL};
		struct plan plan;
		struct run_record run;
		CHECK_INT(make(&plan, &run, write_module("quantized.ptx", 90, entries, NULL), NULL, &err), 0);
		CHECK_TEXT(run.inventories[0].profile, operator_profiles[abi]);
		CHECK_CONTAINS(run.inventories[0].evidence, only);
		CHECK_INT(plan.jobs[0].abi, abi);
		plan_free(&plan);
		run_record_free(&run);
		unlink(in_folder("quantized.ptx"));
	}
	CHECK(symbol_table_find(&tables[OPERATOR_ABI_011], "get_rows_f16") || symbol_table_find(&tables[OPERATOR_ABI_011], "get_rows_f32") ||
	      tables[OPERATOR_ABI_011].count != tables[OPERATOR_ABI_092].count);
	for (int abi = 0; abi < OPERATOR_ABI_COUNT; abi++)
		symbol_table_free(&tables[abi]);
}

/* Which names of folders claim that they hold the whole crate. */
static void folders_claim(void)
{
	static const struct {
		const char *name;
		int claims;
	} folders[] = {
		{"candle-kernels", 1}, {"candle-kernels-0123456789abcdef", 1}, {"candle-kernels-0.9.2-alpha.2", 1},
		{"candle-kernels-mine", 0}, {"candle-kernels-", 0}, {"my-candle-kernels", 0}, {"candle-kernels2", 0},
		{"candle-kernels-0123456789abcde", 0},
	};
	static const char *const entries[] = {"fill_f32", NULL};
	for (size_t i = 0; i < ARRAY_COUNT(folders); i++) {
		struct error err = {0};
		struct plan plan;
		struct run_record run;
		char name[128];
		CHECK_INT(mkdir(in_folder(folders[i].name), 0777), 0);
		snprintf(name, sizeof name, "%s/fill.ptx", folders[i].name);
		CHECK_INT(make(&plan, &run, write_module(name, 90, entries, NULL), NULL, &err), 0);
		if (inventory_is_broken(&run.inventories[0]) != folders[i].claims)
			fprintf(stderr, "%s\n", folders[i].name);
		CHECK_INT(inventory_is_broken(&run.inventories[0]), folders[i].claims);
		/* all modules are asked for, not only those that are there */
		CHECK_INT(run.inventories[0].expected > 700, folders[i].claims);
		plan_free(&plan);
		run_record_free(&run);
		unlink(in_folder(name));
		rmdir(in_folder(folders[i].name));
	}
}

/* ---- units ---- */

static void units_are_balanced(void)
{
	enum { ENTRIES = 300 };
	struct job jobs[3] = {{.entry_count = 1}, {.entry_count = 1}, {.entry_count = 1, .is_archive = 1}};
	static struct job_entry entries[ENTRIES];
	struct operator_units units = {.entries = calloc(ENTRIES, sizeof *units.entries), .entry_count = ENTRIES};
	struct error err = {0};
	size_t dearest = 0;
	for (size_t i = 0; i < ENTRIES; i++) {
		entries[i].text_size = i == 50 ? 900000 : 1000 + 37 * (i * i % 101); /* one is as large as most others together */
		units.entries[i] = (struct entry_work){.job = &jobs[i / 100], .entry = &entries[i], .verified = {.count = i % 40}};
	}
	CHECK_INT(operator_units_cut(&units, 16, 0, &err), 0);
	size_t next = 0;
	for (size_t i = 0; i < units.unit_count; i++) {
		const struct unit *unit = &units.units[i];
		CHECK_INT(unit->first, next); /* every entry once, in order */
		CHECK(unit->count > 0);
		next += unit->count;
		for (size_t k = 1; k < unit->count; k++)
			CHECK(units.entries[unit->first + k].job == units.entries[unit->first].job);
		dearest = unit->cost > dearest ? unit->cost : dearest;
	}
	CHECK_INT(next, ENTRIES);
	CHECK_INT(units.units[units.by_cost[0]].cost, dearest);
	for (size_t i = 1; i < units.unit_count; i++)
		CHECK(units.units[units.by_cost[i - 1]].cost >= units.units[units.by_cost[i]].cost);
	CHECK(units.unit_count > 40 && units.unit_count < 140);
	free(units.units);
	free(units.by_cost);
	units.units = NULL;
	units.by_cost = NULL;
	units.unit_count = 0;
	CHECK_INT(operator_units_cut(&units, 16, 1, &err), 0);
	CHECK_INT(units.unit_count, 3); /* whole */
	operator_units_free(&units);
}

int main(void)
{
	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	names_every_entry_point();
	unlink(in_folder("fill.ptx"));
	older_architectures_have_less();
	unlink(in_folder("affine.ptx"));
	foreign_modules_are_named();
	long_names_are_whole_or_told();
	the_release_is_told();
	folders_claim();
	units_are_balanced();
	CHECK_INT(rmdir(folder), 0);
	return check_result();
}
