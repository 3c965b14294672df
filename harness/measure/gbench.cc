extern "C" {
#include "core/error.h"
#include "core/util.h"
}
#include "measure/gbench.h"

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>
#include <new>
#include <regex.h>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

struct Entry {
	std::string name;
	int (*run)(void *context, struct gbench_result *result);
	void *context;
	bool done = false;
	gbench_result result = {};
	bool left_out = false; /* of the table: the run was stopped here or before */
};

/* Google Benchmark has one registry a process; what belongs to it has the same life. */
struct State {
	bool initialised = false, ran = false, stopped = false, console = false, colour = false;
	std::string filter, json_path, program;
	std::vector<std::unique_ptr<Entry>> entries;
	std::set<std::string> names, keys;
	std::vector<std::string> words; /* the library keeps pointers into what Initialize was given */
};

State &state()
{
	/* never destroyed: the library's own static objects refer to the entries until the end */
	static State *const only = new State;
	return *only;
}

/* SkipWithMessage came with 1.8; where it is missing, SkipWithError has to do. */
template <typename T>
auto skip(T &benchmark_state, const char *message, int) -> decltype(benchmark_state.SkipWithMessage(message), void())
{
	benchmark_state.SkipWithMessage(message);
}

template <typename T> void skip(T &benchmark_state, const char *message, long)
{
	benchmark_state.SkipWithError(message);
}

void measure(Entry &entry)
{
	entry.done = true;
	if (state().stopped) {
		entry.left_out = true;
		entry.result.outcome = GBENCH_SKIPPED;
		std::snprintf(entry.result.message, sizeof entry.result.message, "not run: an earlier benchmark stopped the run");
		return;
	}
	if (entry.run(entry.context, &entry.result) != 0)
		entry.left_out = state().stopped = true;
	if (entry.result.outcome == GBENCH_MEASURED && !(std::isfinite(entry.result.seconds) && entry.result.seconds > 0)) {
		entry.result.outcome = GBENCH_FAILED;
		std::snprintf(entry.result.message, sizeof entry.result.message, "the measured time is no time: %g s",
			      entry.result.seconds);
	}
}

void run_entry(Entry &entry, benchmark::State &benchmark_state)
{
	gbench_result &result = entry.result;

	/* the loop must come to its end: the library asserts that KeepRunning was asked until it said no */
	while (benchmark_state.KeepRunning()) {
		if (!entry.done) /* flags in the environment may ask for more runs: one measurement answers them all */
			measure(entry);
		if (result.outcome == GBENCH_MEASURED)
			benchmark_state.SetIterationTime(result.seconds);
		else if (result.outcome == GBENCH_SKIPPED)
			skip(benchmark_state, result.message[0] ? result.message : "skipped", 0);
		else
			benchmark_state.SkipWithError(result.message[0] ? result.message : "failed");
	}
	if (result.outcome != GBENCH_MEASURED)
		return;
	for (int i = 0; i < result.counter_count && i < GBENCH_COUNTERS_MAX; i++)
		if (std::isfinite(result.counters[i].value))
			benchmark_state.counters[result.counters[i].name] = result.counters[i].value;
	if (result.label[0])
		benchmark_state.SetLabel(result.label);
}

/* The library appends how it ran a benchmark to its name ("/iterations:1/manual_time"), the same for all of ours: without,
 * the names are those that were registered. And what it takes for CPU time is that of this program's own measuring; the
 * host's part in a call is known better. `left_out`: these are not for the table. */
std::vector<benchmark::BenchmarkReporter::Run> as_registered(const std::vector<benchmark::BenchmarkReporter::Run> &runs,
							     bool &left_out)
{
	left_out = false;
	std::vector<benchmark::BenchmarkReporter::Run> plain = runs;
	for (auto &run : plain) {
		run.run_name.iterations.clear();
		run.run_name.repetitions.clear();
		run.run_name.time_type.clear();
		for (const auto &entry : state().entries)
			if (entry->name == run.run_name.function_name) {
				run.cpu_accumulated_time = entry->result.host_seconds;
				left_out |= entry->left_out;
			}
	}
	return plain;
}

class Console : public benchmark::ConsoleReporter {
public:
	Console(bool colour, size_t name_width)
		: benchmark::ConsoleReporter(colour ? OO_Color : OO_None), width(name_width)
	{
	}
	/* The library's context speaks of the host's clocks and of its own build, neither of which matters to a GPU. */
	bool ReportContext(const Context &) override
	{
		name_field_width_ = width;
		printed_header_ = false;
		return true;
	}

private:
	size_t width;
};

/* Hands what the library reports to the console, to the JSON, to both or to neither. The JSON goes to memory: the library's
 * own way to a file ends the process when it cannot be opened, and leaves half a file when the run is cut off. */
class Reporters : public benchmark::BenchmarkReporter {
public:
	Reporters(Console *console_or_null, std::ostream &json_stream) : console(console_or_null) { json.SetOutputStream(&json_stream); }
	bool ReportContext(const Context &context) override
	{
		return (!console || console->ReportContext(context)) && json.ReportContext(context);
	}
	void ReportRuns(const std::vector<Run> &runs) override
	{
		bool left_out;
		const std::vector<Run> plain = as_registered(runs, left_out);
		/* why the run was stopped is the caller's to say, and once is enough */
		if (console && !left_out)
			console->ReportRuns(plain);
		json.ReportRuns(plain);
	}
	void Finalize() override
	{
		if (console)
			console->Finalize();
		json.Finalize();
	}

private:
	Console *console;
	benchmark::JSONReporter json;
};

/* Runs `body` and turns what it throws into an error. */
template <typename Body> int guarded(struct error *err, const char *what, Body body)
{
	try {
		return body();
	} catch (const std::bad_alloc &) {
		return error_set(err, ERROR_ENVIRONMENT, "%s: out of memory", what);
	} catch (const std::exception &exception) {
		return error_set(err, ERROR_INTERNAL, "%s: %s", what, exception.what());
	} catch (...) {
		return error_set(err, ERROR_INTERNAL, "%s: unknown failure", what);
	}
}

/* The flags are given one by one, so that BENCHMARK_... variables of the environment change nothing. */
void hand_flags_to_library()
{
	std::vector<std::string> &words = state().words;
	words = {
		state().program,
		"--benchmark_list_tests=false",
		"--benchmark_repetitions=1",
		"--benchmark_enable_random_interleaving=false",
		"--benchmark_report_aggregates_only=false",
		"--benchmark_display_aggregates_only=false",
		"--benchmark_perf_counters=",
		"--benchmark_filter=",
	};
	std::vector<char *> argv;
	for (auto &word : words)
		argv.push_back(&word[0]);
	int argc = static_cast<int>(argv.size());
	argv.push_back(nullptr);
	benchmark::Initialize(&argc, argv.data());
}

/* The library searches its own, longer names; here an expression sees the names that are printed, so that `$` works, and a
 * name that was registered means itself, whatever its characters mean in an expression. */
int select_entries(std::vector<Entry *> &selected, struct error *err)
{
	const State &s = state();
	const bool everything = s.filter.empty(), exact = s.names.count(s.filter) != 0;
	regex_t expression;

	if (!everything && !exact) {
		const int status = regcomp(&expression, s.filter.c_str(), REG_EXTENDED | REG_NOSUB);
		char reason[128];
		if (status != 0) {
			regerror(status, &expression, reason, sizeof reason);
			return error_set(err, ERROR_USAGE, "the filter '%s' is neither a benchmark's name nor a regular expression: %s",
					 s.filter.c_str(), reason);
		}
	}
	for (const auto &entry : s.entries)
		if (everything || (exact ? entry->name == s.filter : regexec(&expression, entry->name.c_str(), 0, nullptr, 0) == 0))
			selected.push_back(entry.get());
	if (!everything && !exact)
		regfree(&expression);
	if (selected.empty())
		return error_set(err, ERROR_INPUT, "no benchmark is selected by '%s': it is found in none of the %zu names",
				 s.filter.c_str(), s.entries.size());
	return 0;
}

int run_all(struct error *err)
{
	const State &s = state();
	std::vector<Entry *> selected;
	size_t width = 10;

	if (select_entries(selected, err) != 0)
		return -1;
	for (Entry *const entry : selected) {
		width = entry->name.size() > width ? entry->name.size() : width;
		benchmark::RegisterBenchmark(entry->name.c_str(), [entry](benchmark::State &b) { run_entry(*entry, b); })
			->UseManualTime()
			->Iterations(1)
			->Repetitions(1)
			->Unit(benchmark::kMicrosecond);
	}
	Console console(s.colour, width);
	std::ostringstream json;
	Reporters reporters(s.console ? &console : nullptr, json);

	hand_flags_to_library();
	const size_t count = benchmark::RunSpecifiedBenchmarks(&reporters, std::string("."));
	std::cout.flush();
	if (count != selected.size())
		return error_set(err, ERROR_INTERNAL, "Google Benchmark ran %zu of %zu benchmarks", count, selected.size());
	const std::string text = json.str();
	if (!s.json_path.empty() && write_file_atomically(s.json_path.c_str(), text.data(), text.size(), err) != 0)
		return -1;
	return static_cast<int>(count);
}

} // namespace

extern "C" int gbench_initialize(const struct gbench_options *options, struct error *err)
{
	return guarded(err, "starting Google Benchmark", [=]() -> int {
		State &s = state();
		if (s.initialised)
			return error_set(err, ERROR_INTERNAL, "Google Benchmark can be started once a process");
		s.filter = options->filter ? options->filter : "";
		s.json_path = options->json_path ? options->json_path : "";
		s.console = options->console != 0;
		s.colour = options->colour != 0;
		s.program = options->program ? options->program : "assay";
		/* better to know now than after an hour of measuring */
		if (!s.json_path.empty() && path_can_be_written(s.json_path.c_str(), err) != 0)
			return -1;
		s.initialised = true;
		return 0;
	});
}

extern "C" int gbench_context(const char *key, const char *value, struct error *err)
{
	return guarded(err, "context of Google Benchmark", [=]() -> int {
		if (!state().initialised || state().ran)
			return error_set(err, ERROR_INTERNAL, "context '%s' comes before the start or after the run", key);
		if (state().keys.insert(key).second)
			benchmark::AddCustomContext(key, value);
		return 0;
	});
}

extern "C" int gbench_register(const char *name, int (*run)(void *context, struct gbench_result *result), void *context,
			       struct error *err)
{
	return guarded(err, "registering a benchmark", [=]() -> int {
		State &s = state();
		if (!s.initialised || s.ran)
			return error_set(err, ERROR_INTERNAL, "benchmark '%s' comes before the start or after the run", name);
		if (!s.names.insert(name).second)
			return error_set(err, ERROR_INTERNAL, "two benchmarks are called '%s'", name);
		std::unique_ptr<Entry> entry(new Entry);
		entry->name = name;
		entry->run = run;
		entry->context = context;
		s.entries.push_back(std::move(entry));
		return 0;
	});
}

extern "C" void gbench_count(struct gbench_result *result, const char *name, double value)
{
	if (result->counter_count >= GBENCH_COUNTERS_MAX || !std::isfinite(value))
		return;
	gbench_counter *counter = &result->counters[result->counter_count++];
	std::snprintf(counter->name, sizeof counter->name, "%s", name);
	counter->value = value;
}

extern "C" int gbench_run(struct error *err)
{
	return guarded(err, "Google Benchmark", [=]() -> int {
		if (!state().initialised || state().ran)
			return error_set(err, ERROR_INTERNAL, "Google Benchmark runs once, after it was started");
		state().ran = true;
		return run_all(err);
	});
}
