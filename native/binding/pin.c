// SPDX-License-Identifier: Apache-2.0
/* Pins: files in bpffs that keep maps, programs and links alive without a process. */
#include "weir.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sys/mount.h>

int weir_pin(int fd, const char *path)
{
	return bpf_obj_pin(fd, path);
}

int weir_open_pin(const char *path)
{
	return bpf_obj_get(path);
}

int weir_mount_bpffs(const char *path)
{
	return mount("bpf", path, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") ? -errno
											: 0;
}

int weir_unmount(const char *path)
{
	return umount2(path, UMOUNT_NOFOLLOW) ? -errno : 0;
}
