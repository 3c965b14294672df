#include "judge/verdict.h"

#include "core/util.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const status_names[STATUS_COUNT] = {
	[STATUS_PASS] = "pass",
	[STATUS_FAIL] = "fail",
	[STATUS_MISTRUSTED] = "mistrusted",
	[STATUS_UNSUPPORTED] = "unsupported",
	[STATUS_SKIPPED] = "skipped",
	[STATUS_CRASHED] = "crashed",
	[STATUS_TIMEOUT] = "timeout",
	[STATUS_ERROR] = "error",
};

static const char *const check_names[CHECK_NAMES_COUNT] = {
	[CHECK_NUMBERS] = "numbers",
	[CHECK_LSE] = "lse",
	[CHECK_FINITE] = "finite",
	[CHECK_ROW_CLASS] = "row-class",
	[CHECK_EXACT] = "exact",
	[CHECK_UNWRITTEN] = "unwritten",
	[CHECK_PREVIOUS] = "previous",
	[CHECK_CANARY] = "canary",
	[CHECK_GAP] = "gap",
	[CHECK_INPUT] = "input",
	[CHECK_REPEAT] = "repeat",
	[CHECK_LAUNCH] = "launch",
	[CHECK_NO_LAUNCH] = "no-launch",
	[CHECK_STREAM] = "stream",
	[CHECK_GUARD] = "guard",
	[CHECK_SANITIZER] = "sanitizer",
	[CHECK_ACCESS] = "access",
	[CHECK_UNDEFINED] = "undefined",
	[CHECK_RACE] = "race",
	[CHECK_BARRIER] = "barrier",
};

static const char *const state_names[] = {
	[CHECK_NOT_MADE] = "not made",
	[CHECK_HELD] = "held",
	[CHECK_BROKEN] = "broken",
	[CHECK_DISABLED] = "disabled",
};

/* Which broken check is told first: causes before what follows from them. */
static const enum check telling_order[CHECK_NAMES_COUNT] = {
	CHECK_LAUNCH, CHECK_NO_LAUNCH, CHECK_ACCESS,    CHECK_RACE,     CHECK_BARRIER, CHECK_UNDEFINED, CHECK_GUARD,
	CHECK_SANITIZER, CHECK_STREAM, CHECK_CANARY,    CHECK_GAP,      CHECK_INPUT,   CHECK_UNWRITTEN, CHECK_PREVIOUS,
	CHECK_REPEAT, CHECK_FINITE,    CHECK_ROW_CLASS, CHECK_NUMBERS,  CHECK_EXACT,   CHECK_LSE,
};

const char *status_name(enum status status)
{
	return (unsigned)status < STATUS_COUNT ? status_names[status] : "?";
}

enum status status_from_name(const char *name)
{
	for (int status = 0; status < STATUS_COUNT; status++)
		if (strcmp(status_names[status], name) == 0)
			return (enum status)status;
	return STATUS_COUNT;
}

const char *check_name(enum check check)
{
	return (unsigned)check < CHECK_NAMES_COUNT ? check_names[check] : "?";
}

enum check check_from_name(const char *name)
{
	for (int check = 0; check < CHECK_NAMES_COUNT; check++)
		if (strcmp(check_names[check], name) == 0)
			return (enum check)check;
	return CHECK_NAMES_COUNT;
}

const char *check_state_name(enum check_state state)
{
	return (unsigned)state < ARRAY_COUNT(state_names) ? state_names[state] : "?";
}

void judgement_hold(struct judgement *judgement, enum check check)
{
	struct check_result *result = &judgement->checks[check];
	if (result->state == CHECK_NOT_MADE)
		result->state = CHECK_HELD;
}

void judgement_break(struct judgement *judgement, enum check check, const char *format, ...)
{
	struct check_result *result = &judgement->checks[check];
	if (result->state == CHECK_BROKEN)
		return;
	result->state = CHECK_BROKEN;
	va_list args;
	va_start(args, format);
	vsnprintf(result->reason, sizeof result->reason, format, args);
	va_end(args);
}

void judgement_mistrust(struct judgement *judgement, const char *format, ...)
{
	if (judgement->mistrust[0])
		return;
	va_list args;
	va_start(args, format);
	vsnprintf(judgement->mistrust, sizeof judgement->mistrust, format, args);
	va_end(args);
}

/* Appends to a text of fixed size; what does not fit is lost. */
static void append(char *text, size_t size, const char *more)
{
	const size_t used = strlen(text);
	if (used + 1 < size)
		snprintf(text + used, size - used, "%s", more);
}

static void tell_failure(struct judgement *judgement)
{
	int told = 0;
	for (int i = 0; i < CHECK_NAMES_COUNT; i++) {
		const enum check check = telling_order[i];
		const struct check_result *result = &judgement->checks[check];
		if (result->state != CHECK_BROKEN)
			continue;
		if (told == 0) {
			snprintf(judgement->reason, sizeof judgement->reason, "%s: %s", check_name(check), result->reason);
		} else {
			append(judgement->reason, sizeof judgement->reason, told == 1 ? "; also broken: " : ", ");
			append(judgement->reason, sizeof judgement->reason, check_name(check));
		}
		told++;
	}
}

void judgement_decide(struct judgement *judgement, const struct judge_policy *policy)
{
	int held = 0, broken = 0;

	for (int check = 0; check < CHECK_NAMES_COUNT; check++) {
		struct check_result *result = &judgement->checks[check];
		if (policy && policy->disabled_checks >> check & 1u)
			result->state = CHECK_DISABLED;
		held += result->state == CHECK_HELD;
		broken += result->state == CHECK_BROKEN;
	}
	judgement->reason[0] = '\0';
	if (broken) {
		judgement->status = STATUS_FAIL;
		tell_failure(judgement);
	} else if (judgement->mistrust[0]) {
		judgement->status = STATUS_MISTRUSTED;
		snprintf(judgement->reason, sizeof judgement->reason, "%s", judgement->mistrust);
	} else if (!held) {
		judgement->status = STATUS_ERROR;
		snprintf(judgement->reason, sizeof judgement->reason, "no check was made, so nothing is known");
	} else {
		judgement->status = STATUS_PASS;
	}
}

int judgement_has_broken(const struct judgement *judgement)
{
	for (int i = 0; i < CHECK_NAMES_COUNT; i++)
		if (judgement->checks[i].state == CHECK_BROKEN)
			return 1;
	return 0;
}

void judgement_conclude(struct judgement *judgement, enum status status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(judgement->reason, sizeof judgement->reason, format, args);
	va_end(args);
	judgement->status = status;
}
