/* The table of all rules, and what runs them. */
#include "artifact/compat.h"
#include "artifact/policy_private.h"
#include "core/util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

/* Whether `value` is one of the words, which are divided by blanks. */
static int is_one_of(const char *value, const char *words)
{
	const size_t length = strlen(value);
	for (const char *at = words; *at;) {
		const size_t word = strcspn(at, " ");
		if (word == length && memcmp(at, value, length) == 0)
			return 1;
		at += word + (at[word] == ' ');
	}
	return 0;
}

unsigned policy_target_value(const char *value, const char *prefix, char *suffix)
{
	const size_t length = strlen(prefix);
	unsigned number = 0, digits = 0;
	if (strncmp(value, prefix, length) != 0)
		return 0;
	for (value += length; *value >= '0' && *value <= '9' && digits < 4; digits++)
		number = number * 10 + (unsigned)(*value++ - '0');
	*suffix = *value == 'a' || *value == 'f' ? *value++ : 0;
	return digits >= 2 && number >= 20 && (!*value || *value == ':') ? number : 0;
}

unsigned policy_release_value(const char *value)
{
	unsigned major, minor;
	int end = 0;
	if (sscanf(value, "%2u.%1u%n", &major, &minor, &end) != 2 || value[end] || major < 5)
		return 0;
	return 10 * major + minor;
}

/* 0 when it is none. */
unsigned long long policy_size_value(const char *value)
{
	static const struct {
		const char *unit;
		unsigned long long bytes;
	} units[] = {{"", 1}, {"B", 1}, {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"kB", 1000},
		     {"MB", 1000000}, {"GB", 1000000000}};
	char *end;
	if (*value < '0' || *value > '9')
		return 0;
	errno = 0;
	const unsigned long long number = strtoull(value, &end, 10);
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < ARRAY_COUNT(units) && !errno; i++) {
		unsigned long long bytes;
		if (strcmp(end, units[i].unit) == 0)
			return __builtin_mul_overflow(number, units[i].bytes, &bytes) ? 0 : bytes;
	}
	return 0;
}

static const char *wrong_no(const char *value)
{
	return is_one_of(value, "no") ? NULL : "no (or any: no rule)";
}

static const char *wrong_yes(const char *value)
{
	return is_one_of(value, "yes") ? NULL : "yes (or any: no rule)";
}

static const char *wrong_yes_no(const char *value)
{
	return is_one_of(value, "yes no") ? NULL : "yes or no (or any: no rule)";
}

static const char *wrong_kept(const char *value)
{
	return is_one_of(value, "kept") ? NULL : "kept (or any: what the folder and its README say is not looked at)";
}

static const char *wrong_sass(const char *value)
{
	char suffix;
	return is_one_of(value, "same") || policy_target_value(value, "sm_", &suffix) ? NULL : "same, or targets such as sm_80, sm_90a";
}

static const char *wrong_ptx(const char *value)
{
	char suffix;
	return is_one_of(value, "some none") || policy_target_value(value, "compute_", &suffix)
		       ? NULL
		       : "some, none, or targets such as compute_80";
}

static const char *wrong_gpu(const char *value)
{
	char suffix;
	const char *colon = strchr(value, ':');
	if (!policy_target_value(value, "sm_", &suffix) || suffix || (colon && !is_one_of(colon + 1, "sass jit")))
		return "GPUs such as sm_86 or sm_86:sass (sass: without compiling; jit: at least by compiling)";
	return NULL;
}

static const char *wrong_release(const char *value)
{
	return is_one_of(value, "one") || policy_release_value(value) ? NULL : "one, or CUDA releases such as 12.6";
}

static const char *wrong_major(const char *value)
{
	char *end;
	const unsigned long major = strtoul(value, &end, 10);
	return is_one_of(value, "one") || (!*end && major >= 5 && major <= 99) ? NULL : "one, or a major release such as 12";
}

static const char *wrong_crt(const char *value)
{
	return is_one_of(value, "release one MD MDd MT MTd") ? NULL : "release, one, MD, MDd, MT or MTd";
}

static const char *wrong_stream(const char *value)
{
	return is_one_of(value, "one legacy per-thread") ? NULL : "one, legacy or per-thread";
}

static const char *wrong_host(const char *value)
{
	return is_one_of(value, "linux windows macos") ? NULL : "linux, windows or macos";
}

static const char *wrong_candle(const char *value)
{
	return is_one_of(value, "candle-0.9 candle-0.11 flash-attn-3") ? NULL : "candle-0.9, candle-0.11 or flash-attn-3";
}

static const char *wrong_driver(const char *value)
{
	const size_t length = strlen(value);
	return value[0] >= '0' && value[0] <= '9' && strspn(value, "0123456789.") == length && length < 24
		       ? NULL
		       : "a driver version such as 525.60.13";
}

static const char *wrong_size(const char *value)
{
	return policy_size_value(value) || is_one_of(value, "0") ? NULL : "a size such as 300 MiB";
}

static const char *wrong_number(const char *value)
{
	return *value && strspn(value, "0123456789") == strlen(value) && strlen(value) <= 9 ? NULL : "a whole number";
}

static const char *wrong_percent(const char *value)
{
	unsigned percent;
	int end = 0;
	return sscanf(value, "%5u %%%n", &percent, &end) == 1 && end && !value[end] ? NULL : "a percentage such as 10 %";
}

/* ---- rules ---- */

static const char no_device[] = "it holds no device code with kernels";
static const char no_kernels[] = "no kernel has that name";
static const char no_host[] = "it holds no host code that could tell";
static const char no_base[] = "there is nothing to compare";

const struct policy_rule policy_rules[] = {
	{"targets", "sass", ABOUT_ARTIFACT, 1, 0, wrong_sass, check_sass, "it holds no SASS with kernels, and no unit that should",
	 "build every source with the same list of -gencode arch=compute_XX,code=sm_XX"},
	{"targets", "ptx", ABOUT_ARTIFACT, 1, 0, wrong_ptx, check_ptx, no_device,
	 "give nvcc -gencode arch=compute_XX,code=compute_XX for the newest target, for every source"},
	{"targets", "runs_on", ABOUT_ARTIFACT, 1, 0, wrong_gpu, check_runs_on, no_device,
	 "build for that GPU as well, or promise it no longer"},
	{"toolkit", "release", ABOUT_ARTIFACT, 1, 0, wrong_release, check_toolkit_release, "nothing in it tells which toolkit made it",
	 "build everything again with one toolkit, from a clean folder"},
	{"toolkit", "runtime", ABOUT_ARTIFACT, 0, 0, wrong_major, check_runtime, "it calls no CUDA runtime",
	 "build everything again with one toolkit, from a clean folder"},
	{"toolkit", "flags", ABOUT_ARTIFACT, 1, 0, NULL, check_flags, "no build folder states the flags of nvcc",
	 "add the flag to nvcc's arguments and build again"},
	{"toolkit", "flags_forbidden", ABOUT_ARTIFACT, 1, 0, NULL, check_flags_forbidden, "nothing states how it was compiled",
	 "take the flag out of nvcc's arguments and build again"},
	{"toolkit", "fast_math", ABOUT_ARTIFACT, 0, 0, wrong_yes_no, check_fast_math, "no build folder states whether it was used",
	 "build again with the flags that are promised, or correct the promise"},
	{"build", "debug", ABOUT_ARTIFACT, 0, 0, wrong_no, check_debug, no_device, "build without nvcc's -G (--device-debug)"},
	{"build", "line_info", ABOUT_ARTIFACT, 0, 0, wrong_no, check_line_info, no_device, "build without nvcc's -lineinfo (and -G)"},
	{"build", "paths", ABOUT_ARTIFACT, 0, 0, wrong_no, check_paths, "it holds nothing that could tell",
	 "build without -G and -lineinfo, strip host objects (strip --strip-debug), or map paths away with "
	 "-Xcompiler -ffile-prefix-map=OLD=NEW"},
	{"build", "relocatable", ABOUT_ARTIFACT, 0, 0, wrong_no, check_relocatable, no_device,
	 "build without -rdc=true (-dc), or add the object that nvcc -dlink makes of all members"},
	{"build", "crt", ABOUT_ARTIFACT, 0, 0, wrong_crt, check_crt, "it holds no code built by MSVC that names its C runtime",
	 "give every source -Xcompiler /MD (release, as Rust links it) and build again"},
	{"build", "default_stream", ABOUT_ARTIFACT, 0, 0, wrong_stream, check_default_stream,
	 "it calls no function of the CUDA runtime that depends on the default stream",
	 "give every source the same --default-stream and build again"},
	{"build", "unreadable", ABOUT_ARTIFACT, 0, 0, wrong_no, check_unreadable, "it holds no units",
	 "build it without link-time optimisation, or publish it in a form that can be looked into"},
	{"build", "position_independent", ABOUT_ARTIFACT, 0, 0, wrong_yes, check_position_independent,
	 "it holds no ELF object whose relocations tell", "build with -Xcompiler -fPIC"},
	{"build", "host", ABOUT_ARTIFACT, 0, 0, wrong_host, check_host, no_host, "publish the file that was built for that system"},
	{"symbols", "entry_points", ABOUT_ARTIFACT, 1, 0, NULL, check_entry_points, "it defines no function that could be called",
	 "see that the source that defines it is compiled and archived, and extern \"C\""},
	{"symbols", "candle", ABOUT_ARTIFACT, 0, 0, wrong_candle, check_candle, "it defines no run_mha",
	 "build from the sources of the release that is promised"},
	{"driver", "linux", ABOUT_ARTIFACT, 0, 0, wrong_driver, check_driver_linux, "nothing in it needs a Linux driver",
	 "build with an older toolkit, with --compress-mode=speed, or promise a newer driver"},
	{"driver", "windows", ABOUT_ARTIFACT, 0, 0, wrong_driver, check_driver_windows, "nothing in it needs a Windows driver",
	 "build with an older toolkit, with --compress-mode=speed, or promise a newer driver"},
	{"size", "file", ABOUT_ARTIFACT, 0, 0, wrong_size, check_size_file, "it is empty", "build for fewer targets, or compress (--compress-mode=size)"},
	{"size", "image", ABOUT_ARTIFACT, 0, 0, wrong_size, check_size_image, no_device, "divide the source into several"},
	{"kernels", "pattern", ABOUT_GROUP, 1, 1, NULL, NULL, NULL, NULL},
	{"kernels", "files", ABOUT_GROUP, 0, 0, NULL, NULL, NULL, NULL},
	{"kernels", "required", ABOUT_ARTIFACT, 0, 0, wrong_yes, check_required, no_device, "see that the source of these kernels is compiled in"},
	{"kernels", "parameter_bytes", ABOUT_ARTIFACT, 1, 0, wrong_number, check_parameter_bytes, no_kernels,
	 "the host code of the promised release passes another struct: build from its sources"},
	{"kernels", "registers", ABOUT_ARTIFACT, 0, 0, wrong_number, check_registers, no_kernels, "find what made the kernel grow; --against an earlier build names it"},
	{"kernels", "spills", ABOUT_ARTIFACT, 0, 0, wrong_number, check_spills, no_kernels, "allow it more registers (launch bounds, -maxrregcount), or a smaller tile"},
	{"kernels", "stack", ABOUT_ARTIFACT, 0, 0, wrong_size, check_stack, no_kernels, "look for arrays with indices known only at run time, and recursion"},
	{"kernels", "shared", ABOUT_ARTIFACT, 0, 0, wrong_size, check_shared, no_kernels, "use a smaller tile"},
	{"kernels", "code", ABOUT_ARTIFACT, 0, 0, wrong_size, check_code, no_kernels, "unroll less"},
	{"folder", "claims", ABOUT_CLAIMS, 0, 0, wrong_kept, NULL, NULL, NULL},
	{"folder", "files", ABOUT_FILES, 1, 0, NULL, NULL, NULL, "build what is missing, or promise it no longer"},
	{"against", "targets_removed", ABOUT_DIFFERENCE, 0, 0, wrong_no, check_targets_removed, no_base, "build for the lost target again"},
	{"against", "entry_points_removed", ABOUT_DIFFERENCE, 0, 0, wrong_no, check_entry_points_removed, no_base, "programs that call it will not link"},
	{"against", "kernels_removed", ABOUT_DIFFERENCE, 0, 0, wrong_no, check_kernels_removed, no_base, "see which source or instantiation was lost"},
	{"against", "parameters_changed", ABOUT_DIFFERENCE, 0, 0, wrong_no, check_parameters_changed, no_base,
	 "host code built for the old parameters cannot launch it"},
	{"against", "code_changed", ABOUT_DIFFERENCE, 0, 0, wrong_no, check_code_changed, no_base, "verify the new build with assay run before publishing it"},
	{"against", "registers_growth", ABOUT_DIFFERENCE, 0, 0, wrong_number, check_registers_growth, no_base, "time the kernel with assay bench"},
	{"against", "spills_growth", ABOUT_DIFFERENCE, 0, 0, wrong_number, check_spills_growth, no_base, "time the kernel with assay bench"},
	{"against", "size_growth", ABOUT_DIFFERENCE, 0, 0, wrong_percent, check_size_growth, no_base, "see --against for what grew"},
};
const size_t policy_rule_count = ARRAY_COUNT(policy_rules);

/* ---- looking ---- */

__attribute__((format(printf, 3, 0))) static void set_text(struct policy_look *look, char **slot, const char *format, va_list args)
{
	char *text = NULL;
	if (vasprintf(&text, format, args) < 0) {
		look->out_of_memory = 1;
		return;
	}
	free(*slot);
	*slot = text;
}

void look_at(struct policy_look *look)
{
	look->result->looked_at++;
}

static void set_name(struct policy_look *look, char **slot, const char *name)
{
	*slot = name ? strdup(name) : NULL;
	if (name && !*slot)
		look->out_of_memory = 1;
}

void look_violation(struct policy_look *look, const char *unit, const char *kernel, const char *value, const char *format, ...)
{
	struct policy_result *result = look->result;
	va_list args;
	if (result->violations++)
		return;
	va_start(args, format);
	set_text(look, &result->evidence, format, args);
	va_end(args);
	set_name(look, &result->unit, unit);
	set_name(look, &result->kernel, kernel);
	set_name(look, &result->value, value);
}

void look_note(struct policy_look *look, const char *format, ...)
{
	va_list args;
	if (look->result->violations || !look->result->looked_at)
		return;
	va_start(args, format);
	set_text(look, &look->result->evidence, format, args);
	va_end(args);
}

void look_remedy(struct policy_look *look, const char *remedy)
{
	if (!look->result->remedy)
		look->result->remedy = remedy;
}

void look_nothing(struct policy_look *look, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set_text(look, &look->result->evidence, format, args);
	va_end(args);
}

static void result_free(struct policy_result *result)
{
	free(result->rule);
	free(result->asked);
	free(result->origin);
	free(result->evidence);
	free(result->unit);
	free(result->kernel);
	free(result->value);
	*result = (struct policy_result){0};
}

void policy_report_free(struct policy_report *report)
{
	for (int i = 0; i < report->count; i++)
		result_free(&report->items[i]);
	free(report->items);
	*report = (struct policy_report){0};
}

int policy_report_failures(const struct policy_report *report)
{
	int failures = 0;
	for (int i = 0; i < report->count; i++)
		failures += report->items[i].verdict == POLICY_FAIL;
	return failures;
}

const char *policy_verdict_name(enum policy_verdict verdict)
{
	switch (verdict) {
	case POLICY_PASS: return "pass";
	case POLICY_FAIL: return "fail";
	case POLICY_NOT_APPLICABLE: break;
	}
	return "not applicable";
}

static struct policy_result *begin_result(struct policy_report *report, const char *prefix, const struct policy_setting *setting,
					  struct error *err)
{
	struct policy_result *larger = realloc(report->items, (size_t)(report->count + 1) * sizeof *larger);
	if (!larger) {
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		return NULL;
	}
	report->items = larger;
	struct policy_result *result = &report->items[report->count];
	*result = (struct policy_result){0};
	struct text name = {0}, asked = {0};
	text_append(&name, "%s%s%s%s.%s", prefix, setting->rule->section, setting->group ? "." : "", setting->group ? setting->group : "",
		    setting->rule->key);
	for (int i = 0; i < setting->value_count; i++)
		text_append(&asked, "%s%s", i ? ", " : "", setting->values[i]);
	result->rule = name.data;
	result->asked = asked.data;
	result->origin = strdup(setting->origin);
	if (name.failed || asked.failed || !result->origin) {
		result_free(result);
		error_set(err, ERROR_ENVIRONMENT, "out of memory");
		return NULL;
	}
	report->count++;
	return result;
}

/* A rule that looked at nothing proves nothing. */
static int finish_result(struct policy_look *look)
{
	struct policy_result *result = look->result;
	const struct policy_rule *rule = look->setting->rule;
	result->verdict = result->violations ? POLICY_FAIL : result->looked_at ? POLICY_PASS : POLICY_NOT_APPLICABLE;
	if (result->verdict == POLICY_FAIL && !result->remedy)
		result->remedy = rule->remedy;
	if (!result->evidence)
		set_name(look, &result->evidence,
			 result->verdict == POLICY_NOT_APPLICABLE && rule->nothing ? rule->nothing : "nothing speaks against it");
	return look->out_of_memory ? error_set(look->err, ERROR_ENVIRONMENT, "out of memory") : 0;
}

static int is_any(const struct policy_setting *setting)
{
	return setting->value_count == 1 && strcmp(setting->values[0], "any") == 0;
}

/* Whether a setting is for this file: not another one for it by name goes before. */
static int is_for(const struct policy *policy, const struct policy_setting *setting, const char *file)
{
	if (setting->group) {
		for (int i = 0; i < policy->count; i++) {
			const struct policy_setting *other = &policy->settings[i];
			if (other->group && strcmp(other->group, setting->group) == 0 && strcmp(other->rule->key, "files") == 0 &&
			    !is_any(other))
				return glob_match(other->values[0], file);
		}
		return 1;
	}
	if (setting->files)
		return glob_match(setting->files, file);
	for (int i = 0; i < policy->count; i++) {
		const struct policy_setting *other = &policy->settings[i];
		if (other->rule == setting->rule && other->files && glob_match(other->files, file))
			return 0;
	}
	return 1;
}

/* All SASS is read, and PTX where a unit has no SASS. */
static int load_images(struct artifact *artifact, struct error *err)
{
	for (int u = 0; u < artifact->unit_count; u++) {
		struct artifact_unit *unit = &artifact->units[u];
		int has_sass = 0;
		for (int i = 0; i < unit->image_count; i++)
			has_sass |= unit->images[i].entry.kind == FATBIN_ELF;
		for (int i = 0; i < unit->image_count; i++) {
			const enum fatbin_kind kind = unit->images[i].entry.kind;
			if ((kind == FATBIN_ELF || (kind == FATBIN_PTX && !has_sass)) &&
			    artifact_load_image(artifact, unit, &unit->images[i], err))
				return -1;
		}
	}
	return 0;
}

static int run_rules(const struct policy *policy, enum policy_subject subject, const char *prefix, const char *file,
		     struct policy_look look, struct policy_report *report)
{
	for (int i = 0; i < policy->count; i++) {
		const struct policy_setting *setting = &policy->settings[i];
		if (setting->rule->subject != subject || is_any(setting) || (file && !is_for(policy, setting, file)))
			continue;
		look.setting = setting;
		look.result = begin_result(report, prefix, setting, look.err);
		if (!look.result || setting->rule->check(&look) || finish_result(&look))
			return -1;
	}
	return 0;
}

int policy_check_claims(struct artifact *artifact, struct policy_report *report, struct error *err)
{
	int result = 0;
	if (load_images(artifact, err))
		return -1;
	/* each is checked by itself: two that contradict each other cannot both be right */
	for (int readme = 0; readme < 2 && result == 0; readme++) {
		struct policy claims = {0};
		if (readme && artifact->claims)
			result = policy_add_readme_claims(&claims, artifact->claims, err);
		else if (!readme && artifact->provenance)
			result = policy_add_folder_claims(&claims, artifact->provenance, err);
		if (result == 0)
			result = run_rules(&claims, ABOUT_ARTIFACT, "claims.", path_base(artifact->path),
					   (struct policy_look){.policy = &claims, .artifact = artifact, .err = err}, report);
		policy_free(&claims);
	}
	return result;
}

int policy_check(const struct policy *policy, struct artifact *artifact, struct policy_report *report, struct error *err)
{
	const char *file = path_base(artifact->path);
	if (load_images(artifact, err) || run_rules(policy, ABOUT_ARTIFACT, "", file,
						    (struct policy_look){.policy = policy, .artifact = artifact, .err = err}, report))
		return -1;
	for (int i = 0; i < policy->count; i++)
		if (policy->settings[i].rule->subject == ABOUT_CLAIMS && !is_any(&policy->settings[i]))
			return policy_check_claims(artifact, report, err);
	return 0;
}

int policy_check_difference(const struct policy *policy, const struct difference *difference, struct policy_report *report,
			    struct error *err)
{
	return run_rules(policy, ABOUT_DIFFERENCE, "", NULL,
			 (struct policy_look){.policy = policy, .difference = difference, .err = err}, report);
}

int policy_check_files(const struct policy *policy, const char *const *paths, int count, struct policy_report *report,
		       struct error *err)
{
	for (int i = 0; i < policy->count; i++) {
		const struct policy_setting *setting = &policy->settings[i];
		struct policy_look look = {.policy = policy, .setting = setting, .err = err};
		if (setting->rule->subject != ABOUT_FILES || is_any(setting))
			continue;
		look.result = begin_result(report, "", setting, err);
		if (!look.result)
			return -1;
		for (int v = 0; v < setting->value_count; v++) {
			int found = 0;
			look_at(&look);
			for (int p = 0; p < count && !found; p++)
				found = glob_match(setting->values[v], path_base(paths[p]));
			if (!found)
				look_violation(&look, NULL, NULL, setting->values[v], "no artifact is called %s (%d were looked at)",
					       setting->values[v], count);
		}
		look_note(&look, "%d of %d are there", setting->value_count, setting->value_count);
		if (finish_result(&look))
			return -1;
	}
	return 0;
}
