// SPDX-License-Identifier: Apache-2.0
/*
 * libbpf reports through one print callback of the process, with a va_list, which FFI cannot take.
 * It is caught here, per thread, so that a verifier's log reaches the caller whole.
 */
#include "internal.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local struct capture *active;

static int capture_reserve(struct capture *capture, size_t room)
{
	size_t grown = capture->room ? capture->room : 4096;
	char *text;

	if (room <= capture->room)
		return 0;
	while (grown < room)
		grown *= 2;
	text = realloc(capture->text, grown);
	if (!text)
		return -1;
	capture->text = text;
	capture->room = grown;
	return 0;
}

__attribute__((format(printf, 2, 0))) static int capture_print(enum libbpf_print_level level,
							       const char *format, va_list args)
{
	struct capture *capture = active;
	va_list again;
	int length;

	if (!capture || level == LIBBPF_DEBUG)
		return 0;
	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0 || capture_reserve(capture, capture->length + (size_t)length + 1))
		return 0;
	vsnprintf(capture->text + capture->length, (size_t)length + 1, format, args);
	capture->length += (size_t)length;
	return 0;
}

__attribute__((constructor)) static void silence_libbpf(void)
{
	libbpf_set_print(capture_print);
}

void capture_begin(struct capture *capture)
{
	capture->length = 0;
	active = capture;
}

void capture_end(void)
{
	active = NULL;
}

void capture_free(struct capture *capture)
{
	free(capture->text);
	*capture = (struct capture){};
}

void copy_name(char *out, size_t room, const char *name)
{
	size_t length = strnlen(name, room - 1);

	memcpy(out, name, length);
	memset(out + length, 0, room - length);
}
