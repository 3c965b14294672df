#include "preflight.h"

#include "artifact/compat.h"

static int refuse_all(const char *path, const struct device_properties *device, enum image_policy policy,
		      const struct artifact_coverage *coverage, struct error *err)
{
	const int cc = device->cc_major * 10 + device->cc_minor;
	const char *what = policy == IMAGE_PTX ? "code=compute" : "code=sm";
	const char *otherwise = policy == IMAGE_ANY ? ", or with PTX of an older architecture; assay inspect lists the GPUs that can run it"
						    : ", or leave --image out";
	return error_set(err, ERROR_UNSUPPORTED, "%s: cannot run on %s (%s): %s%s; build it with -gencode arch=compute_%d,%s_%d%s", path,
			 device->id, device->name, coverage->none > 1 ? "no unit has code for it, the first " : "", coverage->reason, cc, what,
			 cc, otherwise);
}

/* CUDA release of the driver, 10 * major + minor, from 1000 * major + 10 * minor. */
static unsigned driver_release(const struct device_properties *device)
{
	return (unsigned)(device->driver_version / 1000 * 10 + device->driver_version % 1000 / 10);
}

int preflight(const char *path, const struct device_properties *device, enum image_policy policy, struct error *err)
{
	struct artifact artifact;
	struct artifact_coverage coverage;
	if (device->kind != DEVICE_CUDA || !device->cc_major)
		return 0;
	if (artifact_open(path, &artifact, err))
		return -1;
	int result = artifact_coverage(&artifact, device->cc_major, device->cc_minor, policy, &coverage, err);
	const unsigned driver = driver_release(device);
	/* the runtime shim loads containers one by one: it has nothing that links again */
	if (result == 0 && coverage.none + coverage.relinked && !coverage.sass && coverage.jit == coverage.relinked) {
		result = refuse_all(path, device, policy, &coverage, err);
	} else if (result == 0 && coverage.jit && !coverage.sass && driver && cuda_of_ptx_isa(coverage.ptx_isa) > driver) {
		const char *needed = driver_of_cuda(cuda_of_ptx_isa(coverage.ptx_isa));
		result = error_set(err, ERROR_UNSUPPORTED,
				   "%s: cannot run on %s (%s, sm_%d%d): it holds only PTX for it, of ISA %u.%u (CUDA %u.%u), which the driver for "
				   "CUDA %u.%u does not compile; install driver %s or newer, or build it with -gencode arch=compute_%d%d,code=sm_%d%d",
				   path, device->id, device->name, device->cc_major, device->cc_minor, coverage.ptx_isa / 10,
				   coverage.ptx_isa % 10, cuda_of_ptx_isa(coverage.ptx_isa) / 10, cuda_of_ptx_isa(coverage.ptx_isa) % 10,
				   driver / 10, driver % 10, needed ? needed : "of that release", device->cc_major, device->cc_minor,
				   device->cc_major, device->cc_minor);
	}
	artifact_close(&artifact);
	return result;
}
