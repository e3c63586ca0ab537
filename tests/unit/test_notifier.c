/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The module notifier chain. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/live.h"

/* What a test's call-backs did, one letter and one event each: "aC bC aG". */
struct story {
	pthread_mutex_t lock;
	char text[256];
};

static struct kocoon *kocoon;
static struct kocoon_loaded module;
static struct story story;

struct watcher {
	char letter;
	int answer; /* to COMING */
	void (*action)(struct watcher *watcher);
};

static void tell(char letter, enum kocoon_module_state event)
{
	size_t used;

	pthread_mutex_lock(&story.lock);
	used = strlen(story.text);
	assert_true(used + 5 < sizeof(story.text));
	snprintf(story.text + used, sizeof(story.text) - used, "%s%c%c", used ? " " : "", letter,
		 "LCG"[event]);
	pthread_mutex_unlock(&story.lock);
}

static int watch(void *context, enum kocoon_module_state event, struct kocoon_loaded *about)
{
	struct watcher *watcher = context;

	assert_ptr_equal(about, &module);
	tell(watcher->letter, event);
	if (watcher->action)
		watcher->action(watcher);
	return watcher->answer;
}

static int set_up(void **state)
{
	struct kocoon_options options = { .size = sizeof(options), .space = 1 << 20, .cpus = 8 };

	(void)state;
	if (kocoon_new(NULL, &options, NULL, &kocoon))
		return -1;
	memset(&module, 0, sizeof(module));
	memset(&story, 0, sizeof(story));
	pthread_mutex_init(&story.lock, NULL);
	module.kocoon = kocoon;
	module.this_module = 0x12345000;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	kocoon_free(kocoon);
	pthread_mutex_destroy(&story.lock);
	return 0;
}

static void calls_by_priority_then_age(void **state)
{
	struct watcher a = { 'a', 0, NULL }, b = { 'b', 0, NULL }, c = { 'c', 0, NULL },
		       d = { 'd', 0, NULL };

	(void)state;
	assert_int_equal(kocoon_register_notifier(kocoon, watch, &a, 0), 0);
	assert_int_equal(kocoon_register_notifier(kocoon, watch, &b, 10), 0);
	assert_int_equal(kocoon_register_notifier(kocoon, watch, &c, -10), 0);
	assert_int_equal(kocoon_register_notifier(kocoon, watch, &d, 0), 0);
	assert_int_equal(kc_notify_coming(&module), 0);
	kc_notify(&module, KOCOON_STATE_LIVE);
	assert_string_equal(story.text, "bC aC dC cC bL aL dL cL");
}

static void knows_what_is_registered(void **state)
{
	struct watcher a = { 'a', 0, NULL }, b = { 'b', 0, NULL };

	(void)state;
	assert_int_equal(kocoon_unregister_notifier(kocoon, watch, &a), -ENOENT);
	assert_int_equal(kocoon_register_notifier(kocoon, watch, &a, 0), 0);
	assert_int_equal(kocoon_register_notifier(kocoon, watch, &a, 5), -EEXIST);
	assert_int_equal(kocoon_register_notifier(kocoon, watch, &b, 0), 0);
	assert_int_equal(kocoon_unregister_notifier(kocoon, watch, &a), 0);
	assert_int_equal(kocoon_unregister_notifier(kocoon, watch, &a), -ENOENT);
	kc_notify(&module, KOCOON_STATE_GOING);
	assert_string_equal(story.text, "bG");
	assert_int_equal(kocoon_register_notifier(kocoon, watch, &a, 1), 0);
	kc_notify(&module, KOCOON_STATE_GOING);
	assert_string_equal(story.text, "bG aG bG");
}

static void takes_back_what_was_told_before_a_refusal(void **state)
{
	struct watcher a = { 'a', 0, NULL }, b = { 'b', 7, NULL }, c = { 'c', -EBUSY, NULL },
		       d = { 'd', 0, NULL };

	(void)state;
	kocoon_register_notifier(kocoon, watch, &a, 4);
	kocoon_register_notifier(kocoon, watch, &b, 3);
	kocoon_register_notifier(kocoon, watch, &c, 2);
	kocoon_register_notifier(kocoon, watch, &d, 1);
	assert_int_equal(kc_notify_coming(&module), -EBUSY);
	assert_string_equal(story.text, "aC bC cC aG bG");
}

static void refuses_from_coming_only(void **state)
{
	struct watcher a = { 'a', -EBUSY, NULL }, b = { 'b', 0, NULL };

	(void)state;
	kocoon_register_notifier(kocoon, watch, &a, 4);
	kocoon_register_notifier(kocoon, watch, &b, 3);
	kc_notify(&module, KOCOON_STATE_LIVE);
	kc_notify(&module, KOCOON_STATE_GOING);
	assert_string_equal(story.text, "aL bL aG bG");
}

/* ---- blocks of modules */

struct block {
	int (*notifier_call)(struct block *block, unsigned long action, void *data);
	struct block *next;
	int priority;
	char letter;
	int coming, going; /* answers */
};

static int block_call(struct block *block, unsigned long action, void *data)
{
	assert_ptr_equal(data, (void *)(uintptr_t)module.this_module);
	tell(block->letter, (enum kocoon_module_state)action);
	return action == KOCOON_STATE_COMING ? block->coming : block->going;
}

static uint64_t address(const void *object)
{
	return (uint64_t)(uintptr_t)object;
}

static void mixes_blocks_and_functions(void **state)
{
	struct block x = { .notifier_call = block_call, .priority = 1, .letter = 'x' };
	struct watcher a = { 'a', 0, NULL }, b = { 'b', 0, NULL };

	(void)state;
	kocoon_register_notifier(kocoon, watch, &a, 0);
	assert_int_equal(kc_register_module_block(kocoon, address(&x)), 0);
	kocoon_register_notifier(kocoon, watch, &b, 2);
	assert_int_equal(atomic_load(&kocoon->tainted), 0);
	assert_int_equal(kc_register_module_block(kocoon, address(&x)), -EEXIST);
	assert_int_equal(atomic_load(&kocoon->tainted), 1 << KC_TAINT_WARN);
	kc_notify(&module, KOCOON_STATE_LIVE);
	assert_int_equal(kc_unregister_module_block(kocoon, address(&x)), 0);
	assert_int_equal(kc_unregister_module_block(kocoon, address(&x)), -ENOENT);
	kc_notify(&module, KOCOON_STATE_LIVE);
	assert_string_equal(story.text, "bL xL aL bL aL");
}

enum { NOTIFY_STOP = 0x8001, NOTIFY_BAD = 0x8002, STOP_MASK = 0x8000 };

static void block_answers(int coming, int going, int err, const char *told)
{
	struct block x = { .notifier_call = block_call, .priority = 9, .letter = 'x' };
	struct block y = { .notifier_call = block_call, .priority = 8, .letter = 'y' };
	struct block z = { .notifier_call = block_call, .priority = 7, .letter = 'z' };

	story.text[0] = '\0';
	y.going = going;
	z.coming = coming;
	assert_int_equal(kc_register_module_block(kocoon, address(&z)), 0);
	assert_int_equal(kc_register_module_block(kocoon, address(&y)), 0);
	assert_int_equal(kc_register_module_block(kocoon, address(&x)), 0);
	assert_int_equal(kc_notify_coming(&module), err);
	assert_string_equal(story.text, told);
	assert_int_equal(kc_unregister_module_block(kocoon, address(&x)), 0);
	assert_int_equal(kc_unregister_module_block(kocoon, address(&y)), 0);
	assert_int_equal(kc_unregister_module_block(kocoon, address(&z)), 0);
}

/* As the kernel's notifier_from_errno() and notifier_to_errno() have it. */
static void reads_answers_of_blocks(void **state)
{
	(void)state;
	block_answers(0, 0, 0, "xC yC zC");
	block_answers(1, 0, 0, "xC yC zC");
	block_answers(NOTIFY_BAD, 0, -EPERM, "xC yC zC xG yG");
	block_answers(STOP_MASK | (1 + ENOMEM), 0, -ENOMEM, "xC yC zC xG yG");
	/* No error, and yet the end. */
	block_answers(NOTIFY_STOP, 0, 0, "xC yC zC xG yG");
}

static void stops_where_a_block_says_so(void **state)
{
	struct block x = { .notifier_call = block_call, .letter = 'x', .going = NOTIFY_STOP };
	struct block y = { .notifier_call = block_call, .letter = 'y', .coming = NOTIFY_BAD };
	struct watcher a = { 'a', 0, NULL };

	(void)state;
	kc_register_module_block(kocoon, address(&x));
	kocoon_register_notifier(kocoon, watch, &a, 0);
	kc_register_module_block(kocoon, address(&y));
	assert_int_equal(kc_notify_coming(&module), -EPERM);
	assert_string_equal(story.text, "xC aC yC xG");
	story.text[0] = '\0';
	kc_notify(&module, KOCOON_STATE_GOING);
	assert_string_equal(story.text, "xG");
	/* Nothing is left pinned. */
	assert_int_equal(kc_unregister_module_block(kocoon, address(&y)), 0);
	assert_int_equal(kc_unregister_module_block(kocoon, address(&x)), 0);
	assert_int_equal(kocoon_unregister_notifier(kocoon, watch, &a), 0);
}

/* ---- what modules import from the subsystem */

static const void *exported(const char *name)
{
	struct kc_own_exports own = kc_own_module_functions();

	for (size_t i = 0; i < own.count; i++)
		if (strcmp(own.supplies[i].name, name) == 0)
			return own.supplies[i].address;
	fail_msg("%s is missing", name);
	return NULL;
}

static void modules_register_blocks(void **state)
{
	struct block x = { .notifier_call = block_call, .priority = 1, .letter = 'x' };
	int (*add)(struct block *) = exported("register_module_notifier");
	int (*drop)(struct block *) = exported("unregister_module_notifier");

	(void)state;
	kocoon_enter(kocoon);
	assert_int_equal(add(&x), 0);
	assert_int_equal(add(&x), -EEXIST);
	kocoon_leave(kocoon);
	kc_notify(&module, KOCOON_STATE_LIVE);
	kocoon_enter(kocoon);
	assert_int_equal(drop(&x), 0);
	assert_int_equal(drop(&x), -ENOENT);
	kocoon_leave(kocoon);
	assert_string_equal(story.text, "xL");
}

static int modprobe(void *context, const char *name, bool wait)
{
	(void)context;
	snprintf(story.text, sizeof(story.text), "%s %d", name, wait);
	return 512;
}

static void modules_request_modules(void **state)
{
	int (*request)(bool, const char *, ...) = exported("__request_module");

	(void)state;
	kocoon->hooks.modprobe = modprobe;
	kocoon_enter(kocoon);
	assert_int_equal(request(true, "net-pf-%d-proto-%s", 16, "x"), 512);
	assert_string_equal(story.text, "net-pf-16-proto-x 1");
	assert_int_equal(request(false, "%060d", 1), -ENAMETOOLONG);
	assert_int_equal(request(false, "%0300d", 1), -ENAMETOOLONG);
	assert_int_equal(request(false, "%055d", 1), 512);
	kocoon_leave(kocoon);
}

/* Built-in code has no struct module; what lies elsewhere is none. */
static void modules_count_references_of_modules_only(void **state)
{
	bool (*get)(const void *) = exported("try_module_get");
	void (*get_surely)(const void *) = exported("__module_get");
	void (*put)(const void *) = exported("module_put");
	int (*count)(const void *) = exported("module_refcount");
	void *(*symbol)(const char *) = exported("__symbol_get");

	(void)state;
	kocoon_enter(kocoon);
	assert_true(get(NULL));
	get_surely(NULL);
	put(NULL);
	assert_false(get(&module));
	put(&module);
	assert_int_equal(count(&module), -1);
	assert_null(symbol("no_such_symbol"));
	assert_null(symbol("__fentry__")); /* for GPL-compatible modules only there is symbol_get */
	assert_non_null(symbol("__static_call_return0"));
	kocoon_leave(kocoon);
}

/* ---- call-backs that change the chain, and threads */

static void load_another(struct watcher *watcher)
{
	watcher->action = NULL;
	assert_int_equal(kc_notify_coming(&module), 0);
}

static void calls_from_within_a_call(void **state)
{
	struct watcher a = { 'a', 0, load_another }, b = { 'b', 0, NULL };

	(void)state;
	kocoon_register_notifier(kocoon, watch, &a, 1);
	kocoon_register_notifier(kocoon, watch, &b, 0);
	assert_int_equal(kc_notify_coming(&module), 0);
	assert_string_equal(story.text, "aC aC bC bC");
}

static struct watcher late = { 'l', 0, NULL };

static void register_late(struct watcher *watcher)
{
	watcher->action = NULL;
	assert_int_equal(kocoon_register_notifier(kocoon, watch, &late, -1), 0);
}

static void who_comes_during_a_call_waits_for_the_next(void **state)
{
	struct watcher a = { 'a', 0, register_late };

	(void)state;
	kocoon_register_notifier(kocoon, watch, &a, 0);
	kc_notify(&module, KOCOON_STATE_LIVE);
	assert_string_equal(story.text, "aL");
	kc_notify(&module, KOCOON_STATE_LIVE);
	assert_string_equal(story.text, "aL aL lL");
}

static void unregister_late(struct watcher *watcher)
{
	watcher->action = NULL;
	assert_int_equal(kocoon_unregister_notifier(kocoon, watch, &late), 0);
}

static void who_goes_during_a_call_is_not_called(void **state)
{
	struct watcher a = { 'a', 0, unregister_late }, b = { 'b', 0, NULL };

	(void)state;
	kocoon_register_notifier(kocoon, watch, &a, 0);
	kocoon_register_notifier(kocoon, watch, &late, -1);
	kocoon_register_notifier(kocoon, watch, &b, -2);
	kc_notify(&module, KOCOON_STATE_LIVE);
	assert_string_equal(story.text, "aL bL");
}

/* A call that waits until a thread is about to unregister what is being called. */
struct slow {
	pthread_barrier_t inside;
	atomic_bool entered, unregistered, left;
};

static int slow_watch(void *context, enum kocoon_module_state event, struct kocoon_loaded *about)
{
	struct slow *slow = context;

	(void)event;
	(void)about;
	if (atomic_exchange(&slow->entered, true))
		return 0;
	pthread_barrier_wait(&slow->inside);
	for (int i = 0; i < 20; i++) {
		assert_false(atomic_load(&slow->unregistered));
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	/* Another load in the middle: nobody waits for whoever wants to unregister. */
	kc_notify(&module, KOCOON_STATE_LIVE);
	atomic_store(&slow->left, true);
	return 0;
}

static void *notify_live(void *context)
{
	(void)context;
	kc_notify(&module, KOCOON_STATE_COMING);
	return NULL;
}

static void unregistering_waits_for_a_call(void **state)
{
	struct watcher a = { 'a', 0, NULL };
	struct slow slow = { 0 };
	pthread_t thread;

	(void)state;
	pthread_barrier_init(&slow.inside, NULL, 2);
	kocoon_register_notifier(kocoon, slow_watch, &slow, 0);
	kocoon_register_notifier(kocoon, watch, &a, -1);
	assert_int_equal(pthread_create(&thread, NULL, notify_live, NULL), 0);
	pthread_barrier_wait(&slow.inside);
	assert_int_equal(kocoon_unregister_notifier(kocoon, slow_watch, &slow), 0);
	assert_true(atomic_load(&slow.left));
	atomic_store(&slow.unregistered, true);
	pthread_join(thread, NULL);
	assert_string_equal(story.text, "aL aC");
	pthread_barrier_destroy(&slow.inside);
}

static atomic_int balance;

static int count_balance(void *context, enum kocoon_module_state event, struct kocoon_loaded *about)
{
	(void)about;
	assert_true(*(atomic_int *)context == 1);
	atomic_fetch_add(&balance, event == KOCOON_STATE_COMING ? 1 : -1);
	return 0;
}

static void *notify_often(void *context)
{
	(void)context;
	for (int i = 0; i < 2000; i++) {
		kc_notify_coming(&module);
		kc_notify(&module, KOCOON_STATE_GOING);
	}
	return NULL;
}

/* What is unregistered is gone: its context is spoilt behind it. */
static void *register_often(void *context)
{
	int mine = *(int *)context;

	for (int i = 0; i < 500; i++) {
		atomic_int *alive = malloc(sizeof(*alive));

		atomic_init(alive, 1);
		assert_int_equal(kocoon_register_notifier(kocoon, count_balance, alive, mine), 0);
		assert_int_equal(kocoon_unregister_notifier(kocoon, count_balance, alive), 0);
		atomic_store(alive, 0);
		free(alive);
	}
	return NULL;
}

static void many_threads(void **state)
{
	atomic_int always = 1;
	int priorities[2] = { -1, 1 };
	pthread_t threads[4];

	(void)state;
	atomic_store(&balance, 0);
	kocoon_register_notifier(kocoon, count_balance, &always, 0);
	for (int i = 0; i < 2; i++) {
		pthread_create(&threads[i], NULL, notify_often, NULL);
		pthread_create(&threads[2 + i], NULL, register_often, &priorities[i]);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(kocoon_unregister_notifier(kocoon, count_balance, &always), 0);
	assert_null(kocoon->notifiers.first);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(calls_by_priority_then_age),
		TEST(knows_what_is_registered),
		TEST(takes_back_what_was_told_before_a_refusal),
		TEST(refuses_from_coming_only),
		TEST(mixes_blocks_and_functions),
		TEST(reads_answers_of_blocks),
		TEST(stops_where_a_block_says_so),
		TEST(modules_register_blocks),
		TEST(modules_request_modules),
		TEST(modules_count_references_of_modules_only),
		TEST(calls_from_within_a_call),
		TEST(who_comes_during_a_call_waits_for_the_next),
		TEST(who_goes_during_a_call_is_not_called),
		TEST(unregistering_waits_for_a_call),
		TEST(many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
