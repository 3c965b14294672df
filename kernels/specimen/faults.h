/*
 * Which fault this compilation of the specimen has (-DSPECIMEN_FAULT=<id of faults.def>; none without it). The sources
 * compare `planted` with a fault by `if constexpr`, so that the good specimen holds no trace of any.
 */
#pragma once

#ifndef SPECIMEN_FAULT
#define SPECIMEN_FAULT 0
#endif

namespace specimen {

enum fault {
    fault_none = 0,
#define FAULT(id, name, status, check, also, where, description) fault_##name = id,
#include "faults.def"
#undef FAULT
};

constexpr fault planted = static_cast<fault>(SPECIMEN_FAULT);

} /* namespace specimen */
