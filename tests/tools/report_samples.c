/* Writes result files for tests of reports into a folder: made-up runs, no GPU needed.
 *   timed-1.h5 .. timed-3.h5   attention at several lengths and head dimensions, with baselines, clocks and energy, from three days
 *   hostile.h5                 texts that would break out of HTML, XML, CSV or JSON
 *   odd.h5                     figures that no run has: NaN, infinities, negative and huge ones, in every place; long names
 *   operators.h5               more families, entry points and timed cases of operators than fit a screen
 *   empty.h5                   a run without a device, without an artifact and without cases
 * usage: report_samples FOLDER */
#include "record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 9 };

static char *own(const char *text)
{
	char *copy = strdup(text);
	if (!copy)
		exit(3);
	return copy;
}

static struct timing_record timing(double seconds)
{
	struct timing_record timing = {.measured = 1, .median = seconds, .low = 0.995 * seconds, .high = 1.005 * seconds,
			.confidence = 0.95,
				       .minimum = 0.99 * seconds, .maximum = 1.02 * seconds, .samples = SAMPLES, .converged = 1};
	timing.raw = calloc(SAMPLES, sizeof *timing.raw);
	if (!timing.raw)
		exit(3);
	for (int i = 0; i < SAMPLES; i++)
		timing.raw[i] = seconds * (0.99 + 0.0025 * i);
	return timing;
}

static struct run_record empty_run(int day)
{
	char date[32];
	snprintf(date, sizeof date, "2026-01-0%dT10:20:30Z", day);
	struct run_record run = {.schema = RECORD_SCHEMA, .command = own("assay run out/libflashattention.a"), .version = own("0.1.0"),
			.date = own(date),
				 .host = own("machine"), .devices = calloc(1, sizeof(struct run_device)), .device_count = 1, .math = own("precise"),
				 .dataset = own("bench.spec"), .dataset_sha256 = "0011", .repeat_options = own(""), .notes = own(""), .complete = 1,
				 .artifacts = calloc(1, sizeof(struct artifact_record)), .artifact_count = 1, .wall_seconds = 12};
	if (!run.devices || !run.artifacts)
		exit(3);
	run.devices[0] = (struct run_device){.properties = {.kind = DEVICE_CUDA, .id = "cuda:0", .name = "Model card", .uuid = "GPU-1",
			.cc_major = 9,
							    .multiprocessors = 132, .memory_bytes = (size_t)80 << 30, .l2_bytes = 50 << 20,
							    .driver_version = 13000, .driver_text = "580.1", .gemm_library = "cuBLAS 13"},
					     .matrix_product_flops = 7.5e14, .matrix_product_flops_bf16 = 7.6e14, .copy_bytes_per_second = 2.9e12};
	run.artifacts[0] = (struct artifact_record){.path = own("out/libflashattention.a"), .sha256 = "ab12", .size = 46000000,
			.kind = own("ELF archive"),
						    .toolkit = own("CUDA 13.0 (V13.0.88)"), .provenance = own(""), .abi = own("0.9.2"),
						    .cudart = own("shim"), .stubbed = own(""), .refused = own(""), .images = own("SASS sm_90"),
						    .set = own(""), .donor = own(""), .link_seconds = 0.2, .load_seconds = 0.1};
	return run;
}

static struct case_record attention(int head_dim, int length, const char *mask, double seconds)
{
	struct case_record record = {.dtype = DTYPE_F16, .attributes_head_dim = head_dim, .flops = 4.0 * 16 * length * length * head_dim,
				     .bytes = 2.0 * 4 * 16 * length * head_dim, .hot = timing(seconds), .cold = timing(1.1 * seconds), .wall_seconds = 0.1,
				     .energy_joules = 500 * seconds, .energy_calls = 100};
	snprintf(record.name, sizeof record.name, "attention/f16/d%d/h16:16/b1/s%d:%d/%s/bshd/normal", head_dim, length, length, mask);
	snprintf(record.family, sizeof record.family, "attention");
	snprintf(record.entry_point, sizeof record.entry_point, "run_mha");
	snprintf(record.image, sizeof record.image, "SASS sm_90");
	case_record_add_baseline(&record, RECORD_UNFUSED)->hot = timing(2.5 * seconds);
	case_record_add_baseline(&record, "cudnn")->hot = timing(0.7 * seconds);
	judgement_hold(&record.judgement, CHECK_NUMBERS);
	judgement_decide(&record.judgement, NULL);
	record.judgement.margin = 0.1 + 0.0001 * length / 4;
	for (int bin = 8; bin < 22; bin++)
		record.judgement.histogram[bin] = 1000 - 60 * (bin - 15) * (bin - 15) / 4;
	record.clock_count = 2;
	record.clocks = calloc(2, sizeof *record.clocks);
	if (!record.clocks)
		exit(3);
	record.clocks[0] = (struct clock_reading){0, 1980, 2619, 300000, 40, 0};
	record.clocks[1] = (struct clock_reading){0.1, 1755, 2619, 690000, 60, 0x20};
	return record;
}

static void write_run(struct run_record *run, const char *folder, const char *name)
{
	struct record_writer *writer;
	struct error err = {0};
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	int failed = record_writer_open(&writer, path, run, &err);
	for (size_t i = 0; !failed && i < run->case_count; i++)
		failed = record_writer_add(writer, &run->cases[i], &err);
	if (failed || record_writer_commit(writer, run, &err)) {
		fprintf(stderr, "report_samples: %s\n", err.message);
		exit(3);
	}
	run_record_free(run);
}

static void add(struct run_record *run, struct case_record record)
{
	record.order = run->case_count;
	if (run_record_add(run, &record, NULL))
		exit(3);
}

static void write_timed(const char *folder, int day)
{
	static const int head_dims[] = {64, 128, 256}, lengths[] = {512, 2048, 8192, 16384};
	struct run_record run = empty_run(day);
	char name[32];
	for (size_t mask = 0; mask < 2; mask++)
		for (size_t d = 0; d < 3; d++)
			for (size_t s = 0; s < 4; s++) {
				const double length = lengths[s], rate = 4e14 * length / (length + 900) * (1 - 0.1 * (double)d) * (mask ? 0.8 : 1);
				add(&run, attention(head_dims[d], lengths[s], mask ? "causal" : "full",
						    (1 + 0.02 * day) * 64 * length * length * head_dims[d] / rate));
			}
	snprintf(name, sizeof name, "timed-%d.h5", day);
	write_run(&run, folder, name);
}

static void write_hostile(const char *folder)
{
	static const char *const texts[] = {"</script><script>document.title='taken'</script>",
			"\"><img src=x onerror=\"document.title='taken'\">",
					    "'; document.title='taken'; '", "=HYPERLINK(\"http://example.invalid\")", "<!--<script>", "a\nb\tc\x1b[31m\x01\xff",
					    "]]>&amp;&#0;", "@import url(http://example.invalid/x.css)", "{{data}}", "-1+1"};
	struct run_record run = empty_run(9);
	free(run.command);
	run.command = own("</title><script src=http://example.invalid/x.js></script>");
	free(run.notes);
	run.notes = own("<iframe src=//example.invalid></iframe>");
	snprintf(run.devices[0].properties.name, sizeof run.devices[0].properties.name, "<b onclick=alert(1)>card</b>");
	free(run.artifacts[0].path);
	run.artifacts[0].path = own("out/</title><svg onload=alert(1)>.a");
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct case_record record = attention(64, 512 << (i % 3), "full", 1e-4);
		/* also as what the page takes apart */
		snprintf(record.name, sizeof record.name, "attention/f16/d64/s%d:%d/%.150s", 512 << (i % 3), 512 << (i % 3), texts[i]);
		snprintf(record.entry_point, sizeof record.entry_point, "%.60s", texts[i]);
		snprintf(record.note, sizeof record.note, "%s", texts[i]);
		snprintf(record.baselines[1].name, sizeof record.baselines[1].name, "%.31s", texts[i]);
		if (i % 2) {
			judgement_break(&record.judgement, CHECK_NUMBERS, "%s", texts[i]);
			judgement_decide(&record.judgement, NULL);
		}
		if (i % 5 == 4)
			record.judgement.margin = (double)NAN;
		add(&run, record);
	}
	write_run(&run, folder, "hostile.h5");
}

static struct timing_record odd_timing(double odd)
{
	struct timing_record timing_of = timing(1);
	timing_of.median = timing_of.low = timing_of.high = timing_of.minimum = timing_of.maximum = timing_of.confidence = odd;
	for (int i = 0; i < SAMPLES; i++)
		timing_of.raw[i] = odd;
	return timing_of;
}

/* Each odd value in one figure after the other; every case has passed and is timed as far as its figures let it be. */
static void write_odd(const char *folder)
{
	static const double values[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, -1, 0, 1e-320, 1e308};
	enum { PLACES = 8 };
	struct run_record run = empty_run(8);
	for (size_t v = 0; v < sizeof values / sizeof *values; v++)
		for (int place = 0; place < PLACES; place++) {
			const double odd = values[v];
			struct case_record record = attention(64 << place % 3, 512 << place % 4, "full", 1e-4);
			const size_t used = strlen(record.name);
			/* a name as long as a name can be */
			memset(record.name + used, 'x', sizeof record.name - used);
			snprintf(record.name + sizeof record.name - 8, 8, "%zu.%d", v, place);
			switch (place) {
			case 0:
				free(record.hot.raw);
				record.hot = odd_timing(odd);
				break;
			case 1:
				free(record.cold.raw);
				record.cold = odd_timing(odd);
				break;
			case 2:
				free(record.baselines[0].hot.raw);
				record.baselines[0].hot = odd_timing(odd);
				break;
			case 3:
				record.flops = odd;
				break;
			case 4:
				record.bytes = odd;
				break;
			case 5:
				record.energy_joules = record.energy_calls = odd;
				break;
			case 6:
				record.judgement.margin = record.judgement.scaled_max = record.judgement.lse_margin = odd;
				record.judgement.absolute_max = record.judgement.worst_value = odd;
				break;
			default:
				record.wall_seconds = odd;
				record.judgement.histogram[3] = odd < 0 ? INT64_MIN : INT64_MAX;
				record.clocks[0].at = odd;
				record.clocks[0].sm_clock_mhz = UINT32_MAX;
			}
			add(&run, record);
		}
	run.wall_seconds = (double)NAN;
	run.devices[0].matrix_product_flops = (double)INFINITY;
	run.devices[0].copy_bytes_per_second = -1;
	write_run(&run, folder, "odd.h5");
}

static void write_operators(const char *folder)
{
	enum { FAMILIES = 40, ENTRIES = 30, CASES = 2 };
	struct run_record run = empty_run(6);
	for (int family = 0; family < FAMILIES; family++)
		for (int entry = 0; entry < ENTRIES; entry++)
			for (int i = 0; i < CASES; i++) {
				struct case_record record = {.dtype = DTYPE_F32, .bytes = 1e6 * (1 + family), .unit = WORK_BYTES,
							     .hot = timing(1e-6 * (1 + family)), .cold = timing(2e-6 * (1 + family + i))};
				snprintf(record.family, sizeof record.family, "family_%d", family);
				snprintf(record.module, sizeof record.module, "module");
				snprintf(record.entry_point, sizeof record.entry_point, "entry_%d_%d_f32", family, entry);
				snprintf(record.name, sizeof record.name, "entry_%d_%d_f32/dims:%dx3x5/layout:transposed/values:special", family, entry,
					 i);
				judgement_hold(&record.judgement, CHECK_NUMBERS);
				judgement_decide(&record.judgement, NULL);
				record.judgement.margin = 0.02 * family;
				add(&run, record);
			}
	write_run(&run, folder, "operators.h5");
}

static void write_empty(const char *folder)
{
	struct run_record run = {.schema = RECORD_SCHEMA, .command = own(""), .version = own(""), .date = own(""), .host = own(""),
				  .math = own(""), .dataset = own(""), .repeat_options = own(""), .notes = own(""), .complete = 1};
	write_run(&run, folder, "empty.h5");
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: report_samples FOLDER\n");
		return 2;
	}
	for (int day = 1; day <= 3; day++)
		write_timed(argv[1], day);
	write_hostile(argv[1]);
	write_odd(argv[1]);
	write_operators(argv[1]);
	write_empty(argv[1]);
	return 0;
}
