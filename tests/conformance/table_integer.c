/* Integer arithmetic, logic and comparison (manual 9.7.1, 9.7.2, 9.7.6, 9.7.8). */
#include "tables.h"

#define INTS "{u16,s16,u32,s32,u64,s64}"

const struct row rows_integer[] = {
	{"add." INTS, "$1 $1 $1"}, {"sub." INTS, "$1 $1 $1"}, {"{add,sub}.sat.s32", "s32 s32 s32"},
	{"add.{u16x2,s16x2}", "$1 $1 $1"},
	{"mul.lo." INTS, "$1 $1 $1"}, {"mul.hi." INTS, "$1 $1 $1"},
	{"mul.wide.u16", "u32 u16 u16"}, {"mul.wide.s16", "s32 s16 s16"}, {"mul.wide.u32", "u64 u32 u32"}, {"mul.wide.s32", "s64 s32 s32"},
	{"mad.{lo,hi}." INTS, "$2 $2 $2 $2"}, {"mad.hi.sat.s32", "s32 s32 s32 s32"},
	{"mad.wide.u16", "u32 u16 u16 u32"}, {"mad.wide.s16", "s32 s16 s16 s32"}, {"mad.wide.u32", "u64 u32 u32 u64"},
	{"mad.wide.s32", "s64 s32 s32 s64"},
	{"mul24.{lo,hi}.{u32,s32}", "$2 $2 $2"}, {"mad24.{lo,hi}.{u32,s32}", "$2 $2 $2 $2"}, {"mad24.hi.sat.s32", "s32 s32 s32 s32"},
	{"sad." INTS, "$1 $1 $1 $1"},
	{"div." INTS, "$1 $1 $1n"}, {"rem." INTS, "$1 $1 $1n"}, /* by zero, and the smallest by -1, is not specified */
	{"abs.{s16,s32,s64}", "$1 $1"}, {"neg.{s16,s32,s64}", "$1 $1"},
	{"{min,max}." INTS, "$2 $2 $2"}, {"{min,max}.{u16x2,s16x2}", "$2 $2 $2"}, {"{min,max}.relu.{s16x2,s32}", "$2 $2 $2"},
	{"popc.{b32,b64}", "u32 $1"}, {"clz.{b32,b64}", "u32 $1"},
	{"bfind.{u32,s32,u64,s64}", "u32 $1"}, {"bfind.shiftamt.{u32,s32,u64,s64}", "u32 $1"},
	{"brev.{b32,b64}", "$1 $1"},
	{"fns.b32", "b32 b32 small small", "and.b32 %b, %b, 31; and.b32 %x, %c, 15; sub.s32 %x, %x, 8; fns.b32 %d, %a, %b, %x;"},
	/* positions and lengths are restricted to 0 .. 255 (9.7.1.20): for 32 bits GPUs look at their lowest bytes alone, but for 64 not */
	{"bfe.{u32,s32}", "$1 $1 position position"},
	{"bfe.{u64,s64} to 255", "$1 $1 position position", "and.b32 %b, %b, 255; and.b32 %c, %c, 255; bfe.$1 %d, %a, %b, %c;"},
	{"bfi.{b32,b64}", "$1 $1 $1 position",
	 "and.b32 %x, %c, 255; shr.u32 %y, %c, 8; and.b32 %y, %y, 255; $0 %d, %a, %b, %x, %y;"},
	{"szext.{clamp,wrap}.{u32,s32}", "$2 $2 small"},
	{"bmsk.{clamp,wrap}.b32", "b32 small small"},
	{"dp4a.{u32,s32}.{u32,s32}", "s32 $1 $2 s32"}, {"dp2a.{lo,hi}.{u32,s32}.{u32,s32}", "s32 $2 $3 s32"},
};
const int rows_integer_count = ROWS(rows_integer);

const struct row rows_carry[] = {
	{"add.cc.{u32,s32} addc", "b64 $1 $1 $1", "add.cc.$1 %x, %a, %b; addc.$1 %y, %c, %a; mov.b64 %d, {%x, %y};"},
	{"add.cc.{u32,s32} addc.cc", "b64 $1 $1 $1",
	 "add.cc.$1 %x, %a, %b; addc.cc.$1 %x, %x, %c; addc.$1 %y, 0, 0; mov.b64 %d, {%x, %y};"},
	{"sub.cc.{u32,s32} subc", "b64 $1 $1 $1", "sub.cc.$1 %x, %a, %b; subc.$1 %y, %c, %a; mov.b64 %d, {%x, %y};"},
	{"sub.cc.{u32,s32} subc.cc", "b64 $1 $1 $1",
	 "sub.cc.$1 %x, %a, %b; subc.cc.$1 %x, %x, %c; subc.$1 %y, 0, 0; mov.b64 %d, {%x, %y};"},
	{"mad.{lo,hi}.cc.{u32,s32} madc.{lo,hi}", "b64 $2 $2 $2",
	 "mad.$1.cc.$2 %x, %a, %b, %c; madc.$3.$2 %y, %a, %b, %c; mov.b64 %d, {%x, %y};"},
	{"mad.lo.cc.u32 madc.{lo,hi}.cc.u32", "b64 u32 u32 u32",
	 "mad.lo.cc.u32 %x, %a, %b, %c; madc.$1.cc.u32 %x, %x, %b, %c; addc.u32 %y, 0, 0; mov.b64 %d, {%x, %y};"},
	{"add.cc.{u64,s64} addc", "$1*2 $1 $1 $1", "add.cc.$1 %d0, %a, %b; addc.$1 %d1, %c, %a;"},
	{"sub.cc.{u64,s64} subc", "$1*2 $1 $1 $1", "sub.cc.$1 %d0, %a, %b; subc.$1 %d1, %c, %a;"},
	{"mad.{lo,hi}.cc.u64 madc.{lo,hi}.u64", "u64*2 u64 u64 u64", "mad.$1.cc.u64 %d0, %a, %b, %c; madc.$2.u64 %d1, %a, %b, %c;"},
};
const int rows_carry_count = ROWS(rows_carry);

const struct row rows_logic[] = {
	{"{and,or,xor}.{b16,b32,b64}", "$2 $2 $2"}, {"{not,cnot}.{b16,b32,b64}", "$2 $2"},
	{"{and,or,xor}.pred", "p b32 b32", "setp.lt.s32 %p, %a, 5; setp.gt.s32 %q, %b, 5; $0 %p, %p, %q; selp.u16 %d, 1, 0, %p;"},
	{"not.pred", "p b32", "setp.lt.s32 %p, %a, 5; not.pred %p, %p; selp.u16 %d, 1, 0, %p;"},
	{"lop3.b32 {0x00,0x1e,0x2d,0x40,0x69,0x80,0x96,0xb4,0xca,0xe8,0xf8,0xfe,0xff}", "b32 b32 b32 b32", "lop3.b32 %d, %a, %b, %c, $1;"},
	{"shf.{l,r}.{clamp,wrap}.b32", "b32 b32 b32 small"},
	{"shl.{b16,b32,b64}", "$1 $1 small"}, {"shr.{b16,b32,b64,u16,u32,u64,s16,s32,s64}", "$1 $1 small"},
	{"prmt.b32{,.f4e,.b4e,.rc8,.ecl,.ecr,.rc16}", "b32 b32 b32 b32"},
	{"mov.b32 {0x2345,0xdbca}", "b32 b16 b16", "mov.b32 %d, {%a, %b}; mov.b32 {%hx, %hy}, %d; xor.b16 %hx, %hx, $1; mov.b32 %d, {%hy, %hx};"},
	{"mov.b64 pack", "b64 b32 b32", "mov.b64 %d, {%a, %b}; mov.b64 {%x, %y}, %d; not.b32 %x, %x; mov.b64 %d, {%y, %x};"},
	{"mov.b64 pack 4", "b64 b16 b16 b16", "mov.b64 %d, {%a, %b, %c, %a};"},
	{"mov.{u16,s16,b16,u32,s32,b32,u64,s64,b64,f32,f64}", "$1 $1"},
};
const int rows_logic_count = ROWS(rows_logic);

#define FLOAT_COMPARISONS "{eq,ne,lt,le,gt,ge,equ,neu,ltu,leu,gtu,geu,num,nan}"

const struct row rows_compare[] = {
	{"setp.{eq,ne,lt,le,gt,ge}." INTS, "p $2 $2"}, {"setp.{eq,ne}.{b16,b32,b64}", "p $2 $2"}, {"setp.{lo,ls,hi,hs}.{u16,u32,u64}", "p $2 $2"},
	{"setp." FLOAT_COMPARISONS ".{f16,bf16,f32,f64}", "p $2 $2"}, {"setp." FLOAT_COMPARISONS ".ftz.{f16,f32}", "p $2 $2"},
	{"setp." FLOAT_COMPARISONS ".{f16x2,bf16x2}", "pq $2 $2"},
	{"setp.{eq,lt,ge}.{and,or,xor}.{u16,s32,u64,f32,f64}", "pq $3 $3 sp"},
	{"setp.lt.{and,or}.s32 !", "pq s32 s32 sp", "setp.lt.$1.s32 %p|%q, %a, %b, !%r; selp.u16 %d, 1, 0, %p; selp.u16 %hx, 2, 0, %q; or.b16 %d, %d, %hx;"},
	{"set.{eq,lt,ge}.{u32,s32,f32}." INTS, "$2 $3 $3"},
	{"set.{eq,ltu,ge,nan,num}{,.ftz}.{u32,s32,f32}.f32", "$3 f32 f32"}, {"set.{eq,ltu,ge,nan}.{u32,s32,f32}.{f64}", "$2 $3 $3"},
	{"set.{eq,lt,geu,nan}{,.ftz}.{f16,u16,s16,u32,s32}.f16", "$3 f16 f16"}, {"set.{eq,lt,geu}.{bf16,u16,s16,u32,s32}.bf16", "$2 bf16 bf16"},
	{"set.{eq,lt,geu,num}.f16x2.f16x2", "f16x2 f16x2 f16x2"}, {"set.{eq,lt,geu}.bf16x2.bf16x2", "bf16x2 bf16x2 bf16x2"},
	{"set.lt.{and,or,xor}.{u32,f32}.{s32,f32}", "$2 $3 $3 sp"},
	{"selp.{b16,b32,b64,u16,u32,u64,s16,s32,s64,f32,f64}", "$1 $1 $1 sp"},
	{"slct.{b16,b32,b64,u16,u32,u64,s16,s32,s64,f32,f64}.{s32,f32}", "$1 $1 $1 $2"}, {"slct.ftz.{u32,f32}.f32", "$1 $1 $1 f32"},
	{"testp.{finite,infinite,number,notanumber,normal,subnormal}.{f32,f64}", "p $2"},
};
const int rows_compare_count = ROWS(rows_compare);
