// SPDX-License-Identifier: Apache-2.0
/* Makes an end of a veth like the port of a real switch, for XDP at the other end: checksums leave
 * it complete, and it polls for the frames that XDP sends. For XDP_TX the kernel wants a program
 * on the receiving end, and GRO is not enough (veth_xdp_flush(), 6.18).
 */
#include "weir-pod.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int wire_complete_checksums(const char *interface)
{
	struct ethtool_value value = { .cmd = ETHTOOL_STXCSUM, .data = 0 };
	struct ifreq request = { .ifr_data = (void *)&value };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return -1;
	strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
	ret = ioctl(fd, SIOCETHTOOL, &request);
	close(fd);
	return ret;
}

/* A program that lets everything pass. */
static int wire_load(void)
{
	static const char license[] = "Dual BSD/GPL";
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (uint64_t)(uintptr_t)pass,
		.insn_cnt = 2,
		.license = (uint64_t)(uintptr_t)license,
		/* Packets larger than a page may pass too. */
		.prog_flags = BPF_F_XDP_HAS_FRAGS,
	};

	return (int)syscall(__NR_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* By netlink and not by a link, so that it stays when this process ends. */
static int wire_attach(const char *interface, int program)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
		struct rtattr xdp, fd_attribute;
		int fd;
	} request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = RTM_SETLINK,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.link = { .ifi_index = (int)if_nametoindex(interface) },
		.xdp = { .rta_len = 2 * sizeof(struct rtattr) + sizeof(int),
			 .rta_type = IFLA_XDP | NLA_F_NESTED },
		.fd_attribute = { .rta_len = sizeof(struct rtattr) + sizeof(int),
				  .rta_type = IFLA_XDP_FD },
		.fd = program,
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char more[512];
	} answer = { 0 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || send(fd, &request, sizeof(request), 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < 0)
		return -1;
	close(fd);
	errno = -answer.error.error;
	return errno ? -1 : 0;
}

int wire(const char *interface)
{
	int program = wire_load();

	if (program < 0 || wire_complete_checksums(interface) || wire_attach(interface, program)) {
		fprintf(stderr, "Cannot make %s a wire: %s\n", interface, strerror(errno));
		return 1;
	}
	close(program);
	return 0;
}
