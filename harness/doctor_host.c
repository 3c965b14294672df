/* Requirements of host code: whether it can become part of a program for the target. */
#include "doctor_private.h"

#include <string.h>

enum host_os judge_system_of(const char *triple)
{
	return !triple			   ? HOST_UNKNOWN
	       : strstr(triple, "windows") ? HOST_WINDOWS
	       : strstr(triple, "apple")   ? HOST_MACOS
	       : strstr(triple, "linux")   ? HOST_LINUX
					   : HOST_UNKNOWN;
}

const char *judge_triple(const struct judge *judge, const char **evidence)
{
	const struct cargo_project *project = &judge->doctor->project;
	if (judge->doctor->has_project && project->triple) {
		*evidence = project->triple_evidence;
		return project->triple;
	}
	if (judge->doctor->triple) {
		*evidence = "--target";
		return judge->doctor->triple;
	}
	*evidence = "this machine";
#if defined __aarch64__
	return "aarch64-unknown-linux-gnu";
#else
	return "x86_64-unknown-linux-gnu";
#endif
}

static const struct doctor_artifact *with_host_code(const struct judge *judge)
{
	const struct doctor_artifact *facts;
	for (int i = -1; (facts = judge_next(judge, &i));)
		if (facts->host != HOST_UNKNOWN)
			return facts;
	return NULL;
}

void judge_system(struct judge *judge)
{
	const char *evidence, *triple = judge_triple(judge, &evidence);
	const enum host_os wanted = judge_system_of(triple);
	const struct doctor_artifact *facts;
	for (int i = -1; (facts = judge_next(judge, &i));) {
		if (facts->host == HOST_UNKNOWN || facts->host == wanted)
			continue;
		judge_add(judge, "system", FIT_NO,
			  "%s holds host code for %s (%s), and the target is %s (%s)|get the folder that was built on %s: no "
			  "linker for %s takes such objects%s",
			  judge_file(facts), host_os_name(facts->host), facts->machine ? facts->machine : "unknown processor",
			  triple, evidence, host_os_name(wanted), host_os_name(wanted),
			  wanted == HOST_LINUX ? "; its device code can be verified here (assay verify --donor)" : "");
		return;
	}
	if ((facts = with_host_code(judge)))
		judge_add(judge, "system", FIT_YES, "host code for %s, as the target %s (%s)", host_os_name(facts->host), triple,
			  evidence);
	else
		judge_add(judge, "system", FIT_YES, "device code only, which is the same for every system");
}

void judge_processor(struct judge *judge)
{
	const char *evidence, *triple = judge_triple(judge, &evidence);
	const char *wanted = strncmp(triple, "x86_64", 6) == 0 ? "x86-64" : strncmp(triple, "aarch64", 7) == 0 ? "AArch64" : NULL;
	const struct doctor_artifact *facts;
	for (int i = -1; (facts = judge_next(judge, &i));) {
		if (!facts->machine || !wanted || strcmp(facts->machine, wanted) == 0)
			continue;
		judge_add(judge, "processor", FIT_NO,
			  "%s holds host code for %s, and the target is %s (%s)|get the folder that was built for %s",
			  judge_file(facts), facts->machine, triple, evidence, wanted);
		return;
	}
	facts = with_host_code(judge);
	if (facts && facts->machine && wanted)
		judge_add(judge, "processor", FIT_YES, "host code for %s", facts->machine);
	else if (facts)
		judge_add(judge, "processor", FIT_UNKNOWN, "the processor of %s or of the target %s is not known",
			  judge_file(facts), triple);
}

void judge_crt(struct judge *judge)
{
	const char *evidence, *triple = judge_triple(judge, &evidence);
	const struct cargo_project *project = &judge->doctor->project;
	const int is_static = project->crt_static == 1;
	const char *stated = judge->doctor->has_project && project->crt_static >= 0 ? project->crt_evidence : "Rust's default";
	const struct doctor_artifact *facts, *named = NULL;
	if (judge_system_of(triple) == HOST_LINUX) {
		facts = with_host_code(judge);
		if (!facts || facts->host != HOST_LINUX)
			return;
		if (strstr(triple, "musl"))
			judge_add(judge, "crt", FIT_NO,
				  "%s is built for glibc and libstdc++, and the target %s has musl (%s)|build the project for "
				  "a -gnu target: CUDA's own libraries need glibc too",
				  judge_file(facts), triple, evidence);
		else if (is_static)
			judge_add(judge, "crt", FIT_NO,
				  "the project links the C runtime statically (%s), and the CUDA runtime opens the driver with "
				  "dlopen, which such a program cannot do|build without +crt-static",
				  stated);
		else
			judge_add(judge, "crt", FIT_YES, "glibc, linked dynamically (%s)", stated);
		return;
	}
	if (judge_system_of(triple) != HOST_WINDOWS)
		return;
	for (int i = -1; (facts = judge_next(judge, &i));) {
		if (facts->crt == MSVC_RUNTIME_UNKNOWN)
			continue;
		named = facts;
		if (facts->other_crt != MSVC_RUNTIME_UNKNOWN && facts->other_crt != facts->crt)
			judge_add(judge, "crt", FIT_NO,
				  "%s names two C runtimes, %s and %s|ask the publisher for a build with one: no linker takes "
				  "both (LNK2038)",
				  judge_file(facts), msvc_runtime_name(facts->crt), msvc_runtime_name(facts->other_crt));
		else if (msvc_runtime_is_debug(facts->crt))
			judge_add(judge, "crt", FIT_NO,
				  "%s is linked with the debug C runtime %s (%s), and Rust links the release one in every "
				  "profile|ask the publisher for a release build",
				  judge_file(facts), msvc_runtime_name(facts->crt), facts->crt_evidence);
		else if (strstr(triple, "-gnu"))
			judge_add(judge, "crt", FIT_NO,
				  "%s is built by MSVC for %s (%s), and the target is %s|build the project for "
				  "x86_64-pc-windows-msvc",
				  judge_file(facts), msvc_runtime_name(facts->crt), facts->crt_evidence, triple);
		else if (msvc_runtime_is_static(facts->crt) != is_static)
			judge_add(judge, "crt", FIT_NO,
				  "%s is built for %s (%s), and the project links the C runtime %s (%s)|set RUSTFLAGS to '-C "
				  "target-feature=%ccrt-static', or get a folder built with %s",
				  judge_file(facts), msvc_runtime_name(facts->crt), facts->crt_evidence,
				  is_static ? "statically" : "dynamically", stated, is_static ? '-' : '+',
				  is_static ? "/MT" : "/MD");
		else
			continue;
		return;
	}
	if (named)
		judge_add(judge, "crt", FIT_YES, "%s, as the project links it (%s)", msvc_runtime_name(named->crt), stated);
	else if (with_host_code(judge))
		judge_add(judge, "crt", FIT_UNKNOWN, "no object names its C runtime");
}

void judge_linking(struct judge *judge)
{
	const struct doctor_artifact *facts;
	int count = 0;
	for (int i = -1; (facts = judge_next(judge, &i));) {
		count += facts->host == HOST_LINUX;
		if (!facts->not_linkable)
			continue;
		char why[300];
		snprintf(why, sizeof why, "%.290s", facts->not_linkable);
		for (char *bar = why; (bar = strchr(bar, '|'));)
			*bar = '/';
		judge_add(judge, "linking", FIT_NO,
			  "%s: %s|ask the publisher for a build with -Xcompiler -fPIC and without -dc, as the build script "
			  "makes it",
			  judge_file(facts), why);
		return;
	}
	if (count)
		judge_add(judge, "linking", FIT_YES, "position independent, nothing left to device-link");
}
