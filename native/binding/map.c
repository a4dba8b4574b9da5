// SPDX-License-Identifier: Apache-2.0
/*
 * Maps, one entry or many entries a call. The kernel's batch calls stop at the first entry that
 * fails; here the others go on, and types without batch calls are walked entry by entry.
 */
#include "internal.h"
#include "weir.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

int weir_map_create(uint32_t type, const char *name, uint32_t key_size, uint32_t value_size,
		    uint32_t max_entries, uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);

	return bpf_map_create(type, name, key_size, value_size, max_entries, &options);
}

int weir_map_info(int fd, struct weir_map_info *out)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);
	int ret = bpf_obj_get_info_by_fd(fd, &info, &size);
	int cpus = libbpf_num_possible_cpus();

	if (ret)
		return ret;
	if (cpus < 0)
		return cpus;
	*out = (struct weir_map_info){
		.id = info.id,
		.type = info.type,
		.key_size = info.key_size,
		.value_size = info.value_size,
		.max_entries = info.max_entries,
		.flags = info.map_flags,
		.possible_cpus = (uint32_t)cpus,
	};
	copy_name(out->name, sizeof(out->name), info.name);
	return 0;
}

int weir_map_lookup(int fd, const void *key, void *value)
{
	return bpf_map_lookup_elem(fd, key, value);
}

int weir_map_update(int fd, const void *key, const void *value, uint32_t flags)
{
	return bpf_map_update_elem(fd, key, value, flags);
}

int weir_map_delete(int fd, const void *key)
{
	return bpf_map_delete_elem(fd, key);
}

int weir_map_lookup_many(int fd, const void *keys, void *values, uint32_t key_size,
			 uint32_t value_size, uint32_t count, uint8_t *found)
{
	const uint8_t *key = keys;
	uint8_t *value = values;

	for (uint32_t i = 0; i < count; i++, key += key_size, value += value_size) {
		int ret = bpf_map_lookup_elem(fd, key, value);

		if (ret && ret != -ENOENT)
			return ret;
		found[i] = !ret;
	}
	return 0;
}

/*
 * How many entries a batch call did before the one that failed, or -1 when it did not begin: the
 * kernel writes the count back only once it has entered the map's own loop.
 */
static int64_t batch_done(uint32_t asked, uint32_t count)
{
	return count < asked ? (int64_t)count : -1;
}

static uint32_t update_singly(int fd, const uint8_t *keys, const uint8_t *values, size_t key_size,
			      size_t value_size, uint32_t count, int32_t *errors)
{
	uint32_t failed = 0;

	for (uint32_t i = 0; i < count; i++) {
		errors[i] = bpf_map_update_elem(fd, keys + i * key_size, values + i * value_size,
						BPF_ANY);
		failed += errors[i] != 0;
	}
	return failed;
}

int weir_map_update_many(int fd, const void *keys, const void *values, uint32_t key_size,
			 uint32_t value_size, uint32_t count, int32_t *errors)
{
	const uint8_t *key = keys, *value = values;
	uint32_t at = 0, failed = 0;

	if (count)
		memset(errors, 0, (size_t)count * sizeof(*errors));
	while (at < count) {
		const uint8_t *key_at = key + (size_t)at * key_size;
		const uint8_t *value_at = value + (size_t)at * value_size;
		uint32_t left = count - at, batch = left;
		int ret = bpf_map_update_batch(fd, key_at, value_at, &batch, NULL);
		int64_t done = batch_done(left, batch);

		if (!ret)
			break;
		if (done < 0)
			return (int)(failed + update_singly(fd, key_at, value_at, key_size,
							    value_size, left, errors + at));
		at += (uint32_t)done;
		errors[at++] = ret;
		failed++;
	}
	return (int)failed;
}

static int delete_singly(int fd, const uint8_t *keys, size_t key_size, uint32_t count)
{
	int first = 0;

	for (uint32_t i = 0; i < count; i++) {
		int ret = bpf_map_delete_elem(fd, keys + i * key_size);

		if (ret && ret != -ENOENT && !first)
			first = ret;
	}
	return first;
}

int weir_map_delete_many(int fd, const void *keys, uint32_t key_size, uint32_t count)
{
	const uint8_t *key = keys;
	uint32_t at = 0;
	int first = 0;

	while (at < count) {
		const uint8_t *key_at = key + (size_t)at * key_size;
		uint32_t left = count - at, batch = left;
		int ret = bpf_map_delete_batch(fd, key_at, &batch, NULL);
		int64_t done = batch_done(left, batch);

		if (!ret)
			break;
		if (done < 0) {
			ret = delete_singly(fd, key_at, key_size, left);
			return first ? first : ret;
		}
		if (ret != -ENOENT && !first)
			first = ret;
		at += (uint32_t)done + 1;
	}
	return first;
}

/* An entry that vanishes between finding its key and reading its value is passed over. */
static int read_singly(int fd, uint8_t *cursor, int first, uint8_t *keys, uint8_t *values,
		       size_t key_size, size_t value_size, uint32_t *count)
{
	uint32_t room = *count;
	int ret;

	*count = 0;
	while (*count < room) {
		uint8_t *key = keys + *count * key_size;

		ret = bpf_map_get_next_key(fd, first ? NULL : cursor, key);
		if (ret)
			return ret == -ENOENT ? 0 : ret;
		first = 0;
		memcpy(cursor, key, key_size);
		ret = bpf_map_lookup_elem(fd, key, values + *count * value_size);
		if (!ret)
			*count += 1;
		else if (ret != -ENOENT)
			return ret;
	}
	return 1;
}

int weir_map_read(int fd, void *cursor, int first, void *keys, void *values, uint32_t key_size,
		  uint32_t value_size, uint32_t *count)
{
	uint32_t room = *count;
	int ret;

	ret = bpf_map_lookup_batch(fd, first ? NULL : cursor, cursor, keys, values, count, NULL);
	if (!ret)
		return 1;
	if (ret == -ENOENT && *count <= room)
		return 0;
	if (ret != -ENOTSUPP && ret != -EINVAL && ret != -EOPNOTSUPP)
		return ret;
	*count = room;
	return read_singly(fd, cursor, first, keys, values, key_size, value_size, count);
}
