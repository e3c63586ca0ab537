/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * request_module: kernel/module/kmod.c, with what kernel/umh.c does for it.
 *
 * At most 50 requests are under way; others wait for up to 5 s, in the order in which they came.
 * The upcall is the program's (hooks.modprobe) or a process: modprobe, with the kernel's arguments
 * and environment, without any file but /dev/null.
 *
 * Differs from Linux: if the program ignores SIGCHLD, or waits for children that aren't its own, a
 * process's status is lost: -ECHILD.
 */
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "live/requests.h"

enum {
	CONCURRENT_MAX = 50, /* MAX_KMOD_CONCURRENT */
	PATIENCE = 5, /* seconds: MAX_KMOD_ALL_BUSY_TIMEOUT */
	NAME_MAX_LEN = 55, /* MODULE_NAME_LEN - 1 */
};

static const char default_path[] = "/sbin/modprobe"; /* CONFIG_MODPROBE_PATH */

/* Someone who waits for a place, on its stack. */
struct kc_place_waiter {
	struct kc_place_waiter *next;
	pthread_cond_t given;
	bool has_place;
};

int kc_requests_new(struct kocoon *kocoon)
{
	struct kc_requests *requests = calloc(1, sizeof(*requests));

	if (!requests)
		return -ENOMEM;
	pthread_mutex_init(&requests->lock, NULL);
	memcpy(requests->path, default_path, sizeof(default_path));
	requests->last_waiter = &requests->first_waiter;
	kocoon->requests = requests;
	return 0;
}

void kc_requests_free(struct kocoon *kocoon)
{
	struct kc_requests *requests = kocoon->requests;

	if (!requests)
		return;
	pthread_mutex_destroy(&requests->lock);
	free(requests);
	kocoon->requests = NULL;
}

/* ---- kernel.modprobe */

static void copy_path(struct kc_requests *requests, char path[KC_PATH_MAX_MODPROBE])
{
	pthread_mutex_lock(&requests->lock);
	memcpy(path, requests->path, KC_PATH_MAX_MODPROBE);
	pthread_mutex_unlock(&requests->lock);
}

int kocoon_set_modprobe_path(struct kocoon *kocoon, const char *path)
{
	struct kc_requests *requests = kocoon->requests;
	size_t len = strlen(path);

	if (len >= KC_PATH_MAX_MODPROBE)
		return -EINVAL;
	pthread_mutex_lock(&requests->lock);
	memcpy(requests->path, path, len + 1);
	pthread_mutex_unlock(&requests->lock);
	return 0;
}

char *kc_modprobe_path(struct kocoon *kocoon)
{
	char path[KC_PATH_MAX_MODPROBE];

	copy_path(kocoon->requests, path);
	return strdup(path);
}

/* ---- places */

/* Under the lock. */
static void forget_waiter(struct kc_requests *requests, struct kc_place_waiter *waiter)
{
	struct kc_place_waiter **link = &requests->first_waiter;

	while (*link != waiter)
		link = &(*link)->next;
	*link = waiter->next;
	if (!*link)
		requests->last_waiter = link;
}

/* Under the lock, which is let go while asleep. 0 or -ETIME. */
static int wait_for_place(struct kc_requests *requests)
{
	struct kc_place_waiter waiter = { 0 };
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE;
	pthread_cond_init(&waiter.given, NULL);
	*requests->last_waiter = &waiter;
	requests->last_waiter = &waiter.next;
	while (!waiter.has_place && pthread_cond_clockwait(&waiter.given, &requests->lock,
							   CLOCK_MONOTONIC, &until) != ETIMEDOUT)
		;
	if (!waiter.has_place)
		forget_waiter(requests, &waiter);
	pthread_cond_destroy(&waiter.given);
	return waiter.has_place ? 0 : -ETIME;
}

/* down_timeout() of kmod_concurrent_max. */
static int take_place(struct kc_requests *requests)
{
	int err = 0;

	pthread_mutex_lock(&requests->lock);
	if (requests->under_way < CONCURRENT_MAX)
		requests->under_way++;
	else
		err = wait_for_place(requests);
	pthread_mutex_unlock(&requests->lock);
	return err;
}

/* To who has waited longest, if anybody. */
static void give_place(struct kc_requests *requests)
{
	struct kc_place_waiter *waiter;

	pthread_mutex_lock(&requests->lock);
	waiter = requests->first_waiter;
	if (waiter) {
		forget_waiter(requests, waiter);
		waiter->has_place = true;
		pthread_cond_signal(&waiter->given);
	} else {
		requests->under_way--;
	}
	pthread_mutex_unlock(&requests->lock);
}

/* ---- the process */

/* One upcall that nobody waits for: shared by who asks and the thread that sees to the process. */
struct upcall {
	char path[KC_PATH_MAX_MODPROBE];
	char name[NAME_MAX_LEN + 1];
	sem_t begun;
	int err;
};

static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t set;
	int err;

	sigemptyset(&set);
	err = posix_spawnattr_setsigmask(attributes, &set);
	sigfillset(&set);
	if (!err)
		err = posix_spawnattr_setsigdefault(attributes, &set);
	if (!err)
		err = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
								   POSIX_SPAWN_SETSIGDEF |
								   POSIX_SPAWN_SETSID);
	return err;
}

static int set_files(posix_spawn_file_actions_t *files)
{
	int err = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDWR, 0);

	if (!err)
		err = posix_spawn_file_actions_adddup2(files, STDIN_FILENO, STDOUT_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(files, STDIN_FILENO, STDERR_FILENO);
	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
	if (!err)
		err = posix_spawn_file_actions_addchdir_np(files, "/");
	return err;
}

/* 0 once it runs, or a negative errno. */
static int spawn(char *path, char *name, pid_t *pid_ret)
{
	static char quiet[] = "-q", end[] = "--", home[] = "HOME=/", term[] = "TERM=linux",
		    search[] = "PATH=/sbin:/usr/sbin:/bin:/usr/bin";
	char *args[] = { path, quiet, end, name, NULL };
	char *environment[] = { home, term, search, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	int err;

	err = posix_spawnattr_init(&attributes);
	if (err)
		return -err;
	err = posix_spawn_file_actions_init(&files);
	if (!err) {
		err = set_attributes(&attributes);
		if (!err)
			err = set_files(&files);
		if (!err)
			err = posix_spawn(pid_ret, path, &files, &attributes, args, environment);
		posix_spawn_file_actions_destroy(&files);
	}
	posix_spawnattr_destroy(&attributes);
	return -err;
}

static int wait_for_process(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

/* A thread of its own: what it does after `begun` touches nothing of the subsystem. */
static void *run_upcall(void *context)
{
	struct upcall *upcall = context;
	pid_t pid = 0;
	int err = spawn(upcall->path, upcall->name, &pid);

	upcall->err = err;
	sem_post(&upcall->begun);
	if (!err)
		wait_for_process(pid);
	return NULL;
}

/* Detached, all signals blocked. 0 or a negative errno. */
static int start_thread(void *(*function)(void *), void *context)
{
	sigset_t all, before;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, NULL, function, context);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		pthread_detach(thread);
	return -err;
}

/* call_modprobe() */
static int call_process(struct kocoon *kocoon, const char *name, bool wait)
{
	struct upcall upcall = { .err = 0 };
	pid_t pid = 0;
	int err;

	copy_path(kocoon->requests, upcall.path);
	memcpy(upcall.name, name, strlen(name) + 1);
	if (wait) {
		err = spawn(upcall.path, upcall.name, &pid);
		return err ? err : wait_for_process(pid);
	}
	sem_init(&upcall.begun, 0, 0);
	err = start_thread(run_upcall, &upcall);
	if (!err) {
		while (sem_wait(&upcall.begun) && errno == EINTR)
			;
		err = upcall.err;
	}
	sem_destroy(&upcall.begun);
	return err;
}

static int call_modprobe(struct kocoon *kocoon, const char *name, bool wait)
{
	if (kocoon->hooks.modprobe)
		return kocoon->hooks.modprobe(kocoon->hooks.context, name, wait);
	return call_process(kocoon, name, wait);
}

/* In a place: unless somebody has asked for the same name and is not answered yet. */
static int request(struct kocoon *kocoon, const char *name, bool wait)
{
	struct kc_dup_request record;
	int ret;

	if (kc_dup_request_exists_wait(kocoon, &record, name, wait, &ret))
		return ret;
	ret = call_modprobe(kocoon, name, wait);
	if (wait)
		kc_dup_request_announce(kocoon, &record, ret);
	return ret;
}

int kocoon_request_module(struct kocoon *kocoon, const char *name, bool wait)
{
	char path[KC_PATH_MAX_MODPROBE];
	struct kc_cpu_pause pause;
	int ret;

	copy_path(kocoon->requests, path);
	if (!path[0])
		return -ENOENT;
	if (strlen(name) > NAME_MAX_LEN)
		return -ENAMETOOLONG;
	kc_per_cpu_pause(&kocoon->per_cpu, &pause);
	ret = take_place(kocoon->requests);
	if (ret) {
		kc_log(kocoon, KOCOON_LOG_WARNING,
		       "request_module: modprobe %s cannot be processed, kmod busy with %d "
		       "threads for more than %d seconds now",
		       name, CONCURRENT_MAX, PATIENCE);
	} else {
		ret = request(kocoon, name, wait);
		give_place(kocoon->requests);
	}
	kc_per_cpu_resume(&pause);
	return ret;
}
