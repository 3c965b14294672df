#include "reference/rope.h"

struct rope_pair rope_pair(enum rope_kind kind, const struct rope_shape *shape, int64_t number)
{
	const int64_t half = shape->d / 2;
	const int64_t i = number % half;
	const int64_t t = number / half % shape->t;
	const int64_t h = number / half / shape->t % shape->h;
	const int64_t b = number / half / shape->t / shape->h;
	const int64_t token = kind == ROPE_THD ? (b * shape->t + t) * shape->h + h : (b * shape->h + h) * shape->t + t;
	const int64_t start = token * shape->d;
	return (struct rope_pair){
		.first = kind == ROPE_INTERLEAVED ? start + 2 * i : start + i,
		.second = kind == ROPE_INTERLEAVED ? start + 2 * i + 1 : start + i + half,
		.angle = ((shape->by_batch ? b * shape->t : 0) + t) * half + i,
	};
}
