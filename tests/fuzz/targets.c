#include "targets.h"

#include "artifact/artifact.h"
#include "artifact/coff.h"
#include "artifact/demangle.h"
#include "artifact/fold_name.h"
#include "artifact/pe.h"
#include "artifact/policy.h"
#include "artifact/ptx_compare.h"
#include "artifact/ptx_slice.h"
#include "artifact/variables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What came out is looked at, so that a pointer out of bounds shows: the sum goes nowhere. */
static volatile size_t seen;

static void look_at_host(const struct host_object *host)
{
	for (int i = 0; i < host->symbol_count; i++) {
		seen += strlen(host->symbols[i].name) + (host->symbols[i].library ? strlen(host->symbols[i].library) : 0);
		seen += host->symbols[i].version ? strlen(host->symbols[i].version) : 0;
	}
	for (int i = 0; i < host->library_count; i++)
		seen += strlen(host->libraries[i]);
	for (int i = 0; i < host->fatbin_count; i++)
		if (host->fatbins[i].size)
			seen += host->fatbins[i].data[host->fatbins[i].size - 1];
	const char *const texts[] = {host->cuda_min_symbol, host->cuda_max_symbol, host->runtime_library, host->glibc,   host->glibcxx,
				     host->library_name,    host->debug_path,      host->gnu_lto,         host->pic_evidence};
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		seen += texts[i] ? strlen(texts[i]) : 0;
}

static void parse_host(const uint8_t *data, size_t size)
{
	struct host_object host;
	if (host_object_parse(data, size, &host, NULL))
		return;
	look_at_host(&host);
	host_object_free(&host);
}

/* The targets for one format do not wander into another's reader: those have targets of their own. */
void fuzz_elf(const uint8_t *data, size_t size)
{
	const enum object_kind kind = object_identify(data, size, NULL);
	if (kind == OBJECT_ELF_RELOCATABLE || kind == OBJECT_ELF_SHARED || kind == OBJECT_ELF_EXECUTABLE)
		parse_host(data, size);
}

void fuzz_coff(const uint8_t *data, size_t size)
{
	const enum object_kind kind = object_identify(data, size, NULL);
	if (kind == OBJECT_COFF || kind == OBJECT_COFF_BIGOBJ || kind == OBJECT_COFF_IMPORT)
		parse_host(data, size);
}

void fuzz_pe(const uint8_t *data, size_t size)
{
	if (object_identify(data, size, NULL) == OBJECT_PE)
		parse_host(data, size);
}

void fuzz_ar(const uint8_t *data, size_t size)
{
	struct ar ar;
	struct ar_index_cursor cursor = {0};
	const char *name;
	uint64_t header;
	if (ar_parse(data, size, &ar, NULL))
		return;
	for (int i = 0; i < ar.count; i++) {
		seen += strlen(ar.members[i].name) + ar.members[i].size;
		if (ar.members[i].data && ar.members[i].size)
			seen += ar.members[i].data[ar.members[i].size - 1];
	}
	while (ar_index_next(&ar, &cursor, &name, &header) > 0)
		seen += strlen(name) + header;
	const unsigned char *member;
	size_t length;
	if (ar.count && ar_member_at(data, size, ar.members[ar.count - 1].header_offset, &member, &length, NULL) == 0 && length)
		seen += member[length - 1];
	ar_free(&ar);
}

static void list_variables(const uint8_t *data, size_t size, int is_ptx)
{
	struct module_variables variables;
	if (module_variables_read(data, size, is_ptx, &variables, NULL))
		return;
	for (size_t i = 0; i < variables.count; i++)
		seen += strlen(variables.items[i].name) + variables.items[i].size;
	module_variables_free(&variables);
}

void fuzz_cubin(const uint8_t *data, size_t size)
{
	struct cubin cubin;
	list_variables(data, size, 0);
	if (cubin_parse(data, size, &cubin, NULL))
		return;
	for (int i = 0; i < cubin.kernel_count; i++) {
		char *plain = demangle(cubin.kernels[i].name), *folded = fold_kernel_name(cubin.kernels[i].name);
		seen += (plain ? strlen(plain) : 0) + (folded ? strlen(folded) : 0);
		free(plain);
		free(folded);
		cubin_local_accesses(&cubin.kernels[i]);
	}
	cubin_free(&cubin);
}

/* Each entry alone, the first ones: what comes out has the entry's text in it, and is a module again. */
static void cut_ptx(const char *text, size_t size)
{
	enum { CUTS_MOST = 8 };
	struct ptx_slicer *slicer;
	if (ptx_slicer_open(&slicer, text, size, NULL))
		return;
	for (size_t i = 0; i < ptx_slicer_entry_count(slicer) && i < CUTS_MOST; i++) {
		const struct ptx_slice_entry entry = ptx_slicer_entry(slicer, i);
		char *name = copy_text(entry.name, entry.name_length), *cut;
		const char *const names[] = {name};
		size_t cut_size;
		struct ptx ptx;
		if (!name)
			abort();
		if (ptx_slicer_cut(slicer, names, 1, &cut, &cut_size, NULL))
			abort();
		if (cut_size < entry.text_size || !memmem(cut, cut_size, name, entry.name_length))
			abort();
		if (ptx_parse(cut, cut_size, &ptx, NULL) == 0)
			ptx_free(&ptx);
		free(cut);
		free(name);
	}
	ptx_slicer_close(slicer);
}

void fuzz_ptx(const uint8_t *data, size_t size)
{
	struct ptx ptx;
	struct ptx_digests digests;
	if (ptx_parse((const char *)data, size, &ptx, NULL) == 0)
		ptx_free(&ptx);
	if (ptx_digests_make((const char *)data, size, &digests, NULL) == 0)
		ptx_digests_free(&digests);
	list_variables(data, size, 1);
	cut_ptx((const char *)data, size);
}

void fuzz_fatbin(const uint8_t *data, size_t size)
{
	struct fatbin fatbin;
	char reason[64];
	if (fatbin_parse(data, size, &fatbin, NULL) == 0)
		fatbin_free(&fatbin);
	if (fatbin_parse_section(data, size, &fatbin, NULL))
		return;
	for (int i = 0; i < fatbin.count; i++) {
		const struct fatbin_entry *entry = &fatbin.entries[i];
		void *bytes;
		size_t unpacked;
		char target[24];
		fatbin_entry_target(entry, target);
		seen += entry->identifier_length ? (size_t)entry->identifier[entry->identifier_length - 1] : 0;
		seen += entry->options_length ? (size_t)entry->options[entry->options_length - 1] : 0;
		if (fatbin_entry_decompress(entry, &bytes, &unpacked, NULL))
			continue;
		if (entry->kind == FATBIN_ELF)
			fuzz_cubin(bytes, unpacked);
		else if (entry->kind == FATBIN_PTX)
			fuzz_ptx(bytes, unpacked);
		free(bytes);
	}
	fatbin_select(fatbin.entries, fatbin.count, -1, 9, 0, IMAGE_ANY, reason, sizeof reason);
	fatbin_free(&fatbin);
}

void fuzz_zip(const uint8_t *data, size_t size)
{
	struct zip_archive zip;
	if (zip_archive_open(data, size, "a-1.0-1-py3-none-linux_x86_64.whl", &zip, NULL))
		return;
	for (int i = 0; i < zip.count; i++)
		if (zip.members[i].data && zip.members[i].size)
			seen += zip.members[i].data[zip.members[i].size - 1] + strlen(zip.members[i].name);
	zip_archive_close(&zip);
}

void fuzz_text(const uint8_t *data, size_t size)
{
	struct provenance provenance = {.fast_math = -1};
	struct readme_claims claims = {0};
	provenance_note_output(&provenance, (const char *)data, size);
	provenance_note_root_output(&provenance, (const char *)data, size);
	provenance_free(&provenance);
	readme_claims_note(&claims, (const char *)data, size);
	readme_claims_free(&claims);
}

void fuzz_policy(const uint8_t *data, size_t size)
{
	struct policy policy = {0};
	char *text = copy_text((const char *)data, size);
	if (!text)
		abort();
	/* twice: the second replaces what the first has set */
	if (policy_parse(&policy, "policy", text, NULL) == 0)
		policy_parse(&policy, "again", text, NULL);
	for (int i = 0; i < policy.count; i++)
		for (int v = 0; v < policy.settings[i].value_count; v++)
			seen += strlen(policy.settings[i].values[v]);
	free(text);
	policy_free(&policy);
}

/* Every rule that looks at bytes of its own, and the artifact against itself. */
static void judge(struct artifact *artifact)
{
	static const char rules[] = "[targets]\nsass = same\nptx = some\nruns_on = sm_90\n[toolkit]\nrelease = one\nruntime = one\n"
				    "flags_forbidden = -G\nfast_math = no\n[build]\ndebug = no\nline_info = no\npaths = no\n"
				    "relocatable = no\ncrt = release\ndefault_stream = one\nunreadable = no\n"
				    "[symbols]\nentry_points = run_*\n[driver]\nlinux = 525\nwindows = 527\n[size]\nimage = 1 KiB\n"
				    "[kernels all]\npattern = *a*b*\nregisters = 3\nparameter_bytes = 8\n[folder]\nclaims = kept\n"
				    "[against]\ncode_changed = no\n";
	struct policy policy = {0};
	struct policy_report report = {0};
	struct difference difference;
	if (policy_parse(&policy, "rules", rules, NULL))
		abort();
	policy_check(&policy, artifact, &report, NULL);
	if (artifact_difference(artifact, artifact, &difference, NULL) == 0) {
		policy_check_difference(&policy, &difference, &report, NULL);
		artifact_difference_free(&difference);
	}
	for (int i = 0; i < report.count; i++)
		seen += strlen(report.items[i].evidence ? report.items[i].evidence : "");
	policy_report_free(&report);
	policy_free(&policy);
}

void fuzz_artifact(const uint8_t *data, size_t size)
{
	struct artifact artifact;
	struct artifact_coverage coverage;
	struct artifact_kernels kernels;
	struct artifact_findings findings;
	struct artifact_undefined undefined;
	struct artifact_entry_points points;
	struct artifact_driver_needs needs;
	struct archive_facts facts;
	struct mha_abi_evidence abi;
	char path[64];
	static int file = -1;
	if (file < 0)
		file = memfd_create("artifact", 0);
	if (file < 0 || ftruncate(file, 0) || pwrite(file, data, size, 0) != (ssize_t)size)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", file);
	if (artifact_open(path, &artifact, NULL))
		return;
	for (int u = 0; u < artifact.unit_count; u++)
		look_at_host(&artifact.units[u].host);
	artifact_coverage(&artifact, 9, 0, IMAGE_ANY, &coverage, NULL);
	if (artifact_kernel_names(&artifact, 12, 0, IMAGE_ANY, &kernels, NULL) == 0)
		artifact_kernels_free(&kernels);
	if (artifact_findings(&artifact, &findings, NULL) == 0)
		artifact_findings_free(&findings);
	if (artifact_undefined(&artifact, &undefined, NULL) == 0)
		artifact_undefined_free(&undefined);
	if (artifact_entry_points(&artifact, &points, NULL) == 0)
		artifact_entry_points_free(&points);
	artifact_archive_facts(&artifact, &facts, NULL);
	artifact_driver_needs(&artifact, &needs, NULL);
	artifact_mha_abi(&artifact, &abi, NULL);
	judge(&artifact);
	artifact_close(&artifact);
}

const struct fuzz_target fuzz_targets[] = {
	{"ar", fuzz_ar},   {"elf", fuzz_elf}, {"cubin", fuzz_cubin},   {"coff", fuzz_coff}, {"pe", fuzz_pe},
	{"zip", fuzz_zip}, {"ptx", fuzz_ptx}, {"fatbin", fuzz_fatbin}, {"text", fuzz_text}, {"policy", fuzz_policy},
	{"artifact", fuzz_artifact},
	{"ptx_front", fuzz_ptx_front}, {"ptx_run", fuzz_ptx_run},
};
const size_t fuzz_target_count = ARRAY_COUNT(fuzz_targets);
