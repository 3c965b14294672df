/* Values of the operators' inputs. */
#include "kernels/operator.h"

#include "dataset/generate.h"

#include <math.h>
#include <string.h>

const char *const operator_values[] = {"bits", "all", "binades", "special", "moderate", "positive", "wide", NULL};

/* Streams of generate_below beside those of the elements themselves, so that choices and values do not depend on each other. */
enum { STREAM_CHOICE = 0x40000000 };

static uint64_t random_word(uint64_t seed, uint32_t stream, uint64_t index)
{
	const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), stream, 3};
	const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
	uint32_t words[4];
	philox4x32(counter, key, words);
	return (uint64_t)words[1] << 32 | words[0];
}

struct format {
	int bits, mantissa, exponent_bits; /* mantissa 0: an integer */
};

static struct format format_of(enum dtype dtype)
{
	switch (dtype) {
	case DTYPE_F16:
		return (struct format){16, 10, 5};
	case DTYPE_BF16:
		return (struct format){16, 7, 8};
	case DTYPE_F32:
		return (struct format){32, 23, 8};
	case DTYPE_F64:
		return (struct format){64, 52, 11};
	case DTYPE_F8_E4M3:
		return (struct format){8, 3, 4};
	default:
		return (struct format){(int)dtype_size(dtype) * 8, 0, 0};
	}
}

static uint64_t mask(int bits)
{
	return bits >= 64 ? ~0ull : (1ull << bits) - 1;
}

static uint64_t compose(const struct format *format, int negative, uint64_t exponent, uint64_t mantissa)
{
	return (uint64_t)(negative != 0) << (format->bits - 1) | exponent << format->mantissa | (mantissa & mask(format->mantissa));
}

/* Every exponent, both signs, five mantissas each: 10 * 2^exponent_bits patterns, infinities and NaNs among them; after
 * those the mantissas are random. Integers: every bit length. */
static uint64_t binade(const struct format *format, uint64_t index, uint64_t random)
{
	if (!format->mantissa) {
		const int length = (int)(index % (uint64_t)(format->bits + 1));
		const uint64_t value = length ? (random & mask(length)) | 1ull << (length - 1) : 0;
		return random >> 63 && length < format->bits ? (0 - value) & mask(format->bits) : value;
	}
	const uint64_t exponents = 1ull << format->exponent_bits, all = mask(format->mantissa);
	const uint64_t mantissas[5] = {0, 1, 1ull << (format->mantissa - 1), all, random & all};
	const uint64_t which = index / (2 * exponents);
	return compose(format, (int)(index & 1), index / 2 % exponents, mantissas[which < 5 ? which : 4]);
}

enum { SPECIALS = 64 };

static int specials(enum dtype dtype, const struct format *format, uint64_t *out)
{
	int count = 0;
	if (!format->mantissa) {
		const uint64_t top = 1ull << (format->bits - 1), all = mask(format->bits);
		const uint64_t values[] = {0, 1, 2, 3, all, all - 1, top, top - 1, top + 1, 127, 128, 129, 255, 256, 257, 0x55, 0xaa};
		for (size_t i = 0; i < sizeof values / sizeof *values; i++)
			out[count++] = values[i] & all;
		for (int bit = 3; bit < format->bits && count + 2 < SPECIALS; bit += 4) {
			out[count++] = 1ull << bit;
			out[count++] = (0 - (1ull << bit)) & all;
		}
		return count;
	}
	const uint64_t top = mask(format->exponent_bits), one = top >> 1, all = mask(format->mantissa);
	for (int negative = 0; negative < 2; negative++) {
		const uint64_t values[] = {
			compose(format, negative, 0, 0), compose(format, negative, 0, 1), compose(format, negative, 0, all),
			compose(format, negative, 1, 0), compose(format, negative, 1, 1),
			/* the largest number, and what is beyond: f8_e4m3 has numbers in the last exponent and one NaN */
			dtype == DTYPE_F8_E4M3 ? compose(format, negative, top, all - 1) : compose(format, negative, top - 1, all),
			dtype == DTYPE_F8_E4M3 ? compose(format, negative, top, all) : compose(format, negative, top, 0),
			compose(format, negative, one, 0), compose(format, negative, one, 1), compose(format, negative, one - 1, all),
			compose(format, negative, one - 1, 0), compose(format, negative, one - 1, 1), compose(format, negative, one - 2, all),
			compose(format, negative, one, 1ull << (format->mantissa - 1)), /* 1.5 */
			compose(format, negative, one + 1, 0), compose(format, negative, one + 1, 1ull << (format->mantissa - 2)), /* 2, 2.5 */
			compose(format, negative, one + 2, 0), compose(format, negative, one + 3, 0), compose(format, negative, one - 3, 0),
			/* quiet NaN, and one with other bits */
			compose(format, negative, top, 1ull << (format->mantissa - 1)),
			compose(format, negative, top, all),
			/* no fraction from here on */
			compose(format, negative, one + (uint64_t)format->mantissa < top ? one + (uint64_t)format->mantissa : top - 1, 1),
			compose(format, negative, one + (uint64_t)format->mantissa - 1 < top ? one + (uint64_t)format->mantissa - 1 : top - 1, 1),
		};
		for (size_t i = 0; i < sizeof values / sizeof *values; i++)
			out[count++] = values[i];
	}
	return count;
}

/* Magnitude 2^[low, high), uniform in exponent and mantissa. */
static uint64_t in_range(enum dtype dtype, const struct format *format, int low, int high, int positive, uint64_t random)
{
	if (!format->mantissa)
		return 1 + (random & 0xffffffff) * 100 / 0x100000000ull;
	const int bias = (int)(mask(format->exponent_bits) >> 1);
	const int least = 1 - bias, most = (int)mask(format->exponent_bits) - bias - (dtype == DTYPE_F8_E4M3 ? 0 : 1);
	low = low < least ? least : low;
	high = high > most ? most : high; /* below 2^most: never beyond the finite numbers */
	const uint64_t exponent = (uint64_t)(low + bias) + (random >> 56) * (uint64_t)(high - low) / 256;
	return compose(format, !positive && (random >> 55 & 1), exponent, random);
}

static uint64_t element(const char *values, enum dtype dtype, const struct format *format, const uint64_t *special, int count,
			uint64_t index, uint64_t seed, uint32_t stream)
{
	const uint64_t random = random_word(seed, stream, index);
	if (strcmp(values, "all") == 0)
		return index & mask(format->bits);
	if (strcmp(values, "bits") == 0)
		return random & mask(format->bits);
	if (strcmp(values, "binades") == 0)
		return binade(format, index, random);
	if (strcmp(values, "moderate") == 0)
		return in_range(dtype, format, -6, 6, 0, random);
	if (strcmp(values, "positive") == 0)
		return in_range(dtype, format, -6, 6, 1, random);
	if (strcmp(values, "wide") == 0)
		return format->mantissa ? in_range(dtype, format, -100000, 100000, 0, random) : binade(format, random >> 8, random);
	/* special: the list once, then one in four from it */
	if (index < (uint64_t)count)
		return special[index];
	if (random >> 62 == 0)
		return special[generate_below((uint64_t)count, seed, stream | STREAM_CHOICE, index)];
	return in_range(dtype, format, -6, 6, 0, random);
}

int operator_fill(struct tensor *tensor, const char *values, double scale, uint64_t seed, uint32_t stream, struct error *err)
{
	int ours = 0;
	for (int i = 0; operator_values[i]; i++)
		ours |= strcmp(values, operator_values[i]) == 0;
	if (!ours)
		return generate_tensor(tensor, values, scale, seed, stream, err);
	const struct format format = format_of(tensor->dtype);
	uint64_t special[SPECIALS];
	if (strcmp(values, "all") == 0 && format.bits > 16)
		return error_set(err, ERROR_INPUT, "values 'all' are for types of 8 and 16 bits, not for %s", dtype_name(tensor->dtype));
	if (!tensor->data && tensor_allocate(tensor, err))
		return -1;
	const int count = specials(tensor->dtype, &format, special);
	for (int64_t i = 0; i < tensor->extent; i++) {
		const uint64_t bits = element(values, tensor->dtype, &format, special, count, (uint64_t)i, seed, stream);
		memcpy((char *)tensor->data + (size_t)i * (size_t)format.bits / 8, &bits, (size_t)format.bits / 8);
	}
	snprintf(tensor->generator, sizeof tensor->generator, "%s", values);
	return 0;
}
