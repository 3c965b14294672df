/* cuDNN's attention against the float64 reference, in the shapes that models have: it has to compute the same before it may be
 * a baseline. Needs a GPU and cuDNN 9. */
#include "check.h"
#include "reference/attention_cudnn.h"

#include <math.h>
#include <stdlib.h>

struct shape {
	enum dtype dtype;
	int64_t batch, heads_q, heads_k, head_dim, seqlen_q, seqlen_k;
	int causal;
	int may_refuse; /* whether cuDNN does it depends on its release */
};

struct context {
	struct device *device;
	struct attention_reference *reference;
	struct cudnn *cudnn;
};

static device_pointer random_operand(const struct context *context, int64_t elements, enum dtype dtype, uint64_t seed)
{
	device_pointer memory = 0;
	uint16_t *numbers = malloc((size_t)elements * 2);
	for (int64_t i = 0; numbers && i < elements; i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		dtype_store(dtype, numbers, (size_t)i, (double)(seed >> 11) * 0x1p-52 - 1);
	}
	CHECK(numbers && device_alloc(context->device, (size_t)elements * 2, &memory, NULL) == 0 &&
	      context->device->ops->copy_in(context->device, memory, numbers, (size_t)elements * 2, NULL, NULL) == 0);
	free(numbers);
	return memory;
}

static struct attention_operand operand(device_pointer base, int64_t rows, int64_t heads, int64_t d)
{
	return (struct attention_operand){base, rows * heads * d, heads * d, d};
}

/* Relative L2 of cuDNN's output [b, s, h, d] from the reference's [b, h, s, d]. */
static double distance(const struct shape *s, const uint16_t *got, const double *expected)
{
	double difference = 0, norm = 0;
	for (int64_t b = 0; b < s->batch; b++)
		for (int64_t h = 0; h < s->heads_q; h++)
			for (int64_t i = 0; i < s->seqlen_q; i++)
				for (int64_t k = 0; k < s->head_dim; k++) {
					const double e = expected[((b * s->heads_q + h) * s->seqlen_q + i) * s->head_dim + k];
					const double g = dtype_load(s->dtype, got, (size_t)(((b * s->seqlen_q + i) * s->heads_q + h) * s->head_dim + k));
					difference += (g - e) * (g - e);
					norm += e * e;
				}
	return sqrt(difference / norm);
}

static void agrees(const struct context *context, const struct shape *s)
{
	struct error err = {0};
	struct attention_cudnn *attention = NULL;
	struct attention_result result = {0};
	struct attention_problem p = {
		.dtype = s->dtype, .batch = s->batch, .heads_q = s->heads_q, .heads_k = s->heads_k, .head_dim = s->head_dim,
		.seqlen_q = s->seqlen_q, .seqlen_k = s->seqlen_k, .window_left = -1, .window_right = s->causal ? 0 : -1,
		.scale = (double)(float)(1 / sqrt((double)s->head_dim)),
	};
	const int64_t q = s->batch * s->seqlen_q * s->heads_q * s->head_dim, k = s->batch * s->seqlen_k * s->heads_k * s->head_dim;
	p.q = operand(random_operand(context, q, s->dtype, 1), s->seqlen_q, s->heads_q, s->head_dim);
	p.k = operand(random_operand(context, k, s->dtype, 2), s->seqlen_k, s->heads_k, s->head_dim);
	p.v = operand(random_operand(context, k, s->dtype, 3), s->seqlen_k, s->heads_k, s->head_dim);
	const struct attention_options options = {.precision = DTYPE_F64, .workspace_limit = (size_t)1 << 30};
	const struct attention_operand o = operand(0, s->seqlen_q, s->heads_q, s->head_dim);
	uint16_t *got = malloc((size_t)q * 2);
	double *expected = malloc((size_t)q * sizeof *expected);
	printf("%s b%lld h%lld/%lld d%lld s%lld/%lld %s: ", dtype_name(s->dtype), (long long)s->batch, (long long)s->heads_q,
	       (long long)s->heads_k, (long long)s->head_dim, (long long)s->seqlen_q, (long long)s->seqlen_k,
	       s->causal ? "causal" : "full");
	if (attention_cudnn_prepare(context->cudnn, &p, &o, (size_t)q * 2, &attention, &err)) {
		printf("%s\n", err.message);
		CHECK_INT(err.kind, ERROR_UNSUPPORTED);
		CHECK(s->may_refuse);
	} else {
		CHECK_INT(attention_cudnn_enqueue(attention, NULL, &err), 0);
		CHECK_INT(device_synchronize(context->device, &err), 0);
		CHECK_INT(attention_reference_run(context->reference, &p, &options, &result, &err), 0);
		CHECK_INT(context->device->ops->copy_out(context->device, got, attention_cudnn_output(attention), (size_t)q * 2, NULL, &err),
			  0);
		CHECK_INT(context->device->ops->copy_out(context->device, expected, result.o, (size_t)q * sizeof *expected, NULL, &err), 0);
		const double away = distance(s, got, expected);
		printf("%.2g away; %s\n", away, attention_cudnn_note(attention));
		/* measured for kernels that are right: 2.7e-4 in f16, eight times that in bf16 */
		CHECK(away <= (s->dtype == DTYPE_F16 ? 2e-3 : 1.6e-2));
		if (err.message[0])
			fprintf(stderr, "%s\n", err.message);
	}
	attention_cudnn_free(attention);
	attention_result_free(context->reference, &result);
	device_free(context->device, p.q.base);
	device_free(context->device, p.k.base);
	device_free(context->device, p.v.base);
	free(got);
	free(expected);
}

int main(int argc, char **argv)
{
	struct context context = {0};
	struct error err = {0};
	static const struct shape shapes[] = {
		{DTYPE_F16, 1, 2, 2, 64, 512, 512, 0, 0},	{DTYPE_F16, 1, 2, 2, 64, 512, 512, 1, 0},
		{DTYPE_BF16, 2, 4, 4, 128, 384, 384, 0, 0},	{DTYPE_BF16, 2, 4, 4, 128, 384, 384, 1, 0},
		{DTYPE_F16, 2, 8, 2, 128, 256, 256, 1, 0},	{DTYPE_F16, 1, 2, 2, 256, 256, 256, 1, 1},
		{DTYPE_F16, 1, 2, 2, 96, 200, 200, 0, 1},	{DTYPE_F16, 1, 4, 1, 128, 128, 512, 1, 1},
		{DTYPE_F16, 1, 4, 4, 64, 113, 203, 0, 1},	{DTYPE_F16, 2, 8, 2, 128, 1, 1024, 0, 1},
		{DTYPE_F16, 1, 2, 2, 160, 256, 256, 0, 1},	{DTYPE_F16, 1, 2, 2, 32, 256, 256, 0, 1},
	};
	if (device_open(&context.device, "cuda:0", NULL, &err)) {
		fprintf(stderr, "skipped: %s\n", err.message);
		return 77;
	}
	if (cudnn_open(&context.cudnn, context.device, argc > 1 ? argv[1] : NULL, &err)) {
		fprintf(stderr, "skipped: %s\n", err.message);
		device_close(context.device);
		return 77;
	}
	CHECK_INT(attention_reference_open(&context.reference, context.device, &err), 0);
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
		agrees(&context, &shapes[i]);
	attention_reference_close(context.reference);
	cudnn_close(context.cudnn);
	device_close(context.device);
	return check_result();
}
