/* What READMEs beside artifacts claim. */
#include "artifact/artifact.h"
#include "artifact_fixtures.h"
#include "check.h"

#include <unistd.h>

static char folder[256];

static struct readme_claims claims_of(const char *text)
{
	struct readme_claims claims = {0};
	CHECK_INT(readme_claims_note(&claims, text, strlen(text)), 0);
	return claims;
}

static void plain_words_are_understood(void)
{
	static const struct {
		const char *text, *candle, *sdk, *machine;
		unsigned cuda, cudas;
		enum host_os host;
		int caps;
		unsigned cap;
	} cases[] = {
		{"Candle 0.9.2-alpha.2, CUDA 12.6, Windows SDK 10.0.19041", "0.9.2-alpha.2", "10.0.19041", NULL, 126, 1, HOST_WINDOWS, 0, 0},
		{"- **Candle version:** `0.9.2`\n- CUDA Toolkit: v13.0\n- Linux x86_64, sm_90\n", "0.9.2", NULL, "x86-64", 130, 1, HOST_LINUX, 1, 90},
		{"candle-flash-attn v0.10.0 for CUDA_COMPUTE_CAP=86 (Ubuntu, aarch64), cuda-12.4", "0.10.0", NULL, "AArch64", 124, 1, HOST_LINUX, 1, 86},
		{"Compute Capability 8.9 and compute_120", NULL, NULL, NULL, 0, 0, HOST_UNKNOWN, 2, 89},
		{"Needs CUDA 12.6 or CUDA 13.0; built on Windows and Linux, for x64 and arm64", NULL, NULL, NULL, 0, 2, HOST_UNKNOWN, 0, 0},
		{"CUDA 12.6, and again: CUDA 12.6.3", NULL, NULL, NULL, 126, 1, HOST_UNKNOWN, 0, 0},
		{"CUDA 12 is needed. A candle costs 2.50. CUDA driver 550.54. scandle 1.2.3", NULL, NULL, NULL, 0, 0, HOST_UNKNOWN, 0, 0},
		{"candle", NULL, NULL, NULL, 0, 0, HOST_UNKNOWN, 0, 0},
		{"cuda 12.", NULL, NULL, NULL, 0, 0, HOST_UNKNOWN, 0, 0},
		{"", NULL, NULL, NULL, 0, 0, HOST_UNKNOWN, 0, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct readme_claims claims = claims_of(cases[i].text);
		if (cases[i].candle)
			CHECK_TEXT(claims.candle_release ? claims.candle_release : "(none)", cases[i].candle);
		else
			CHECK(claims.candle_release == NULL);
		if (cases[i].sdk)
			CHECK_TEXT(claims.windows_sdk ? claims.windows_sdk : "(none)", cases[i].sdk);
		else
			CHECK(claims.windows_sdk == NULL);
		if (cases[i].machine)
			CHECK_TEXT(claims.machine ? claims.machine : "(none)", cases[i].machine);
		else
			CHECK(claims.machine == NULL);
		CHECK_INT(claims.cuda_version, cases[i].cuda);
		CHECK_INT(claims.cuda_versions, cases[i].cudas);
		CHECK_INT(claims.host, cases[i].host);
		CHECK_INT(claims.compute_cap_count, cases[i].caps);
		if (cases[i].caps)
			CHECK_INT(claims.compute_caps[0], cases[i].cap);
		readme_claims_free(&claims);
	}
}

static void write_text(const char *name, const char *text)
{
	char path[512];
	struct error err = {0};
	snprintf(path, sizeof path, "%s/%s", folder, name);
	char *slash = strrchr(path, '/');
	*slash = '\0';
	CHECK_INT(make_dirs(path, &err), 0);
	*slash = '/';
	CHECK_INT(write_file_atomically(path, text, strlen(text), &err), 0);
}

static void check_found(const char *artifact_name, const char *release)
{
	struct artifact artifact;
	struct error err = {0};
	char path[512];
	snprintf(path, sizeof path, "%s/%s", folder, artifact_name);
	CHECK_INT(artifact_open(path, &artifact, &err), 0);
	if (release) {
		CHECK(artifact.claims != NULL);
		CHECK_TEXT(artifact.claims && artifact.claims->candle_release ? artifact.claims->candle_release : "(none)", release);
	} else {
		CHECK(artifact.claims == NULL);
	}
	artifact_close(&artifact);
}

static void readmes_are_found(void)
{
	static const char ptx[] = ".version 8.4\n.target sm_80\n.address_size 64\n";
	static const char build[] = "set/candle-flash-attn-0123456789abcdef";
	char name[256];
	snprintf(name, sizeof name, "%s/out/k.ptx", build);
	write_text(name, ptx);
	snprintf(name, sizeof name, "%s/root-output", build);
	write_text(name, "/x/out");
	snprintf(name, sizeof name, "%s/invoked.timestamp", build);
	write_text(name, "");
	snprintf(name, sizeof name, "%s/out/k.ptx", build);
	check_found(name, NULL);
	write_text("README.txt", "candle 0.1.0");
	check_found(name, "0.1.0"); /* two above the build-output folder */
	write_text("set/readme.MD", "candle 0.2.0");
	check_found(name, "0.2.0");
	write_text("set/candle-flash-attn-0123456789abcdef/README", "candle 0.3.0");
	check_found(name, "0.3.0");
	write_text("set/candle-flash-attn-0123456789abcdef/out/README.md", "nothing of interest");
	check_found(name, "0.3.0"); /* one that claims nothing does not hide another */
	write_text("plain/k.ptx", ptx);
	check_found("plain/k.ptx", "0.1.0");
	/* published without the files that tell a build-output folder: its out/ does, but not as far up */
	write_text("bare/candle-flash-attn-0123456789abcdef/out/k.ptx", ptx);
	check_found("bare/candle-flash-attn-0123456789abcdef/out/k.ptx", NULL);
	write_text("bare/README.md", "candle 0.4.0");
	check_found("bare/candle-flash-attn-0123456789abcdef/out/k.ptx", "0.4.0");

	struct provenance provenance;
	struct error err = {0};
	int found;
	char path[512];
	snprintf(path, sizeof path, "%s/%s", folder, build);
	CHECK_INT(provenance_read(path, &provenance, &found, &err), 0);
	CHECK_INT(found, 1);
	CHECK_INT(provenance.has_invoked_timestamp, 1);
	CHECK(provenance.invoked_at > 1600000000);
	provenance_free(&provenance);
}

int main(void)
{
	char line[512];
	const char *base = getenv("TMPDIR");
	snprintf(folder, sizeof folder, "%s/assay-test-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	plain_words_are_understood();
	readmes_are_found();
	snprintf(line, sizeof line, "rm -rf '%s'", folder);
	CHECK_INT(system(line), 0);
	return check_result();
}
