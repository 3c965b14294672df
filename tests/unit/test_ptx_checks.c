#include "ptx_memory_run.h"
int main(void)
{
	struct world world;
	world_open(&world);
	world_close(&world);
	(void)world_address; (void)world_run; (void)world_expect;
	return check_result();
}
