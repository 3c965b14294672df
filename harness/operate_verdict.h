/* The verdict of an operator's case, once its checks are made. */
#ifndef ASSAY_HARNESS_OPERATE_VERDICT_H
#define ASSAY_HARNESS_OPERATE_VERDICT_H

#include "dataset/case.h"
#include "judge/expect.h"

/* judgement_decide, and: a case that passes without one element of its outputs having been judged is no pass. Where that is since
 * a build with fast math may give anything (EXPECT_FAST_ANY) it is `skipped`, with a reason that says which checks held; where the
 * family asks nothing of any element whatever the build, it is `mistrusted`: no fault could have shown. Cases whose outputs have no
 * element pass by their memory checks. expected: of each tensor of the case, NULL where there is none. */
void operate_decide(struct judgement *judgement, const struct test_case *test, struct expectation *const *expected, enum math math,
		    const struct judge_policy *policy);

#endif
