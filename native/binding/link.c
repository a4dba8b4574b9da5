// SPDX-License-Identifier: Apache-2.0
/*
 * Links are made by bpf(2) itself: Debian 12's libbpf and kernel headers know nothing of tcx
 * (attach types 46 and 47, link type 11), and the raw call serves devices and cgroups alike.
 */
#include "internal.h"
#include "weir.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINK_TYPE_CGROUP 3
#define LINK_TYPE_XDP 6
#define LINK_TYPE_TCX 11

struct link_create {
	uint32_t program_fd;
	uint32_t target;
	uint32_t attach_type;
	uint32_t flags;
	uint32_t relative; /* 0 with BPF_F_BEFORE: the very first */
	uint32_t pad;
	uint64_t expected_revision;
};

int weir_link_create(int program_fd, int target, uint32_t attach_type, uint32_t flags)
{
	struct link_create request = {
		.program_fd = (uint32_t)program_fd,
		.target = (uint32_t)target,
		.attach_type = attach_type,
		.flags = flags,
	};
	long fd = syscall(__NR_bpf, BPF_LINK_CREATE, &request, sizeof(request));

	return fd < 0 ? -errno : (int)fd;
}

int weir_link_update(int fd, int program_fd)
{
	return bpf_link_update(fd, program_fd, NULL);
}

int weir_link_detach(int fd)
{
	return bpf_link_detach(fd);
}

/* The part of the kernel's struct bpf_link_info that we read. */
struct link_info {
	uint32_t type;
	uint32_t id;
	uint32_t program_id;
	uint32_t pad;
	union {
		struct {
			uint64_t id;
			uint32_t attach_type;
		} cgroup;
		struct {
			uint32_t ifindex;
			uint32_t attach_type;
		} device;
		uint8_t room[48];
	};
};

int weir_link_info(int fd, struct weir_link_info *out)
{
	struct link_info info = {};
	uint32_t size = sizeof(info);
	int ret = bpf_obj_get_info_by_fd(fd, &info, &size);

	if (ret)
		return ret;
	*out = (struct weir_link_info){
		.id = info.id,
		.type = info.type,
		.program_id = info.program_id,
	};
	if (info.type == LINK_TYPE_CGROUP) {
		out->cgroup_id = info.cgroup.id;
		out->attach_type = info.cgroup.attach_type;
	} else if (info.type == LINK_TYPE_TCX) {
		out->ifindex = info.device.ifindex;
		out->attach_type = info.device.attach_type;
	} else if (info.type == LINK_TYPE_XDP) {
		out->ifindex = info.device.ifindex;
		out->attach_type = BPF_XDP;
	}
	return 0;
}
