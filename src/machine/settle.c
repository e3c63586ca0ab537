/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The end of booting: what every machine that goes on from here would else do itself. What the
 * kernel has left to others (its own tests of cryptography, queued work, grace periods) is waited
 * for, and the file systems that are read later are mounted.
 */
#include <sys/syscall.h>

#include "machine/machine.h"

/* In ms of the machine's time: longer than what is left to a timer at boot. */
enum { SETTLE_MSEC = 3000 };

static uint64_t msleep_at;

static void mount(const char *type, const char *path)
{
	kc_syscall(SYS_mkdir, kc_address(path), 0755, 0, 0, 0);
	kc_syscall(SYS_mount, kc_address(type), kc_address(path), kc_address(type), 0, 0);
}

/* prepare_namespace(), on the first task's stack: the root device is what it is. */
__attribute__((force_align_arg_pointer, no_stack_protector)) void kc_settle(void)
{
	mount("proc", "/proc");
	mount("sysfs", "/sys");
	mount("debugfs", "/sys/kernel/debug");
	mount("devtmpfs", "/dev");
	kc_call(msleep_at, SETTLE_MSEC, 0, 0, 0);
}

void kc_settle_init(void)
{
	msleep_at = kc_needed("msleep");
}
