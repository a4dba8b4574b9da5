/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The time in seconds, for what is idle. The kernel's coarse clock moves once a tick, and to read
 * it takes as long as to find a flow; the number of the tick is one load. So the clock is read
 * once a tick, by whichever packet comes first.
 */
#pragma once
#include "bpf.h"

/* Seconds of the coarse monotonic clock << 32 | the tick in which it was read: one word, so that
 * no CPU sees half of it.
 */
volatile __u64 clock_read SEC(".data.clock") = 0;

static __always_inline __u32 clock_seconds(void)
{
	__u32 tick = bpf_jiffies64();
	__u64 read = clock_read;

	if (unlikely((__u32)read != tick)) {
		read = bpf_ktime_get_coarse_ns() / 1000000000 << 32 | tick;
		clock_read = read;
	}
	return read >> 32;
}
