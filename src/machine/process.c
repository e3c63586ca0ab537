/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "machine/sandbox.h"

enum { GRACE_MSEC = 2000 /* for a machine that is to show its tasks */, STEP_USEC = 4000 };

static uint64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int open_channel(struct kc_process *process, int *other_ret)
{
	const struct timeval step = { .tv_usec = STEP_USEC };
	const struct timeval patience = { .tv_sec = process->timeout };
	int channels[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channels))
		return -errno;
	/* The machine's end: kc_guest_let_parent_work() waits for as long. */
	(void)setsockopt(channels[1], SOL_SOCKET, SO_RCVTIMEO, &step, sizeof(step));
	/* Ours: a machine that doesn't listen is none that answers. */
	(void)setsockopt(channels[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	process->channel = channels[0];
	*other_ret = channels[1];
	return 0;
}

/* Closes what isn't this process's. */
static int started(struct kc_process *process, pid_t pid, int other, int err)
{
	close(other);
	if (err) {
		close(process->channel);
		process->channel = -1;
		return err;
	}
	process->pid = pid;
	return 0;
}

int kc_process_boot(struct kc_process *process, const struct kc_child *child)
{
	struct kc_child mine = *child;
	int err = open_channel(process, &mine.channel);
	pid_t pid;

	if (err)
		return err;
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (kc_sandbox_enter(mine.channel, mine.file))
			_exit(KC_EXIT_UNFIT);
		kc_child_boot(&mine);
	}
	return started(process, pid, mine.channel, pid < 0 ? -errno : 0);
}

int kc_process_start(struct kc_process *process, struct kc_zygote *zygote)
{
	int other = -1, err = open_channel(process, &other);
	pid_t pid = 0;

	if (err)
		return err;
	err = kc_zygote_fork(zygote, other, &pid);
	return started(process, pid, other, err);
}

static void reap(struct kc_process *process)
{
	while (waitpid(process->pid, &process->status, 0) < 0 && errno == EINTR)
		;
	process->pid = 0;
	close(process->channel);
	process->channel = -1;
}

void kc_process_stop(struct kc_process *process)
{
	if (!process->pid)
		return;
	kill(process->pid, SIGKILL);
	reap(process);
}

static void note_end(struct kc_process *process)
{
	reap(process);
	process->late |=
		WIFEXITED(process->status) && WEXITSTATUS(process->status) == KC_EXIT_STUCK;
	if (*process->end)
		return;
	if (WIFSIGNALED(process->status))
		snprintf(process->end, sizeof(process->end), "the machine was killed by signal %d",
			 WTERMSIG(process->status));
	else
		snprintf(process->end, sizeof(process->end), "the machine ended with status %d",
			 WEXITSTATUS(process->status));
}

void kc_process_give_up(struct kc_process *process, const char *why)
{
	snprintf(process->end, sizeof(process->end), "%s", why);
	kc_process_stop(process);
}

void kc_process_start_clock(struct kc_process *process)
{
	process->deadline = milliseconds() + (uint64_t)process->timeout * 1000;
}

int kc_process_ask(struct kc_process *process, struct kc_ask ask, struct kc_span first,
		   struct kc_span second)
{
	ask.first_len = first.len;
	ask.second_len = second.len;
	if (!process->pid)
		return -EHOSTDOWN;
	/* Where it has hung up, what it last said is still to be heard. */
	(void)(kc_box_send(process->channel, &ask, sizeof(ask)) &&
	       kc_box_send(process->channel, first.data, first.len) &&
	       kc_box_send(process->channel, second.data, second.len));
	return 0;
}

/* The deadline has passed: it may say what its tasks do, for a while. */
static int out_of_time(struct kc_process *process)
{
	if (!process->late) {
		process->late = true;
		snprintf(process->end, sizeof(process->end), "no answer within %u s",
			 process->timeout);
		kill(process->pid, SIGUSR1);
		process->deadline = milliseconds() + GRACE_MSEC;
		return 0;
	}
	kc_process_stop(process);
	return -ETIMEDOUT;
}

static int get(struct kc_process *process, void *bytes, size_t len)
{
	while (len) {
		struct pollfd ready = { .fd = process->channel, .events = POLLIN };
		uint64_t now = milliseconds();
		ssize_t done;
		int err = 0;

		if (now >= process->deadline)
			err = out_of_time(process);
		if (err)
			return err;
		if (poll(&ready, 1, (int)(process->deadline - now) + 1) <= 0)
			continue;
		done = recv(process->channel, bytes, len, 0);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			note_end(process);
			return process->late ? -ETIMEDOUT : -EHOSTDOWN;
		}
		bytes = (uint8_t *)bytes + done;
		len -= (size_t)done;
	}
	return 0;
}

int kc_process_hear(struct kc_process *process, struct kc_tell *tell_ret, char *bytes)
{
	int gone = process->late ? -ETIMEDOUT : -EHOSTDOWN;
	int err = process->pid ? get(process, tell_ret, sizeof(*tell_ret)) : gone;

	if (!err && tell_ret->len > KC_TELL_MAX) {
		kc_process_give_up(process, "the machine says what it can't");
		err = -EHOSTDOWN;
	}
	if (!err)
		err = get(process, bytes, tell_ret->len);
	if (err)
		return err;
	bytes[tell_ret->len] = 0;
	if (tell_ret->kind == KC_TELL_END && !*process->end)
		snprintf(process->end, sizeof(process->end), "%s", bytes);
	return 0;
}
