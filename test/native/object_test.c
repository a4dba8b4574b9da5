// SPDX-License-Identifier: Apache-2.0
/* An object from file to ring buffer; $BPF_OBJECT is the compiled test/libbpf/test.bpf.c. */
#include <errno.h>
#include "check.h"
#include "weir.h"

#include <dirent.h>
#include <string.h>
#include <sys/socket.h>

static const char *object_path;

static struct weir_object *open_object(void)
{
	struct weir_object *object = weir_object_new();

	CHECK(object);
	CHECK_EQ(weir_object_open(object, object_path), 0);
	return object;
}

static uint32_t map_index(const struct weir_object *object, const char *name)
{
	int count = weir_object_maps(object, NULL, 0);
	struct weir_map_spec *specs = calloc((size_t)count, sizeof(*specs));
	uint32_t found = UINT32_MAX;

	CHECK_EQ(weir_object_maps(object, specs, (uint32_t)count), count);
	for (int i = 0; i < count; i++)
		if (!strcmp(specs[i].name, name))
			found = (uint32_t)i;
	free(specs);
	return found;
}

static void test_open_failures_tell_why(void)
{
	struct weir_object *object = weir_object_new();
	char *log;
	int length;

	CHECK_EQ(weir_object_open(object, "/proc/self/absent"), -ENOENT);
	length = weir_object_log(object, NULL, 0);
	CHECK(length > 0);
	log = malloc((size_t)length);
	CHECK_EQ(weir_object_log(object, log, (uint32_t)length), length);
	CHECK(memmem(log, (size_t)length, "/proc/self/absent", 17));
	free(log);
	weir_object_free(object);
	/* Freed without ever having been opened. */
	weir_object_free(weir_object_new());
}

static void test_sections(void)
{
	struct weir_object *object = open_object();
	uint32_t rodata = map_index(object, ".rodata"), words[2], more[3] = { 0 };
	struct weir_program_spec programs[2];

	CHECK_EQ(weir_object_get_data(object, rodata, words, sizeof(words)), 8);
	CHECK_EQ(words[0], 1);
	words[0] = 5;
	CHECK_EQ(weir_object_set_data(object, rodata, words, sizeof(words)), 0);
	CHECK_EQ(weir_object_set_data(object, rodata, more, sizeof(more)), -EINVAL);
	CHECK_EQ(weir_object_get_data(object, 99, words, 8), -ENOENT);
	CHECK_EQ(weir_object_set_max_entries(object, 99, 1), -ENOENT);
	CHECK_EQ(weir_object_map_fd(object, rodata), -EBADF);
	CHECK_EQ(weir_object_open(object, object_path), -EBUSY);
	/* More programs than there is room for: as many as fit, and the whole count. */
	CHECK(weir_object_programs(object, programs, 2) > 2);
	CHECK(!strcmp(programs[0].name, "count") && !strcmp(programs[0].section, "tc"));
	weir_object_free(object);
}

static void test_verifier_log(void)
{
	struct weir_object *object = open_object();
	int length;
	char *log;

	CHECK_EQ(weir_object_set_autoload(object, "absent", 1), -ENOENT);
	CHECK_EQ(weir_object_set_autoload(object, "refused", 1), 0);
	CHECK_EQ(weir_object_load(object), -EACCES);
	length = weir_object_log(object, NULL, 0);
	log = calloc(1, (size_t)length + 1);
	weir_object_log(object, log, (uint32_t)length);
	CHECK(strstr(log, "prog 'refused': BPF program load failed"));
	CHECK(strstr(log, "invalid mem access 'scalar'"));
	/* A short buffer is filled and no more. */
	CHECK_EQ(weir_object_log(object, log, 3), length);
	free(log);
	weir_object_free(object);
}

static void test_run(const struct weir_object *object)
{
	uint8_t *packet = calloc(1, 64), *out = malloc(64);
	int fd = weir_object_program_fd(object, "shrink");
	struct weir_test_run run;
	struct weir_program_info info;

	CHECK(fd >= 0);
	CHECK_EQ(weir_program_test_run(fd, packet, 64, out, 64, NULL, 0, NULL, 0, 1, 0, &run), 0);
	CHECK_EQ(run.data_size, 20);
	CHECK_EQ(weir_program_test_run(fd, packet, 64, out, 8, NULL, 0, NULL, 0, 1, 0, &run),
		 -ENOSPC);
	CHECK_EQ(weir_program_info(fd, &info), 0);
	CHECK(!strcmp(info.name, "shrink") && info.verified_instructions > 0);
	CHECK_EQ(weir_object_program_fd(object, "absent"), -ENOENT);
	free(packet);
	free(out);
	close(fd);
}

static int ring_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	int found = 0;

	CHECK(tasks);

	for (struct dirent *each = readdir(tasks); each; each = readdir(tasks)) {
		char path[300], name[16] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", each->d_name);
		file = fopen(path, "r");
		if (file && fgets(name, sizeof(name), file))
			found += !strcmp(name, "weir-ring\n");
		if (file)
			fclose(file);
	}
	closedir(tasks);
	return found;
}

static void receive(int fd, void *out, size_t size)
{
	CHECK_EQ(recv(fd, out, size, MSG_WAITALL), size);
}

static void emit(int program, uint32_t count, uint32_t size)
{
	uint32_t burst[3] = { count, size, 0 };
	struct weir_test_run run;

	CHECK_EQ(weir_program_test_run(program, NULL, 0, NULL, 0, burst, sizeof(burst), NULL, 0, 0,
				       0, &run),
		 0);
}

static void test_ring(const struct weir_object *object)
{
	int map = weir_object_map_fd(object, map_index(object, "ring"));
	int program = weir_object_program_fd(object, "emit");
	int stream = weir_ring_buffer_stream(map);
	const uint32_t count = 2000;

	CHECK(stream >= 0);
	emit(program, count, 64);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t length;
		uint64_t record[8];

		receive(stream, &length, sizeof(length));
		CHECK_EQ(length, sizeof(record));
		receive(stream, record, sizeof(record));
		CHECK_EQ(record[0], i);
		CHECK_EQ(record[7], ~(uint64_t)i);
	}
	/* Nobody reads now: the thread blocks in send, and must end all the same. */
	emit(program, 100000, 64);
	close(stream);
	while (ring_threads())
		usleep(1000);
	CHECK_EQ(weir_ring_buffer_stream(program), -EINVAL);
	close(map);
	close(program);
}

int main(void)
{
	struct weir_object *object;

	object_path = getenv("BPF_OBJECT");
	CHECK(object_path);
	need_root();
	test_open_failures_tell_why();
	test_sections();
	test_verifier_log();
	object = open_object();
	CHECK_EQ(weir_object_load(object), 0);
	test_run(object);
	test_ring(object);
	weir_object_free(object);
	return 0;
}
