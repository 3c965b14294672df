/* cvt in all pairs and roundings (manual 9.7.9.21). Sources of 8 bits are read from registers with other bits above them, and
 * results of 8 bits are looked at in the whole register. */
#include "tables.h"

#define INTS "{u8,s8,u16,s16,u32,s32,u64,s64}"
#define ROUNDINGS "{.rn,.rz,.rm,.rp}"
#define TO_INTEGER "{.rni,.rzi,.rmi,.rpi}"

const struct row rows_convert_integer[] = {
	{"cvt." INTS "." INTS, "$1 $2"},
	/* .sat only where a value can be out of range */
	{"cvt.sat.u8.{s8,u16,s16,u32,s32,u64,s64}", "u8 $1"}, {"cvt.sat.s8.{u8,u16,s16,u32,s32,u64,s64}", "s8 $1"},
	{"cvt.sat.u16.{s8,s16,u32,s32,u64,s64}", "u16 $1"}, {"cvt.sat.s16.{u16,u32,s32,u64,s64}", "s16 $1"},
	{"cvt.sat.u32.{s8,s16,s32,u64,s64}", "u32 $1"}, {"cvt.sat.s32.{u32,u64,s64}", "s32 $1"}, {"cvt.sat.u64.{s8,s16,s32,s64}", "u64 $1"},
	{"cvt.sat.s64.u64", "s64 u64"},
};
const int rows_convert_integer_count = ROWS(rows_convert_integer);

const struct row rows_convert_from_integer[] = {
	{"cvt" ROUNDINGS ".{f16,f32,f64}." INTS, "$2 $3"}, {"cvt" ROUNDINGS ".bf16.{u16,s16,u32,s32,u64,s64}", "bf16 $2"},
	{"cvt.rn.sat.{f16,f32,f64}." INTS, "$1 $2"},
};
const int rows_convert_from_integer_count = ROWS(rows_convert_from_integer);

const struct row rows_convert_to_integer[] = {
	{"cvt" TO_INTEGER "." INTS ".{f16,f32,f64}", "$2 $3"}, {"cvt" TO_INTEGER ".{u16,s16,u32,s32,u64,s64}.bf16", "$2 bf16"},
	{"cvt.rzi{.ftz,.ftz.sat,.sat}." INTS ".f32", "$2 f32"},
};
const int rows_convert_to_integer_count = ROWS(rows_convert_to_integer);

const struct row rows_convert_float[] = {
	{"cvt" TO_INTEGER ".{f16.f16,bf16.bf16,f32.f32,f64.f64}", "$2 $2"}, /* the pair is taken apart by the generator */
	{"cvt" TO_INTEGER ".ftz.f32.f32", "f32 f32"}, {"cvt.rni.sat.{f32.f32,f64.f64}", "$1 $1"},
	{"cvt.{f32,f64}.f16", "$1 f16"}, {"cvt.f32.bf16", "f32 bf16"}, {"cvt.f64.bf16", "f64 bf16"}, {"cvt.f64.f32", "f64 f32"},
	{"cvt.ftz.f64.f32", "f64 f32"}, {"cvt.sat.{f32,f64}.f16", "$1 f16"}, {"cvt.sat.f64.f32", "f64 f32"}, {"cvt.sat.{f32.f32,f64.f64}", "$1 $1"},
	{"cvt.ftz.f32.f16", "f32 f16"}, {"cvt.ftz.sat.f32.f32", "f32 f32"},
	{"cvt" ROUNDINGS ".f16.{f32,f64}", "f16 $2"}, {"cvt" ROUNDINGS ".f32.f64", "f32 f64"}, {"cvt.{rn,rz}.bf16.f32", "bf16 f32"},
	{"cvt.{rm,rp}.bf16.f32", "bf16 f32"}, {"cvt" ROUNDINGS ".bf16.f64", "bf16 f64"}, {"cvt" ROUNDINGS ".bf16.f16", "bf16 f16"},
	{"cvt" ROUNDINGS ".f16.bf16", "f16 bf16"},
	{"cvt" ROUNDINGS ".{ftz,sat,ftz.sat}.f32.f64", "f32 f64"}, {"cvt.rn.{sat,ftz,ftz.sat}.f16.f32", "f16 f32"}, {"cvt.rn.sat.f16.f64", "f16 f64"},
	{"cvt.{rn,rz}.relu.{f16,bf16}.f32", "$2 f32"},
	{"cvt.{rn,rz}{,.relu}.{f16x2,bf16x2}.f32", "$3 f32 f32"},
	{"cvt.rna.tf32.f32", "b32 f32"}, {"cvt.{rn,rz}{,.relu}.tf32.f32", "b32 f32"},
};
const int rows_convert_float_count = ROWS(rows_convert_float);

const struct row rows_convert_fp8[] = {
	{"cvt.rn.satfinite{,.relu}.{e4m3x2,e5m2x2}.f32", "b16 f32 f32"},
	{"cvt.rn.satfinite{,.relu}.{e4m3x2,e5m2x2}.f16x2", "b16 f16x2"},
	{"cvt.rn{,.relu}.f16x2.{e4m3x2,e5m2x2}", "f16x2 b16"},
};
const int rows_convert_fp8_count = ROWS(rows_convert_fp8);
