#include "ptx_machine.h"
int main(void)
{
	return check_result();
}
