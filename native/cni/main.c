// SPDX-License-Identifier: Apache-2.0
/* weir-cni: read the call, pass it to the agent, print the answer. While the agent is away, each
 * verb has an answer of its own, and a DEL is left in a queue.
 */
#include "weir-cni.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define STDIN_MS 10000
/* Bytes of all CNI variables; node takes 16 kB of headers. */
#define VARIABLES_MAX ((size_t)12 << 10)
/* How long a call waits for an agent that restarts, unless the configuration says agentWaitMs. */
#define AGENT_WAIT_MS 10000
/* Runtimes ask for STATUS often, and while they hold locks. */
#define STATUS_WAIT_MS 1000

struct verb {
	const char *name;
	const char *required[5];
	bool waits; /* for an agent that restarts */
};

static const struct verb verbs[] = {
	{ "ADD", { "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH" }, true },
	{ "DEL", { "CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH" }, false },
	{ "CHECK", { "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH" }, true },
	{ "GC", { "CNI_PATH" }, true },
	{ "STATUS", { "CNI_PATH" }, true },
	{ "VERSION", { 0 }, false },
};

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

/* 0, or the exit code of the error that was printed. */
static int check_required(const struct verb *verb, const char *version)
{
	struct text missing = { 0 };
	int exit_code = 0;

	for (size_t i = 0; i < 5 && verb->required[i]; i++)
		if (!is_set(verb->required[i]))
			text_format(&missing, "%s%s", missing.length ? ", " : "",
				    verb->required[i]);
	if (missing.length)
		exit_code = answer_error(version, CNI_ENVIRONMENT, "Cannot run %s: not set: %s",
					 verb->name, missing.bytes);
	free(missing.bytes);
	return exit_code;
}

/* May the variables become headers? 0, or the exit code of the error that was printed. */
static int check_variables(const char *version)
{
	size_t total = 0;

	for (size_t i = 0; i < variable_count; i++) {
		const char *name = variables[i].name;
		const char *value = getenv(name);

		/* A line break in a value would become a header of its own. */
		for (const char *at = value; at && *at; at++)
			if (iscntrl((unsigned char)*at))
				return answer_error(version, CNI_ENVIRONMENT,
						    "Cannot use %s: it holds a control character",
						    name);
		total += value ? strlen(value) : 0;
		if (total > VARIABLES_MAX)
			return answer_error(version, CNI_ENVIRONMENT,
					    "Cannot use %s: the variables are above %zu bytes",
					    name, VARIABLES_MAX);
	}
	return 0;
}

static const char *string_field(const json_t *json, const char *name, const char *absent)
{
	const char *value = json_string_value(json_object_get(json, name));

	return value && *value ? value : absent;
}

/* 0, or the exit code of the error that was printed. */
static int parse_config(const struct text *input, struct config *config)
{
	struct sockaddr_un address;
	json_error_t error;
	double wait_ms;

	/* Integers of any size, and the character U+0000, are the agent's business. */
	config->json = json_loadb(input->bytes ? input->bytes : "", input->length,
				  JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);
	if (!json_is_object(config->json))
		return answer_error(newest_version, CNI_DECODE,
				    "Cannot decode the network configuration: %s",
				    config->json ? "not a JSON object" : error.text);
	config->version = string_field(config->json, "cniVersion", newest_version);
	config->socket = string_field(config->json, "socket", "/run/weir/weir.sock");
	config->state_dir = string_field(config->json, "stateDir", "/var/lib/weir");
	wait_ms = json_number_value(json_object_get(config->json, "agentWaitMs"));
	config->wait_ms = wait_ms > 0 && wait_ms <= 60000 ? (long)wait_ms : AGENT_WAIT_MS;
	if (strlen(config->socket) >= sizeof(address.sun_path))
		return answer_error(config->version, CNI_CONFIG,
				    "Cannot use socket \"%s\": longer than %zu bytes",
				    config->socket, sizeof(address.sun_path) - 1);
	return 0;
}

/* Nobody answered: what each verb says then. */
static int answer_alone(const struct verb *verb, const struct config *config,
			const struct text *input, const char *reason)
{
	int error;

	if (!strcmp(verb->name, "STATUS"))
		return answer_error(config->version, CNI_NOT_AVAILABLE,
				    "Cannot reach weir-agent at %s: %s", config->socket, reason);
	if (strcmp(verb->name, "DEL"))
		return answer_error(config->version, CNI_TRY_AGAIN,
				    "Cannot reach weir-agent at %s: %s", config->socket, reason);
	error = queue_del(config->state_dir, input);
	if (error)
		return answer_error(config->version, CNI_IO, "Cannot queue DEL in %s/cni-queue: %s",
				    config->state_dir, strerror(-error));
	return 0;
}

static int call(const struct verb *verb, const struct config *config, const struct text *input)
{
	struct answer answer = { 0 };
	long wait_ms = verb->waits ? config->wait_ms : 0;
	enum agent_result result;
	int exit_code;

	if (!strcmp(verb->name, "STATUS") && wait_ms > STATUS_WAIT_MS)
		wait_ms = STATUS_WAIT_MS;
	result = agent_call(config, input, wait_ms, &answer);
	exit_code = answer.exit_code;
	if (result != AGENT_ANSWERED)
		exit_code = answer_alone(verb, config, input, answer.reason);
	else if (answer.body.length &&
		 (fwrite(answer.body.bytes, 1, answer.body.length, stdout) != answer.body.length ||
		  fflush(stdout)))
		exit_code = 1;
	free(answer.body.bytes);
	return exit_code;
}

int main(void)
{
	const char *command = getenv("CNI_COMMAND");
	const struct verb *verb = NULL;
	struct config config = { 0 };
	struct text input = { 0 };
	int exit_code;
	int error;

	if (!command || !*command)
		return answer_about();
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(command, verbs[i].name))
			verb = &verbs[i];
	if (!verb)
		return answer_error(newest_version, CNI_ENVIRONMENT,
				    "Cannot run CNI_COMMAND \"%s\": it is no verb", command);
	error = text_read(&input, STDIN_FILENO, STDIN_MAX, now_ms() + STDIN_MS);
	if (error == -EFBIG)
		exit_code = answer_error(newest_version, CNI_IO,
					 "Cannot read the network configuration: above %zu bytes",
					 STDIN_MAX);
	else if (error)
		exit_code =
			answer_error(newest_version, CNI_IO,
				     "Cannot read the network configuration: %s", strerror(-error));
	else if (!strcmp(verb->name, "VERSION"))
		exit_code = answer_version(&input);
	else
		exit_code = parse_config(&input, &config) ?:
			    check_required(verb, config.version) ?:
			    check_variables(config.version) ?:
			    call(verb, &config, &input);
	json_decref(config.json);
	free(input.bytes);
	return exit_code;
}
