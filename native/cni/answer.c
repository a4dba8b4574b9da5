// SPDX-License-Identifier: Apache-2.0
/* What this program says itself: errors, VERSION, and what it is. */
#include "weir-cni.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The same list as in src/cni/versions.ts; a test compares them. */
static const char *const versions[] = { "0.1.0", "0.2.0", "0.3.0", "0.3.1",
					"0.4.0", "1.0.0", "1.1.0" };
const char *const newest_version = "1.1.0";

#define VERSION_COUNT (sizeof(versions) / sizeof(versions[0]))

static int print_json(json_t *json, int exit_code)
{
	char *line = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	if (!line || puts(line) == EOF || fflush(stdout) == EOF)
		exit_code = 1;
	free(line);
	return exit_code;
}

int answer_error(const char *version, int code, const char *format, ...)
{
	va_list args;
	json_t *text;

	va_start(args, format);
	text = json_vsprintf(format, args);
	va_end(args);
	/* Jansson refuses a text that is not UTF-8; the code still has to get out. */
	if (!text)
		text = json_string("Cannot say what is wrong: the text is not UTF-8");
	return print_json(
		json_pack("{s:s, s:i, s:o}", "cniVersion", version, "code", code, "msg", text), 1);
}

int answer_version(const struct text *input)
{
	json_t *asked = json_loadb(input->bytes ? input->bytes : "", input->length, 0, NULL);
	const char *version = json_string_value(json_object_get(asked, "cniVersion"));
	json_t *list = json_array();
	int exit_code;

	for (size_t i = 0; i < VERSION_COUNT; i++)
		json_array_append_new(list, json_string(versions[i]));
	exit_code =
		print_json(json_pack("{s:s, s:o}", "cniVersion", version ? version : newest_version,
				     "supportedVersions", list),
			   0);
	json_decref(asked);
	return exit_code;
}

int answer_about(void)
{
	fprintf(stderr, "CNI weir plugin v" WEIR_VERSION "\nCNI protocol versions supported: ");
	for (size_t i = 0; i < VERSION_COUNT; i++)
		fprintf(stderr, "%s%s", i ? ", " : "", versions[i]);
	fprintf(stderr, "\n");
	return 0;
}
