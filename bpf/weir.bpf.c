/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The one translation unit: every program in one object, so that they share maps, config and
 * epoch, and an upgrade loads once.
 */
#include "lib/bpf.h"
#include "lib/packet.h"
#include "lib/packet_slow.h"
#include "lib/arp.h"
#include "lib/ndp.h"
#include "lib/walk.h"
#include "lib/forward.h"
#include "lib/finish.h"
#include "lib/xdp_finish.h"
#include "lib/xdp_forward.h"

#include "pod.bpf.c"
#include "uplink.bpf.c"
#include "xdp.bpf.c"
#include "host.bpf.c"
#include "overlay.bpf.c"
#include "sock.bpf.c"
#include "gc.bpf.c"
#include "explain.bpf.c"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
