#include "artifact/demangle.h"

#include <stdlib.h>
#include <string.h>

/* Of the C++ runtime, declared here because <cxxabi.h> is a C++ header. Itanium C++ ABI, section 3.4. */
char *__cxa_demangle(const char *mangled, char *buffer, size_t *length, int *status);

/* A name of a few hundred bytes can stand for one of gigabytes, since a back reference (S_, T0_ ...) may repeat all that
 * went before it, and __cxa_demangle has no limit. With at most 40 of them the result stays below a few megabytes. */
static int is_tame(const char *name)
{
	enum { LONGEST = 8192, REFERENCES = 40 };
	int references = 0;
	const char *at = name;
	for (; *at && at - name < LONGEST; at++) {
		if (*at != 'S' && *at != 'T')
			continue;
		const char *end = at + 1;
		while ((*end >= '0' && *end <= '9') || (*end >= 'A' && *end <= 'Z'))
			end++;
		references += *end == '_';
		at = end - 1;
	}
	return *at == '\0' && references <= REFERENCES;
}

char *demangle(const char *name)
{
	int status = -1;
	char *plain = NULL;
	if (strncmp(name, "_Z", 2) == 0 && is_tame(name))
		plain = __cxa_demangle(name, NULL, NULL, &status);
	return plain ? plain : strdup(name);
}
