// SPDX-License-Identifier: Apache-2.0
/* weir-poll: what an interface receives becomes the work of a kernel thread of its own, on one CPU.
 *
 *   weir-poll INTERFACE CPU    prints the thread's pid
 *
 * A veth receives on the CPU that sent. With GRO on it polls as a real card does (NAPI), and that
 * can be given to a thread, whose time the kernel counts.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_THREADS 256
#define PATH_SIZE 128

static void die(const char *what)
{
	fprintf(stderr, "Cannot %s: %s\n", what, strerror(errno));
	exit(1);
}

static void enable_gro(const char *interface)
{
	struct ethtool_value value = { .cmd = ETHTOOL_SGRO, .data = 1 };
	struct ifreq request = { .ifr_data = (void *)&value };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &request))
		die("turn GRO on");
	close(fd);
}

/* sysfs shows the interfaces of the namespace that it was mounted in. */
static void start_thread(const char *interface)
{
	char path[PATH_SIZE];
	int fd;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL))
		die("mount sysfs");
	snprintf(path, sizeof(path), "/sys/class/net/%s/threaded", interface);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		die("poll by a thread");
	close(fd);
}

/* Pids of the threads that poll interfaces of this name, in every namespace. */
static size_t list_threads(const char *interface, pid_t *pids)
{
	char path[PATH_SIZE], wanted[IFNAMSIZ + 8], name[32];
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	if (!directory)
		die("list threads");
	snprintf(wanted, sizeof(wanted), "napi/%s-", interface);
	while ((entry = readdir(directory)) && count < MAX_THREADS) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%.20s/comm", entry->d_name);
		file = atoi(entry->d_name) > 0 ? fopen(path, "re") : NULL;
		if (!file)
			continue;
		if (fgets(name, sizeof(name), file) && !strncmp(name, wanted, strlen(wanted)))
			pids[count++] = atoi(entry->d_name);
		fclose(file);
	}
	closedir(directory);
	return count;
}

static bool contains(const pid_t *pids, size_t count, pid_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static void pin_thread(pid_t pid, size_t cpu)
{
	const struct sched_param least = { .sched_priority = 1 };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(pid, sizeof(cpus), &cpus))
		die("keep the thread on its CPU");
	/* Before all that is less urgent: whoever else is on the machine is not to be measured. */
	if (sched_setscheduler(pid, SCHED_FIFO, &least))
		die("raise the thread's priority");
}

int main(int argc, char **argv)
{
	static pid_t before[MAX_THREADS], after[MAX_THREADS];
	size_t known, count;

	if (argc != 3) {
		fputs("usage: weir-poll INTERFACE CPU\n", stderr);
		return 2;
	}
	known = list_threads(argv[1], before);
	enable_gro(argv[1]);
	start_thread(argv[1]);
	count = list_threads(argv[1], after);
	for (size_t i = 0; i < count; i++) {
		if (contains(before, known, after[i]))
			continue;
		pin_thread(after[i], (size_t)atoi(argv[2]));
		printf("%d\n", after[i]);
		return 0;
	}
	fprintf(stderr, "Cannot find the thread that polls %s: none is new\n", argv[1]);
	return 1;
}
