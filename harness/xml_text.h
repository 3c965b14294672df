/* Text from outside in XML 1.0 and in HTML: in the content of elements and in quoted attributes. */
#ifndef ASSAY_HARNESS_XML_TEXT_H
#define ASSAY_HARNESS_XML_TEXT_H

#include "core/util.h"

/* Appends `text` (NULL: nothing) so that it cannot be read as anything but text: & < > " ' as references, control characters
 * and what is no UTF-8 as '?', and so U+FFFE and U+FFFF, which XML does not know (XML 1.0, 2.2 and 2.4). */
void xml_append_text(struct text *out, const char *text);

#endif
