/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/zygote.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine/box.h"
#include "machine/sandbox.h"
#include "module/signing.h"

/* ---- the zygote ---- */

/* -1: nobody asks any more. */
static int receive_channel(int channel)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	const struct cmsghdr *header;
	ssize_t len;
	int fd;

	do {
		len = recvmsg(channel, &message, 0);
	} while (len < 0 && errno == EINTR);
	header = len == 1 ? CMSG_FIRSTHDR(&message) : NULL;
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* Its children are its parent's. This process has one thread: no lock is held by another. */
static pid_t fork_for_parent(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
}

static _Noreturn void be_zygote(const struct kc_child *child)
{
	const struct kc_tell ready = { KC_TELL_DONE, 0 };
	int channel;

	if (kc_sandbox_leave(child->channel, child->file))
		_exit(KC_EXIT_UNFIT);
	kc_child_restore(child);
	kc_signatures_warm_up(child->kernel);
	if (!kc_box_send(child->channel, &ready, sizeof(ready)))
		_exit(KC_EXIT_OK);
	while ((channel = receive_channel(child->channel)) >= 0) {
		pid_t pid = fork_for_parent();
		int32_t answer = pid < 0 ? -errno : pid;

		if (!pid) {
			close(child->channel);
			if (kc_sandbox_close())
				_exit(KC_EXIT_UNFIT);
			kc_child_go_on(channel);
		}
		close(channel);
		if (!kc_box_send(child->channel, &answer, sizeof(answer)))
			break;
	}
	_exit(KC_EXIT_OK);
}

/* ---- its parent ---- */

static bool receive(int channel, void *bytes, size_t len)
{
	ssize_t done;

	do {
		done = recv(channel, bytes, len, MSG_WAITALL);
	} while (done < 0 && errno == EINTR);
	return done == (ssize_t)len;
}

/* What it says first. */
static int hear_that_it_is_ready(const struct kc_zygote *zygote, struct kocoon_report *report)
{
	char text[512] = "its process has ended";
	struct kc_tell tell;

	if (receive(zygote->channel, &tell, sizeof(tell))) {
		if (tell.kind == KC_TELL_DONE)
			return 0;
		if (tell.len < sizeof(text) && receive(zygote->channel, text, tell.len))
			text[tell.len] = 0;
	}
	return kc_finding(report, KOCOON_STAGE_KERNEL, -ENOTSUP, "the kernel can't be run: %s",
			  text);
}

int kc_zygote_start(struct kc_zygote *zygote, const struct kc_child *child,
		    struct kocoon_report *report)
{
	struct kc_child mine = *child;
	int channels[2], err;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channels))
		return -errno;
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		mine.channel = channels[1];
		be_zygote(&mine);
	}
	err = pid < 0 ? -errno : 0;
	close(channels[1]);
	if (err) {
		close(channels[0]);
		return err;
	}
	*zygote = (struct kc_zygote){ .pid = pid, .channel = channels[0] };
	(void)pthread_mutex_init(&zygote->lock, NULL);
	err = hear_that_it_is_ready(zygote, report);
	if (err)
		kc_zygote_stop(zygote);
	return err;
}

static bool send_channel(int to, int channel)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	*header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
				    .cmsg_level = SOL_SOCKET,
				    .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(header), &channel, sizeof(channel));
	return sendmsg(to, &message, MSG_NOSIGNAL) == 1;
}

int kc_zygote_fork(struct kc_zygote *zygote, int channel, pid_t *pid_ret)
{
	int32_t answer = -EHOSTDOWN;

	pthread_mutex_lock(&zygote->lock);
	if (!send_channel(zygote->channel, channel) ||
	    !receive(zygote->channel, &answer, sizeof(answer)))
		answer = -EHOSTDOWN;
	pthread_mutex_unlock(&zygote->lock);
	if (answer <= 0)
		return answer ? answer : -EHOSTDOWN;
	*pid_ret = answer;
	return 0;
}

void kc_zygote_stop(struct kc_zygote *zygote)
{
	if (!zygote->pid)
		return;
	kill(zygote->pid, SIGKILL);
	while (waitpid(zygote->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(zygote->channel);
	(void)pthread_mutex_destroy(&zygote->lock);
	zygote->pid = 0;
}
