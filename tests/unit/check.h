/* Checks for unit tests: each prints both values, counts, and goes on. `return check_result();` ends main. */
#ifndef ASSAY_TESTS_CHECK_H
#define ASSAY_TESTS_CHECK_H

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHECK_SKIP = 77 }; /* exit code ctest reads as "skipped" */

static int check_failures, check_count;

#define CHECK(condition)                                                                              \
	do {                                                                                          \
		check_count++;                                                                        \
		if (!(condition)) {                                                                   \
			check_failures++;                                                             \
			fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);       \
		}                                                                                     \
	} while (0)

#define CHECK_INT(actual, expected)                                                                   \
	do {                                                                                          \
		const long long check_a = (long long)(actual), check_e = (long long)(expected);       \
		check_count++;                                                                        \
		if (check_a != check_e) {                                                             \
			check_failures++;                                                             \
			fprintf(stderr, "%s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__,     \
				#actual, check_a, check_e);                                           \
		}                                                                                     \
	} while (0)

#define CHECK_TEXT(actual, expected)                                                                  \
	do {                                                                                          \
		const char *check_a = (actual), *check_e = (expected);                                \
		check_count++;                                                                        \
		if (!check_a || strcmp(check_a, check_e) != 0) {                                      \
			check_failures++;                                                             \
			fprintf(stderr, "%s:%d: %s is '%s', expected '%s'\n", __FILE__, __LINE__,     \
				#actual, check_a ? check_a : "(null)", check_e);                      \
		}                                                                                     \
	} while (0)

/* |actual - expected| <= tolerance; a NaN fails. */
#define CHECK_NEAR(actual, expected, tolerance)                                                       \
	do {                                                                                          \
		const double check_a = (actual), check_e = (expected), check_t = (tolerance);         \
		check_count++;                                                                        \
		if (!(fabs(check_a - check_e) <= check_t)) {                                          \
			check_failures++;                                                             \
			fprintf(stderr, "%s:%d: %s is %.17g, expected %.17g within %g\n", __FILE__,   \
				__LINE__, #actual, check_a, check_e, check_t);                        \
		}                                                                                     \
	} while (0)

#define CHECK_CONTAINS(haystack, needle)                                                              \
	do {                                                                                          \
		const char *check_h = (haystack), *check_n = (needle);                                \
		check_count++;                                                                        \
		if (!check_h || !strstr(check_h, check_n)) {                                          \
			check_failures++;                                                             \
			fprintf(stderr, "%s:%d: '%s' does not contain '%s'\n", __FILE__, __LINE__,    \
				check_h ? check_h : "(null)", check_n);                               \
		}                                                                                     \
	} while (0)

static inline int check_result(void)
{
	if (check_count == 0) {
		fprintf(stderr, "no check was made\n");
		return 1;
	}
	printf("%d checks, %d failed\n", check_count, check_failures);
	return check_failures ? 1 : 0;
}

static inline int check_skip(const char *reason)
{
	printf("SKIPPED: %s\n", reason);
	return CHECK_SKIP;
}

#endif
