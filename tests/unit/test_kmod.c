/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request_module: the upcall, by a hook or a process; places; requests that are merged. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "live/requests.h"

static struct kocoon kocoon;
static char folder[64];

/* What the hooks saw, and how they behave. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int calls, inside, most;
	bool closed; /* a call waits until it isn't any more */
	bool wait;
	char name[64];
	char log[512];
} seen;

static int hook(void *context, const char *name, bool wait)
{
	int answer = *(int *)context;

	pthread_mutex_lock(&seen.lock);
	seen.calls++;
	seen.inside++;
	if (seen.inside > seen.most)
		seen.most = seen.inside;
	seen.wait = wait;
	snprintf(seen.name, sizeof(seen.name), "%s", name);
	pthread_cond_broadcast(&seen.changed);
	while (seen.closed)
		pthread_cond_wait(&seen.changed, &seen.lock);
	seen.inside--;
	pthread_mutex_unlock(&seen.lock);
	return answer;
}

static void note_log(void *context, enum kocoon_log_level level, const char *text)
{
	(void)context;
	(void)level;
	pthread_mutex_lock(&seen.lock);
	snprintf(seen.log, sizeof(seen.log), "%s", text);
	pthread_mutex_unlock(&seen.lock);
}

static int answer;

static int set_up(void **state)
{
	(void)state;
	memset(&kocoon, 0, sizeof(kocoon));
	memset(&seen, 0, sizeof(seen));
	pthread_mutex_init(&seen.lock, NULL);
	pthread_cond_init(&seen.changed, NULL);
	pthread_mutex_init(&kocoon.mutex, NULL);
	kocoon.hooks.log = note_log;
	kocoon.hooks.modprobe = hook;
	kocoon.hooks.context = &answer;
	answer = 0;
	snprintf(folder, sizeof(folder), "/tmp/kocoon-kmod-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	return kc_requests_new(&kocoon);
}

static int tear_down(void **state)
{
	char command[96];

	(void)state;
	kc_requests_free(&kocoon);
	pthread_mutex_destroy(&kocoon.mutex);
	pthread_cond_destroy(&seen.changed);
	pthread_mutex_destroy(&seen.lock);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

/* ---- the path, names, the hook */

static void has_a_path(void **state)
{
	char longest[257];
	char *path = kc_modprobe_path(&kocoon);

	(void)state;
	assert_string_equal(path, "/sbin/modprobe");
	free(path);
	memset(longest, 'p', sizeof(longest));
	longest[256] = '\0';
	assert_int_equal(kocoon_set_modprobe_path(&kocoon, longest), -EINVAL);
	longest[255] = '\0';
	assert_int_equal(kocoon_set_modprobe_path(&kocoon, longest), 0);
	path = kc_modprobe_path(&kocoon);
	assert_string_equal(path, longest);
	free(path);
}

static void an_empty_path_switches_it_off(void **state)
{
	(void)state;
	assert_int_equal(kocoon_set_modprobe_path(&kocoon, ""), 0);
	assert_int_equal(kocoon_request_module(&kocoon, "ext4", true), -ENOENT);
	assert_int_equal(seen.calls, 0);
	assert_int_equal(kocoon_set_modprobe_path(&kocoon, "/x"), 0);
	assert_int_equal(kocoon_request_module(&kocoon, "ext4", true), 0);
	assert_int_equal(seen.calls, 1);
}

static void names_have_a_length(void **state)
{
	char name[57];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[56] = '\0';
	assert_int_equal(kocoon_request_module(&kocoon, name, true), -ENAMETOOLONG);
	assert_int_equal(seen.calls, 0);
	name[55] = '\0';
	assert_int_equal(kocoon_request_module(&kocoon, name, true), 0);
	assert_string_equal(seen.name, name);
}

static void a_hook_answers(void **state)
{
	(void)state;
	answer = 256;
	assert_int_equal(kocoon_request_module(&kocoon, "fs-ext4", true), 256);
	assert_true(seen.wait);
	answer = -EPERM;
	assert_int_equal(kocoon_request_module(&kocoon, "fs-ext4", false), -EPERM);
	assert_false(seen.wait);
	assert_int_equal(seen.calls, 2);
	assert_int_equal(kocoon.requests->under_way, 0);
}

/* ---- a process */

static void write_script(const char *text)
{
	char path[96];
	FILE *file;

	kocoon.hooks.modprobe = NULL;
	snprintf(path, sizeof(path), "%s/modprobe", folder);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "#!/bin/sh\n%s\n", text);
	fclose(file);
	assert_int_equal(chmod(path, 0755), 0);
	assert_int_equal(kocoon_set_modprobe_path(&kocoon, path), 0);
}

static const char *contents(const char *name)
{
	static char text[1024];
	char path[96];
	size_t len = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "re");
	if (file) {
		len = fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
	}
	text[len] = '\0';
	return text;
}

static void runs_a_process(void **state)
{
	char script[512], expected[256];
	int open_file = open("/dev/null", O_RDONLY); /* NOLINT: to be left open across exec */

	(void)state;
	assert_true(open_file > 2);
	snprintf(script, sizeof(script),
		 "cwd=$(readlink /proc/$$/cwd)\n"
		 "files=$(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2)\n"
		 "cd %s\n"
		 "echo \"$# $0 $1 $2 $3\" > args\n"
		 "tr '\\0' '\\n' < /proc/$$/environ > environ\n"
		 "test -e /proc/$$/fd/%d || echo closed > files\n"
		 "echo \"$files\" >> files\n"
		 "echo \"$cwd\" > cwd",
		 folder, open_file);
	write_script(script);
	assert_int_equal(kocoon_request_module(&kocoon, "net-pf-10", true), 0);
	snprintf(expected, sizeof(expected), "3 %s/modprobe -q -- net-pf-10\n", folder);
	assert_string_equal(contents("args"), expected);
	assert_string_equal(contents("environ"),
			    "HOME=/\nTERM=linux\nPATH=/sbin:/usr/sbin:/bin:/usr/bin\n");
	assert_string_equal(contents("files"), "closed\n/dev/null\n/dev/null\n/dev/null\n");
	assert_string_equal(contents("cwd"), "/\n");
	close(open_file);
}

static void gives_a_status_as_wait_does(void **state)
{
	int status;

	(void)state;
	write_script("exit 3");
	status = kocoon_request_module(&kocoon, "nls_utf8", true);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 3);
	write_script("kill -9 $$");
	status = kocoon_request_module(&kocoon, "nls_utf8", true);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), 9);
}

static void says_what_can_not_be_run(void **state)
{
	char path[96];

	(void)state;
	write_script("exit 0");
	snprintf(path, sizeof(path), "%s/modprobe", folder);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(kocoon_request_module(&kocoon, "a", true), -EACCES);
	assert_int_equal(kocoon_request_module(&kocoon, "a", false), -EACCES);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(kocoon_request_module(&kocoon, "a", true), -ENOENT);
	assert_int_equal(kocoon_request_module(&kocoon, "a", false), -ENOENT);
	assert_int_equal(kocoon.requests->under_way, 0);
}

static void does_not_wait_if_not_asked_to(void **state)
{
	char script[512];

	(void)state;
	/* It ends when this test lets it, and then says so. */
	snprintf(script, sizeof(script),
		 "cd %s; while ! test -e go; do sleep 0.01; done; echo $3 > done", folder);
	write_script(script);
	assert_int_equal(kocoon_request_module(&kocoon, "later", false), 0);
	assert_int_equal(kocoon.requests->under_way, 0);
	assert_string_equal(contents("done"), "");
	snprintf(script, sizeof(script), "%s/go", folder);
	close(open(script, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	for (int i = 0; i < 1000 && strcmp(contents("done"), "later\n") != 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	assert_string_equal(contents("done"), "later\n");
	/* The process is waited for, by a thread of its own. */
	for (int i = 0; i < 1000 && waitpid(-1, NULL, WNOHANG) >= 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* ---- threads */

struct request {
	pthread_t thread;
	char name[16];
	bool wait;
	int result;
};

static void *ask(void *context)
{
	struct request *request = context;

	request->result = kocoon_request_module(&kocoon, request->name, request->wait);
	return NULL;
}

static void start(struct request *request, const char *name, int number)
{
	snprintf(request->name, sizeof(request->name), "%s%d", name, number);
	request->wait = true;
	assert_int_equal(pthread_create(&request->thread, NULL, ask, request), 0);
}

static void wait_for_calls(int count)
{
	pthread_mutex_lock(&seen.lock);
	while (seen.inside < count)
		pthread_cond_wait(&seen.changed, &seen.lock);
	pthread_mutex_unlock(&seen.lock);
}

static void open_hook(void)
{
	pthread_mutex_lock(&seen.lock);
	seen.closed = false;
	pthread_cond_broadcast(&seen.changed);
	pthread_mutex_unlock(&seen.lock);
}

static unsigned int under_way(void)
{
	unsigned int count;

	pthread_mutex_lock(&kocoon.requests->lock);
	count = kocoon.requests->under_way;
	pthread_mutex_unlock(&kocoon.requests->lock);
	return count;
}

static void merges_requests_for_one_name(void **state)
{
	struct request requests[5];

	(void)state;
	seen.closed = true;
	answer = 768;
	start(&requests[0], "same", 1);
	wait_for_calls(1);
	for (int i = 1; i < 4; i++)
		start(&requests[i], "same", 1);
	start(&requests[4], "other", 1);
	wait_for_calls(2);
	while (under_way() < 5)
		sched_yield();
	/* Merged, and not waited for. */
	assert_int_equal(kocoon_request_module(&kocoon, "same1", false), 0);
	/* The other three have to be asleep, or they'd ask by themselves. */
	for (int waiting = 0; waiting < 3;) {
		const struct kc_dup_request *first, *waiter;

		waiting = 0;
		pthread_mutex_lock(&kocoon.requests->lock);
		for (first = kocoon.requests->dups; first; first = first->next)
			for (waiter = first->waiters; waiter; waiter = waiter->next)
				waiting++;
		pthread_mutex_unlock(&kocoon.requests->lock);
	}
	open_hook();
	for (int i = 0; i < 5; i++) {
		pthread_join(requests[i].thread, NULL);
		assert_int_equal(requests[i].result, 768);
	}
	assert_int_equal(seen.calls, 2);
	assert_int_equal(kocoon.stats.public.duplicate_requests, 4);
	assert_string_equal(seen.log, "module-autoload: duplicate request for module same1");
	assert_null(kocoon.requests->dups);
	/* Later it is asked for again. */
	assert_int_equal(kocoon_request_module(&kocoon, "same1", true), 768);
	assert_int_equal(seen.calls, 3);
}

static void who_does_not_wait_has_no_result_to_share(void **state)
{
	struct request first = { .name = "same1", .wait = false }, second;

	(void)state;
	seen.closed = true;
	assert_int_equal(pthread_create(&first.thread, NULL, ask, &first), 0);
	wait_for_calls(1);
	start(&second, "same", 1);
	wait_for_calls(2);
	open_hook();
	pthread_join(first.thread, NULL);
	pthread_join(second.thread, NULL);
	assert_int_equal(seen.calls, 2);
	assert_int_equal(kocoon.stats.public.duplicate_requests, 0);
}

static void fifty_at_a_time_and_five_seconds(void **state)
{
	struct request requests[51];
	struct timespec before, after;
	double seconds;

	(void)state;
	seen.closed = true;
	for (int i = 0; i < 50; i++)
		start(&requests[i], "m", i);
	wait_for_calls(50);
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(kocoon_request_module(&kocoon, "impatient", true), -ETIME);
	clock_gettime(CLOCK_MONOTONIC, &after);
	seconds = (double)(after.tv_sec - before.tv_sec) +
		  (double)(after.tv_nsec - before.tv_nsec) / 1e9;
	assert_true(seconds >= 5);
	assert_string_equal(seen.log,
			    "request_module: modprobe impatient cannot be processed, kmod busy "
			    "with 50 threads for more than 5 seconds now");
	assert_int_equal(seen.calls, 50);
	start(&requests[50], "m", 50);
	open_hook();
	for (int i = 0; i < 51; i++) {
		pthread_join(requests[i].thread, NULL);
		assert_int_equal(requests[i].result, 0);
	}
	assert_int_equal(seen.calls, 51);
	assert_int_equal(seen.most, 50);
	assert_int_equal(kocoon.requests->under_way, 0);
	assert_null(kocoon.requests->first_waiter);
}

static void many_threads(void **state)
{
	enum { THREADS = 120 };
	static struct request requests[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		start(&requests[i], "m", i % 70);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(requests[i].thread, NULL);
		assert_int_equal(requests[i].result, 0);
	}
	assert_true(seen.most <= 50);
	assert_int_equal(seen.calls + (int)kocoon.stats.public.duplicate_requests, THREADS);
	assert_int_equal(kocoon.requests->under_way, 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(has_a_path),
		TEST(an_empty_path_switches_it_off),
		TEST(names_have_a_length),
		TEST(a_hook_answers),
		TEST(runs_a_process),
		TEST(gives_a_status_as_wait_does),
		TEST(says_what_can_not_be_run),
		TEST(does_not_wait_if_not_asked_to),
		TEST(merges_requests_for_one_name),
		TEST(who_does_not_wait_has_no_result_to_share),
		TEST(fifty_at_a_time_and_five_seconds),
		TEST(many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
