#include "inspect_format.h"

#include "artifact/demangle.h"
#include "cli.h"

#include <stdlib.h>
#include <string.h>

void format_size(struct text *out, size_t bytes)
{
	if (bytes < 1000)
		text_append(out, "%zu B", bytes);
	else if (bytes < 1000000)
		text_append(out, "%.1f kB", (double)bytes / 1e3);
	else if (bytes < 1000000000)
		text_append(out, "%.1f MB", (double)bytes / 1e6);
	else
		text_append(out, "%.2f GB", (double)bytes / 1e9);
}

const char *plural(int count, const char *one, const char *many)
{
	return count == 1 ? one : many;
}

void format_cell(struct text *out, int width, const char *format, ...)
{
	char cell[64];
	va_list args;
	va_start(args, format);
	vsnprintf(cell, sizeof cell, format, args);
	va_end(args);
	text_append(out, "%*s", -width, cell);
}

void format_size_cell(struct text *out, int width, size_t bytes)
{
	struct text cell = {0};
	format_size(&cell, bytes);
	text_append(out, "%*s", -width, cell.data ? cell.data : "");
	out->failed |= cell.failed;
	text_free(&cell);
}

void format_name(struct text *out, const char *mangled)
{
	char *plain = demangle(mangled);
	const char *shown = plain ? plain : mangled;
	cli_append_clean(out, shown, strlen(shown));
	free(plain);
}

const char *entry_host_name(const struct fatbin_entry *entry)
{
	return entry->flags & FATBIN_FLAG_LINUX	  ? "Linux"
	       : entry->flags & FATBIN_FLAG_WINDOWS ? "Windows"
	       : entry->flags & FATBIN_FLAG_MAC	  ? "macOS"
						  : NULL;
}

void format_flow(struct text *out, const char *text, int column)
{
	enum { LINE_WIDTH = 118 };
	int at = column;
	for (const char *word = text; *word;) {
		const size_t length = strcspn(word, " ");
		if (at > column && at + 1 + (int)length > LINE_WIDTH) {
			text_append(out, "\n%*s", column, "");
			at = column;
		} else if (at > column) {
			text_append(out, " ");
			at++;
		}
		cli_append_clean(out, word, length);
		at += (int)length;
		word += length;
		word += strspn(word, " ");
	}
	text_append(out, "\n");
}
