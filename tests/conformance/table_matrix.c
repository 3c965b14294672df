/* Matrix instructions (manual 9.7.14, 9.7.15). Rows with MMA compare sums within their bound; those with whole numbers have
 * exact answers, whatever the order of the sum. */
#include "tables.h"

#define LOAD_ROWS ".shared .align 16 .b8 cells[2048]; mov.u32 %x, cells; mad.lo.u32 %y, %t, 16, %x; st.shared.v4.b32 [%y], {%a0, %a1, %a2, %a3}; bar.sync 0; "

const struct row rows_matrix[] = {
	{"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", "f32*4 f16x2m*4 f16x2m*2 f32m*4", NULL, MMA},
	{"mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32", "f32*4 f16x2m*2 f16x2m f32m*4", NULL, MMA},
	{"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", "f32*4 bf16x2m*4 bf16x2m*2 f32m*4", NULL, MMA},
	{"mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32", "f32*4 bf16x2m*2 bf16x2m f32m*4", NULL, MMA},
	{"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", "f32*4 tf32m*4 tf32m*2 f32m*4", NULL, MMA},
	{"mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32", "f32*4 tf32m*2 tf32m f32m*4", NULL, MMA},
	{"mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16", "f16x2*2 f16x2m*4 f16x2m*2 f16x2m*2", NULL, MMA},
	{"mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16", "f16x2*2 f16x2m*2 f16x2m f16x2m*2", NULL, MMA},
	{"mma.sync.aligned.m16n8k32.row.col.f32.{e4m3,e5m2}.{e4m3,e5m2}.f32", "f32*4 $1x4m*4 $2x4m*2 f32m*4", NULL, MMA_FP8},
	{"mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64", "f64*2 f64m f64m f64m*2", NULL, MMA_F64},
	{"mma.sync.aligned.m16n8k{4,8,16}.row.col.f64.f64.f64.f64", "f64*4 f64m*$h1 f64m*$q1 f64m*4", NULL, MMA_F64},

	{"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 whole", "f32*4 f16x2i*4 f16x2i*2 f32i*4"},
	{"mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 whole", "f32*4 f16x2i*2 f16x2i f32i*4"},
	{"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 whole", "f32*4 bf16x2i*4 bf16x2i*2 f32i*4"},
	{"mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 whole", "f32*4 bf16x2i*2 bf16x2i f32i*4"},
	{"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 whole", "f32*4 tf32i*4 tf32i*2 f32i*4"},
	{"mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32 whole", "f32*4 tf32i*2 tf32i f32i*4"},
	{"mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 whole", "f16x2*2 f16x2i*4 f16x2i*2 f16x2i*2"},
	{"mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 whole", "f32*4 e4m3x4i*4 e4m3x4i*2 f32i*4"},
	{"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 special", "f32*4 f16x2s*4 f16x2s*2 f32i*4"},
	{"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 special", "f32*4 bf16x2s*4 bf16x2s*2 f32i*4"},
	{"mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 special", "f16x2*2 f16x2s*4 f16x2s*2 f16x2i*2"},

	{"mma.sync.aligned.m8n8k16.row.col{,.satfinite}.s32.{s8,u8}.{s8,u8}.s32", "s32*2 b32 b32 s32*2"},
	{"mma.sync.aligned.m16n8k16.row.col{,.satfinite}.s32.{s8,u8}.{s8,u8}.s32", "s32*4 b32*2 b32 s32*4"},
	{"mma.sync.aligned.m16n8k32.row.col{,.satfinite}.s32.{s8,u8}.{s8,u8}.s32", "s32*4 b32*4 b32*2 s32*4"},
	{"mma.sync.aligned.m8n8k32.row.col{,.satfinite}.s32.{s4,u4}.{s4,u4}.s32", "s32*2 b32 b32 s32*2"},
	{"mma.sync.aligned.m16n8k32.row.col.s32.{s4,u4}.{s4,u4}.s32", "s32*4 b32*2 b32 s32*4"},
	{"mma.sync.aligned.m16n8k64.row.col.s32.{s4,u4}.{s4,u4}.s32", "s32*4 b32*4 b32*2 s32*4"},
	{"mma.sync.aligned.m8n8k128.row.col.s32.b1.b1.s32.{xor,and}.popc", "s32*2 b32 b32 s32*2"},
	{"mma.sync.aligned.m16n8k128.row.col.s32.b1.b1.s32.{xor,and}.popc", "s32*4 b32*2 b32 s32*4"},
	{"mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.{xor,and}.popc", "s32*4 b32*4 b32*2 s32*4"},

	{"ldmatrix.sync.aligned.m8n8.x4{,.trans}.shared.b16", "b32*4 b32*4", LOAD_ROWS "$0 {%d0, %d1, %d2, %d3}, [%y];"},
	{"ldmatrix.sync.aligned.x4{,.trans}.m8n8.shared.b16", "b32*4 b32*4", LOAD_ROWS "xor.b32 %y, %y, 112; $0 {%d0, %d1, %d2, %d3}, [%y];"},
	{"ldmatrix.sync.aligned.m8n8.x2{,.trans}.shared.b16", "b32*2 b32*4", LOAD_ROWS "$0 {%d0, %d1}, [%y];"},
	{"ldmatrix.sync.aligned.m8n8.x1{,.trans}.shared.b16", "b32 b32*4", LOAD_ROWS "$0 {%d}, [%y];"},
	{"ldmatrix.sync.aligned.m8n8.x4.b16 generic", "b32*4 b32*4",
	 LOAD_ROWS "cvt.u64.u32 %lx, %y; cvta.shared.u64 %lx, %lx; ldmatrix.sync.aligned.m8n8.x4.b16 {%d0, %d1, %d2, %d3}, [%lx];"},
	{"stmatrix.sync.aligned.m8n8.x4{,.trans}.shared.b16", "b32*4 b32*4",
	 ".shared .align 16 .b8 cells[2048]; mov.u32 %x, cells; mad.lo.u32 %y, %t, 16, %x; $0 [%y], {%a0, %a1, %a2, %a3}; bar.sync 0; "
	 "ld.shared.v4.b32 {%d0, %d1, %d2, %d3}, [%y];"},
	{"stmatrix.sync.aligned.m8n8.x2{,.trans}.shared.b16", "b32*4 b32*4",
	 LOAD_ROWS "$0 [%y], {%a1, %a0}; bar.sync 0; ld.shared.v4.b32 {%d0, %d1, %d2, %d3}, [%y];"},
	{"movmatrix.sync.aligned.m8n8.trans.b16", "b32 b32"},
};
const int rows_matrix_count = ROWS(rows_matrix);

/* wmma: load, multiply, store. Raw fragments are no part of the contract. The matrices of a warp lie one after the other. */
#define R8(x) "{%" x "0, %" x "1, %" x "2, %" x "3, %" x "4, %" x "5, %" x "6, %" x "7}"
#define R4(x) "{%" x "0, %" x "1, %" x "2, %" x "3}"
#define R2(x) "{%" x "0, %" x "1}"
#define REGISTERS ".reg .b32 %ma<8>, %mb<8>, %mc<8>; .reg .f32 %mf<8>; .reg .f64 %mg<8>; "
#define WMMA(shape, a, b, d, ra, rb, rd, types, to, stride_a, stride_b, stride_c)                                                           \
	REGISTERS "wmma.load.a.sync.aligned.$1." shape ".global." a " " ra ", [%wa], " stride_a "; wmma.load.b.sync.aligned.$2." shape ".global." b \
		  " " rb ", [%wb], " stride_b "; wmma.load.c.sync.aligned.row." shape ".global." d " " rd ", [%wc], " stride_c                     \
		  "; wmma.mma.sync.aligned.$1.$2." shape "." types " " rd ", " ra ", " rb ", " rd "; wmma.store.d.sync.aligned.$3." shape          \
		  ".global." d " [%wd], " rd to ";"

const struct row rows_wmma[] = {
	{"wmma.m16n16k16.f16.f32 {row,col} {row,col} {row,col}", "f32*8 f16x2i*4 f16x2i*4 f32i*8",
	 WMMA("m16n16k16", "f16", "f16", "f32", R8("ma"), R8("mb"), R8("mf"), "f32.f32", ", 16", "16", "16", "16") " bar.warp.sync -1; $reload8"},
	{"wmma.m8n32k16.f16.f32 {row} {col} {row}", "f32*8 f16x2i*2 f16x2i*8 f32i*8",
	 WMMA("m8n32k16", "f16", "f16", "f32", R8("ma"), R8("mb"), R8("mf"), "f32.f32", ", 32", "16", "16", "32") " bar.warp.sync -1; $reload8"},
	{"wmma.m32n8k16.f16.f32 {row} {col} {row}", "f32*8 f16x2i*8 f16x2i*2 f32i*8",
	 WMMA("m32n8k16", "f16", "f16", "f32", R8("ma"), R8("mb"), R8("mf"), "f32.f32", ", 8", "16", "16", "8") " bar.warp.sync -1; $reload8"},
	{"wmma.m16n16k16.f16.f16 {row,col} {row,col} {row,col}", "f16x2*4 f16x2i*4 f16x2i*4 f16x2i*4",
	 WMMA("m16n16k16", "f16", "f16", "f16", R8("ma"), R8("mb"), R4("mc"), "f16.f16", ", 16", "16", "16", "16") " bar.warp.sync -1; $reload4"},
	{"wmma.m16n16k16.bf16.f32 {row,col} {row,col} {row,col}", "f32*8 bf16x2i*4 bf16x2i*4 f32i*8",
	 WMMA("m16n16k16", "bf16", "bf16", "f32", R4("ma"), R4("mb"), R8("mf"), "f32.bf16.bf16.f32", ", 16", "16", "16", "16") " bar.warp.sync -1; $reload8"},
	{"wmma.m8n32k16.bf16.f32 {row} {col} {row}", "f32*8 bf16x2i*2 bf16x2i*8 f32i*8",
	 WMMA("m8n32k16", "bf16", "bf16", "f32", R2("ma"), R8("mb"), R8("mf"), "f32.bf16.bf16.f32", ", 32", "16", "16", "32") " bar.warp.sync -1; $reload8"},
	{"wmma.m32n8k16.bf16.f32 {row} {col} {row}", "f32*8 bf16x2i*8 bf16x2i*2 f32i*8",
	 WMMA("m32n8k16", "bf16", "bf16", "f32", R8("ma"), R2("mb"), R8("mf"), "f32.bf16.bf16.f32", ", 8", "16", "16", "8") " bar.warp.sync -1; $reload8"},
	{"wmma.m16n16k8.tf32.f32 {row,col} {row,col} {row}", "f32*8 tf32i*4 tf32i*4 f32i*8",
	 WMMA("m16n16k8", "tf32", "tf32", "f32", R4("ma"), R4("mb"), R8("mf"), "f32.tf32.tf32.f32", ", 16", "$A1", "$B2", "16") " bar.warp.sync -1; $reload8"},
	{"wmma.m16n16k16.s8.s32 {row,col} {row,col} {row,col}", "s32*8 b32*2 b32*2 s32*8",
	 WMMA("m16n16k16", "s8", "s8", "s32", R2("ma"), R2("mb"), R8("mc"), "s32.s8.s8.s32", ", 16", "16", "16", "16") " bar.warp.sync -1; $reload8"},
	{"wmma.m16n16k16.u8.s32 {row} {col} {row}", "s32*8 b32*2 b32*2 s32*8",
	 WMMA("m16n16k16", "u8", "u8", "s32", R2("ma"), R2("mb"), R8("mc"), "s32.u8.u8.s32", ", 16", "16", "16", "16") " bar.warp.sync -1; $reload8"},
	{"wmma.m8n8k4.f64 {row} {col} {row}", "f64*2 f32i*2 f32i*2 f32i*4",
	 REGISTERS "mov.f64 %mg0, 0d3FF8000000000000; cvt.rn.f64.u32 %mg1, %t; mov.f64 %mg2, %mg1; mov.f64 %mg3, 0d4000000000000000; "
		   "wmma.mma.sync.aligned.row.col.m8n8k4.f64.f64.f64.f64 {%mg4, %mg5}, {%mg0}, {%mg0}, {%mg3, %mg3}; "
		   "wmma.store.d.sync.aligned.row.m8n8k4.global.f64 [%wd], {%mg4, %mg5}, 8; bar.warp.sync -1; ld.global.v2.f64 {%d0, %d1}, [%ld];"},
};
const int rows_wmma_count = ROWS(rows_wmma);
