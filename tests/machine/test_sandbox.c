/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a machine's process can't do, even from code where system calls are let through: each call
 * is tried in a process of its own, which has entered the sandbox.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "machine/sandbox.h"

enum { STOPPED = 42, DONE = 43, CHANNEL = 10, FILE_TO_READ = 11, LEFT_OPEN = 12 };

static void on_stop(int signal)
{
	(void)signal;
	_exit(STOPPED);
}

static void enter(void)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, CHANNEL) < 0 || dup2(null, FILE_TO_READ) < 0 ||
	    dup2(null, LEFT_OPEN) < 0 || signal(SIGSYS, on_stop) == SIG_ERR ||
	    kc_sandbox_enter(CHANNEL, FILE_TO_READ))
		_exit(1);
}

/* How a process ends that does this inside: an exit status, or -1. */
static int try(void (*deed)(void *), void *context)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		enter();
		deed(context);
		_exit(DONE);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct call {
	const char *name;
	long number;
	long arguments[3];
};

static void make_call(void *context)
{
	const struct call *call = context;

	(void)syscall(call->number, call->arguments[0], call->arguments[1], call->arguments[2], 0,
		      0, 0);
}

static void calls_are_stopped(void **state)
{
	static char program[] = "/bin/true";
	const long text = (long)(intptr_t)program;
	struct call calls[] = {
		{ "execve", SYS_execve, { text } },
		{ "execveat", SYS_execveat, { AT_FDCWD, text } },
		{ "open", SYS_open, { text, O_RDONLY } },
		{ "openat", SYS_openat, { AT_FDCWD, text, O_RDONLY } },
		{ "creat", SYS_creat, { text, 0600 } },
		{ "unlink", SYS_unlink, { text } },
		{ "socket", SYS_socket, { AF_UNIX, SOCK_STREAM } },
		{ "connect", SYS_connect, { CHANNEL } },
		{ "sendmsg", SYS_sendmsg, { CHANNEL } },
		{ "ptrace", SYS_ptrace, { PTRACE_ATTACH, getppid() } },
		{ "process_vm_writev", SYS_process_vm_writev, { getppid() } },
		{ "kill", SYS_kill, { getppid(), 0 } },
		{ "tgkill", SYS_tgkill, { getppid(), getppid(), 0 } },
		{ "fork", SYS_fork, { 0 } },
		{ "vfork", SYS_vfork, { 0 } },
		{ "clone", SYS_clone, { 0 } },
		{ "clone3", SYS_clone3, { 0 } },
		{ "unshare", SYS_unshare, { 0 } },
		{ "setns", SYS_setns, { 0 } },
		{ "mount", SYS_mount, { text } },
		{ "setuid", SYS_setuid, { 0 } },
		{ "prctl", SYS_prctl, { 1 } },
		{ "seccomp", SYS_seccomp, { 1 } },
		{ "bpf", SYS_bpf, { 0 } },
		{ "io_uring_setup", SYS_io_uring_setup, { 1 } },
		{ "userfaultfd", SYS_userfaultfd, { 0 } },
		{ "perf_event_open", SYS_perf_event_open, { 0 } },
		{ "finit_module", SYS_finit_module, { CHANNEL } },
		{ "read", SYS_read, { FILE_TO_READ } },
		{ "write", SYS_write, { CHANNEL } },
		/* The same by another numbering. */
		{ "x32's mmap", SYS_mmap | 0x40000000, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		int end = try(make_call, &calls[i]);

		if (end != STOPPED)
			print_error("%s: ended with %d\n", calls[i].name, end);
		assert_int_equal(end, STOPPED);
	}
}

/* getpid() of 32-bit programs, whose number is that of writev() here. */
static void call_as_of_old(void *context)
{
	long number = 20;

	(void)context;
	__asm__ volatile("int $0x80" : "+a"(number) : : "memory");
}

static void calls_of_32_bits_are_stopped(void **state)
{
	int end = try(call_as_of_old, NULL);

	(void)state;
	/* A host without them ends the process. */
	assert_true(end == STOPPED || end == -1);
}

/* Exits with what is wrong: by calls that are let through. */
static void look_around(void *context)
{
	struct stat status;

	(void)context;
	if (fstat(CHANNEL, &status) || fstat(FILE_TO_READ, &status))
		_exit(1);
	for (int fd = 0; fd < 64; fd++)
		if (fd != CHANNEL && fd != FILE_TO_READ && !fstat(fd, &status))
			_exit(2);
}

static void other_descriptors_are_closed(void **state)
{
	(void)state;
	assert_int_equal(try(look_around, NULL), DONE);
}

/* Files and memory that are made without end. */
static void take_all(void *context)
{
	const size_t piece = (size_t)1 << 30;
	unsigned int files = 0, pieces = 0;

	(void)context;
	while (files < 1000 && syscall(SYS_memfd_create, "more", 0) >= 0)
		files++;
	while (pieces < 1000 &&
	       mmap(NULL, piece, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		pieces++;
	if (files == 1000 || pieces == 1000)
		_exit(1);
}

static void what_it_takes_is_limited(void **state)
{
	(void)state;
	assert_int_equal(try(take_all, NULL), DONE);
}

static int compare(const void *a, const void *b)
{
	const long *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* What the C library asks the host for by the way. */
static void use_library(void *context)
{
	enum { MANY = 1 << 16 };
	long *numbers = calloc(MANY, sizeof(*numbers));

	(void)context;
	if (!numbers)
		_exit(1);
	for (long i = 0; i < MANY; i++)
		numbers[i] = MANY - i;
	qsort(numbers, MANY, sizeof(*numbers), compare);
	if (numbers[0] != 1)
		_exit(2);
	free(numbers);
}

static void the_library_works(void **state)
{
	(void)state;
	assert_int_equal(try(use_library, NULL), DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_are_stopped),
		cmocka_unit_test(calls_of_32_bits_are_stopped),
		cmocka_unit_test(other_descriptors_are_closed),
		cmocka_unit_test(what_it_takes_is_limited),
		cmocka_unit_test(the_library_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
