/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* An IP address is 16 bytes in network order everywhere; IPv4 is v4-mapped
 * (::ffff:a.b.c.d), so that one code path serves both families.
 */
#pragma once

struct address {
	__u8 bytes[16];
};

struct mac {
	__u8 bytes[6];
};
