// SPDX-License-Identifier: Apache-2.0
/* weir-init: pid 1 of a test cluster's node, and what runs in its pause containers. It buries what
 * is orphaned to it and ends when told; a static program, for a pause image holds nothing else.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

int main(void)
{
	sigset_t signals;
	int signal;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	if (sigprocmask(SIG_BLOCK, &signals, NULL))
		return EXIT_FAILURE;
	for (;;) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (sigwait(&signals, &signal) || signal != SIGCHLD)
			return EXIT_SUCCESS;
	}
}
