/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the binding share among themselves. */
#ifndef WEIR_INTERNAL_H
#define WEIR_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

/* The kernel's own "not supported", which libc's errno.h does not have. */
#define ENOTSUPP 524

/* What libbpf says on this thread between capture_begin and capture_end. */
struct capture {
	char *text; /* malloc'ed, NUL-terminated, NULL while nothing was said */
	size_t length;
	size_t room;
};

void capture_begin(struct capture *capture);
void capture_end(void);
void capture_free(struct capture *capture);

/* Runs the function on a thread of its own inside the network namespace; answers its answer. */
int netns_run(const char *netns, int (*function)(void *context), void *context);

/* Copies a name, cut to `room` with its NUL, the rest zeroed. */
void copy_name(char *out, size_t room, const char *name);

#endif
