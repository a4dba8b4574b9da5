/* SPDX-License-Identifier: Apache-2.0 */
/* weir-cni carries a CNI call to the agent's socket and its answer back. Hosts have no Node, so
 * this is static C; it decides only what must work while the agent is away.
 */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Above any network configuration; the agent's limit as well. */
#define STDIN_MAX ((size_t)1 << 20)
#define ANSWER_MAX ((size_t)4 << 20)

/* Codes of the CNI specification. */
enum cni_code {
	CNI_ENVIRONMENT = 4,
	CNI_IO = 5,
	CNI_DECODE = 6,
	CNI_CONFIG = 7,
	CNI_TRY_AGAIN = 11,
	CNI_NOT_AVAILABLE = 50,
};

/* One growing buffer; always followed by a zero byte. */
struct text {
	char *bytes;
	size_t length;
	size_t capacity;
};

void text_append(struct text *text, const void *bytes, size_t length);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reads until the end, at most `max` bytes, until `deadline_ms` of now_ms().
 * 0 or -errno; -EFBIG when there is more. */
int text_read(struct text *text, int fd, size_t max, long deadline_ms);

/* Milliseconds of the monotonic clock. */
long now_ms(void);

/* A variable of the call and the header that carries it. */
struct variable {
	const char *name;
	const char *header;
};

extern const struct variable variables[];
extern const size_t variable_count;

/* The fields of the network configuration that concern this program. */
struct config {
	json_t *json;	     /* owns the strings below */
	const char *version; /* cniVersion, or the newest when it has none */
	const char *socket;
	const char *state_dir;
	long wait_ms; /* how long to wait for an agent that restarts */
};

/* Where in the agent's absence a call ended. */
enum agent_result {
	AGENT_ANSWERED,
	AGENT_AWAY, /* nobody took the call */
	AGENT_LOST, /* the call was sent, the answer did not come whole */
};

struct answer {
	struct text body;
	int exit_code;
	char reason[256]; /* why there is no answer, a clause for a sentence */
};

/* Sends the call and reads the answer. Waits `wait_ms` for somebody to listen. */
enum agent_result agent_call(const struct config *config, const struct text *input, long wait_ms,
			     struct answer *answer);

/* Leaves a DEL for the agent to carry out later. 0 or -errno. */
int queue_del(const char *state_dir, const struct text *input);

/* Prints the CNI error and returns the exit code. */
int answer_error(const char *version, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Prints the answer to VERSION, echoing the version asked for, and returns the exit code. */
int answer_version(const struct text *input);
/* Says on stderr what this is, as runtimes expect of an empty CNI_COMMAND. */
int answer_about(void);

/* The newest version of the specification we speak. */
extern const char *const newest_version;
