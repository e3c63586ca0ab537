/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a machine's process may still do. Kernel and modules make no system calls of the host's:
 * their code is below 4 GiB, and a call from there is stopped whatever it is. Ours makes a few,
 * none of which opens a file, a socket or another process, or sends a signal.
 */
#include "machine/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define LOAD_IP_HIGH \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4)
#define GIVE(action) BPF_STMT(BPF_RET | BPF_K, action)
#define UNLESS_EQUAL_SKIP(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count)
#define ALLOW(number) UNLESS_EQUAL_SKIP(SYS_##number, 1), GIVE(SECCOMP_RET_ALLOW)

static int filter_calls(void)
{
	struct sock_filter code[] = {
		LOAD(arch),
		UNLESS_EQUAL_SKIP(AUDIT_ARCH_X86_64, 2),
		LOAD_IP_HIGH,
		/* Skips the next where it is not 0. */
		UNLESS_EQUAL_SKIP(0, 1),
		GIVE(SECCOMP_RET_TRAP),
		LOAD(nr),
		ALLOW(recvfrom),
		ALLOW(sendto),
		ALLOW(mmap),
		ALLOW(munmap),
		ALLOW(mprotect),
		ALLOW(mremap),
		ALLOW(madvise),
		ALLOW(brk),
		ALLOW(rt_sigaction),
		ALLOW(rt_sigprocmask),
		ALLOW(rt_sigreturn),
		ALLOW(sigaltstack),
		ALLOW(setitimer),
		ALLOW(arch_prctl),
		ALLOW(pread64),
		ALLOW(pwrite64),
		ALLOW(newfstatat),
		ALLOW(fstat),
		ALLOW(ftruncate),
		ALLOW(memfd_create),
		ALLOW(futex),
		ALLOW(getpid),
		ALLOW(getrandom),
		ALLOW(sysinfo), /* qsort() asks how much memory there is */
		ALLOW(exit_group),
		GIVE(SECCOMP_RET_TRAP),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) ? -errno : 0;
}

static int close_others(int channel, int file)
{
	unsigned int low = (unsigned int)(channel < file ? channel : file);
	unsigned int high = (unsigned int)(channel < file ? file : channel);

	if ((low > 0 && close_range(0, low - 1, 0)) ||
	    (high - low > 1 && close_range(low + 1, high - 1, 0)) || close_range(high + 1, ~0u, 0))
		return -errno;
	return 0;
}

/* Somewhat more than the largest machine needs; what the host sets lower stays. */
static int limit_resources(void)
{
	static const struct {
		int resource;
		rlim_t most;
	} limits[] = {
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_NPROC, 0 },
		{ RLIMIT_MEMLOCK, 0 },
		{ RLIMIT_MSGQUEUE, 0 },
		{ RLIMIT_NOFILE, 64 },
		{ RLIMIT_FSIZE, (rlim_t)2 << 30 },
		{ RLIMIT_AS, (rlim_t)8 << 30 },
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit limit;

		if (getrlimit((__rlimit_resource_t)limits[i].resource, &limit))
			return -errno;
		if (limit.rlim_max > limits[i].most)
			limit.rlim_max = limits[i].most;
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit((__rlimit_resource_t)limits[i].resource, &limit))
			return -errno;
	}
	return 0;
}

int kc_sandbox_leave(int channel, int file)
{
	static const int namespaces[] = { CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWNS };
	int err = close_others(channel, file);

	if (err)
		return err;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	/* As far as the host allows them: the filter doesn't depend on them. */
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++)
		(void)unshare(namespaces[i]);
	return 0;
}

/* What a fork doesn't inherit is asked for again. */
int kc_sandbox_close(void)
{
	int err = prctl(PR_SET_PDEATHSIG, SIGKILL) ? -errno : limit_resources();

	/* By a debugger of the same user. */
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	return err ? err : filter_calls();
}

int kc_sandbox_enter(int channel, int file)
{
	int err = kc_sandbox_leave(channel, file);

	return err ? err : kc_sandbox_close();
}
