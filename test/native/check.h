/* SPDX-License-Identifier: Apache-2.0 */
/* Checks for the C tests: the first that fails ends the program, naming itself. */
#ifndef CHECK_H
#define CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHECK(condition)                                                                        \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
			exit(1);                                                                \
		}                                                                               \
	} while (0)

/* Compares numbers and prints both when they differ. */
#define CHECK_EQ(actual, expected)                                                           \
	do {                                                                                 \
		long long a_ = (long long)(actual), e_ = (long long)(expected);              \
		if (a_ != e_) {                                                              \
			fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, \
				#actual, a_, e_);                                            \
			exit(1);                                                             \
		}                                                                            \
	} while (0)

/* Most of the binding is the kernel's to try, which needs root. */
static inline void need_root(void)
{
	if (geteuid() == 0)
		return;
	fprintf(stderr, "Cannot run %s: it needs root\n", program_invocation_short_name);
	exit(1);
}

#endif
