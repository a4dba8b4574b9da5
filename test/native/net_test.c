// SPDX-License-Identifier: Apache-2.0
/* Netlink, namespaces and pins, in a network and a mount namespace of this test's own. */
#include <errno.h>
#include "check.h"
#include "weir.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define ROOM (128 << 10)

/* Another namespace, as a file descriptor's path. */
static const char *other_netns(void)
{
	static char path[64];
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), other;

	CHECK_EQ(unshare(CLONE_NEWNET), 0);
	other = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	CHECK_EQ(setns(home, CLONE_NEWNET), 0);
	close(home);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", other);
	return path;
}

struct link_request {
	struct nlmsghdr header;
	struct ifinfomsg link;
};

/* Sets lo up or down by index 1. */
static struct link_request set_lo(uint32_t sequence, int up)
{
	return (struct link_request){
		.header = { .nlmsg_len = sizeof(struct link_request),
			    .nlmsg_type = RTM_SETLINK,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
			    .nlmsg_seq = sequence },
		.link = { .ifi_index = 1, .ifi_flags = up ? 1 : 0, .ifi_change = 1 },
	};
}

/* The errno of an acknowledgement, positive; fails when it is something else. */
static int acknowledged(const struct nlmsghdr *message, uint32_t sequence)
{
	const struct nlmsgerr *error = NLMSG_DATA(message);

	CHECK_EQ(message->nlmsg_type, NLMSG_ERROR);
	CHECK_EQ(message->nlmsg_seq, sequence);
	return -error->error;
}

static struct nlmsghdr *next(struct nlmsghdr *message)
{
	return (struct nlmsghdr *)((uint8_t *)message + NLMSG_ALIGN(message->nlmsg_len));
}

static void test_many_requests_in_one_call(int fd)
{
	struct link_request requests[] = { set_lo(1, 1), set_lo(2, 1), set_lo(3, 0) };
	struct nlmsghdr *message = malloc(ROOM), *at = message;
	int got;

	requests[1].link.ifi_index = 4711;
	got = weir_netlink_exchange(fd, requests, sizeof(requests), message, ROOM);
	for (uint32_t sequence = 1; sequence <= 3; sequence++) {
		CHECK((uint8_t *)next(at) <= (uint8_t *)message + got);
		CHECK_EQ(acknowledged(at, sequence), sequence == 2 ? ENODEV : 0);
		at = next(at);
	}
	CHECK((uint8_t *)at == (uint8_t *)message + got);
	/* Nothing is left, and nothing is waited for. */
	CHECK_EQ(weir_netlink_exchange(fd, NULL, 0, message, ROOM), 0);
	free(message);
}

static void test_dump(int fd)
{
	struct link_request request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = RTM_GETLINK,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			    .nlmsg_seq = 9 },
	};
	struct nlmsghdr *message = malloc(ROOM), *at = message;
	int got = weir_netlink_exchange(fd, &request, sizeof(request), message, ROOM);
	uint8_t *end = (uint8_t *)message + got;
	int links = 0;

	for (; (uint8_t *)at < end && at->nlmsg_type != NLMSG_DONE; at = next(at))
		links += at->nlmsg_type == RTM_NEWLINK;
	CHECK((uint8_t *)at < end);
	CHECK_EQ(at->nlmsg_type, NLMSG_DONE);
	CHECK(links >= 1);
	free(message);
}

static void test_namespaces(const char *other)
{
	const char *name = "/proc/sys/net/ipv4/ip_forward";
	struct stat before, after;
	char value[8];
	int fd;

	CHECK_EQ(stat("/proc/self/ns/net", &before), 0);
	CHECK_EQ(weir_netns_write(other, name, "1", 1), 1);
	CHECK_EQ(weir_netns_write(NULL, name, "0", 1), 1);
	CHECK_EQ(weir_netns_read(other, name, value, sizeof(value)), 2);
	CHECK_EQ(value[0], '1');
	CHECK_EQ(weir_netns_read(NULL, name, value, sizeof(value)), 2);
	CHECK_EQ(value[0], '0');
	CHECK_EQ(weir_netns_write(other, "/proc/sys/net/absent", "1", 1), -ENOENT);
	CHECK_EQ(weir_netns_write("/proc/0/ns/net", name, "1", 1), -ENOENT);
	CHECK_EQ(weir_netlink_open("/dev/null"), -EINVAL);
	fd = weir_netlink_open(other);
	CHECK(fd >= 0);
	test_many_requests_in_one_call(fd);
	test_dump(fd);
	close(fd);
	CHECK_EQ(stat("/proc/self/ns/net", &after), 0);
	CHECK_EQ(before.st_ino, after.st_ino);
}

static void test_pins(void)
{
	char directory[] = "/tmp/weir-native-XXXXXX", pin[64];
	int fd = weir_map_create(1, "weir_t", 4, 4, 1, 0), again;

	CHECK(mkdtemp(directory));
	snprintf(pin, sizeof(pin), "%s/map", directory);
	CHECK(weir_pin(fd, pin) < 0);
	CHECK_EQ(weir_mount_bpffs(directory), 0);
	CHECK_EQ(weir_pin(fd, pin), 0);
	CHECK_EQ(weir_pin(fd, pin), -EEXIST);
	again = weir_open_pin(pin);
	CHECK(again >= 0);
	close(again);
	close(fd);
	CHECK_EQ(weir_unmount(directory), 0);
	CHECK_EQ(weir_unmount(directory), -EINVAL);
	CHECK_EQ(rmdir(directory), 0);
}

static void test_links(void)
{
	struct weir_link_info info;
	uint32_t ids[4];

	CHECK_EQ(weir_link_create(-1, 1, 46, 0), -EBADF);
	CHECK_EQ(weir_link_update(-1, -1), -EBADF);
	CHECK_EQ(weir_link_info(-1, &info), -EBADFD);
	CHECK_EQ(weir_program_query(1, 46, ids, 4), 0);
	CHECK_EQ(weir_program_query(4711, 46, ids, 4), -ENODEV);
	CHECK_EQ(weir_program_open_id(0xffffff), -ENOENT);
}

int main(void)
{
	const char *other;

	need_root();
	CHECK_EQ(unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
	CHECK_EQ(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	other = other_netns();
	test_namespaces(other);
	test_pins();
	test_links();
	return 0;
}
