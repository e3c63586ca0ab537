/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first task of a booted machine, on the host's side: does what the parent asks for by the
 * kernel's own system calls, and answers.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/box.h"
#include "machine/machine.h"

/* Longer than anything in a kernel waits for hardware that may be there. */
#define PATIENCE (UINT64_C(600) * 1000000000)

enum { SETTLE_MSEC = 20, CHUNK = 4096, NONBLOCK = 0x800 };

/* ---- the channel ---- */

static void put(const void *bytes, size_t len)
{
	while (len) {
		ssize_t done = send(kc_machine.channel, bytes, len, MSG_NOSIGNAL);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			_exit(KC_EXIT_OK);
		bytes = (const uint8_t *)bytes + done;
		len -= (size_t)done;
	}
}

/* False: the parent has hung up. */
static bool get(void *bytes, size_t len)
{
	while (len) {
		ssize_t done = recv(kc_machine.channel, bytes, len, 0);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		bytes = (uint8_t *)bytes + done;
		len -= (size_t)done;
	}
	return true;
}

void kc_tell(unsigned int kind, const void *data, size_t len)
{
	struct kc_tell header = { kind, (uint32_t)(len < KC_TELL_MAX ? len : KC_TELL_MAX) };

	if (kc_machine.channel < 0)
		return;
	put(&header, sizeof(header));
	put(data, header.len);
}

void kc_machine_end(enum kc_machine_exit status, const char *format, ...)
{
	char text[512];
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	kc_tell(KC_TELL_END, text, len < 0 ? 0 : strnlen(text, sizeof(text)));
	_exit(status);
}

/* ---- questions ---- */

struct question {
	struct kc_ask ask;
	char *first, *second;
	struct kc_done done;
};

/* False: the parent has hung up. */
static bool receive(struct question *question)
{
	struct kc_ask *ask = &question->ask;

	if (!get(ask, sizeof(*ask)))
		return false;
	question->first = calloc(1, ask->first_len + 1);
	question->second = calloc(1, ask->second_len + 1);
	if (!question->first || !question->second)
		kc_machine_end(KC_EXIT_DIED, "no memory is left for a question");
	return get(question->first, ask->first_len) && get(question->second, ask->second_len);
}

static void question_deinit(struct question *question)
{
	free(question->first);
	free(question->second);
}

static uint64_t address_of(const void *place)
{
	return (uint64_t)(uintptr_t)place;
}

/* In the task that stands for insmod or rmmod. */
static void answer(void *context)
{
	struct question *question = context;
	struct kc_done *done = &question->done;
	uint64_t start = kc_state.now;

	if (question->ask.kind == KC_ASK_LOAD)
		done->status = (int32_t)kc_syscall(SYS_init_module, address_of(question->first),
						   question->ask.first_len,
						   address_of(question->second), 0, 0);
	else
		done->status = (int32_t)kc_syscall(SYS_delete_module, address_of(question->first),
						   NONBLOCK, 0, 0, 0);
	done->nsec = kc_state.now - start;
}

static int read_file(const char *path)
{
	char bytes[CHUNK];
	int64_t fd = kc_syscall(SYS_open, address_of(path), 0, 0, 0, 0), len;

	if (fd < 0)
		return (int)fd;
	do {
		len = kc_syscall(SYS_read, (uint64_t)fd, address_of(bytes), sizeof(bytes), 0, 0);
		if (len > 0)
			kc_tell(KC_TELL_TEXT, bytes, (size_t)len);
	} while (len > 0);
	kc_syscall(SYS_close, (uint64_t)fd, 0, 0, 0, 0);
	return (int)len;
}

static void answer_question(struct question *question)
{
	struct kc_done *done = &question->done;
	int err;

	if (question->ask.kind == KC_ASK_READ) {
		done->status = read_file(question->first);
	} else {
		err = kc_run_task(answer, question);
		if (err < 0)
			done->status = err;
		done->died = err > 0;
		/* What init left to others gets its turn. */
		kc_call(kc_needed("msleep"), SETTLE_MSEC, 0, 0, 0);
	}
	kc_tell(KC_TELL_DONE, done, sizeof(*done));
}

int kc_guest_modprobe(const char *const *arguments)
{
	const char *name = "";
	int status = 1;

	for (; *arguments; arguments++)
		name = *arguments;
	kc_tell(KC_TELL_WANT, name, strlen(name));
	for (bool more = true; more;) {
		struct question question = { 0 };

		if (!receive(&question))
			_exit(KC_EXIT_OK);
		more = question.ask.kind != KC_ASK_END;
		status = (int)question.ask.flags;
		if (more) {
			answer(&question);
			kc_tell(KC_TELL_DONE, &question.done, sizeof(question.done));
		}
		question_deinit(&question);
	}
	return status;
}

static void mount(const char *type, const char *path)
{
	kc_syscall(SYS_mkdir, address_of(path), 0755, 0, 0, 0);
	kc_syscall(SYS_mount, address_of(type), address_of(path), address_of(type), 0, 0);
}

void kc_guest(void)
{
	mount("proc", "/proc");
	mount("sysfs", "/sys");
	mount("debugfs", "/sys/kernel/debug");
	for (;;) {
		struct question question = { 0 };

		if (!receive(&question))
			_exit(KC_EXIT_OK);
		kc_machine.patience_ends = kc_state.now + PATIENCE;
		answer_question(&question);
		question_deinit(&question);
	}
}
