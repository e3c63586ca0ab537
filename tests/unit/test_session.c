/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many modules at once: dependencies by symbol, in any order, with any number of threads. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build_module.h"

#define NAMES(...)                \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

static struct kocoon_kernel *kernel;
static char folder[64];

struct answer {
	char name[32];
	int err;
	enum kocoon_stage stage;
	char depends[128];
	uint64_t taints;
	char texts[2048];
};

struct answers {
	struct answer list[64];
	size_t count;
};

static int note(const struct kocoon_verdict *verdict, void *context)
{
	struct answers *answers = context;
	struct answer *answer = &answers->list[answers->count++];

	assert_true(answers->count <= 64);
	memset(answer, 0, sizeof(*answer));
	snprintf(answer->name, sizeof(answer->name), "%s", verdict->module);
	answer->err = verdict->err;
	answer->stage = verdict->stage;
	answer->taints = verdict->taints;
	for (size_t i = 0; i < verdict->depend_count; i++) {
		strcat(answer->depends, i ? "," : "");
		strcat(answer->depends, verdict->depends[i]);
	}
	for (size_t i = 0; i < kocoon_report_count(verdict->report); i++) {
		const struct kocoon_finding *finding = kocoon_report_get(verdict->report, i);
		size_t used = strlen(answer->texts);

		snprintf(answer->texts + used, sizeof(answer->texts) - used, "%s|%s\n",
			 finding->what, finding->hint ? finding->hint : "");
	}
	return 0;
}

static const struct answer *find(const struct answers *answers, const char *name)
{
	for (size_t i = 0; i < answers->count; i++)
		if (strcmp(answers->list[i].name, name) == 0)
			return &answers->list[i];
	fail_msg("no verdict of %s", name);
	return NULL;
}

static int new_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/kocoon-session.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static void build(const char *name, const char *const *exports, const char *const *imports)
{
	struct module_recipe recipe = { name, exports, imports, "intree=Y" };

	build_module(kernel, folder, &recipe);
}

/* All modules of the folder, with 1 to 4 threads: always the same answers. */
static void judge(struct answers *answers)
{
	for (unsigned int threads = 1; threads <= 4; threads++) {
		struct kocoon_policy policy = { .size = sizeof(policy), .threads = threads };
		struct answers now = { .count = 0 };
		struct kocoon_tree *tree;

		assert_int_equal(kocoon_tree_open(folder, NULL, &tree), 0);
		assert_int_equal(kocoon_check(kernel, tree, &policy, NULL, 0, note, &now), 0);
		kocoon_tree_free(tree);
		if (threads > 1)
			assert_memory_equal(&now, answers,
					    sizeof(now.count) + now.count * sizeof(struct answer));
		*answers = now;
	}
}

static void follows_symbols_through_modules(void **state)
{
	struct answers answers = { .count = 0 };

	(void)state;
	/* By name the users come first. */
	build("a_user", NULL, NAMES("b_symbol", "?nobody_has_this"));
	build("b_middle", NAMES("b_symbol"), NAMES("c_symbol"));
	build("c_base", NAMES("c_symbol"), NULL);
	judge(&answers);
	assert_int_equal(answers.count, 3);
	assert_int_equal(find(&answers, "a_user")->err, 0);
	assert_string_equal(find(&answers, "a_user")->depends, "b_middle");
	assert_string_equal(find(&answers, "b_middle")->depends, "c_base");
	assert_int_equal(find(&answers, "c_base")->err, 0);
}

static void refused_modules_provide_nothing(void **state)
{
	struct answers answers = { .count = 0 };

	(void)state;
	build("a_user", NULL, NAMES("b_symbol"));
	build("b_broken", NAMES("b_symbol"), NAMES("nobody_has_this"));
	judge(&answers);
	assert_int_equal(find(&answers, "b_broken")->err, -ENOENT);
	assert_int_equal(find(&answers, "b_broken")->stage, KOCOON_STAGE_SYMBOLS);
	assert_int_equal(find(&answers, "a_user")->err, -ENOENT);
	assert_non_null(strstr(find(&answers, "a_user")->texts, "b_broken exports it"));
}

static void circles_are_unknown_symbols(void **state)
{
	struct answers answers = { .count = 0 };

	(void)state;
	build("a_left", NAMES("left"), NAMES("right"));
	build("b_right", NAMES("right"), NAMES("left"));
	build("c_user", NULL, NAMES("left"));
	build("d_free", NULL, NULL);
	judge(&answers);
	assert_int_equal(find(&answers, "a_left")->err, -ENOENT);
	assert_int_equal(find(&answers, "b_right")->err, -ENOENT);
	assert_int_equal(find(&answers, "c_user")->err, -ENOENT);
	assert_int_equal(find(&answers, "d_free")->err, 0);
}

static void earlier_exporter_wins(void **state)
{
	struct answers answers = { .count = 0 };

	(void)state;
	build("a_first", NAMES("shared_symbol"), NULL);
	build("b_second", NAMES("own_symbol", "shared_symbol"), NULL);
	build("c_user", NULL, NAMES("shared_symbol"));
	build("d_kernel", NAMES("kfree"), NULL);
	judge(&answers);
	assert_int_equal(find(&answers, "a_first")->err, 0);
	assert_int_equal(find(&answers, "b_second")->err, -ENOEXEC);
	assert_int_equal(find(&answers, "b_second")->stage, KOCOON_STAGE_FORMATION);
	assert_string_equal(find(&answers, "c_user")->depends, "a_first");
	assert_int_equal(find(&answers, "d_kernel")->err, -ENOEXEC);
}

static void second_module_of_a_name_is_a_duplicate(void **state)
{
	struct answers answers = { .count = 0 };
	struct module_recipe recipe = { "twin", NULL, NULL, NULL };
	char paths[2][128];
	const char *list[3] = { paths[0], paths[1], paths[0] };

	(void)state;
	snprintf(paths[0], sizeof(paths[0]), "%s/twin.ko", folder);
	snprintf(paths[1], sizeof(paths[1]), "%s/single.ko", folder);
	build_module_as(kernel, paths[0], &recipe);
	recipe.name = "single";
	build_module_as(kernel, paths[1], &recipe);
	assert_int_equal(kocoon_check(kernel, NULL, NULL, list, 3, note, &answers), 0);
	assert_int_equal(answers.count, 3);
	assert_int_equal(answers.list[0].err, 0);
	assert_int_equal(answers.list[1].err, 0);
	assert_int_equal(answers.list[2].err, -EEXIST);
	assert_int_equal(answers.list[2].stage, KOCOON_STAGE_DUPLICATE);
}

/*
 * Only the user is asked about; its provider is found in the folder, without any hint of depmod's.
 */
static void finds_providers_in_the_tree(void **state)
{
	struct answers answers = { .count = 0 };
	struct kocoon_tree *tree;
	char path[128];
	const char *list[1] = { path };

	(void)state;
	build("a_user", NULL, NAMES("b_symbol"));
	build("b_middle", NAMES("b_symbol"), NAMES("c_symbol"));
	build("c_base", NAMES("c_symbol"), NULL);
	snprintf(path, sizeof(path), "%s/a_user.ko", folder);
	assert_int_equal(kocoon_tree_open(folder, NULL, &tree), 0);
	assert_int_equal(kocoon_check(kernel, tree, NULL, list, 1, note, &answers), 0);
	assert_int_equal(answers.count, 1);
	assert_int_equal(answers.list[0].err, 0);
	assert_string_equal(answers.list[0].depends, "b_middle");
	answers.count = 0;
	assert_int_equal(kocoon_check(kernel, NULL, NULL, list, 1, note, &answers), 0);
	assert_int_equal(answers.list[0].err, -ENOENT);
	kocoon_tree_free(tree);
}

static void taints_follow_from_modinfo(void **state)
{
	struct module_recipe recipe = { "tainted", NULL, NULL, NULL };
	struct answers answers = { .count = 0 };
	char letters[32];

	(void)state;
	build_module(kernel, folder, &recipe);
	judge(&answers);
	kocoon_taint_letters(answers.list[0].taints, letters);
	assert_string_equal(letters, "FOE");
}

/* Also below the place where modules are by default. */
static void policy_says_where_memory_starts(void **state)
{
	const uint64_t base = UINT64_C(0xffffffffa0000000);
	struct kocoon_policy policy = { .size = sizeof(policy), .base = base };
	const struct kocoon_import *import;
	struct kocoon_module *module;
	struct kocoon_tree *tree;
	char path[128];

	(void)state;
	build("a_user", NULL, NAMES("b_symbol"));
	build("b_middle", NAMES("b_symbol"), NAMES("c_symbol"));
	build("c_base", NAMES("c_symbol"), NULL);
	snprintf(path, sizeof(path), "%s/a_user.ko", folder);
	assert_int_equal(kocoon_tree_open(folder, NULL, &tree), 0);
	assert_int_equal(kocoon_module_load(kernel, tree, &policy, path, NULL, &module), 0);
	assert_int_equal(kocoon_module_verdict(module)->err, 0);
	assert_int_equal(kocoon_module_region(module, 0)->address, base);
	/* Its provider is the second module that was placed. */
	import = kocoon_module_import(module, 0);
	assert_string_equal(import->name, "b_symbol");
	assert_in_range(import->address, base, base + 0x1fffffff);
	kocoon_module_free(module);
	kocoon_tree_free(tree);
}

static int stop_at_once(const struct kocoon_verdict *verdict, void *context)
{
	(void)verdict;
	++*(int *)context;
	return 77;
}

static void caller_can_stop(void **state)
{
	struct kocoon_tree *tree;
	int calls = 0;

	(void)state;
	build("a_one", NULL, NULL);
	build("b_two", NULL, NULL);
	assert_int_equal(kocoon_tree_open(folder, NULL, &tree), 0);
	assert_int_equal(kocoon_check(kernel, tree, NULL, NULL, 0, stop_at_once, &calls), 77);
	assert_int_equal(calls, 1);
	kocoon_tree_free(tree);
}

static void unreadable_file_is_a_verdict(void **state)
{
	struct answers answers = { .count = 0 };
	const char *list[2] = { "/nonexistent/module.ko", "/dev/null" };

	(void)state;
	assert_int_equal(kocoon_check(kernel, NULL, NULL, list, 2, note, &answers), 0);
	assert_int_equal(answers.list[0].err, -ENOENT);
	assert_int_equal(answers.list[0].stage, KOCOON_STAGE_READ);
	assert_int_equal(answers.list[1].err, -EINVAL);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, new_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(follows_symbols_through_modules),
		IN_FOLDER(refused_modules_provide_nothing),
		IN_FOLDER(circles_are_unknown_symbols),
		IN_FOLDER(earlier_exporter_wins),
		IN_FOLDER(second_module_of_a_name_is_a_duplicate),
		IN_FOLDER(finds_providers_in_the_tree),
		IN_FOLDER(taints_follow_from_modinfo),
		IN_FOLDER(policy_says_where_memory_starts),
		IN_FOLDER(caller_can_stop),
		IN_FOLDER(unreadable_file_is_a_verdict),
	};
	int result;

	kernel = open_stock_kernel("6.12-cloud-amd64");
	result = cmocka_run_group_tests(tests, NULL, NULL);
	kocoon_kernel_free(kernel);
	return result;
}
