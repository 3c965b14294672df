/* launch_mmq_gguf_* and launch_mmq_quantize_q8_1_*: what blocks hold, and all shipped cases called on entry points written in C,
 * right and with faults. */
#include "host_entry.h"

#include "core/dtype.h"
#include "reference/gguf_mmq.h"

extern const struct family mmq_family;

enum fault {
	RIGHT,
	/* products */
	LAST_ROW,           /* of a tile that is not whole */
	COLUMNS_REST,       /* beyond the first 128 */
	PART_LOST,          /* the second kernel is not launched: what a part left in tmp_fixup is not added */
	PART_TWICE,
	PART_OF_OTHER,      /* a part is added to the tile before */
	K_REST,             /* what is beyond whole runs of 256 */
	BLOCK_ORDER,        /* blocks of a vector are taken to follow each other */
	SCALE_OF_FIRST,     /* the first scale of a block for all of it */
	SUM_OF_NEXT,
	SUMS_BEYOND,        /* D2S6: the mins of the last 32 of a block are left out */
	MIN_SIGN,
	HALF_SUMS,
	TAIL_READ,          /* a column takes something from the blocks behind the last one */
	/* quantising */
	TOWARDS_ZERO,
	TIES_TO_EVEN,
	QUANT_OF_HALF_SCALE,/* quotients by the scale that is stored */
	STRIDE_IGNORED,
	SUM_OF_QUANTS,
	PADDING_LEFT,       /* what is beyond k is not written */
	SIGNED_MAXIMUM,
	SHARES_32,          /* D2S6: a scale is that of the first 32 of its 64 */
	FAULT_COUNT
};
static int planted;
static enum gguf_format format;
static enum gguf_mmq_layout layout;

static double half(const unsigned char *bytes)
{
	return f16_to_f64((uint16_t)(bytes[0] | bytes[1] << 8));
}

static double rounded(double x)
{
	return f16_to_f64(f16_from_f64(x));
}

/* Sixteen elements from `first` on of a row and a vector; y: the vector's block. */
static double run_of(const struct gguf_block *block, const unsigned char *y, int first)
{
	const int at = first % gguf_layouts[format].elements, within = first % 128;
	const int group = planted == SCALE_OF_FIRST ? 0 : layout == GGUF_MMQ_D2S6 ? within / 64 : within / 32;
	const int is_k = gguf_layouts[format].elements == 256 && format != GGUF_Q3_K && format != GGUF_Q6_K;
	const double min = block->offset[at] ? block->m * block->offset[at] : 0;
	double scale = block->d * block->scale[at], sum = 0, quants = 0, d8;
	float single;
	memcpy(&single, y + 4 * group, 4);
	d8 = layout == GGUF_MMQ_D4 ? (double)single : half(y + (layout == GGUF_MMQ_DS4 ? 4 : 2) * group);
	for (int i = 0; i < 16; i++) {
		const int weight = block->scale[at] ? block->weight[at + i] / block->scale[at] : 0;
		sum += weight * (signed char)y[16 + within + i];
		quants += (signed char)y[16 + within + i];
	}
	if (is_k)
		scale = rounded(scale);
	double offset = quants * d8;
	const int next = planted == SUM_OF_NEXT;
	if (layout == GGUF_MMQ_DS4 && min != 0)
		offset = within % 32 ? 0 : half(y + 4 * ((within / 32 + next) % 4) + 2);
	else if (layout == GGUF_MMQ_D2S6 && within < 96)
		offset = half(y + 4 + 2 * ((within / 16 + next) % 6));
	else if (layout == GGUF_MMQ_D2S6 && planted == SUMS_BEYOND)
		offset = 0;
	return scale * d8 * sum + (planted == MIN_SIGN ? -1 : 1) * (is_k ? rounded(min) : min) * offset;
}

static void product(void *tmp_fixup, const void *x, const void *y, void *dst, int64_t k, int64_t rows, int64_t columns,
		    int64_t stride_x, int64_t stride_dst, int cc, int sms, int64_t shared, int warp, void *stream)
{
	const struct gguf_layout *of = &gguf_layouts[format];
	const int64_t runs = k / 16, middle = sms > 1 ? runs * (sms % 5) / 5 / 16 * 16 : 0; /* where a second part begins */
	const int64_t stride_y = planted == BLOCK_ORDER ? 1 : columns;
	struct gguf_block *blocks = malloc(sizeof *blocks * (size_t)(k / of->elements));
	float *out = dst;
	(void)tmp_fixup, (void)stream;
	CHECK(cc >= 750 && shared > 48 << 10 && warp == 32);
	for (int64_t row = 0; row < rows - (planted == LAST_ROW && rows % 128 != 0); row++) {
		for (int64_t b = 0; b < k / of->elements; b++)
			gguf_decode(format, (const unsigned char *)x + (row * stride_x + b) * of->bytes, &blocks[b]);
		for (int64_t column = 0; column < (planted == COLUMNS_REST && columns > 128 ? 128 : columns); column++) {
			double first = 0, second = 0;
			for (int64_t run = 0; run < (planted == K_REST ? runs / 16 * 16 : runs); run++) {
				const int64_t chunk = run / 8, at = planted == BLOCK_ORDER ? column * (k + 511) / 512 * 4 + chunk
											   : chunk * stride_y + column;
				const double term = run_of(&blocks[run * 16 / of->elements], (const unsigned char *)y + at * 144, (int)(run * 16));
				double *part = run < middle ? &second : &first;
				*part = planted == HALF_SUMS ? rounded(*part + term) : (double)(float)(*part + term);
			}
			if (planted == TAIL_READ && column == columns - 1)
				first += 0 * half((const unsigned char *)y + (k + 511) / 512 * 4 * columns * 144);
			out[column * stride_dst + row] = (float)(first + (planted == PART_LOST ? 0 : planted == PART_TWICE ? 2 * second : second));
			if (planted == PART_OF_OTHER && row >= 128) {
				out[column * stride_dst + row] = (float)first;
				out[column * stride_dst + row - 128] += (float)second;
			}
		}
	}
	free(blocks);
}

static void put_half(unsigned char *bytes, double value)
{
	const uint16_t bits = f16_from_f64(value);
	bytes[0] = (unsigned char)bits;
	bytes[1] = (unsigned char)(bits >> 8);
}

static float quant_of(float x, float inverse)
{
	return planted == TOWARDS_ZERO ? truncf(x * inverse) : planted == TIES_TO_EVEN ? rintf(x * inverse) : roundf(x * inverse);
}

static void quantize_block(const float *values, unsigned char *y)
{
	const int of_scale = layout == GGUF_MMQ_D2S6 ? 64 : 32, of_sum = layout == GGUF_MMQ_D2S6 ? 16 : 32;
	for (int first = 0; first < 128; first += of_scale) {
		float largest = 0;
		for (int i = first; i < first + (planted == SHARES_32 ? 32 : of_scale); i++)
			largest = fmaxf(largest, planted == SIGNED_MAXIMUM ? values[i] : fabsf(values[i]));
		float inverse = 127.0f / largest;
		const float d = 1.0f / inverse;
		if (planted == QUANT_OF_HALF_SCALE)
			inverse = 1.0f / (float)rounded((double)d);
		for (int i = first; i < first + of_scale; i++) {
			const float quant = largest > 0 ? quant_of(values[i], inverse) : 0;
			y[16 + i] = (unsigned char)(signed char)fmaxf(-128, fminf(127, quant));
		}
		if (layout == GGUF_MMQ_D4)
			memcpy(y + first / 8, &d, 4);
		else
			put_half(y + first / of_scale * (layout == GGUF_MMQ_DS4 ? 4 : 2), (double)d);
	}
	for (int first = 0; layout != GGUF_MMQ_D4 && first < (layout == GGUF_MMQ_D2S6 ? 96 : 128); first += of_sum) {
		float sum = 0;
		for (int i = first; i < first + of_sum; i++)
			sum += planted == SUM_OF_QUANTS ? (float)(gguf_mmq_scale(layout, y, i / of_scale) * (signed char)y[16 + i]) : values[i];
		put_half(layout == GGUF_MMQ_DS4 ? y + first / 8 + 2 : y + 4 + first / 8, (double)sum);
	}
}

static void quantize(const void *x, const int32_t *ids, void *vy, int type, int64_t k, int64_t stride, int64_t stride2,
		     int64_t stride3, int64_t padded, int64_t rows, int64_t ne2, int64_t ne3, void *stream)
{
	(void)type, (void)stride2, (void)stride3, (void)stream;
	CHECK(!ids && ne2 == 1 && ne3 == 1);
	for (int64_t block = 0; block < padded / 128; block++) {
		if (planted == PADDING_LEFT && block * 128 >= k)
			break;
		for (int64_t row = 0; row < rows; row++) {
			float values[128];
			for (int64_t i = 0, at = block * 128; i < 128; i++, at++)
				values[i] = at < k ? ((const float *)x)[row * (planted == STRIDE_IGNORED ? k : stride) + at] : 0.0f;
			quantize_block(values, (unsigned char *)vy + (block * rows + row) * 144);
		}
	}
}

static int passes(const struct family *family, const struct test_case *test, double *margin)
{
	const int quantizes = strstr(case_get_text(test, "entry"), "quantize") != NULL;
	const char *name = case_get_text(test, "layout");
	const double size = strtod(case_get_text(test, "columns"), NULL) * strtod(case_get_text(test, "k"), NULL) *
			    strtod(case_get_text(test, "rows"), NULL);
	if (!quantizes && size > 4e5)
		return 1; /* a second of C each: such sizes are for kernels */
	format = gguf_format_from_name(case_get_text(test, "format"));
	layout = gguf_mmq_layout_of(format);
	for (int i = 0; quantizes && i < GGUF_MMQ_LAYOUT_COUNT; i++)
		if (strcmp(gguf_mmq_layouts[i], name) == 0)
			layout = (enum gguf_mmq_layout)i;
	return host_entry_passes(family, test, quantizes ? (void (*)(void))quantize : (void (*)(void))product, margin);
}

/* What gguf_mmq_quantize stores, by hand. */
static void known_blocks(void)
{
	float values[256];
	unsigned char bytes[4 * GGUF_MMQ_BYTES];
	for (int i = 0; i < 256; i++)
		values[i] = (float)(i % 128 == 5 ? -254 : i % 128 == 40 ? 127 : i % 128 < 48 ? 1 : 0) * (i < 128 ? 1 : 4);
	gguf_mmq_quantize(GGUF_MMQ_DS4, values, 2, 128, 256, bytes); /* two rows of 128, padded */
	CHECK_NEAR(gguf_mmq_scale(GGUF_MMQ_DS4, bytes, 0), 2, 0);
	CHECK_NEAR(gguf_mmq_scale(GGUF_MMQ_DS4, bytes, 1), 1, 0);
	CHECK_NEAR(gguf_mmq_scale(GGUF_MMQ_DS4, bytes + GGUF_MMQ_BYTES, 1), 4, 0);
	CHECK_NEAR(gguf_mmq_sum(GGUF_MMQ_DS4, bytes, 0), 31 - 254, 0);
	CHECK_NEAR(gguf_mmq_sum(GGUF_MMQ_DS4, bytes + GGUF_MMQ_BYTES, 1), 4 * (15 + 127), 0);
	CHECK_INT((signed char)bytes[GGUF_MMQ_QUANTS + 5], -127);
	CHECK_INT(bytes[GGUF_MMQ_QUANTS], 1); /* 1 / 2: away from zero */
	for (int i = 2 * GGUF_MMQ_BYTES; i < 4 * GGUF_MMQ_BYTES; i++)
		CHECK_INT(bytes[i], 0);
	gguf_mmq_quantize(GGUF_MMQ_D2S6, values, 1, 256, 256, bytes);
	CHECK_NEAR(gguf_mmq_scale(GGUF_MMQ_D2S6, bytes, 0), 2, 0);
	CHECK_NEAR(gguf_mmq_scale(GGUF_MMQ_D2S6, bytes, 1), 0, 0);
	CHECK_NEAR(gguf_mmq_sum(GGUF_MMQ_D2S6, bytes, 2), 15 + 127, 0);
	CHECK_NEAR(gguf_mmq_sum(GGUF_MMQ_D2S6, bytes, 5), 0, 0);
	gguf_mmq_quantize(GGUF_MMQ_D4, values, 1, 256, 256, bytes);
	CHECK_NEAR(gguf_mmq_scale(GGUF_MMQ_D4, bytes + GGUF_MMQ_BYTES, 0), 8, 0);
	CHECK_INT(bytes[GGUF_MMQ_BYTES + GGUF_MMQ_QUANTS + 40], 127);
}

static void contradictions(void)
{
	static const char *const axes[][2] = {{"k", "100"}, {"format", "q8_K"}, {"sms", "0"}, {"sms", "257"}, {"op", "multiply"},
					      {"layout", "D8"}, {"gap", "4"}, {"input", "ties"}, {"columns", "0"}};
	for (size_t i = 0; i < sizeof axes / sizeof axes[0]; i++) {
		struct test_case test;
		struct error err = {0};
		const struct assignment assignment = {.family = "mmq", .axis_count = 1, .axes = {axes[i][0]}, .values = {axes[i][1]}};
		CHECK(mmq_family.make_case(&assignment, 1, &test, &err) != 0);
		CHECK(err.message[0] != 0);
	}
}

int main(void)
{
	known_blocks();
	host_entry_cases(&mmq_family, MMQ_SPEC, &planted, FAULT_COUNT, 0, passes);
	contradictions();
	return check_result();
}
