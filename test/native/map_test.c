// SPDX-License-Identifier: Apache-2.0
/* Batches over maps, with buffers of exactly the size told: the sanitizer sees any excess. */
#include <errno.h>
#include "check.h"
#include "weir.h"

#include <string.h>

#define COUNT 5000
#define BPF_MAP_TYPE_HASH 1
#define BPF_MAP_TYPE_ARRAY 2
#define BPF_MAP_TYPE_PERCPU_HASH 5
#define BPF_MAP_TYPE_HASH_OF_MAPS 13

static uint32_t *numbers(uint32_t count, uint32_t first)
{
	uint32_t *keys = malloc(count * sizeof(*keys));

	for (uint32_t i = 0; i < count; i++)
		keys[i] = first + i;
	return keys;
}

static int make_map(uint32_t type, uint32_t value_size, uint32_t max_entries)
{
	int fd = weir_map_create(type, "weir_t", sizeof(uint32_t), value_size, max_entries, 0);

	CHECK(fd >= 0);
	return fd;
}

/* Reads all in chunks; answers how many entries there were and sums up their keys. */
static uint32_t read_all(int fd, uint32_t value_size, uint32_t chunk, uint64_t *sum)
{
	uint32_t *keys = malloc(chunk * sizeof(*keys)), total = 0;
	uint8_t *values = malloc((size_t)chunk * value_size);
	uint8_t *cursor = malloc(8);
	int ret = 1;

	*sum = 0;
	for (int first = 1; ret == 1; first = 0) {
		uint32_t count = chunk;

		ret = weir_map_read(fd, cursor, first, keys, values, sizeof(*keys), value_size,
				    &count);
		CHECK(ret >= 0);
		CHECK(count <= chunk);
		for (uint32_t i = 0; i < count; i++)
			*sum += keys[i];
		total += count;
	}
	free(keys);
	free(values);
	free(cursor);
	return total;
}

static void test_hash_batches(void)
{
	uint32_t *keys = numbers(COUNT, 0);
	int32_t *errors = malloc(COUNT * sizeof(*errors));
	int fd = make_map(BPF_MAP_TYPE_HASH, sizeof(uint32_t), COUNT);
	uint64_t sum;

	CHECK_EQ(weir_map_update_many(fd, keys, keys, 4, 4, COUNT, errors), 0);
	CHECK_EQ(read_all(fd, 4, 700, &sum), COUNT);
	CHECK_EQ(sum, (uint64_t)COUNT * (COUNT - 1) / 2);
	CHECK_EQ(weir_map_delete_many(fd, keys, 4, COUNT / 2), 0);
	CHECK_EQ(weir_map_delete_many(fd, keys, 4, COUNT), 0);
	CHECK_EQ(read_all(fd, 4, 700, &sum), 0);
	CHECK_EQ(weir_map_update_many(fd, keys, keys, 4, 4, 0, NULL), 0);
	CHECK_EQ(weir_map_delete_many(fd, keys, 4, 0), 0);
	free(keys);
	free(errors);
	close(fd);
}

static void test_failures_stop_nothing(void)
{
	uint32_t keys[] = { 0, 7, 1, 9, 2, 8 };
	int32_t errors[6];
	int fd = make_map(BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), 3);
	uint32_t value;

	CHECK_EQ(weir_map_update_many(fd, keys, keys, 4, 4, 6, errors), 3);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(errors[i], i % 2 ? -E2BIG : 0);
	CHECK_EQ(weir_map_lookup(fd, &keys[4], &value), 0);
	CHECK_EQ(value, 2);
	CHECK_EQ(weir_map_delete_many(fd, keys, 4, 6), -EINVAL);
	close(fd);
}

static void test_lookups_tell_what_is_absent(void)
{
	uint32_t keys[] = { 5, 6, 7 }, values[3] = { 0 };
	uint8_t found[3];
	int32_t errors[2];
	int fd = make_map(BPF_MAP_TYPE_HASH, sizeof(uint32_t), 3);

	CHECK_EQ(weir_map_update_many(fd, (uint32_t[]){ 5, 7 }, (uint32_t[]){ 50, 70 }, 4, 4, 2,
				      errors),
		 0);
	CHECK_EQ(weir_map_lookup_many(fd, keys, values, 4, 4, 3, found), 0);
	CHECK(found[0] && !found[1] && found[2]);
	CHECK_EQ(values[0], 50);
	CHECK_EQ(values[2], 70);
	CHECK_EQ(weir_map_lookup_many(-1, keys, values, 4, 4, 3, found), -EBADF);
	close(fd);
}

static void test_per_cpu_values(void)
{
	int fd = make_map(BPF_MAP_TYPE_PERCPU_HASH, 4, 10);
	struct weir_map_info info;
	uint32_t key = 3, stride;
	uint8_t *value;
	int32_t error;
	uint64_t sum;

	CHECK_EQ(weir_map_info(fd, &info), 0);
	CHECK(info.possible_cpus > 0);
	CHECK(!strcmp(info.name, "weir_t"));
	stride = 8 * info.possible_cpus;
	value = calloc(1, stride);
	CHECK_EQ(weir_map_update_many(fd, &key, value, 4, stride, 1, &error), 0);
	CHECK_EQ(weir_map_lookup(fd, &key, value), 0);
	CHECK_EQ(read_all(fd, stride, 10, &sum), 1);
	CHECK_EQ(sum, 3);
	free(value);
	close(fd);
}

static void test_errors(void)
{
	struct weir_map_info info;
	uint32_t word = 0;
	int32_t errors[2];

	CHECK_EQ(weir_map_create(BPF_MAP_TYPE_HASH, "weir_t", 4, 4, 0, 0), -EINVAL);
	CHECK_EQ(weir_map_info(-1, &info), -EBADFD);
	CHECK_EQ(weir_map_lookup(-1, &word, &word), -EBADF);
	CHECK_EQ(weir_map_update_many(-1, (uint32_t[]){ 1, 2 }, (uint32_t[]){ 1, 2 }, 4, 4, 2,
				      errors),
		 2);
	CHECK_EQ(errors[0], -EBADF);
	CHECK_EQ(errors[1], -EBADF);
	CHECK_EQ(weir_map_delete_many(-1, &word, 4, 1), -EBADF);
	CHECK_EQ(weir_open_pin("/sys/fs/bpf/weir-absent/x"), -ENOENT);
}

int main(void)
{
	need_root();
	test_hash_batches();
	test_failures_stop_nothing();
	test_lookups_tell_what_is_absent();
	test_per_cpu_values();
	test_errors();
	return 0;
}
