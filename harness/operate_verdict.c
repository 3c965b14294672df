#include "operate_verdict.h"

#include <inttypes.h>

struct asked {
	int64_t elements, open, open_when_fast; /* of outputs with expectations; nothing is asked of the latter two */
};

static struct asked what_is_asked(const struct test_case *test, struct expectation *const *expected)
{
	struct asked asked = {0};
	for (int i = 0; i < test->tensor_count; i++) {
		const int64_t elements = expected[i] ? tensor_elements(&test->tensors[i]) : 0;
		asked.elements += elements;
		for (int64_t at = 0; at < elements; at++) {
			asked.open += (expected[i][at].flags & EXPECT_ANY) != 0;
			asked.open_when_fast += (expected[i][at].flags & (EXPECT_ANY | EXPECT_FAST_ANY)) == EXPECT_FAST_ANY;
		}
	}
	return asked;
}

static int is_judged(const struct judgement *judgement)
{
	static const enum check of_values[] = {CHECK_NUMBERS, CHECK_EXACT, CHECK_FINITE};
	for (size_t i = 0; i < sizeof of_values / sizeof of_values[0]; i++)
		if (judgement->checks[of_values[i]].state != CHECK_NOT_MADE)
			return 1;
	return 0;
}

void operate_decide(struct judgement *judgement, const struct test_case *test, struct expectation *const *expected,
		    enum math math, const struct judge_policy *policy)
{
	const struct asked asked = is_judged(judgement) ? (struct asked){0} : what_is_asked(test, expected);
	const int by_math = math == MATH_FAST && asked.open_when_fast > 0;
	if (asked.elements > 0 && !by_math && asked.open == asked.elements)
		judgement_mistrust(judgement, "nothing is asked of any of the %" PRId64 " elements of its outputs",
				   asked.elements);
	judgement_decide(judgement, policy);
	if (judgement->status == STATUS_PASS && by_math && asked.open + asked.open_when_fast == asked.elements)
		judgement_conclude(judgement, STATUS_SKIPPED,
				   "no value is judged: a build with fast math may give anything for all of its %" PRId64
				   " elements (memory, repeats and launches were checked, and held)",
				   asked.elements);
}
