// SPDX-License-Identifier: LGPL-2.1-or-later
/* What is shown of real modules while they come and go. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supplies.h"

enum { READERS = 4, ROUNDS = 100 };

static char *read_text(struct kocoon *kocoon, const char *path)
{
	char *text;
	size_t len;

	assert_int_equal(kocoon_view_read(kocoon, path, NULL, &text, &len), 0);
	assert_int_equal(strlen(text), len);
	return text;
}

static void check_text(struct kocoon *kocoon, const char *path, const char *expected)
{
	char *text = read_text(kocoon, path);

	assert_string_equal(text, expected);
	free(text);
}

static void what_is_gone_is_remembered(void **state)
{
	struct kocoon_kernel *kernel = live_kernel();
	struct kocoon *kocoon = live_new(kernel, NULL);
	struct kocoon_view view;
	char *text;

	(void)state;
	assert_non_null(kocoon);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(live_load(kocoon, "hello", NULL), 0);
		assert_int_equal(live_load(kocoon, "hello", NULL), -EEXIST);
		assert_int_equal(kocoon_view_stat(kocoon, "/sys/module/hello", &view), 0);
		assert_int_equal(kocoon_delete_module(kocoon, "hello", 0), 0);
	}
	assert_int_equal(kocoon_view_stat(kocoon, "/sys/module/hello", &view), -ENOENT);
	check_text(kocoon, "/proc/modules", "");
	check_text(kocoon, "/sys/kernel/debug/modules/unloaded_tainted", "hello (OE) 2\n");
	text = read_text(kocoon, "/sys/kernel/debug/modules/stats");
	assert_non_null(strstr(text, "         Mods ever loaded\t2\n"));
	assert_non_null(strstr(text, "                    hello\t              2\t"));
	free(text);
	kocoon_free(kocoon);
	kocoon_kernel_free(kernel);
}

struct readers {
	struct kocoon *kocoon;
	atomic_bool done;
	atomic_uint files, wrong;
};

/* What a folder listed may be gone by now, and nothing else may be wrong. */
static void look(struct readers *readers, const char *path);

struct folder {
	struct readers *readers;
	const char *path;
};

static int look_below(void *context, const char *name, const struct kocoon_view *view)
{
	const struct folder *folder = context;
	char path[512], *text = NULL;
	size_t len;
	int err = 0;

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	if (view->kind == KOCOON_VIEW_FOLDER)
		look(folder->readers, path);
	else if (view->kind == KOCOON_VIEW_LINK)
		err = kocoon_view_readlink(folder->readers->kocoon, path, &text);
	else if (view->mode & 0444)
		err = kocoon_view_read(folder->readers->kocoon, path, NULL, &text, &len);
	if (err && err != -ENOENT)
		atomic_fetch_add(&folder->readers->wrong, 1);
	atomic_fetch_add(&folder->readers->files, 1);
	free(text);
	return 0;
}

static void look(struct readers *readers, const char *path)
{
	struct folder folder = { readers, path };
	int err = kocoon_view_list(readers->kocoon, path, look_below, &folder);

	if (err && err != -ENOENT)
		atomic_fetch_add(&readers->wrong, 1);
}

static void *read_all(void *context)
{
	struct readers *readers = context;

	do {
		look(readers, "/sys/module");
		look(readers, "/sys/kernel/debug/modules");
		look(readers, "/proc");
	} while (!atomic_load(&readers->done));
	return NULL;
}

static void readers_see_whole_modules(void **state)
{
	struct kocoon_kernel *kernel = live_kernel();
	struct readers readers = { .kocoon = live_new(kernel, NULL) };
	pthread_t threads[READERS];

	(void)state;
	assert_non_null(readers.kocoon);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readers), 0);
	for (int i = 0; i < ROUNDS; i++) {
		assert_int_equal(live_load(readers.kocoon, "chain_a", NULL), 0);
		assert_int_equal(live_load(readers.kocoon, "chain_b", NULL), 0);
		assert_int_equal(live_load(readers.kocoon, "parameters", NULL), 0);
		assert_int_equal(kocoon_delete_module(readers.kocoon, "chain_b", 0), 0);
		assert_int_equal(kocoon_delete_module(readers.kocoon, "chain_a", 0), 0);
		assert_int_equal(kocoon_delete_module(readers.kocoon, "parameters", 0), 0);
	}
	atomic_store(&readers.done, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&readers.wrong), 0);
	assert_true(atomic_load(&readers.files) > 0);
	kocoon_free(readers.kocoon);
	kocoon_kernel_free(kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_gone_is_remembered),
		cmocka_unit_test(readers_see_whole_modules),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
