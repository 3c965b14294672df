/* Structures of the CUDA runtime whose size or order of fields differs between its majors, as driver_types.h of CUDA
 * 11.8, 12.6 and 13.0 declares them. Within a major they are stable: later 12.x and 13.x releases only turned reserved
 * words into fields. Offsets that matter are asserted in tests/unit/test_cudart_shim.c.
 *
 * cudaDeviceProp is one list of fields, each with the CUdevice_attribute (cuda.h; cudaDeviceAttr has the same numbers)
 * that holds its value, so that layout and content cannot drift apart. REMOVED fields are in 11 and 12 only. */
#ifndef ASSAY_CUDART_LAYOUTS_H
#define ASSAY_CUDART_LAYOUTS_H

#include <stddef.h>

#define DEVICE_PROP_HEAD                                                                                     \
	char name[256];                                                                                      \
	unsigned char uuid[16];                                                                              \
	char luid[8];                                                                                        \
	unsigned luid_device_node_mask;                                                                      \
	size_t total_global_memory;

#define DEVICE_PROP_COMMON(INT, INT2, INT3, SIZE, REMOVED)                                                   \
	SIZE(shared_per_block, 8)                                                                            \
	INT(registers_per_block, 12)                                                                         \
	INT(warp_size, 10)                                                                                   \
	SIZE(memory_pitch, 11)                                                                               \
	INT(max_threads_per_block, 1)                                                                        \
	INT3(max_threads_dim, 2, 3, 4)                                                                       \
	INT3(max_grid_size, 5, 6, 7)                                                                         \
	REMOVED(clock_rate, 13)                                                                              \
	SIZE(total_const_memory, 9)                                                                          \
	INT(major, 75)                                                                                       \
	INT(minor, 76)                                                                                       \
	SIZE(texture_alignment, 14)                                                                          \
	SIZE(texture_pitch_alignment, 51)                                                                    \
	REMOVED(device_overlap, 15)                                                                          \
	INT(multiprocessor_count, 16)                                                                        \
	REMOVED(kernel_exec_timeout_enabled, 17)                                                             \
	INT(integrated, 18)                                                                                  \
	INT(can_map_host_memory, 19)                                                                         \
	REMOVED(compute_mode, 20)                                                                            \
	INT(max_texture_1d, 21)                                                                              \
	INT(max_texture_1d_mipmap, 77)                                                                       \
	REMOVED(max_texture_1d_linear, 69)                                                                   \
	INT2(max_texture_2d, 22, 23)                                                                         \
	INT2(max_texture_2d_mipmap, 73, 74)                                                                  \
	INT3(max_texture_2d_linear, 70, 71, 72)                                                              \
	INT2(max_texture_2d_gather, 45, 46)                                                                  \
	INT3(max_texture_3d, 24, 25, 26)                                                                     \
	INT3(max_texture_3d_alt, 47, 48, 49)                                                                 \
	INT(max_texture_cubemap, 52)                                                                         \
	INT2(max_texture_1d_layered, 42, 43)                                                                 \
	INT3(max_texture_2d_layered, 27, 28, 29)                                                             \
	INT2(max_texture_cubemap_layered, 53, 54)                                                            \
	INT(max_surface_1d, 55)                                                                              \
	INT2(max_surface_2d, 56, 57)                                                                         \
	INT3(max_surface_3d, 58, 59, 60)                                                                     \
	INT2(max_surface_1d_layered, 61, 62)                                                                 \
	INT3(max_surface_2d_layered, 63, 64, 65)                                                             \
	INT(max_surface_cubemap, 66)                                                                         \
	INT2(max_surface_cubemap_layered, 67, 68)                                                            \
	SIZE(surface_alignment, 30)                                                                          \
	INT(concurrent_kernels, 31)                                                                          \
	INT(ecc_enabled, 32)                                                                                 \
	INT(pci_bus_id, 33)                                                                                  \
	INT(pci_device_id, 34)                                                                               \
	INT(pci_domain_id, 50)                                                                               \
	INT(tcc_driver, 35)                                                                                  \
	INT(async_engine_count, 40)                                                                          \
	INT(unified_addressing, 41)                                                                          \
	REMOVED(memory_clock_rate, 36)                                                                       \
	INT(memory_bus_width, 37)                                                                            \
	INT(l2_cache_size, 38)                                                                               \
	INT(persisting_l2_cache_max_size, 108)                                                               \
	INT(max_threads_per_multiprocessor, 39)                                                              \
	INT(stream_priorities_supported, 78)                                                                 \
	INT(global_l1_cache_supported, 79)                                                                   \
	INT(local_l1_cache_supported, 80)                                                                    \
	SIZE(shared_per_multiprocessor, 81)                                                                  \
	INT(registers_per_multiprocessor, 82)                                                                \
	INT(managed_memory, 83)                                                                              \
	INT(is_multi_gpu_board, 84)                                                                          \
	INT(multi_gpu_board_group_id, 85)                                                                    \
	INT(host_native_atomic_supported, 86)                                                                \
	REMOVED(single_to_double_ratio, 87)                                                                  \
	INT(pageable_memory_access, 88)                                                                      \
	INT(concurrent_managed_access, 89)                                                                   \
	INT(compute_preemption_supported, 90)                                                                \
	INT(can_use_host_pointer_for_registered, 91)                                                         \
	INT(cooperative_launch, 95)                                                                          \
	REMOVED(cooperative_multi_device_launch, 96)                                                         \
	SIZE(shared_per_block_optin, 97)                                                                     \
	INT(pageable_uses_host_page_tables, 100)                                                             \
	INT(direct_managed_access_from_host, 101)                                                            \
	INT(max_blocks_per_multiprocessor, 106)                                                              \
	INT(access_policy_max_window_size, 109)                                                              \
	SIZE(reserved_shared_per_block, 111)

/* appended by 12 */
#define DEVICE_PROP_SINCE_12(INT)                                                                            \
	INT(host_register_supported, 99)                                                                     \
	INT(sparse_array_supported, 112)                                                                     \
	INT(host_register_read_only_supported, 113)                                                          \
	INT(timeline_semaphore_supported, 114)                                                               \
	INT(memory_pools_supported, 115)                                                                     \
	INT(gpu_direct_rdma_supported, 116)                                                                  \
	INT(gpu_direct_rdma_flush_options, 117)                                                              \
	INT(gpu_direct_rdma_writes_ordering, 118)                                                            \
	INT(memory_pool_handle_types, 119)                                                                   \
	INT(deferred_mapping_array_supported, 121)                                                           \
	INT(ipc_event_supported, 125)                                                                        \
	INT(cluster_launch, 120)                                                                             \
	INT(unified_function_pointers, 129)

/* appended by 13 */
#define DEVICE_PROP_SINCE_13(INT)                                                                            \
	INT(numa_config, 130)                                                                                \
	INT(numa_id, 131)                                                                                    \
	INT(mps_enabled, 133)                                                                                \
	INT(host_numa_id, 134)                                                                               \
	INT(gpu_pci_device_id, 139)                                                                          \
	INT(gpu_pci_subsystem_id, 140)                                                                       \
	INT(host_numa_multinode_ipc_supported, 143)

#define PROP_INT(field, a) int field;
#define PROP_INT2(field, a, b) int field[2];
#define PROP_INT3(field, a, b, c) int field[3];
#define PROP_SIZE(field, a) size_t field;
#define PROP_GONE(field, a)

struct device_prop_11 {
	DEVICE_PROP_HEAD
	DEVICE_PROP_COMMON(PROP_INT, PROP_INT2, PROP_INT3, PROP_SIZE, PROP_INT)
};

struct device_prop_12 { /* what cudaGetDeviceProperties_v2 fills */
	DEVICE_PROP_HEAD
	DEVICE_PROP_COMMON(PROP_INT, PROP_INT2, PROP_INT3, PROP_SIZE, PROP_INT)
	DEVICE_PROP_SINCE_12(PROP_INT)
	int reserved[63];
};

struct device_prop_13 {
	DEVICE_PROP_HEAD
	DEVICE_PROP_COMMON(PROP_INT, PROP_INT2, PROP_INT3, PROP_SIZE, PROP_GONE)
	DEVICE_PROP_SINCE_12(PROP_INT)
	DEVICE_PROP_SINCE_13(PROP_INT)
	int reserved[56];
};

#undef PROP_INT
#undef PROP_INT2
#undef PROP_INT3
#undef PROP_SIZE
#undef PROP_GONE

/* cudaFuncAttributes: 11 ends after the carveout; 12 and 13 agree. */
#define FUNC_ATTRIBUTES_COMMON                                                                               \
	size_t shared_bytes, const_bytes, local_bytes;                                                       \
	int max_threads_per_block, registers, ptx_version, binary_version, cache_mode_ca;                    \
	int max_dynamic_shared, preferred_shared_carveout;

struct func_attributes_11 {
	FUNC_ATTRIBUTES_COMMON
};

struct func_attributes_12 {
	FUNC_ATTRIBUTES_COMMON
	int cluster_dim_must_be_set, required_cluster[3], cluster_scheduling_policy, non_portable_cluster_allowed;
	int reserved[16];
};

/* cudaPointerAttributes: 13 appends reserved words that have to be zero. */
struct pointer_attributes {
	int type; /* 0 unregistered, 1 host, 2 device, 3 managed */
	int device;
	void *device_pointer, *host_pointer;
	long reserved_13[8];
};
#define POINTER_ATTRIBUTES_SIZE_11 offsetof(struct pointer_attributes, reserved_13)

/* cudaLaunchConfig_t and cudaLaunchAttribute, since 11.8. */
struct launch_attribute {
	int id;
	int padding;
	union {
		unsigned char bytes[64];
		unsigned cluster[3];
		int cooperative;
	} value;
};

struct launch_config {
	unsigned grid[3], block[3];
	size_t dynamic_shared;
	void *stream;
	const struct launch_attribute *attributes;
	unsigned attribute_count;
};

#endif
