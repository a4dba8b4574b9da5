/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A program that does nothing: what the others are measured beside. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int empty(struct __sk_buff *skb)
{
	(void)skb;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
