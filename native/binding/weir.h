/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libweir: a coarse interface over libbpf and rtnetlink, shaped for callers that come through FFI.
 *
 * Every function answers 0 or a positive number on success and -errno on failure. Nothing here
 * prints, retries or keeps global state. Buffers are the caller's; so is every fd that is answered.
 * The structs are fixed little tables that the caller decodes byte by byte, in host order.
 */
#ifndef WEIR_H
#define WEIR_H

#include <stdint.h>

#define WEIR_API __attribute__((visibility("default")))

#define WEIR_NAME_SIZE 64

struct weir_map_spec {
	char name[WEIR_NAME_SIZE]; /* data sections are called .rodata, .data.x, .bss */
	uint32_t type;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
	uint32_t flags;
	uint32_t is_section;
};

struct weir_program_spec {
	char name[WEIR_NAME_SIZE];
	char section[WEIR_NAME_SIZE];
};

struct weir_map_info {
	char name[16];
	uint32_t id;
	uint32_t type;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
	uint32_t flags;
	uint32_t possible_cpus;
	uint32_t pad;
};

struct weir_program_info {
	char name[16];
	uint8_t tag[8];
	uint64_t run_time_ns;
	uint64_t run_count;
	uint32_t id;
	uint32_t type;
	uint32_t verified_instructions;
	uint32_t translated_size;
	uint32_t jited_size;
	uint32_t pad;
};

struct weir_link_info {
	uint64_t cgroup_id;
	uint32_t id;
	uint32_t type;
	uint32_t program_id;
	uint32_t attach_type;
	uint32_t ifindex; /* 0: not a device's link, or the device is gone */
	uint32_t pad;
};

struct weir_test_run {
	uint32_t return_value;
	uint32_t duration_ns; /* mean of one run */
	uint32_t data_size;
	uint32_t context_size;
};

/* --- objects: new, open, set, load; the log is libbpf's and the verifier's whole text --- */

struct weir_object;

WEIR_API struct weir_object *weir_object_new(void); /* NULL: no memory */
WEIR_API int weir_object_free(struct weir_object *object);
WEIR_API int weir_object_open(struct weir_object *object, const char *path);
WEIR_API int weir_object_load(struct weir_object *object);

/* These three copy what fits and answer the whole length or count. */
WEIR_API int weir_object_log(const struct weir_object *object, char *out, uint32_t capacity);
WEIR_API int weir_object_maps(const struct weir_object *object, struct weir_map_spec *out,
			      uint32_t capacity);
WEIR_API int weir_object_programs(const struct weir_object *object, struct weir_program_spec *out,
				  uint32_t capacity);

/* `map` is an index into weir_object_maps. */
WEIR_API int weir_object_set_max_entries(struct weir_object *object, uint32_t map,
					 uint32_t max_entries);
WEIR_API int weir_object_get_data(const struct weir_object *object, uint32_t map, void *out,
				  uint32_t capacity);
WEIR_API int weir_object_set_data(struct weir_object *object, uint32_t map, const void *bytes,
				  uint32_t size);
WEIR_API int weir_object_reuse_map(struct weir_object *object, uint32_t map, int fd);
WEIR_API int weir_object_set_autoload(struct weir_object *object, const char *program, int load);

/* A new fd each time: it outlives the object. */
WEIR_API int weir_object_map_fd(const struct weir_object *object, uint32_t map);
WEIR_API int weir_object_program_fd(const struct weir_object *object, const char *program);

/* --- pins in bpffs, of maps, programs and links --- */

WEIR_API int weir_pin(int fd, const char *path);
WEIR_API int weir_open_pin(const char *path);
WEIR_API int weir_mount_bpffs(const char *path);
WEIR_API int weir_unmount(const char *path);

/* --- maps; a per-CPU value is possible_cpus values of value_size rounded up to 8 bytes --- */

WEIR_API int weir_map_create(uint32_t type, const char *name, uint32_t key_size,
			     uint32_t value_size, uint32_t max_entries, uint32_t flags);
WEIR_API int weir_map_info(int fd, struct weir_map_info *out);
WEIR_API int weir_map_lookup(int fd, const void *key, void *value);
WEIR_API int weir_map_update(int fd, const void *key, const void *value, uint32_t flags);
WEIR_API int weir_map_delete(int fd, const void *key);

/* Reads the values of `count` keys; found[i] becomes 1, or 0 for an absent key. */
WEIR_API int weir_map_lookup_many(int fd, const void *keys, void *values, uint32_t key_size,
				  uint32_t value_size, uint32_t count, uint8_t *found);

/*
 * Writes `count` entries; a failed one does not stop the others. errors[i] becomes 0 or -errno.
 * Answers how many failed. `value_size` is the stride: for a per-CPU map that of all CPUs.
 */
WEIR_API int weir_map_update_many(int fd, const void *keys, const void *values, uint32_t key_size,
				  uint32_t value_size, uint32_t count, int32_t *errors);

/* Absent keys are fine. Answers the first other error, after having tried all. */
WEIR_API int weir_map_delete_many(int fd, const void *keys, uint32_t key_size, uint32_t count);

/*
 * Reads the next entries, at most *count, and sets *count to how many. `cursor` has room for a key
 * and for 8 bytes; `first` starts over. Answers 1 while there is more, 0 at the end, and -ENOSPC
 * when *count is too small for one bucket: ask again with more room.
 */
WEIR_API int weir_map_read(int fd, void *cursor, int first, void *keys, void *values,
			   uint32_t key_size, uint32_t value_size, uint32_t *count);

/* --- programs --- */

WEIR_API int weir_program_open_id(uint32_t id);
WEIR_API int weir_program_info(int fd, struct weir_program_info *out);
/* The ids of the programs on a hook, in order; `target` is an ifindex or a cgroup's fd. */
WEIR_API int weir_program_query(int target, uint32_t attach_type, uint32_t *ids, uint32_t capacity);
/* Without room for an output (NULL), the kernel is not asked for it. */
WEIR_API int weir_program_test_run(int fd, const void *data, uint32_t data_size, void *data_out,
				   uint32_t data_capacity, void *context, uint32_t context_size,
				   void *context_out, uint32_t context_capacity, uint32_t repeat,
				   uint32_t flags, struct weir_test_run *out);
/* Run counts and times are kept while the answered fd is open. */
WEIR_API int weir_enable_stats(void);

/* --- links; `target` is an ifindex or a cgroup's fd, attach types are the kernel's numbers --- */

WEIR_API int weir_link_create(int program_fd, int target, uint32_t attach_type, uint32_t flags);
WEIR_API int weir_link_update(int fd, int program_fd);
WEIR_API int weir_link_detach(int fd);
WEIR_API int weir_link_info(int fd, struct weir_link_info *out);

/*
 * Starts a thread that drains the ring buffer into a socket and answers the socket's other end: a
 * stream of records, each a 32-bit length and the bytes. Close it and the thread ends.
 */
WEIR_API int weir_ring_buffer_stream(int map_fd);

/* --- network namespaces: a path of NULL is the caller's own; no thread of the caller moves --- */

WEIR_API int weir_netlink_open(const char *netns);
/* The same for sock_diag, used by weir_netlink_exchange() too. */
WEIR_API int weir_sock_diag_open(const char *netns);
/*
 * Sends the requests (size 0: none) and reads every answer there is, up to `capacity` (at least
 * 64 KiB). Answers the bytes read: whole netlink messages. 0 means that nothing is left.
 */
WEIR_API int weir_netlink_exchange(int fd, const void *requests, uint32_t size, void *out,
				   uint32_t capacity);
/* The 8 bytes by which programs know the caller's own namespace (Linux 5.14). */
WEIR_API int weir_netns_cookie(void *out);
/* One read or write of a /proc/sys file as seen in the namespace. Both answer the bytes moved. */
WEIR_API int weir_netns_read(const char *netns, const char *path, void *out, uint32_t capacity);
WEIR_API int weir_netns_write(const char *netns, const char *path, const void *bytes,
			      uint32_t size);

#endif
