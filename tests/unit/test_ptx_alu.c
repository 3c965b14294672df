/* Integer, logic, comparison, move and integer conversion instructions against models written bit by bit or in 128 bits. */
#include "ptx_alu_run.h"

#define S8(x) ((int64_t)(int8_t)(x))
#define S16(x) ((int64_t)(int16_t)(x))
#define S32(x) ((int64_t)(int32_t)(x))
#define S64(x) ((int64_t)(x))
#define U16(x) ((uint64_t)(uint16_t)(x))
#define U32(x) ((uint64_t)(uint32_t)(x))
typedef __int128 wide;
typedef unsigned __int128 uwide;

static int64_t clamp(wide x, wide low, wide high) { return (int64_t)(x < low ? low : x > high ? high : x); }
static uint64_t least(int64_t a, int64_t b) { return (uint64_t)(a < b ? a : b); }
static uint64_t most(int64_t a, int64_t b) { return (uint64_t)(a > b ? a : b); }
static int64_t relu(uint64_t a) { return (int64_t)a > 0 ? (int64_t)a : 0; }
static int64_t s24(uint64_t a) { return a & 0x800000 ? (int64_t)(a & 0xffffff) - 0x1000000 : (int64_t)(a & 0xffffff); }

static uint64_t bits_set(uint64_t a) { uint64_t n = 0; for (; a; a >>= 1) n += a & 1; return n; }
static uint64_t top_bit(uint64_t a) { int at = 63; while (at >= 0 && !(a >> at & 1)) at--; return U32(at); }
static uint64_t reverse(uint64_t a, int bits) { uint64_t r = 0; for (int i = 0; i < bits; i++) r |= (a >> i & 1) << (bits - 1 - i); return r; }

/* The manual's description of bfe, bit by bit. */
static uint64_t extract(uint64_t a, unsigned position, unsigned length, int is_signed, unsigned msb)
{
	position &= 255, length &= 255;
	const unsigned end = position + length - 1 < msb ? position + length - 1 : msb;
	const uint64_t sign = !is_signed || length == 0 ? 0 : a >> end & 1;
	uint64_t d = 0;
	for (unsigned i = 0; i <= msb; i++)
		d |= (i < length && position + i <= msb ? a >> (position + i) & 1 : sign) << i;
	return d;
}

static uint64_t insert(uint64_t a, uint64_t b, unsigned position, unsigned length, unsigned msb)
{
	position &= 255, length &= 255;
	for (unsigned i = 0; i < length && position + i <= msb; i++) {
		b &= ~(1ull << (position + i));
		b |= (a >> i & 1) << (position + i);
	}
	return b;
}

static uint64_t mask_bits(unsigned position, unsigned length)
{
	uint64_t d = 0;
	for (unsigned i = position; i < position + length && i < 32; i++)
		d |= 1ull << i;
	return d;
}

static uint64_t extend(uint64_t a, unsigned bits, int is_signed)
{
	uint64_t d = 0;
	for (unsigned i = 0; i < 32; i++)
		d |= (i < bits ? a >> i & 1 : is_signed && bits ? a >> (bits - 1) & 1 : 0) << i;
	return d;
}

static uint64_t nth_set(uint64_t mask, uint64_t base, int64_t n)
{
	if (base > 31)
		return 0xffffffff;
	for (int64_t at = (int64_t)base; at >= 0 && at < 32; at += n < 0 ? -1 : 1) {
		if (!(mask >> at & 1)) {
			if (n == 0)
				break;
			continue;
		}
		if (n == 0 || n == 1 || n == -1)
			return (uint64_t)at;
		n += n < 0 ? 1 : -1;
	}
	return 0xffffffff;
}

static uint64_t byte_of(uint64_t a, uint64_t b, unsigned i) { return (i < 4 ? a >> 8 * i : b >> 8 * (i - 4)) & 0xff; }
static uint64_t permute(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t d = 0;
	for (int i = 0; i < 4; i++) {
		const unsigned selector = (unsigned)(c >> 4 * i) & 15;
		const uint64_t byte = byte_of(a, b, selector & 7);
		d |= (selector & 8 ? byte & 0x80 ? 0xff : 0 : byte) << 8 * i;
	}
	return d;
}
/* Rows of the manual's tables: four byte numbers, highest first. */
static uint64_t permute_row(uint64_t a, uint64_t b, const char *row)
{
	uint64_t d = 0;
	for (int i = 0; i < 4; i++)
		d |= byte_of(a, b, (unsigned)(row[3 - i] - '0')) << 8 * i;
	return d;
}

static uint64_t table3(uint64_t a, uint64_t b, uint64_t c, unsigned table)
{
	uint64_t d = 0;
	for (int i = 0; i < 32; i++)
		d |= (uint64_t)(table >> ((a >> i & 1) << 2 | (b >> i & 1) << 1 | (c >> i & 1)) & 1) << i;
	return d;
}

static uint64_t dot4(uint64_t a, uint64_t b, uint64_t c, int a_signed, int b_signed)
{
	int64_t sum = 0;
	for (int i = 0; i < 4; i++)
		sum += (a_signed ? S8(a >> 8 * i) : (int64_t)(a >> 8 * i & 0xff)) * (b_signed ? S8(b >> 8 * i) : (int64_t)(b >> 8 * i & 0xff));
	return U32(c + (uint64_t)sum);
}
static uint64_t dot2(uint64_t a, uint64_t b, uint64_t c, int a_signed, int b_signed, int high)
{
	int64_t sum = 0;
	for (int i = 0; i < 2; i++) {
		const uint64_t byte = b >> 8 * (i + 2 * high);
		sum += (a_signed ? S16(a >> 16 * i) : (int64_t)(a >> 16 * i & 0xffff)) * (b_signed ? S8(byte) : (int64_t)(byte & 0xff));
	}
	return U32(c + (uint64_t)sum);
}

static uint64_t pair(uint64_t low, uint64_t high) { return U16(low) | U16(high) << 16; }

static void arithmetic(void)
{
	ONE_CASE("add.u16 %h0, %h1, %h2;", "hhh", U16(a + b));
	ONE_CASE("add.s32 %r0, %r1, %r2;", "rrr", U32(a + b));
	ONE_CASE("add.u64 %d0, %d1, %d2;", "ddd", a + b);
	ONE_CASE("add.sat.s32 %r0, %r1, %r2;", "rrr", U32(clamp((wide)S32(a) + S32(b), INT32_MIN, INT32_MAX)));
	ONE_CASE("add.u16x2 %r0, %r1, %r2;", "rrr", pair(a + b, (a >> 16) + (b >> 16)));
	ONE_CASE("add.s32 %r0, %r1, -7;", "rr", U32(a - 7));
	ONE_CASE("sub.s16 %h0, %h1, %h2;", "hhh", U16(a - b));
	ONE_CASE("sub.u32 %r0, %r1, %r2;", "rrr", U32(a - b));
	ONE_CASE("sub.s64 %d0, %d1, %d2;", "ddd", a - b);
	ONE_CASE("sub.sat.s32 %r0, %r1, %r2;", "rrr", U32(clamp((wide)S32(a) - S32(b), INT32_MIN, INT32_MAX)));
	ONE_CASE("mul.lo.s16 %h0, %h1, %h2;", "hhh", U16(a * b));
	ONE_CASE("mul.lo.u32 %r0, %r1, %r2;", "rrr", U32(a * b));
	ONE_CASE("mul.lo.s64 %d0, %d1, %d2;", "ddd", a * b);
	ONE_CASE("mul.hi.u16 %h0, %h1, %h2;", "hhh", a * b >> 16);
	ONE_CASE("mul.hi.s16 %h0, %h1, %h2;", "hhh", U16(S16(a) * S16(b) >> 16));
	ONE_CASE("mul.hi.u32 %r0, %r1, %r2;", "rrr", a * b >> 32);
	ONE_CASE("mul.hi.s32 %r0, %r1, %r2;", "rrr", U32(S32(a) * S32(b) >> 32));
	ONE_CASE("mul.hi.u64 %d0, %d1, %d2;", "ddd", (uint64_t)((uwide)a * b >> 64));
	ONE_CASE("mul.hi.s64 %d0, %d1, %d2;", "ddd", (uint64_t)((wide)S64(a) * S64(b) >> 64));
	ONE_CASE("mul.wide.u16 %r0, %h1, %h2;", "rhh", a * b);
	ONE_CASE("mul.wide.s16 %r0, %h1, %h2;", "rhh", U32(S16(a) * S16(b)));
	ONE_CASE("mul.wide.u32 %d0, %r1, %r2;", "drr", a * b);
	ONE_CASE("mul.wide.s32 %d0, %r1, %r2;", "drr", (uint64_t)(S32(a) * S32(b)));
	ONE_CASE("mad.lo.u16 %h0, %h1, %h2, %h3;", "hhhh", U16(a * b + c));
	ONE_CASE("mad.lo.s32 %r0, %r1, %r2, %r3;", "rrrr", U32(a * b + c));
	ONE_CASE("mad.lo.u64 %d0, %d1, %d2, %d3;", "dddd", a * b + c);
	ONE_CASE("mad.hi.u16 %h0, %h1, %h2, %h3;", "hhhh", U16((a * b >> 16) + c));
	ONE_CASE("mad.hi.s16 %h0, %h1, %h2, %h3;", "hhhh", U16((uint64_t)(S16(a) * S16(b) >> 16) + c));
	ONE_CASE("mad.hi.u32 %r0, %r1, %r2, %r3;", "rrrr", U32((a * b >> 32) + c));
	ONE_CASE("mad.hi.s32 %r0, %r1, %r2, %r3;", "rrrr", U32((uint64_t)(S32(a) * S32(b) >> 32) + c));
	ONE_CASE("mad.hi.sat.s32 %r0, %r1, %r2, %r3;", "rrrr", U32(clamp((wide)(S32(a) * S32(b) >> 32) + S32(c), INT32_MIN, INT32_MAX)));
	ONE_CASE("mad.hi.u64 %d0, %d1, %d2, %d3;", "dddd", (uint64_t)((uwide)a * b >> 64) + c);
	ONE_CASE("mad.hi.s64 %d0, %d1, %d2, %d3;", "dddd", (uint64_t)((wide)S64(a) * S64(b) >> 64) + c);
	ONE_CASE("mad.wide.u16 %r0, %h1, %h2, %r3;", "rhhr", U32(a * b + c));
	ONE_CASE("mad.wide.s16 %r0, %h1, %h2, %r3;", "rhhr", U32((uint64_t)(S16(a) * S16(b)) + c));
	ONE_CASE("mad.wide.u32 %d0, %r1, %r2, %d3;", "drrd", a * b + c);
	ONE_CASE("mad.wide.s32 %d0, %r1, %r2, %d3;", "drrd", (uint64_t)(S32(a) * S32(b)) + c);
	ONE_CASE("mul24.lo.u32 %r0, %r1, %r2;", "rrr", U32((a & 0xffffff) * (b & 0xffffff)));
	ONE_CASE("mul24.lo.s32 %r0, %r1, %r2;", "rrr", U32(s24(a) * s24(b)));
	ONE_CASE("mul24.hi.u32 %r0, %r1, %r2;", "rrr", U32((a & 0xffffff) * (b & 0xffffff) >> 16));
	ONE_CASE("mul24.hi.s32 %r0, %r1, %r2;", "rrr", U32(s24(a) * s24(b) >> 16));
	ONE_CASE("mad24.lo.u32 %r0, %r1, %r2, %r3;", "rrrr", U32((a & 0xffffff) * (b & 0xffffff) + c));
	ONE_CASE("mad24.lo.s32 %r0, %r1, %r2, %r3;", "rrrr", U32((uint64_t)(s24(a) * s24(b)) + c));
	ONE_CASE("mad24.hi.u32 %r0, %r1, %r2, %r3;", "rrrr", U32(U32((a & 0xffffff) * (b & 0xffffff) >> 16) + c));
	ONE_CASE("mad24.hi.s32 %r0, %r1, %r2, %r3;", "rrrr", U32((uint64_t)(s24(a) * s24(b) >> 16) + c));
	ONE_CASE("mad24.hi.sat.s32 %r0, %r1, %r2, %r3;", "rrrr", U32(clamp((wide)S32(s24(a) * s24(b) >> 16) + S32(c), INT32_MIN, INT32_MAX)));
	ONE_CASE("sad.u16 %h0, %h1, %h2, %h3;", "hhhh", U16(c + (a < b ? b - a : a - b)));
	ONE_CASE("sad.s16 %h0, %h1, %h2, %h3;", "hhhh", U16(c + (uint64_t)llabs(S16(a) - S16(b))));
	ONE_CASE("sad.u32 %r0, %r1, %r2, %r3;", "rrrr", U32(c + (a < b ? b - a : a - b)));
	ONE_CASE("sad.s32 %r0, %r1, %r2, %r3;", "rrrr", U32(c + (uint64_t)llabs(S32(a) - S32(b))));
	ONE_CASE("sad.u64 %d0, %d1, %d2, %d3;", "dddd", c + (a < b ? b - a : a - b));
	ONE_CASE("sad.s64 %d0, %d1, %d2, %d3;", "dddd", c + (S64(a) < S64(b) ? b - a : a - b));
	/* division by zero is unspecified: the model says what this program chose */
	ONE_CASE("div.u16 %h0, %h1, %h2;", "hhh", b ? a / b : 0xffff);
	ONE_CASE("div.s16 %h0, %h1, %h2;", "hhh", b ? U16(S16(a) / S16(b)) : 0xffff);
	ONE_CASE("div.u32 %r0, %r1, %r2;", "rrr", b ? a / b : 0xffffffff);
	ONE_CASE("div.s32 %r0, %r1, %r2;", "rrr", b ? U32(S32(a) / S32(b)) : 0xffffffff);
	ONE_CASE("div.u64 %d0, %d1, %d2;", "ddd", b ? a / b : ~0ull);
	ONE_CASE("div.s64 %d0, %d1, %d2;", "ddd", b ? (uint64_t)((wide)S64(a) / S64(b)) : ~0ull);
	ONE_CASE("rem.u16 %h0, %h1, %h2;", "hhh", b ? a % b : a);
	ONE_CASE("rem.s16 %h0, %h1, %h2;", "hhh", b ? U16(S16(a) % S16(b)) : a);
	ONE_CASE("rem.u32 %r0, %r1, %r2;", "rrr", b ? a % b : a);
	ONE_CASE("rem.s32 %r0, %r1, %r2;", "rrr", b ? U32(S32(a) % S32(b)) : a);
	ONE_CASE("rem.u64 %d0, %d1, %d2;", "ddd", b ? a % b : a);
	ONE_CASE("rem.s64 %d0, %d1, %d2;", "ddd", b ? (uint64_t)((wide)S64(a) % S64(b)) : a);
	ONE_CASE("abs.s16 %h0, %h1;", "hh", U16(llabs(S16(a))));
	ONE_CASE("abs.s32 %r0, %r1;", "rr", U32(llabs(S32(a))));
	ONE_CASE("abs.s64 %d0, %d1;", "dd", a >> 63 ? 0 - a : a);
	ONE_CASE("neg.s16 %h0, %h1;", "hh", U16(-S16(a)));
	ONE_CASE("neg.s32 %r0, %r1;", "rr", U32(-S32(a)));
	ONE_CASE("neg.s64 %d0, %d1;", "dd", 0 - a);
	ONE_CASE("min.u16 %h0, %h1, %h2;", "hhh", a < b ? a : b);
	ONE_CASE("max.u16 %h0, %h1, %h2;", "hhh", a < b ? b : a);
	ONE_CASE("min.s16 %h0, %h1, %h2;", "hhh", U16(least(S16(a), S16(b))));
	ONE_CASE("max.s16 %h0, %h1, %h2;", "hhh", U16(most(S16(a), S16(b))));
	ONE_CASE("min.u32 %r0, %r1, %r2;", "rrr", a < b ? a : b);
	ONE_CASE("max.u32 %r0, %r1, %r2;", "rrr", a < b ? b : a);
	ONE_CASE("min.s32 %r0, %r1, %r2;", "rrr", U32(least(S32(a), S32(b))));
	ONE_CASE("max.s32 %r0, %r1, %r2;", "rrr", U32(most(S32(a), S32(b))));
	ONE_CASE("min.relu.s32 %r0, %r1, %r2;", "rrr", U32(relu(least(S32(a), S32(b)))));
	ONE_CASE("max.relu.s32 %r0, %r1, %r2;", "rrr", U32(relu(most(S32(a), S32(b)))));
	ONE_CASE("min.u64 %d0, %d1, %d2;", "ddd", a < b ? a : b);
	ONE_CASE("max.u64 %d0, %d1, %d2;", "ddd", a < b ? b : a);
	ONE_CASE("min.s64 %d0, %d1, %d2;", "ddd", least(S64(a), S64(b)));
	ONE_CASE("max.s64 %d0, %d1, %d2;", "ddd", most(S64(a), S64(b)));
	ONE_CASE("min.u16x2 %r0, %r1, %r2;", "rrr", pair(least((int64_t)U16(a), (int64_t)U16(b)), least((int64_t)(a >> 16), (int64_t)(b >> 16))));
	ONE_CASE("max.u16x2 %r0, %r1, %r2;", "rrr", pair(most((int64_t)U16(a), (int64_t)U16(b)), most((int64_t)(a >> 16), (int64_t)(b >> 16))));
	ONE_CASE("min.s16x2 %r0, %r1, %r2;", "rrr", pair(least(S16(a), S16(b)), least(S16(a >> 16), S16(b >> 16))));
	ONE_CASE("max.s16x2 %r0, %r1, %r2;", "rrr", pair(most(S16(a), S16(b)), most(S16(a >> 16), S16(b >> 16))));
	ONE_CASE("min.relu.s16x2 %r0, %r1, %r2;", "rrr", pair((uint64_t)relu(least(S16(a), S16(b))), (uint64_t)relu(least(S16(a >> 16), S16(b >> 16)))));
	ONE_CASE("max.relu.s16x2 %r0, %r1, %r2;", "rrr", pair((uint64_t)relu(most(S16(a), S16(b))), (uint64_t)relu(most(S16(a >> 16), S16(b >> 16)))));
}

static void bit_fields(void)
{
	ONE_CASE("popc.b32 %r0, %r1;", "rr", bits_set(a));
	ONE_CASE("popc.b64 %r0, %d1;", "rd", bits_set(a));
	ONE_CASE("clz.b32 %r0, %r1;", "rr", U32(31 - top_bit(a)));
	ONE_CASE("clz.b64 %r0, %d1;", "rd", U32(63 - top_bit(a)));
	ONE_CASE("bfind.u32 %r0, %r1;", "rr", top_bit(a));
	ONE_CASE("bfind.s32 %r0, %r1;", "rr", top_bit(U32(S32(a) < 0 ? ~a : a)));
	ONE_CASE("bfind.u64 %r0, %d1;", "rd", top_bit(a));
	ONE_CASE("bfind.s64 %r0, %d1;", "rd", top_bit(S64(a) < 0 ? ~a : a));
	ONE_CASE("bfind.shiftamt.u32 %r0, %r1;", "rr", a ? 31 - top_bit(a) : 0xffffffff);
	ONE_CASE("bfind.shiftamt.s64 %r0, %d1;", "rd", (S64(a) < 0 ? ~a : a) ? 63 - top_bit(S64(a) < 0 ? ~a : a) : 0xffffffff);
	ONE_CASE("brev.b32 %r0, %r1;", "rr", reverse(a, 32));
	ONE_CASE("brev.b64 %d0, %d1;", "dd", reverse(a, 64));
	ONE_CASE("bfe.u32 %r0, %r1, %r2, %r3;", "rrss", extract(a, (unsigned)b, (unsigned)c, 0, 31));
	ONE_CASE("bfe.s32 %r0, %r1, %r2, %r3;", "rrss", extract(a, (unsigned)b, (unsigned)c, 1, 31));
	ONE_CASE("bfe.u64 %d0, %d1, %r2, %r3;", "ddss", extract(a, (unsigned)b, (unsigned)c, 0, 63));
	ONE_CASE("bfe.s64 %d0, %d1, %r2, %r3;", "ddss", extract(a, (unsigned)b, (unsigned)c, 1, 63));
	ONE_CASE("bfi.b32 %r0, %r1, %r2, %r3, %r4;", "rrrss", insert(a, b, (unsigned)c, (unsigned)e, 31));
	ONE_CASE("bfi.b64 %d0, %d1, %d2, %r3, %r4;", "dddss", insert(a, b, (unsigned)c, (unsigned)e, 63));
	ONE_CASE("bmsk.clamp.b32 %r0, %r1, %r2;", "rss", mask_bits(a < 32 ? (unsigned)a : 32, b < 32 ? (unsigned)b : 32));
	ONE_CASE("bmsk.wrap.b32 %r0, %r1, %r2;", "rss", mask_bits(a & 31, b & 31));
	ONE_CASE("szext.clamp.u32 %r0, %r1, %r2;", "rrs", extend(a, b < 32 ? (unsigned)b : 32, 0));
	ONE_CASE("szext.clamp.s32 %r0, %r1, %r2;", "rrs", extend(a, b < 32 ? (unsigned)b : 32, 1));
	ONE_CASE("szext.wrap.u32 %r0, %r1, %r2;", "rrs", extend(a, b & 31, 0));
	ONE_CASE("szext.wrap.s32 %r0, %r1, %r2;", "rrs", extend(a, b & 31, 1));
	ONE_CASE("fns.b32 %r0, %r1, %r2, %r3;", "rrsr", nth_set(a, b, S32(c)));
	ONE_CASE("fns.b32 %r0, %r1, %r2, 3;", "rrs", nth_set(a, b, 3));
	ONE_CASE("fns.b32 %r0, %r1, %r2, -2;", "rrs", nth_set(a, b, -2));
	ONE_CASE("dp4a.u32.u32 %r0, %r1, %r2, %r3;", "rrrr", dot4(a, b, c, 0, 0));
	ONE_CASE("dp4a.u32.s32 %r0, %r1, %r2, %r3;", "rrrr", dot4(a, b, c, 0, 1));
	ONE_CASE("dp4a.s32.u32 %r0, %r1, %r2, %r3;", "rrrr", dot4(a, b, c, 1, 0));
	ONE_CASE("dp4a.s32.s32 %r0, %r1, %r2, %r3;", "rrrr", dot4(a, b, c, 1, 1));
	ONE_CASE("dp2a.lo.u32.u32 %r0, %r1, %r2, %r3;", "rrrr", dot2(a, b, c, 0, 0, 0));
	ONE_CASE("dp2a.hi.u32.s32 %r0, %r1, %r2, %r3;", "rrrr", dot2(a, b, c, 0, 1, 1));
	ONE_CASE("dp2a.hi.s32.u32 %r0, %r1, %r2, %r3;", "rrrr", dot2(a, b, c, 1, 0, 1));
	ONE_CASE("dp2a.lo.s32.s32 %r0, %r1, %r2, %r3;", "rrrr", dot2(a, b, c, 1, 1, 0));
}

static void logic(void)
{
	ONE_CASE("and.b16 %h0, %h1, %h2;", "hhh", a & b);
	ONE_CASE("and.b32 %r0, %r1, %r2;", "rrr", a & b);
	ONE_CASE("and.b64 %d0, %d1, %d2;", "ddd", a & b);
	ONE_CASE("or.b16 %h0, %h1, %h2;", "hhh", a | b);
	ONE_CASE("or.b32 %r0, %r1, %r2;", "rrr", a | b);
	ONE_CASE("or.b64 %d0, %d1, %d2;", "ddd", a | b);
	ONE_CASE("xor.b16 %h0, %h1, -1;", "hh", U16(~a));
	ONE_CASE("xor.b32 %r0, %r1, %r2;", "rrr", a ^ b);
	ONE_CASE("xor.b64 %d0, %d1, %d2;", "ddd", a ^ b);
	ONE_CASE("not.b16 %h0, %h1;", "hh", U16(~a));
	ONE_CASE("not.b32 %r0, %r1;", "rr", U32(~a));
	ONE_CASE("not.b64 %d0, %d1;", "dd", ~a);
	ONE_CASE("cnot.b16 %h0, %h1;", "hh", a == 0);
	ONE_CASE("cnot.b32 %r0, %r1;", "rr", a == 0);
	ONE_CASE("cnot.b64 %d0, %d1;", "dd", a == 0);
	ONE_CASE("and.pred %p0, %p1, %p2;", "ppp", a & b);
	ONE_CASE("or.pred %p0, %p1, %p2;", "ppp", a | b);
	ONE_CASE("xor.pred %p0, %p1, %p2;", "ppp", a ^ b);
	ONE_CASE("not.pred %p0, %p1;", "pp", !a);
	ONE_CASE("mov.pred %p0, %p1;", "pp", a);
	ONE_CASE("mov.pred %p0, 1;", "p", 1);
	ONE_CASE("mov.pred %p0, 0;", "p", 0);
	for (unsigned table = 0; table < 256; table++) {
		char text[80];
		snprintf(text, sizeof text, "lop3.b32 %%r0, %%r1, %%r2, %%r3, %#x;", table);
		ONE_CASE_SAME(text, "rrrr", 4, ONE_EQUAL, table3(a, b, c, table));
	}
	ONE_CASE("lop3.or.b32 %r0|%p1, %r1, %r2, %r3, 0x96, %p2;", "rrrr", table3(a, b, c, 0x96));
	ONE_CASE("lop3.and.b32 _|%p0, %r1, %r2, %r3, 0xe8, %p4;", "prrrp", (table3(a, b, c, 0xe8) != 0) & e);
	ONE_CASE("shl.b16 %h0, %h1, %r2;", "hhs", b < 16 ? U16(a << b) : 0);
	ONE_CASE("shl.b32 %r0, %r1, %r2;", "rrs", b < 32 ? U32(a << b) : 0);
	ONE_CASE("shl.b64 %d0, %d1, %r2;", "dds", b < 64 ? a << b : 0);
	ONE_CASE("shl.b64 %d0, %d1, 3;", "dd", a << 3);
	ONE_CASE("shr.u16 %h0, %h1, %r2;", "hhs", b < 16 ? a >> b : 0);
	ONE_CASE("shr.s16 %h0, %h1, %r2;", "hhs", U16(S16(a) >> (b < 16 ? b : 15)));
	ONE_CASE("shr.b32 %r0, %r1, %r2;", "rrs", b < 32 ? a >> b : 0);
	ONE_CASE("shr.u32 %r0, %r1, %r2;", "rrs", b < 32 ? a >> b : 0);
	ONE_CASE("shr.s32 %r0, %r1, %r2;", "rrs", U32(S32(a) >> (b < 32 ? b : 31)));
	ONE_CASE("shr.u64 %d0, %d1, %r2;", "dds", b < 64 ? a >> b : 0);
	ONE_CASE("shr.s64 %d0, %d1, %r2;", "dds", (uint64_t)(S64(a) >> (b < 64 ? b : 63)));
	ONE_CASE("shf.l.wrap.b32 %r0, %r1, %r2, %r3;", "rrrs", U32((b << 32 | a) << (c & 31) >> 32));
	ONE_CASE("shf.l.clamp.b32 %r0, %r1, %r2, %r3;", "rrrs", c >= 32 ? a : U32((b << 32 | a) << c >> 32));
	ONE_CASE("shf.r.wrap.b32 %r0, %r1, %r2, %r3;", "rrrs", U32((b << 32 | a) >> (c & 31)));
	ONE_CASE("shf.r.clamp.b32 %r0, %r1, %r2, %r3;", "rrrs", c >= 32 ? b : U32((b << 32 | a) >> c));
	ONE_CASE("prmt.b32 %r0, %r1, %r2, %r3;", "rrrr", permute(a, b, c));
	for (int i = 0; i < 300; i++) {
		char text[80];
		const unsigned selector = (unsigned)one_random() & (i % 2 ? 0x7777 : 0xffff);
		snprintf(text, sizeof text, "prmt.b32 %%r0, %%r1, %%r2, %#x;", selector);
		ONE_CASE_SAME(text, "rrr", 4, ONE_EQUAL, permute(a, b, selector));
	}
	static const char *const rows[6][4] = {{"3210", "4321", "5432", "6543"}, {"5670", "6701", "7012", "0123"}, {"0000", "1111", "2222", "3333"},
					       {"3210", "3211", "3222", "3333"}, {"0000", "1110", "2210", "3210"}, {"1010", "3232", "1010", "3232"}};
	ONE_CASE("prmt.b32.f4e %r0, %r1, %r2, %r3;", "rrrr", permute_row(a, b, rows[0][c & 3]));
	ONE_CASE("prmt.b32.b4e %r0, %r1, %r2, %r3;", "rrrr", permute_row(a, b, rows[1][c & 3]));
	ONE_CASE("prmt.b32.rc8 %r0, %r1, %r2, %r3;", "rrrr", permute_row(a, b, rows[2][c & 3]));
	ONE_CASE("prmt.b32.ecl %r0, %r1, %r2, %r3;", "rrrr", permute_row(a, b, rows[3][c & 3]));
	ONE_CASE("prmt.b32.ecr %r0, %r1, %r2, %r3;", "rrrr", permute_row(a, b, rows[4][c & 3]));
	ONE_CASE("prmt.b32.rc16 %r0, %r1, %r2, %r3;", "rrrr", permute_row(a, b, rows[5][c & 3]));
}

static void moves(void)
{
	ONE_CASE("mov.b16 %h0, %h1;", "hh", a);
	ONE_CASE("mov.u32 %r0, %r1;", "rr", a);
	ONE_CASE("mov.b64 %d0, %d1;", "dd", a);
	ONE_CASE("mov.f32 %r0, 0f3F800000;", "r", 0x3f800000);
	ONE_CASE("mov.f64 %d0, 0d3FF8000000000000;", "d", 0x3ff8000000000000);
	ONE_CASE("mov.u16 %h0, -2;", "h", 0xfffe);
	ONE_CASE("mov.b32 %r0, {%h1, %h2};", "rhh", a | b << 16);
	ONE_CASE("mov.b64 %d0, {%r1, %r2};", "drr", a | b << 32);
	ONE_CASE("mov.b64 %d0, {%h1, %h2, %h3, %h4};", "dhhhh", a | b << 16 | c << 32 | e << 48);
	ONE_CASE("mov.b32 {%h0, %h2}, %r1;", "hr", U16(a));
	ONE_CASE("mov.b32 {_, %h0}, %r1;", "hr", a >> 16);
	ONE_CASE("mov.b64 {%r0, _}, %d1;", "rd", U32(a));
	ONE_CASE("mov.b64 {%r5, %r0}, %d1;", "rd", a >> 32);
	ONE_CASE("mov.b64 {%h5, %h4, %h0, %h3}, %d1;", "hd", U16(a >> 32));
	ONE_CASE("selp.b16 %h0, %h1, %h2, %p3;", "hhhp", c ? a : b);
	ONE_CASE("selp.b32 %r0, %r1, %r2, %p3;", "rrrp", c ? a : b);
	ONE_CASE("selp.f64 %d0, %d1, %d2, %p3;", "dddp", c ? a : b);
	ONE_CASE("selp.b32 %r0, 5, %r2, %p1;", "rpr", a ? 5 : b);
	ONE_CASE("slct.b32.s32 %r0, %r1, %r2, %r3;", "rrrr", S32(c) >= 0 ? a : b);
	ONE_CASE("slct.u64.s32 %d0, %d1, %d2, %r3;", "dddr", S32(c) >= 0 ? a : b);
	ONE_CASE("slct.f32.f32 %r0, %r1, %r2, %r3;", "rrrf", number_f32((uint32_t)c) >= 0 ? a : b);
	ONE_CASE("slct.ftz.b64.f32 %d0, %d1, %d2, %r3;", "dddf", number_f32((uint32_t)c) >= 0 || (c & 0x7f800000) == 0 ? a : b);
}

/* cvt between integers: every pair, through registers of the size and wider ones, with and without .sat. */
static void integer_conversions(void)
{
	static const char *const names[8] = {"u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"};
	static const char letters[] = "hrd";
	static const unsigned widths[] = {16, 32, 64};
	for (int from = 0; from < 8; from++)
		for (int to = 0; to < 8; to++)
			for (int from_register = 0; from_register < 3; from_register++)
				for (int to_register = 0; to_register < 3; to_register++)
					for (int sat = 0; sat < 2; sat++) {
						const unsigned from_bits = 8u << from / 2, to_bits = 8u << to / 2;
						if (widths[from_register] < from_bits || widths[to_register] < to_bits)
							continue;
						char text[80], kinds[3] = {letters[to_register], letters[from_register], 0};
						snprintf(text, sizeof text, "cvt%s.%s.%s %%%c0, %%%c1;", sat ? ".sat" : "", names[to], names[from], kinds[0], kinds[1]);
#define VALUE (from & 1 ? (wide)(S64(a << (64 - from_bits)) >> (64 - from_bits)) : (wide)(a << (64 - from_bits) >> (64 - from_bits)))
#define LOW (to & 1 ? -((wide)1 << (to_bits - 1)) : 0)
#define HIGH ((to & 1 ? (wide)1 << (to_bits - 1) : (wide)1 << to_bits) - 1)
#define CUT(v) (to & 1 ? (uint64_t)(S64((uint64_t)(v) << (64 - to_bits)) >> (64 - to_bits)) : (uint64_t)(v) << (64 - to_bits) >> (64 - to_bits))
						ONE_CASE_SAME(text, kinds, 8, ONE_EQUAL,
							      CUT(sat ? VALUE < LOW ? LOW : VALUE > HIGH ? HIGH : VALUE : VALUE) << (64 - widths[to_register]) >>
								      (64 - widths[to_register]));
					}
	ONE_CASE("cvt.pack.sat.s16.s32 %r0, %r1, %r2;", "rrr", pair((uint64_t)clamp(S32(b), -32768, 32767), (uint64_t)clamp(S32(a), -32768, 32767)));
	ONE_CASE("cvt.pack.sat.u8.s32.b32 %r0, %r1, %r2, %r3;", "rrrr",
		 U32(c << 16 | (uint64_t)clamp(S32(a), 0, 255) << 8 | (uint64_t)clamp(S32(b), 0, 255)));
	ONE_CASE("cvt.pack.sat.s8.s32.b32 %r0, %r1, %r2, %r3;", "rrrr",
		 U32(c << 16 | ((uint64_t)clamp(S32(a), -128, 127) & 255) << 8 | ((uint64_t)clamp(S32(b), -128, 127) & 255)));
}

/* a < b and so on of the lane, with what is unordered false. */
static int holds(const char *word, double a, double b)
{
	const int unordered = a != a || b != b;
	static const struct {
		const char *word;
		int less, equal, greater, unordered;
	} table[] = {{"eq", 0, 1, 0, 0}, {"ne", 1, 0, 1, 0}, {"lt", 1, 0, 0, 0}, {"le", 1, 1, 0, 0}, {"gt", 0, 0, 1, 0}, {"ge", 0, 1, 1, 0},
		     {"equ", 0, 1, 0, 1}, {"neu", 1, 0, 1, 1}, {"ltu", 1, 0, 0, 1}, {"leu", 1, 1, 0, 1}, {"gtu", 0, 0, 1, 1}, {"geu", 0, 1, 1, 1},
		     {"num", 1, 1, 1, 0}, {"nan", 0, 0, 0, 1}};
	for (unsigned i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(word, table[i].word) == 0)
			return unordered ? table[i].unordered : a < b ? table[i].less : a == b ? table[i].equal : table[i].greater;
	return -1;
}

static double f32_of(uint64_t a) { return (double)number_f32((uint32_t)a); }
static double f32_flushed(uint64_t a) { return (a & 0x7f800000) == 0 ? 0.0 : f32_of(a); }
static double half_of(uint64_t a) { return number_to_f64((uint32_t)(a & 0xffff), &number_f16_format); }
static double half_flushed(uint64_t a) { return (a & 0x7c00) == 0 ? 0.0 : half_of(a); }
static double bf16_of(uint64_t a) { return f32_of((a & 0xffff) << 16); }

static void comparisons(void)
{
	static const char *const real[] = {"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};
	char text[96];
	for (int i = 0; i < 6; i++) {
		const char *const word = real[i];
#define WHOLE(type, letter, A, B)                                                                        \
	snprintf(text, sizeof text, "setp.%s." type " %%p0, %%" letter "1, %%" letter "2;", word);       \
	ONE_CASE_SAME(text, "p" letter letter, 12, ONE_EQUAL, (uint64_t)(                                \
		strcmp(word, "eq") == 0 ? (A) == (B) : strcmp(word, "ne") == 0 ? (A) != (B) : strcmp(word, "lt") == 0 ? (A) < (B) \
		: strcmp(word, "le") == 0 ? (A) <= (B) : strcmp(word, "gt") == 0 ? (A) > (B) : (A) >= (B)))
		WHOLE("u16", "h", a, b);
		WHOLE("s16", "h", S16(a), S16(b));
		WHOLE("u32", "r", a, b);
		WHOLE("s32", "r", S32(a), S32(b));
		WHOLE("u64", "d", a, b);
		WHOLE("s64", "d", S64(a), S64(b));
		if (i < 2) {
			WHOLE("b16", "h", a, b);
			WHOLE("b32", "r", a, b);
			WHOLE("b64", "d", a, b);
		}
	}
	ONE_CASE("setp.lo.u32 %p0, %r1, %r2;", "prr", a < b);
	ONE_CASE("setp.hs.u64 %p0, %d1, %d2;", "pdd", a >= b);
	ONE_CASE("setp.ls.u32 %p0, %r1, %r2;", "prr", a <= b);
	ONE_CASE("setp.hi.u16 %p0, %h1, %h2;", "phh", a > b);
	for (int i = 0; i < 14; i++) {
		const char *const word = real[i];
#define REAL(form, kinds, operands, A, B)                                              \
	snprintf(text, sizeof text, form, word);                                       \
	ONE_CASE_SAME(text, kinds, 20, ONE_EQUAL, (uint64_t)holds(word, A, B))
		REAL("setp.%s.f32 %%p0, %%r1, %%r2;", "pff", "", f32_of(a), f32_of(b));
		REAL("setp.%s.ftz.f32 %%p0, %%r1, %%r2;", "pff", "", f32_flushed(a), f32_flushed(b));
		REAL("setp.%s.f64 %%p0, %%d1, %%d2;", "pFF", "", number_f64(a), number_f64(b));
		REAL("setp.%s.f16 %%p0, %%h1, %%h2;", "pee", "", half_of(a), half_of(b));
		REAL("setp.%s.ftz.f16 %%p0, %%h1, %%h2;", "pee", "", half_flushed(a), half_flushed(b));
		REAL("setp.%s.bf16 %%p0, %%h1, %%h2;", "pbb", "", bf16_of(a), bf16_of(b));
		REAL("setp.%s.f16x2 %%p0|%%p3, %%r1, %%r2;", "pxx", "", half_of(a), half_of(b));
		REAL("setp.%s.f16x2 %%p3|%%p0, %%r1, %%r2;", "pxx", "", half_of(a >> 16), half_of(b >> 16));
		REAL("setp.%s.bf16x2 %%p3|%%p0, %%r1, %%r2;", "pyy", "", bf16_of(a >> 16), bf16_of(b >> 16));
		snprintf(text, sizeof text, "setp.%s.and.f32 %%p0, %%r1, %%r2, !%%p3;", word);
		ONE_CASE_SAME(text, "pffp", 20, ONE_EQUAL, (uint64_t)(holds(word, f32_of(a), f32_of(b)) && !c));
		snprintf(text, sizeof text, "setp.%s.or.s32 %%p2|%%p0, %%r1, %%r3, %%p1;", i < 6 ? word : "eq");
		snprintf(text, sizeof text, "set.%s.u32.f32 %%r0, %%r1, %%r2;", word);
		ONE_CASE_SAME(text, "rff", 20, ONE_EQUAL, holds(word, f32_of(a), f32_of(b)) ? 0xffffffff : 0);
		snprintf(text, sizeof text, "set.%s.f16.f16 %%h0, %%h1, %%h2;", word);
		ONE_CASE_SAME(text, "hee", 20, ONE_EQUAL, holds(word, half_of(a), half_of(b)) ? 0x3c00 : 0);
		snprintf(text, sizeof text, "set.%s.u32.f16x2 %%r0, %%r1, %%r2;", word);
		ONE_CASE_SAME(text, "rxx", 20, ONE_EQUAL, (holds(word, half_of(a), half_of(b)) ? 0xffffu : 0u) |
			(holds(word, half_of(a >> 16), half_of(b >> 16)) ? 0xffff0000u : 0u));
	}
	ONE_CASE("set.lt.f32.s32 %r0, %r1, %r2;", "rrr", S32(a) < S32(b) ? 0x3f800000 : 0);
	ONE_CASE("set.ge.xor.u32.u64 %r0, %d1, %d2, %p3;", "rddp", (a >= b) ^ c ? 0xffffffff : 0);
	ONE_CASE("setp.lt.or.s32 %p0|%p1, %r1, %r2, %p3;", "prrp", (S32(a) < S32(b)) | c);
	ONE_CASE("setp.lt.or.s32 %p1|%p0, %r1, %r2, %p3;", "prrp", (S32(a) >= S32(b)) | c);
	ONE_CASE("setp.eq.xor.u32 %p1|%p0, %r1, %r2, !%p3;", "prrp", (a != b) ^ !c);
	ONE_CASE("setp.lt.s32 %p1|%p0, %r1, 12;", "pr", S32(a) >= 12);
	ONE_CASE("testp.finite.f32 %p0, %r1;", "pf", isfinite(f32_of(a)) != 0);
	ONE_CASE("testp.infinite.f32 %p0, %r1;", "pf", isinf(f32_of(a)) != 0);
	ONE_CASE("testp.number.f64 %p0, %d1;", "pF", !isnan(number_f64(a)));
	ONE_CASE("testp.notanumber.f32 %p0, %r1;", "pf", isnan(f32_of(a)) != 0);
	ONE_CASE("testp.normal.f32 %p0, %r1;", "pf", isnormal(number_f32((uint32_t)a)) || (a & 0x7fffffff) == 0);
	ONE_CASE("testp.subnormal.f64 %p0, %d1;", "pF", fpclassify(number_f64(a)) == FP_SUBNORMAL);
}

/* Long addition, subtraction and multiplication by way of CC.CF, two words at a time. */
static void carries(void)
{
	static const char *const texts[][2] = {
		{"add.cc.u32 %r0, %r1, %r2;", "addc.u32 %r0, %r1, %r2;"},
		{"sub.cc.u32 %r0, %r1, %r2;", "subc.u32 %r0, %r1, %r2;"},
		{"mad.lo.cc.u32 %r0, %r1, %r2, %r3;", "madc.hi.u32 %r0, %r1, %r2, %r3;"},
		{"mad.lo.cc.s32 %r0, %r1, %r2, %r3;", "madc.hi.s32 %r0, %r1, %r2, %r3;"},
	};
	for (int t = 0; t < 4; t++)
		for (int batch = 0; batch < 20; batch++)
			for (int level = 0; level < ONE_LEVELS; level++) {
				struct one low, high;
				CHECK_INT(one_open(&low, texts[t][0]), 0);
				CHECK_INT(one_open(&high, texts[t][1]), 0);
				const ptx_execute execute_low = one_handler(&low, one_levels[level]), execute_high = one_handler(&high, one_levels[level]);
				const uint32_t active = batch & 1 ? ~0u : (uint32_t)one_random() | 2;
				uint64_t a[PTX_LANES], b[PTX_LANES], c[PTX_LANES];
				low.frame.carry = (uint32_t)one_random();
				const uint32_t before = low.frame.carry;
				for (int l = 0; execute_low && l < PTX_LANES; l++) {
					a[l] = one_value('d'), b[l] = one_value('d'), c[l] = one_value('d');
					one_set(&low, "%r1", l, U32(a[l])), one_set(&low, "%r2", l, U32(b[l])), one_set(&low, "%r3", l, U32(c[l]));
					/* of a product both halves have the same factors */
					one_set(&high, "%r1", l, t < 2 ? a[l] >> 32 : U32(a[l]));
					one_set(&high, "%r2", l, t < 2 ? b[l] >> 32 : U32(b[l]));
					one_set(&high, "%r3", l, c[l] >> 32);
				}
				if (execute_low) {
					execute_low(&low.warp, low.insn, active);
					CHECK_INT(low.frame.carry & ~active, before & ~active);
					high.frame.carry = low.frame.carry;
					execute_high(&high.warp, high.insn, active);
					CHECK_INT(high.frame.carry, low.frame.carry); /* no .cc */
				}
				for (int l = 0; execute_low && l < PTX_LANES; l++) {
					if (!(active >> l & 1))
						continue;
					const uint64_t product = t == 3 ? (uint64_t)(S32(a[l]) * S32(b[l])) : U32(a[l]) * U32(b[l]);
					const uint64_t want = t == 0 ? a[l] + b[l] : t == 1 ? a[l] - b[l] : product + c[l];
					CHECK(one_get(&low, "%r0", l) == U32(want));
					CHECK(one_get(&high, "%r0", l) == want >> 32);
				}
				one_close(&low);
				one_close(&high);
			}
	ONE_CASE("add.cc.u64 %d0, %d1, %d2;", "ddd", a + b);
	struct one one;
	CHECK_INT(one_open(&one, "addc.cc.u64 %d0, %d1, %d2;"), 0);
	one.frame.carry = 1;
	for (int l = 0; l < PTX_LANES; l++)
		one_set(&one, "%d1", l, ~0ull), one_set(&one, "%d2", l, (uint64_t)l & 1);
	one.insn->execute(&one.warp, one.insn, ~0u);
	CHECK(one.frame.carry == (0xaaaaaaaau | 1));
	CHECK(one_get(&one, "%d0", 0) == 0);
	CHECK(one_get(&one, "%d0", 1) == 0);
	CHECK(one_get(&one, "%d0", 2) == ~0ull);
	one_close(&one);
}

/* Forms that do not exist, or are not executed, are refused. */
static void refusals(void)
{
	static const char *const texts[] = {
		"mul.s32 %r0, %r1, %r2;", "mul.wide.u64 %d0, %d1, %d2;", "setp.lt.b32 %p0, %r1, %r2;", "setp.s32 %p0, %r1, %r2;", "shl.u32 %r0, %r1, %r2;",
		"ex2.f32 %r0, %r1;", "cvt.u32.f32 %r0, %r1;", "cvt.rn.f16.f32.f32 %h0, %r1;", "lop3.b32 %r0, %r1, %r2, %r3, 256;", "add.s32 %r0, %r1;",
		"add.rna.f32 %r0, %r1, %r2;", "add.relu.f32 %r0, %r1, %r2;", "min.s8 %r0, %r1, %r2;", "abs.u32 %r0, %r1;", "div.approx.f64 %d0, %d1, %d2;",
		"cvt.rna.f16.f32 %h0, %r1;", "cvt.rn.e4m3x2.f32 %h0, %r1, %r2;", "add.wide.s32 %r0, %r1, %r2;", "fma.rn.relu.f32 %r0, %r1, %r2, %r3;",
	};
	for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct one one;
		const int result = one_open(&one, texts[i]);
		if (result == 0)
			fprintf(stderr, "accepted: %s\n", texts[i]);
		CHECK_INT(result, -1);
		CHECK_CONTAINS(one.err.message, "line 7");
		one_close(&one);
	}
}

int main(void)
{
	arithmetic();
	bit_fields();
	logic();
	moves();
	integer_conversions();
	comparisons();
	carries();
	refusals();
	return check_result();
}
