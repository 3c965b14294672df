#include "xml_text.h"

#include "cli.h"

#include <string.h>

void xml_append_text(struct text *out, const char *text)
{
	struct text clean = {0};
	if (!text)
		return;
	cli_append_clean(&clean, text, strlen(text));
	for (const char *at = clean.data; at && *at; at++) {
		if (strncmp(at, "\xef\xbf\xbe", 3) == 0 || strncmp(at, "\xef\xbf\xbf", 3) == 0) {
			text_append_bytes(out, "?", 1);
			at += 2;
			continue;
		}
		switch (*at) {
		case '&':
			text_append_bytes(out, "&amp;", 5);
			break;
		case '<':
			text_append_bytes(out, "&lt;", 4);
			break;
		case '>':
			text_append_bytes(out, "&gt;", 4);
			break;
		case '"':
			text_append_bytes(out, "&quot;", 6);
			break;
		case '\'':
			text_append_bytes(out, "&#39;", 5);
			break;
		default:
			text_append_bytes(out, at, 1);
		}
	}
	out->failed |= clean.failed;
	text_free(&clean);
}
