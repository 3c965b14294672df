/* Floating-point arithmetic (manual 9.7.3, 9.7.4) and approximations. */
#include "tables.h"

const struct row rows_single[] = {
	{"{add,sub,mul}{,.rn,.rz,.rm,.rp}{,.ftz}{,.sat}.f32", "f32 f32 f32"},
	{"{fma,mad}{.rn,.rz,.rm,.rp}{,.ftz}{,.sat}.f32", "f32 f32 f32 f32"},
	{"div{.rn,.rz,.rm,.rp}{,.ftz}.f32", "f32 f32 f32"},
	{"{rcp,sqrt}{.rn,.rz,.rm,.rp}{,.ftz}.f32", "f32 f32"},
	{"{abs,neg}{,.ftz}.f32", "f32 f32"},
	{"{min,max}{,.ftz}{,.NaN}{,.xorsign.abs}.f32", "f32 f32 f32"},
	{"copysign.{f32,f64}", "$1 $1 $1"},
};
const int rows_single_count = ROWS(rows_single);

const struct row rows_double[] = {
	{"{add,sub,mul}{,.rn,.rz,.rm,.rp}.f64", "f64 f64 f64"},
	{"{fma,mad}{.rn,.rz,.rm,.rp}.f64", "f64 f64 f64 f64"},
	{"div{.rn,.rz,.rm,.rp}.f64", "f64 f64 f64"},
	{"{rcp,sqrt}{.rn,.rz,.rm,.rp}.f64", "f64 f64"},
	{"{abs,neg}.f64", "f64 f64"},
	{"{min,max}.f64", "f64 f64 f64"},
};
const int rows_double_count = ROWS(rows_double);

const struct row rows_half[] = {
	{"{add,sub,mul}{,.rn}{,.ftz}{,.sat}.{f16,f16x2}", "$5 $5 $5"},
	{"{add,sub,mul}{,.rn}.{bf16,bf16x2}", "$3 $3 $3"},
	{"fma.rn{,.ftz}{,.sat,.relu}.{f16,f16x2}", "$3 $3 $3 $3"},
	{"fma.rn{,.relu}.{bf16,bf16x2}", "$2 $2 $2 $2"},
	{"{abs,neg}{,.ftz}.{f16,f16x2}", "$3 $3"}, {"{abs,neg}.{bf16,bf16x2}", "$2 $2"},
	{"{min,max}{,.ftz}{,.NaN}{,.xorsign.abs}.{f16,f16x2}", "$5 $5 $5"},
	{"{min,max}{,.NaN}{,.xorsign.abs}.{bf16,bf16x2}", "$4 $4 $4"},
};
const int rows_half_count = ROWS(rows_half);

const struct row rows_approximate[] = {
	{"rcp.approx{,.ftz}.f32", "f32 f32", NULL, RCP}, {"div.approx{,.ftz}.f32", "f32 f32 f32", NULL, DIV_APPROX},
	{"div.full{,.ftz}.f32", "f32 f32 f32", NULL, DIV_FULL}, {"sqrt.approx{,.ftz}.f32", "f32 f32", NULL, SQRT},
	{"rsqrt.approx{,.ftz}.f32", "f32 f32", NULL, RSQRT}, {"rsqrt.approx.f64", "f64 f64", NULL, RSQRT_F64},
	{"rcp.approx.ftz.f64", "f64 f64", NULL, RCP_F64}, {"rsqrt.approx.ftz.f64", "f64 f64", NULL, RSQRT_F64_GROSS},
	{"sin.approx{,.ftz}.f32", "f32 angle", NULL, SIN}, {"cos.approx{,.ftz}.f32", "f32 angle", NULL, COS},
	{"lg2.approx{,.ftz}.f32", "f32 f32", NULL, LG2}, {"ex2.approx{,.ftz}.f32", "f32 f32", NULL, EX2},
	{"tanh.approx.f32", "f32 f32", NULL, TANH},
	{"ex2.approx.{f16,f16x2}", "$1 $1", NULL, EX2_F16}, {"ex2.approx.ftz.{bf16,bf16x2}", "$1 $1", NULL, EX2_BF16},
	{"tanh.approx.{f16,f16x2}", "$1 $1", NULL, TANH_F16}, {"tanh.approx.{bf16,bf16x2}", "$1 $1", NULL, TANH_BF16},
};
const int rows_approximate_count = ROWS(rows_approximate);
