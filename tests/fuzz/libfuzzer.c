/* The entry of libFuzzer; TARGET is the name of one of targets.h. */
#include "targets.h"

#define JOIN(a, b) a##b
#define CALL(target) JOIN(fuzz_, target)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CALL(TARGET)(data, size);
	return 0;
}
