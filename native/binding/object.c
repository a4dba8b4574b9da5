// SPDX-License-Identifier: Apache-2.0
/*
 * A compiled object: opened without touching the kernel, adjusted, then loaded in one go.
 * The handle exists before the file is opened so that a failed open can tell why.
 */
#include "internal.h"
#include "weir.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct weir_object {
	struct bpf_object *bpf;
	struct capture log;
};

/* libbpf calls a data section "<object>.rodata" or ".data.x"; we say its section's name. */
static const char *map_name(const struct bpf_map *map)
{
	const char *name = bpf_map__name(map);
	const char *section = bpf_map__is_internal(map) ? strchr(name, '.') : NULL;

	return section ? section : name;
}

/* By index, for libbpf renames a map when it is made to reuse another one. */
static struct bpf_map *find_map(const struct weir_object *object, uint32_t index)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object->bpf)
		if (!index--)
			return map;
	return NULL;
}

struct weir_object *weir_object_new(void)
{
	return calloc(1, sizeof(struct weir_object));
}

int weir_object_free(struct weir_object *object)
{
	bpf_object__close(object->bpf);
	capture_free(&object->log);
	free(object);
	return 0;
}

int weir_object_open(struct weir_object *object, const char *path)
{
	if (object->bpf)
		return -EBUSY;
	capture_begin(&object->log);
	object->bpf = bpf_object__open_file(path, NULL);
	capture_end();
	return object->bpf ? 0 : -errno;
}

int weir_object_load(struct weir_object *object)
{
	int ret;

	capture_begin(&object->log);
	ret = bpf_object__load(object->bpf);
	capture_end();
	return ret;
}

int weir_object_log(const struct weir_object *object, char *out, uint32_t capacity)
{
	size_t fits = object->log.length < capacity ? object->log.length : capacity;

	if (fits)
		memcpy(out, object->log.text, fits);
	return (int)object->log.length;
}

int weir_object_maps(const struct weir_object *object, struct weir_map_spec *out, uint32_t capacity)
{
	struct bpf_map *map;
	uint32_t count = 0;

	bpf_object__for_each_map(map, object->bpf) {
		if (count < capacity) {
			struct weir_map_spec *spec = &out[count];

			copy_name(spec->name, sizeof(spec->name), map_name(map));
			spec->type = bpf_map__type(map);
			spec->key_size = bpf_map__key_size(map);
			spec->value_size = bpf_map__value_size(map);
			spec->max_entries = bpf_map__max_entries(map);
			spec->flags = bpf_map__map_flags(map);
			spec->is_section = bpf_map__is_internal(map);
		}
		count++;
	}
	return (int)count;
}

int weir_object_programs(const struct weir_object *object, struct weir_program_spec *out,
			 uint32_t capacity)
{
	struct bpf_program *program;
	uint32_t count = 0;

	bpf_object__for_each_program(program, object->bpf) {
		if (count < capacity) {
			struct weir_program_spec *spec = &out[count];

			copy_name(spec->name, sizeof(spec->name), bpf_program__name(program));
			copy_name(spec->section, sizeof(spec->section),
				  bpf_program__section_name(program));
		}
		count++;
	}
	return (int)count;
}

int weir_object_set_max_entries(struct weir_object *object, uint32_t map, uint32_t max_entries)
{
	struct bpf_map *found = find_map(object, map);

	return found ? bpf_map__set_max_entries(found, max_entries) : -ENOENT;
}

int weir_object_get_data(const struct weir_object *object, uint32_t map, void *out,
			 uint32_t capacity)
{
	struct bpf_map *found = find_map(object, map);
	const void *bytes;
	size_t size;

	if (!found)
		return -ENOENT;
	bytes = bpf_map__initial_value(found, &size);
	if (!bytes)
		return -EINVAL;
	memcpy(out, bytes, size < capacity ? size : capacity);
	return (int)size;
}

int weir_object_set_data(struct weir_object *object, uint32_t map, const void *bytes, uint32_t size)
{
	struct bpf_map *found = find_map(object, map);

	return found ? bpf_map__set_initial_value(found, bytes, size) : -ENOENT;
}

int weir_object_reuse_map(struct weir_object *object, uint32_t map, int fd)
{
	struct bpf_map *found = find_map(object, map);

	return found ? bpf_map__reuse_fd(found, fd) : -ENOENT;
}

int weir_object_set_autoload(struct weir_object *object, const char *program, int load)
{
	struct bpf_program *found = bpf_object__find_program_by_name(object->bpf, program);

	return found ? bpf_program__set_autoload(found, load != 0) : -ENOENT;
}

static int duplicate(int fd)
{
	int copy;

	if (fd < 0)
		return -EBADF;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return copy < 0 ? -errno : copy;
}

int weir_object_map_fd(const struct weir_object *object, uint32_t map)
{
	struct bpf_map *found = find_map(object, map);

	return found ? duplicate(bpf_map__fd(found)) : -ENOENT;
}

int weir_object_program_fd(const struct weir_object *object, const char *program)
{
	struct bpf_program *found = bpf_object__find_program_by_name(object->bpf, program);

	return found ? duplicate(bpf_program__fd(found)) : -ENOENT;
}
