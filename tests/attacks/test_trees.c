/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Folders of modules made to take time or memory: long chains, circles, one name many times, deep
 * and wide folders, depmod's files that are no files.
 */
#include "../unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/build_module.h"
#include "hostile.h"

static struct kocoon_kernel *kernel;
static char folder[64];

static int open_kernel(void **state)
{
	(void)state;
	kernel = open_stock_kernel("6.12-cloud-amd64");
	return 0;
}

static int close_kernel(void **state)
{
	(void)state;
	kocoon_kernel_free(kernel);
	return 0;
}

static int new_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/kocoon-trees.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static void check_folder(struct outcome *outcome, void *context)
{
	struct kocoon_policy policy = { .size = sizeof(policy), .threads = 2 };
	struct kocoon_tree *tree;
	int err;

	/* A call for each link of a chain would need more than this. */
	if (setrlimit(RLIMIT_STACK, &(struct rlimit){ 256 << 10, 256 << 10 }))
		_exit(6);
	outcome->err = kocoon_tree_open(folder, NULL, &tree);
	if (outcome->err)
		return;
	err = kocoon_check(kernel, tree, &policy, context, context ? 1 : 0, note_verdict, outcome);
	if (err)
		outcome->err = err;
	kocoon_tree_free(tree);
}

/* "m00042" exports "s42" and imports "s43"; the last one imports `last`. */
static void build_chain(unsigned int count, const char *last)
{
	const char *const lasts[] = { last, NULL };

	for (unsigned int i = 0; i < count; i++) {
		char name[16], export[16], import[16];
		const char *const exports[] = { export, NULL };
		const char *const imports[] = { import, NULL };
		struct module_recipe recipe = { name, exports, imports, "intree=Y" };

		snprintf(name, sizeof(name), "m%05u", i);
		snprintf(export, sizeof(export), "s%u", i);
		snprintf(import, sizeof(import), "s%u", i + 1);
		if (i == count - 1)
			recipe.imports = last ? lasts : NULL;
		build_module(kernel, folder, &recipe);
	}
}

/* Of each module, in the order of names, the whole rest has to be known first. */
static void chain_of_ten_thousand(void **state)
{
	const char first[] = "m00000";
	struct outcome outcome;
	char path[96];
	const char *paths[] = { path };

	(void)state;
	build_chain(10000, NULL);
	outcome = attack(check_folder, NULL);
	assert_int_equal(outcome.accepted, 10000);
	assert_memory(&outcome, 400);

	/* And asked for the first only, without a hint of what it depends on. */
	snprintf(path, sizeof(path), "%s/%s.ko", folder, first);
	outcome = attack(check_folder, paths);
	assert_int_equal(outcome.accepted, 1);
	assert_memory(&outcome, 400);
}

static void write_text(const char *name, const char *text)
{
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "ae");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* modules.dep as depmod writes it, which is every module behind it for each; modules.symbols, which
 * leads to one more each time that it is asked. */
static void chain_with_hints(void **state)
{
	enum { COUNT = 1500 };
	struct outcome outcome;
	char path[96], line[64];
	const char *paths[] = { path };

	(void)state;
	build_chain(COUNT, NULL);
	for (unsigned int i = 0; i < COUNT; i++) {
		snprintf(line, sizeof(line), "alias symbol:s%u m%05u\n", i, i);
		write_text("modules.symbols", line);
	}
	snprintf(path, sizeof(path), "%s/m00000.ko", folder);
	outcome = attack(check_folder, paths);
	assert_int_equal(outcome.accepted, 1);
	for (unsigned int i = 0; i < COUNT; i++) {
		char *text = malloc((size_t)(COUNT - i) * 16 + 32), *at = text;

		assert_non_null(text);
		at += sprintf(at, "m%05u.ko:", i);
		for (unsigned int d = i + 1; d < COUNT; d++)
			at += sprintf(at, " m%05u.ko", d);
		strcpy(at, "\n");
		write_text("modules.dep", text);
		free(text);
	}
	outcome = attack(check_folder, NULL);
	assert_int_equal(outcome.accepted, COUNT);
	assert_memory(&outcome, 200);
}

/* Nobody can be first. */
static void circle_of_thousands(void **state)
{
	struct outcome outcome;

	(void)state;
	build_chain(1000, "s0");
	outcome = attack(check_folder, NULL);
	assert_int_equal(outcome.refused, 1000);
	assert_int_equal(outcome.err, -ENOENT);
	assert_string_equal(kocoon_stage_name(outcome.stage), "symbols");
	assert_memory(&outcome, 200);
}

/* All exclude each other, by name and by export; the first one wins. */
static void thousands_of_one_name(void **state)
{
	const char *const exports[] = { "the_symbol", NULL };
	struct module_recipe recipe = { "the_name", exports, NULL, "intree=Y" };
	struct outcome outcome;

	(void)state;
	for (unsigned int i = 0; i < 1000; i++) {
		char path[96];

		snprintf(path, sizeof(path), "%s/%05u", folder, i);
		assert_int_equal(mkdir(path, 0755), 0);
		strcat(path, "/the_name.ko");
		build_module_as(kernel, path, &recipe);
	}
	outcome = attack(check_folder, NULL);
	assert_int_equal(outcome.accepted, 1);
	assert_int_equal(outcome.refused, 999);
	assert_memory(&outcome, 200);
}

/* A module that depends on each of many others. */
static void one_on_thousands(void **state)
{
	enum { COUNT = 1500 };
	static char names[COUNT][16];
	static const char *imports[COUNT + 1];
	struct module_recipe first = { "a_first", NULL, imports, "intree=Y" };
	struct outcome outcome;

	(void)state;
	for (unsigned int i = 0; i < COUNT; i++) {
		char name[16];
		const char *const exports[] = { names[i], NULL };
		struct module_recipe recipe = { name, exports, NULL, "intree=Y" };

		snprintf(names[i], sizeof(names[i]), "s%u", i);
		snprintf(name, sizeof(name), "m%05u", i);
		build_module(kernel, folder, &recipe);
		imports[i] = names[i];
	}
	build_module(kernel, folder, &first);
	outcome = attack(check_folder, NULL);
	assert_int_equal(outcome.accepted, COUNT + 1);
	assert_memory(&outcome, 200);
}

/* What is in the tree under names of modules, but is no file, is no module. */
static void wide_deep_and_strange(void **state)
{
	struct outcome outcome;
	char path[96], target[96];
	int at;

	(void)state;
	for (unsigned int i = 0; i < 5000; i++) {
		snprintf(path, sizeof(path), "%s/e%05u.ko", folder, i);
		assert_int_equal(close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)), 0);
	}
	snprintf(path, sizeof(path), "%s/fifo.ko", folder);
	assert_int_equal(mkfifo(path, 0644), 0);
	snprintf(path, sizeof(path), "%s/modules.dep", folder);
	assert_int_equal(mkfifo(path, 0644), 0);
	snprintf(path, sizeof(path), "%s/modules.symbols", folder);
	assert_int_equal(symlink("/dev/zero", path), 0);
	snprintf(path, sizeof(path), "%s/loop.ko", folder);
	assert_int_equal(symlink("loop.ko", path), 0);
	snprintf(path, sizeof(path), "%s/up", folder);
	snprintf(target, sizeof(target), "%s", folder);
	assert_int_equal(symlink(target, path), 0);
	at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned int i = 0; i < 3000; i++) {
		int next;

		assert_int_equal(mkdirat(at, "deeper", 0755), 0);
		next = openat(at, "deeper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(at);
		at = next;
	}
	close(at);
	outcome = attack(check_folder, NULL);
	assert_int_equal(outcome.accepted, 0);
	assert_int_equal(outcome.refused, 5000);
	assert_int_equal(outcome.err, -EINVAL);
	assert_memory(&outcome, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(chain_of_ten_thousand, new_folder, remove_folder),
		cmocka_unit_test_setup_teardown(chain_with_hints, new_folder, remove_folder),
		cmocka_unit_test_setup_teardown(circle_of_thousands, new_folder, remove_folder),
		cmocka_unit_test_setup_teardown(thousands_of_one_name, new_folder, remove_folder),
		cmocka_unit_test_setup_teardown(one_on_thousands, new_folder, remove_folder),
		cmocka_unit_test_setup_teardown(wide_deep_and_strange, new_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, open_kernel, close_kernel);
}
