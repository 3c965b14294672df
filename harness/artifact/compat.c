#include "artifact/compat.h"

#include "core/util.h"

#include <stdlib.h>

static const struct {
	unsigned isa, cuda;
} ptx_releases[] = {
	{60, 90},  {61, 91},  {62, 92},  {63, 100}, {64, 101}, {65, 102}, {70, 110}, {71, 111}, {72, 112}, {73, 113}, {74, 114},
	{75, 115}, {76, 116}, {77, 117}, {78, 118}, {80, 120}, {81, 121}, {82, 122}, {83, 123}, {84, 124}, {85, 125}, {86, 127},
	{87, 128}, {88, 129}, {90, 130}, {91, 131}, {92, 132}, {93, 133}, {94, 134},
};

/* Windows toolkits from 13.0 on bring no driver, so the release notes give no number: their rows hold the branch of the Linux
 * driver, which Windows drivers share (PTX ISA 9.4, "Release Notes", names branches for both). 12.7 was a driver branch without a toolkit of its own; its row has the first public driver of that branch. */
static const struct {
	unsigned cuda;
	const char *linux_driver, *windows_driver;
} cuda_drivers[] = {
	{110, "450.51.05", "451.48"}, {111, "455.23", "456.38"},    {112, "460.27.03", "460.82"}, {113, "465.19.01", "465.89"},
	{114, "470.42.01", "471.11"}, {115, "495.29.05", "496.04"}, {116, "510.39.01", "511.23"}, {117, "515.43.04", "516.01"},
	{118, "520.61.05", "520.06"}, {120, "525.60.13", "527.41"}, {121, "530.30.02", "531.14"}, {122, "535.54.03", "536.25"},
	{123, "545.23.06", "545.84"}, {124, "550.54.14", "551.61"}, {125, "555.42.02", "555.85"}, {126, "560.28.03", "560.76"},
	{127, "565.57.01", "566.03"}, {128, "570.26", "570.65"},    {129, "575.51.03", "576.02"}, {130, "580.65.06", "580"},
	{131, "590.44.01", "590"},    {132, "595.45.04", "595"},  {133, "610.43.02", "610"},
};

/* Minor-version compatibility: table "CUDA Toolkit and Minimum Required Driver Version" of the release notes of 11.8 and of
 * 13.1. For 12.x on Windows they contradict each other: older ones say 528.33 (the driver that came with 12.0.1), newer
 * ones 527.41, which is the driver that 12.0 itself came with and so can run it. The lower one is taken: a driver in
 * between is refused by nobody. */
static const struct {
	unsigned major;
	const char *linux_driver, *windows_driver;
} major_drivers[] = {
	{11, "450.80.02", "452.39"},
	{12, "525.60.13", "527.41"},
	{13, "580.65.06", "580"},
};

/* The toolkit that brought the target. 101 was renamed to 110 in 13.0. */
static const struct {
	unsigned cc, cuda;
} first_cuda[] = {{50, 60},  {52, 65},  {53, 75},   {60, 80},   {61, 80},   {62, 80},   {70, 90},   {72, 92},
		  {75, 100}, {80, 110}, {86, 111},  {87, 114},  {88, 130},  {89, 118},  {90, 118},  {100, 128},
		  {101, 128}, {103, 129}, {107, 134}, {110, 130}, {120, 128}, {121, 129}};

const struct gpu_model gpu_models[] = {
	{50, "GTX 750, Quadro M1000M"},
	{52, "GTX 900 series, Tesla M40, M60"},
	{53, "Jetson Nano, TX1"},
	{60, "Tesla P100"},
	{61, "GTX 10 series, Tesla P4, P40"},
	{62, "Jetson TX2"},
	{70, "V100, Titan V"},
	{72, "Jetson Xavier"},
	{75, "RTX 20 and GTX 16 series, T4"},
	{80, "A100, A30"},
	{86, "RTX 30 series, A10, A40"},
	{87, "Jetson Orin"},
	{89, "RTX 40 series, L4, L40S"},
	{90, "H100, H200, GH200"},
	{100, "B200, GB200"},
	{103, "B300, GB300"},
	{110, "Jetson Thor"},
	{120, "RTX 50 series, RTX PRO 6000 Blackwell"},
	{121, "GB10 (DGX Spark)"},
};
const size_t gpu_model_count = ARRAY_COUNT(gpu_models);

unsigned cuda_of_ptx_isa(unsigned isa)
{
	for (size_t i = 0; i < ARRAY_COUNT(ptx_releases); i++)
		if (ptx_releases[i].isa == isa)
			return ptx_releases[i].cuda;
	return 0;
}

const char *driver_of_cuda(unsigned cuda)
{
	for (size_t i = 0; i < ARRAY_COUNT(cuda_drivers); i++)
		if (cuda_drivers[i].cuda == cuda)
			return cuda_drivers[i].linux_driver;
	return NULL;
}

const char *windows_driver_of_cuda(unsigned cuda)
{
	for (size_t i = 0; i < ARRAY_COUNT(cuda_drivers); i++)
		if (cuda_drivers[i].cuda == cuda)
			return cuda_drivers[i].windows_driver;
	return NULL;
}

const char *driver_of_cuda_major(unsigned major)
{
	for (size_t i = 0; i < ARRAY_COUNT(major_drivers); i++)
		if (major_drivers[i].major == major)
			return major_drivers[i].linux_driver;
	return NULL;
}

const char *windows_driver_of_cuda_major(unsigned major)
{
	for (size_t i = 0; i < ARRAY_COUNT(major_drivers); i++)
		if (major_drivers[i].major == major)
			return major_drivers[i].windows_driver;
	return NULL;
}

unsigned cuda_of_compute_capability(unsigned cc)
{
	for (size_t i = 0; i < ARRAY_COUNT(first_cuda); i++)
		if (first_cuda[i].cc == cc)
			return first_cuda[i].cuda;
	return 0;
}

int driver_compare(const char *a, const char *b)
{
	while (*a || *b) {
		char *end_a, *end_b;
		const unsigned long left = strtoul(a, &end_a, 10), right = strtoul(b, &end_b, 10);
		if (left != right)
			return left < right ? -1 : 1;
		if (end_a == a && end_b == b)
			return 0;
		a = *end_a == '.' ? end_a + 1 : "";
		b = *end_b == '.' ? end_b + 1 : "";
	}
	return 0;
}

const char *gpu_cards(unsigned cc)
{
	for (size_t i = 0; i < gpu_model_count; i++)
		if (gpu_models[i].cc == cc)
			return gpu_models[i].cards;
	return NULL;
}

int is_tegra(unsigned cc)
{
	return cc == 53 || cc == 62 || cc == 72 || cc == 87 || cc == 101 || cc == 110;
}
