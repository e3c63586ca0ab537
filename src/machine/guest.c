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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/machine.h"

/* Longer than anything in a kernel waits for hardware that may be there. */
#define PATIENCE (UINT64_C(600) * 1000000000)

/* What init left to others gets its turn before its answer is told. */
#define SETTLE (UINT64_C(20) * 1000000)

enum { STEP_MSEC = 4, FINDING_TEXT_MAX = 4096, NONBLOCK = 0x800, NO_HANG = 1, SIGNAL_MASK = 0x7f };

static uint64_t msleep_at, wait_at;

/* ---- the channel ---- */

/* Ends the process where the parent has hung up. */
static void put(const void *bytes, size_t len)
{
	if (!kc_box_send(kc_machine.channel, bytes, len))
		_exit(KC_EXIT_OK);
}

/* The same. */
static void get(void *bytes, size_t len)
{
	while (len) {
		ssize_t done = recv(kc_machine.channel, bytes, len, 0);

		if (done < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (done <= 0)
			_exit(KC_EXIT_OK);
		bytes = (uint8_t *)bytes + done;
		len -= (size_t)done;
	}
}

void kc_tell(unsigned int kind, const void *data, size_t len)
{
	struct kc_tell header = { kind, (uint32_t)(len < KC_TELL_MAX ? len : KC_TELL_MAX) };

	if (kc_machine.channel < 0)
		return;
	put(&header, sizeof(header));
	put(data, header.len);
}

void kc_tell_finding(const char *module, const struct kocoon_finding *finding)
{
	const char *texts[KC_FINDING_TEXTS] = { module, finding->what, finding->expected,
						finding->found, finding->hint };
	struct kc_told_finding told = { (int32_t)finding->stage, finding->err };
	struct kc_buffer bytes = { 0 };
	int err = kc_buffer_append(&bytes, &told, sizeof(told));

	for (size_t i = 0; i < KC_FINDING_TEXTS && !err; i++) {
		const char *text = texts[i] ? texts[i] : "";

		err = kc_buffer_append(&bytes, text, strnlen(text, FINDING_TEXT_MAX));
		if (!err)
			err = kc_buffer_append(&bytes, "", 1);
	}
	if (!err)
		kc_tell(KC_TELL_FINDING, bytes.data, bytes.len);
	kc_buffer_deinit(&bytes);
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

/* A question, and the task that stands for insmod, rmmod, cat, ... */
struct job {
	struct kc_work work;
	struct kc_ask ask;
	char *first, *second; /* owned; a NUL follows them */
	struct kc_done done;
	int pid;
	uint64_t ended_at; /* ns; 0: the task runs */
	struct job *next;
};

static struct job *jobs;

static struct job *receive(void)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		kc_machine_end(KC_EXIT_DIED, "no memory is left for a question");
	get(&job->ask, sizeof(job->ask));
	job->first = calloc(1, job->ask.first_len + 1);
	job->second = calloc(1, job->ask.second_len + 1);
	if (!job->first || !job->second)
		kc_machine_end(KC_EXIT_DIED, "no memory is left for a question");
	get(job->first, job->ask.first_len);
	get(job->second, job->ask.second_len);
	job->done.id = job->ask.id;
	return job;
}

static void job_free(struct job *job)
{
	free(job->first);
	free(job->second);
	free(job);
}

static bool is_asked(void)
{
	char byte;
	ssize_t count = recv(kc_machine.channel, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (!count)
		_exit(KC_EXIT_OK);
	return count > 0;
}

/* In a task of its own. */
static void do_job(void *context)
{
	struct job *job = context;
	struct kc_done *done = &job->done;
	uint64_t start = kc_state.now;

	(void)kc_syscall(SYS_prctl, PR_SET_NAME, kc_address("modprobe"), 0, 0, 0);
	if (job->ask.kind == KC_ASK_LOAD)
		done->status =
			(int32_t)kc_syscall(SYS_init_module, kc_address(job->first),
					    job->ask.first_len, kc_address(job->second), 0, 0);
	else if (job->ask.kind == KC_ASK_UNLOAD)
		done->status = (int32_t)kc_syscall(SYS_delete_module, kc_address(job->first),
						   NONBLOCK, 0, 0, 0);
	else
		done->status = kc_guest_file(&job->ask, job->first, job->second);
	done->nsec = kc_state.now - start;
}

static void tell_done(struct job *job)
{
	kc_tell(KC_TELL_DONE, &job->done, sizeof(job->done));
	job_free(job);
}

/* ---- modprobe ---- */

/*
 * A task that the kernel has made modprobe: it waits for the parent to have done modprobe's work.
 */
struct request {
	struct kc_want want;
	uint64_t task;
	bool ended;
	uint32_t status;
	struct request *next;
};

static struct request *requests;
static uint64_t last_request;

int kc_guest_modprobe(uint64_t task, const char *name)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return -ENOMEM;
	request->task = task;
	request->want.id = ++last_request;
	snprintf(request->want.name, sizeof(request->want.name), "%s", name);
	request->next = requests;
	requests = request;
	return 0;
}

static struct request **find_request(uint64_t task, uint64_t id)
{
	struct request **at = &requests;

	while (*at && (*at)->task != task && (*at)->want.id != id)
		at = &(*at)->next;
	return at;
}

int kc_guest_program(uint64_t task)
{
	struct request **at = find_request(task, 0), *request = *at;
	int status;

	if (!request)
		return 1;
	kc_tell(KC_TELL_WANT, &request->want, sizeof(request->want));
	while (!request->ended)
		kc_call(msleep_at, STEP_MSEC, 0, 0, 0);
	status = (int)request->status;
	/* Others may have come and gone meanwhile. */
	at = find_request(task, 0);
	*at = request->next;
	free(request);
	return status;
}

/*
 * What modprobe takes of the parent's time is to be little of the machine's: else time-outs that
 * wait for it pass before it has had a chance. Whether it is at work: a request for which nothing
 * is being done here. It may wait for another one's answer as well, so this never waits for long.
 */
void kc_guest_let_parent_work(void)
{
	int owed = 0;
	char byte;

	for (const struct request *request = requests; request; request = request->next)
		owed += !request->ended;
	for (const struct job *job = jobs; job; job = job->next)
		owed -= job->ask.request != 0;
	if (owed > 0)
		(void)!recv(kc_machine.channel, &byte, 1, MSG_PEEK);
}

/* ---- the first task ---- */

static void take_question(struct job *job)
{
	struct request *request;

	if (job->ask.kind == KC_ASK_END) {
		request = *find_request(0, job->ask.id);
		if (request) {
			request->status = job->ask.status;
			request->ended = true;
		}
		job_free(job);
		return;
	}
	job->work = (struct kc_work){ do_job, job };
	job->pid = kc_start_task(&job->work);
	if (job->pid < 0) {
		job->done.status = job->pid;
		tell_done(job);
		return;
	}
	job->next = jobs;
	jobs = job;
}

static void look_after(struct job *job)
{
	int32_t status = 0;

	if (job->ended_at || kc_call(wait_at, (uint64_t)job->pid, kc_address(&status), NO_HANG,
				     0) != (uint64_t)job->pid)
		return;
	job->done.died = (status & SIGNAL_MASK) != 0;
	job->ended_at = kc_state.now;
}

/* Nobody waits for a request that outlives the one who made it, but its work belongs to it. */
static bool is_done(const struct job *job)
{
	uint64_t settle = kc_asks_to_look(job->ask.kind) ? 0 : SETTLE;

	return job->ended_at && kc_state.now >= job->ended_at + settle &&
	       (job->ask.request || !requests);
}

static void look_after_all(void)
{
	for (struct job **at = &jobs; *at;) {
		struct job *job = *at;

		look_after(job);
		if (is_done(job)) {
			*at = job->next;
			tell_done(job);
		} else {
			at = &job->next;
		}
	}
}

void kc_guest(void)
{
	msleep_at = kc_needed("msleep");
	wait_at = kc_needed("kernel_wait4");
	for (;;) {
		bool idle = !jobs;

		/* Reading stops the machine: only where there is nothing that it could do. */
		if (idle || is_asked())
			take_question(receive());
		if (idle)
			kc_machine.patience_ends = kc_state.now + PATIENCE;
		if (jobs)
			kc_call(msleep_at, STEP_MSEC, 0, 0, 0);
		look_after_all();
	}
}
