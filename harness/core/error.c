#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
	if (!err)
		return -1;
	va_list args;
	va_start(args, format);
	vsnprintf(err->message, sizeof err->message, format, args);
	va_end(args);
	err->kind = kind;
	err->device_code = 0;
	return -1;
}

int error_out_of_memory(struct error *err)
{
	return error_set(err, ERROR_ENVIRONMENT, "out of memory");
}

int error_context(struct error *err, const char *format, ...)
{
	if (!err)
		return -1;
	char context[sizeof err->message];
	va_list args;
	va_start(args, format);
	vsnprintf(context, sizeof context, format, args);
	va_end(args);
	/* "context: cause" may not fit: the end of the cause is then lost, as with any message that is too long */
	const size_t used = strlen(context);
	const size_t cause = strlen(err->message) + 1;
	if (used + 2 >= sizeof context)
		return -1;
	const size_t room = sizeof context - used - 2;
	memmove(err->message + used + 2, err->message, cause < room ? cause : room);
	memcpy(err->message, context, used);
	memcpy(err->message + used, ": ", 2);
	err->message[sizeof err->message - 1] = '\0';
	return -1;
}

int error_exit_code(enum error_kind kind)
{
	switch (kind) {
	case ERROR_NONE:
		return 0;
	case ERROR_USAGE:
		return 2;
	default:
		return 3;
	}
}
