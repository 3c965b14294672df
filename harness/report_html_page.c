/* The page that a report's parts go into: html/page.html with its style and scripts, under a policy that lets nothing else run. */
#include "report_html.h"

#include "cli.h"
#include "xml_text.h"

#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

extern const char assay_page_html[], assay_page_css[], assay_page_js[];
extern const size_t assay_page_html_size, assay_page_css_size, assay_page_js_size;
#ifdef ASSAY_HAS_CHART_JS
extern const char assay_chart_js[], assay_chart_licence[];
extern const size_t assay_chart_js_size;
#else
static const char assay_chart_js[] = "", assay_chart_licence[] = "";
static const size_t assay_chart_js_size = 0;
#endif

int html_has_chart_library(void)
{
	return assay_chart_js_size > 0;
}

/* 'sha256-...' of what stands between the tags, as Content Security Policy Level 3 (2.3.1, hash-source) has it. */
static void append_hash(struct text *out, const char *content, size_t size)
{
	unsigned char digest[EVP_MAX_MD_SIZE], base64[2 * EVP_MAX_MD_SIZE];
	unsigned length = 0;
	if (!EVP_Digest(content, size, digest, &length, EVP_sha256(), NULL)) {
		out->failed = 1;
		return;
	}
	EVP_EncodeBlock(base64, digest, (int)length);
	text_append(out, " 'sha256-%s'", (const char *)base64);
}

static void append_policy(struct text *out)
{
	text_append(out, "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src");
	append_hash(out, assay_page_css, assay_page_css_size);
	text_append(out, "; script-src");
	append_hash(out, assay_page_js, assay_page_js_size);
	if (assay_chart_js_size)
		append_hash(out, assay_chart_js, assay_chart_js_size);
}

static int append_chunk(const char *buffer, size_t size, void *text)
{
	/* within <script> only "</script" and "<!--" mean something to a parser of HTML: no '<' is left in it */
	for (size_t i = 0; i < size; i++) {
		if (buffer[i] == '<')
			text_append_bytes(text, "\\u003c", 6);
		else
			text_append_bytes(text, buffer + i, 1);
	}
	return ((struct text *)text)->failed ? -1 : 0;
}

static void append_data(struct text *out, json_t *charts)
{
	json_t *data = json_pack("{s:O}", "charts", charts);
	if (!data || json_dump_callback(data, append_chunk, out, JSON_COMPACT | JSON_REAL_PRECISION(6)))
		out->failed = 1;
	json_decref(data);
}

static void append_library(struct text *out)
{
	if (assay_chart_js_size == 0)
		return;
	text_append(out, "<script>");
	text_append_bytes(out, assay_chart_js, assay_chart_js_size);
	text_append(out, "</script>");
}

static void append_footer(struct text *out)
{
	text_append(out, "<p>Made by assay " ASSAY_VERSION ". This page holds all it shows: it loads nothing and sends nothing.</p>\n");
	if (assay_chart_js_size)
		text_append(out, "<details><summary>Licence of the plotting library</summary><pre>%s</pre></details>\n", assay_chart_licence);
	else
		text_append(out, "<p>It has no plots because this assay was built without Chart.js (Debian and Ubuntu: package "
				"libjs-chart.js); "
				 "the tables have the same figures.</p>\n");
}

void html_assemble(const struct html_content *content, struct text *out)
{
	static const char *const names[] = {"policy", "generator", "title", "style", "navigation", "body", "data", "library", "script",
			"footer"};
	const char *at = assay_page_html;
	for (const char *mark; (mark = strstr(at, "{{")) != NULL;) {
		const char *name = mark + 2, *end = strstr(name, "}}");
		size_t which = 0;
		if (!end)
			break;
		while (which < ARRAY_COUNT(names) && (strlen(names[which]) != (size_t)(end - name) || strncmp(names[which], name,
				(size_t)(end - name)) != 0))
			which++;
		text_append_bytes(out, at, (size_t)(mark - at));
		switch (which) {
		case 0:
			append_policy(out);
			break;
		case 1:
			text_append(out, "assay " ASSAY_VERSION);
			break;
		case 2:
			xml_append_text(out, content->title);
			break;
		case 3:
			text_append_bytes(out, assay_page_css, assay_page_css_size);
			break;
		case 4:
			text_append_bytes(out, content->navigation->data ? content->navigation->data : "", content->navigation->length);
			break;
		case 5:
			text_append_bytes(out, content->body->data ? content->body->data : "", content->body->length);
			break;
		case 6:
			append_data(out, content->charts);
			break;
		case 7:
			append_library(out);
			break;
		case 8:
			text_append_bytes(out, assay_page_js, assay_page_js_size);
			break;
		case 9:
			append_footer(out);
			break;
		default: /* a mistake in the template */
			out->failed = 1;
		}
		at = end + 2;
	}
	text_append(out, "%s", at);
	out->failed |= content->body->failed | content->navigation->failed;
}

/* ---- files ---- */

static int is_hdf5(const char *path)
{
	static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'}; /* HDF5 File Format, II.A */
	unsigned char start[sizeof signature];
	struct stat status;
	FILE *file = stat(path, &status) == 0 && S_ISREG(status.st_mode) ? fopen(path, "rb") : NULL;
	const int is = file && fread(start, 1, sizeof start, file) == sizeof start && memcmp(start, signature, sizeof start) == 0;
	if (file)
		fclose(file);
	return is;
}

int report_paths_check(const char *const *paths, size_t count, const char *result_file, struct error *err)
{
	int on_stdout = 0;
	for (size_t i = 0; i < count; i++) {
		int is_twice = 0;
		if (!paths[i])
			continue;
		if (strcmp(paths[i], "-") == 0) {
			on_stdout++;
			continue;
		}
		for (size_t k = 0; k < i; k++)
			is_twice |= paths[k] && strcmp(paths[k], paths[i]) == 0;
		if (is_twice || (result_file && strcmp(result_file, paths[i]) == 0))
			return error_set(err, ERROR_USAGE, "%s: is to be written twice; give each file a name of its own", paths[i]);
		if (is_hdf5(paths[i]))
			return error_set(err, ERROR_USAGE, "%s: is a result file or a dataset, which no report replaces; name another "
					 "file to write", paths[i]);
		if (path_can_be_written(paths[i], err))
			return -1;
	}
	return on_stdout;
}

static int write_text(const char *path, struct text *text, struct error *err)
{
	int result;
	if (text->failed)
		result = error_set(err, ERROR_ENVIRONMENT, "out of memory for %s", path);
	else if (strcmp(path, "-") == 0)
		result = cli_write_text(text, err);
	else
		result = write_file_atomically(path, text->data ? text->data : "", text->length, err);
	text_free(text);
	return result;
}

int report_files_write(const struct report_files *files, const struct run_record *const *runs, const char *const *names,
		size_t count,
		       struct error *err)
{
	struct text text = {0};
	if (files->html) {
		report_append_html(runs, names, count, &text);
		if (write_text(files->html, &text, err))
			return -1;
	}
	if (files->csv) {
		report_append_csv(runs, count, &text);
		if (write_text(files->csv, &text, err))
			return -1;
	}
	if (files->junit) {
		report_append_junit(runs, count, &text);
		if (write_text(files->junit, &text, err))
			return -1;
	}
	return 0;
}
