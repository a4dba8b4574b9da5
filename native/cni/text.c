// SPDX-License-Identifier: Apache-2.0
/* Growing buffers and bounded reads. Running out of memory ends the process: nothing is to undo. */
#include "weir-cni.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define READ_SIZE ((size_t)16 << 10)

static void text_reserve(struct text *text, size_t more)
{
	size_t wanted = text->length + more + 1;

	if (wanted <= text->capacity)
		return;
	text->capacity = wanted < 4096 ? 4096 : wanted * 2;
	text->bytes = realloc(text->bytes, text->capacity);
	if (!text->bytes)
		abort();
}

void text_append(struct text *text, const void *bytes, size_t length)
{
	text_reserve(text, length);
	if (length)
		memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	text->bytes[text->length] = '\0';
}

void text_format(struct text *text, const char *format, ...)
{
	va_list args;
	char *line;
	int length;

	va_start(args, format);
	length = vasprintf(&line, format, args);
	va_end(args);
	if (length < 0)
		abort();
	text_append(text, line, (size_t)length);
	free(line);
}

long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int text_read(struct text *text, int fd, size_t max, long deadline_ms)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };

	for (;;) {
		long left = deadline_ms - now_ms();
		ssize_t got;
		int ready;

		ready = poll(&readable, 1, left > 0 ? (int)left : 0);
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready == 0)
			return -ETIMEDOUT;
		if (ready < 0)
			continue;
		text_reserve(text, READ_SIZE);
		got = read(fd, text->bytes + text->length, READ_SIZE);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return -errno;
		text->length += (size_t)got;
		text->bytes[text->length] = '\0';
		if (text->length > max)
			return -EFBIG;
		if (got == 0)
			return 0;
	}
}
