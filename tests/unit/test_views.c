// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * live/views.c, sysfs.c, procfs.c, stats.c, tracking.c: paths, kinds, modes, sizes, texts, errnos.
 *
 * The modules are filled in by hand. What is expected is what a stock 6.12 kernel showed and
 * answered in qemu (tests/oracle/ask, !show and !try).
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/lifecycle.h"
#include "live/views.h"

struct fixture {
	struct kocoon *kocoon;
	struct kocoon_loaded *used, *user; /* configfs, null_blk */
	struct kc_use use;
	char events[256];
};

static const struct kocoon_reader root = { .show_addresses = true };

/* ---- a subsystem without a space for code, and modules without code ---- */

static void hear(void *context, const char *action, const char *module)
{
	struct fixture *fixture = context;
	size_t len = strlen(fixture->events);

	snprintf(fixture->events + len, sizeof(fixture->events) - len, "%s@%s ", action, module);
}

static struct kocoon *make_kocoon(void)
{
	struct kocoon *kocoon = calloc(1, sizeof(*kocoon));

	assert_non_null(kocoon);
	pthread_mutex_init(&kocoon->mutex, NULL);
	pthread_cond_init(&kocoon->changed, NULL);
	kc_garbage_init(&kocoon->garbage);
	assert_int_equal(kc_name_table_init(&kocoon->names, &kocoon->garbage), 0);
	assert_int_equal(kc_name_table_init(&kocoon->symbols, &kocoon->garbage), 0);
	assert_int_equal(kc_requests_new(kocoon), 0);
	return kocoon;
}

static void set_region(struct kocoon_loaded *module, enum kocoon_region_kind kind, uint64_t address,
		       uint64_t size)
{
	module->memory.regions[kind].address = address;
	atomic_store(&module->region_sizes[kind], size);
}

/* What its struct module holds: `init` and `exit`. */
static void set_functions(struct kocoon_loaded *module, uint64_t init, uint64_t exit)
{
	static uint8_t structs[4][2 * sizeof(uint64_t)];
	static size_t used;

	if (!module->this_module_bytes)
		module->this_module_bytes = structs[used++ % KC_ARRAY_SIZE(structs)];
	module->members.offset[KC_MEMBER_INIT] = 0;
	module->members.offset[KC_MEMBER_EXIT] = sizeof(uint64_t);
	kc_store64(module->this_module_bytes, init);
	kc_store64(module->this_module_bytes + sizeof(uint64_t), exit);
}

/* LIVE, with a text and a data region, and nobody's reference. */
static struct kocoon_loaded *make_module(struct kocoon *kocoon, const char *name, uint64_t address)
{
	struct kocoon_loaded *module = kc_loaded_new(kocoon, name);

	assert_non_null(module);
	set_region(module, KOCOON_REGION_TEXT, address, 0x5000);
	set_region(module, KOCOON_REGION_DATA, address + 0x6000, 0x3000);
	set_region(module, KOCOON_REGION_INIT_TEXT, address + 0xa000, 0x1000);
	atomic_store(&module->own_refcnt, KC_MODULE_REF_BASE);
	set_functions(module, address, address);
	assert_int_equal(kc_name_table_reserve(&kocoon->names, 1), 0);
	kc_list_add(module);
	kc_set_state(module, KOCOON_STATE_LIVE);
	assert_int_equal(kc_sysfs_setup(module), 0);
	return module;
}

static void add_sections(struct kocoon_loaded *module)
{
	static const uint8_t note[] = { 4, 0, 0,   0,	4,   0, 0,    0,    3, 0,
					0, 0, 'G', 'N', 'U', 0, 0xde, 0xad, 0, 10 };
	static const struct kc_section_file files[] = {
		{ .name = ".text", .address = 0xffffffffc033e000 },
		{ .name = ".note.gnu.build-id",
		  .address = 0x41000010,
		  .size = sizeof(note),
		  .note = note },
	};

	module->section_files = malloc(sizeof(files));
	assert_non_null(module->section_files);
	memcpy(module->section_files, files, sizeof(files));
	module->section_file_count = 2;
}

static void make_fixture(struct fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	fixture->kocoon = make_kocoon();
	fixture->kocoon->hooks = (struct kocoon_hooks){ .context = fixture, .uevent = hear };
	fixture->used = make_module(fixture->kocoon, "configfs", 0x41000000);
	fixture->used->version = strdup("0.0.2");
	fixture->used->srcversion = strdup("55D33E83173B8B661ED4935");
	add_sections(fixture->used);
	fixture->user = make_module(fixture->kocoon, "null_blk", 0x42000000);
	fixture->use = (struct kc_use){ .user = fixture->user, .used = fixture->used };
	fixture->used->source_list = &fixture->use;
	kocoon_module_get(fixture->used);
}

static void unload(struct kocoon_loaded *module)
{
	struct kocoon *kocoon = module->kocoon;

	kc_sysfs_teardown(module);
	pthread_mutex_lock(&kocoon->mutex);
	kc_set_state(module, KOCOON_STATE_UNFORMED);
	kc_list_remove(module);
	kc_track_unload(kocoon, module);
	pthread_mutex_unlock(&kocoon->mutex);
	kc_synchronize_rcu();
	kc_sysfs_free(module);
	free(module->params);
	pthread_mutex_destroy(&module->param_lock);
	free(module);
}

static void free_fixture(struct fixture *fixture)
{
	struct kocoon *kocoon = fixture->kocoon;

	fixture->used->source_list = NULL;
	if (fixture->user)
		unload(fixture->user);
	unload(fixture->used);
	kc_requests_free(kocoon);
	kc_garbage_deinit(&kocoon->garbage);
	kc_name_table_deinit(&kocoon->names);
	kc_name_table_deinit(&kocoon->symbols);
	kc_stats_free(kocoon);
	kc_tracking_free(kocoon);
	pthread_mutex_destroy(&kocoon->mutex);
	pthread_cond_destroy(&kocoon->changed);
	free(kocoon);
}

/* ---- asking ---- */

static void check_stat(struct kocoon *kocoon, const char *path, enum kocoon_view_kind kind,
		       unsigned int mode, uint64_t size)
{
	struct kocoon_view view;

	assert_int_equal(kocoon_view_stat(kocoon, path, &view), 0);
	assert_int_equal(view.kind, kind);
	assert_int_equal(view.mode, mode);
	assert_int_equal(view.size, size);
}

static void check_text(struct kocoon *kocoon, const char *path, const char *expected)
{
	char *text;
	size_t len;

	assert_int_equal(kocoon_view_read(kocoon, path, &root, &text, &len), 0);
	assert_string_equal(text, expected);
	assert_int_equal(len, strlen(expected));
	free(text);
}

static int read_error(struct kocoon *kocoon, const char *path)
{
	char *text = NULL;
	size_t len;
	int err = kocoon_view_read(kocoon, path, NULL, &text, &len);

	free(text);
	return err;
}

static int write_text(struct kocoon *kocoon, const char *path, const char *text)
{
	return kocoon_view_write(kocoon, path, text, strlen(text));
}

static int write_name(void *context, const char *name, const struct kocoon_view *view)
{
	static const char marks[] = {
		[KOCOON_VIEW_FOLDER] = '/', [KOCOON_VIEW_FILE] = ' ', [KOCOON_VIEW_LINK] = '@'
	};
	char *names = context;

	sprintf(names + strlen(names), "%s%c", name, marks[view->kind]);
	return 0;
}

static void check_list(struct kocoon *kocoon, const char *path, const char *expected)
{
	char names[2048] = "";

	assert_int_equal(kocoon_view_list(kocoon, path, write_name, names), 0);
	assert_string_equal(names, expected);
}

/* ---- /sys/module ---- */

static void a_module_shows_its_files(void **state)
{
	struct fixture fixture;
	struct kocoon *kocoon;

	(void)state;
	make_fixture(&fixture);
	kocoon = fixture.kocoon;
	check_list(kocoon, "/sys/module", "null_blk/configfs/");
	check_list(kocoon, "/sys/module/configfs",
		   "uevent version srcversion initstate coresize initsize taint refcnt "
		   "holders/sections/notes/");
	check_list(kocoon, "/sys/module/null_blk",
		   "uevent initstate coresize initsize taint refcnt holders/");
	check_text(kocoon, "/sys/module/configfs/version", "0.0.2\n");
	check_text(kocoon, "/sys/module/configfs/srcversion", "55D33E83173B8B661ED4935\n");
	check_text(kocoon, "/sys/module/configfs/initstate", "live\n");
	check_text(kocoon, "/sys/module/configfs/coresize", "32768\n");
	check_text(kocoon, "/sys/module/configfs/initsize", "4096\n");
	check_text(kocoon, "/sys/module/configfs/taint", "\n");
	check_text(kocoon, "/sys/module/configfs/refcnt", "1\n");
	check_text(kocoon, "/sys/module/null_blk/refcnt", "0\n");
	set_region(fixture.used, KOCOON_REGION_INIT_TEXT, 0, 0);
	check_text(kocoon, "/sys/module/configfs/initsize", "0\n");
	kc_set_taint(fixture.used, KC_TAINT_OOT_MODULE);
	kc_set_taint(fixture.used, KC_TAINT_UNSIGNED_MODULE);
	check_text(kocoon, "/sys/module/configfs/taint", "OE\n");
	kc_set_state(fixture.used, KOCOON_STATE_COMING);
	check_text(kocoon, "/sys/module/configfs/initstate", "coming\n");
	kc_set_state(fixture.used, KOCOON_STATE_GOING);
	check_text(kocoon, "/sys/module/configfs/initstate", "going\n");
	free_fixture(&fixture);
}

static void modes_and_sizes_are_the_kernels(void **state)
{
	struct fixture fixture;
	struct kocoon *kocoon;

	(void)state;
	make_fixture(&fixture);
	kocoon = fixture.kocoon;
	check_stat(kocoon, "/sys/module", KOCOON_VIEW_FOLDER, 0755, 0);
	check_stat(kocoon, "/sys/module/configfs", KOCOON_VIEW_FOLDER, 0755, 0);
	check_stat(kocoon, "/sys/module/configfs/uevent", KOCOON_VIEW_FILE, 0200, 4096);
	check_stat(kocoon, "/sys/module/configfs/version", KOCOON_VIEW_FILE, 0444, 4096);
	check_stat(kocoon, "/sys/module/configfs/srcversion", KOCOON_VIEW_FILE, 0444, 4096);
	check_stat(kocoon, "/sys/module/configfs/initstate", KOCOON_VIEW_FILE, 0444, 4096);
	check_stat(kocoon, "/sys/module/configfs/coresize", KOCOON_VIEW_FILE, 0444, 4096);
	check_stat(kocoon, "/sys/module/configfs/initsize", KOCOON_VIEW_FILE, 0444, 4096);
	check_stat(kocoon, "/sys/module/configfs/taint", KOCOON_VIEW_FILE, 0444, 4096);
	check_stat(kocoon, "/sys/module/configfs/refcnt", KOCOON_VIEW_FILE, 0444, 4096);
	check_stat(kocoon, "/sys/module/configfs/holders", KOCOON_VIEW_FOLDER, 0755, 0);
	check_stat(kocoon, "/sys/module/configfs/holders/null_blk", KOCOON_VIEW_LINK, 0777, 0);
	check_stat(kocoon, "/sys/module/configfs/sections", KOCOON_VIEW_FOLDER, 0755, 0);
	check_stat(kocoon, "/sys/module/configfs/sections/.text", KOCOON_VIEW_FILE, 0400, 19);
	check_stat(kocoon, "/sys/module/configfs/notes", KOCOON_VIEW_FOLDER, 0755, 0);
	check_stat(kocoon, "/sys/module/configfs/notes/.note.gnu.build-id", KOCOON_VIEW_FILE, 0444,
		   20);
	check_stat(kocoon, "/proc/modules", KOCOON_VIEW_FILE, 0444, 0);
	check_stat(kocoon, "/proc/kallsyms", KOCOON_VIEW_FILE, 0444, 0);
	check_stat(kocoon, "/proc/sys/kernel/tainted", KOCOON_VIEW_FILE, 0644, 0);
	check_stat(kocoon, "/proc/sys/kernel/modprobe", KOCOON_VIEW_FILE, 0644, 0);
	check_stat(kocoon, "/proc/sys/kernel/modules_disabled", KOCOON_VIEW_FILE, 0644, 0);
	check_stat(kocoon, "/sys/kernel/debug/modules/stats", KOCOON_VIEW_FILE, 0400, 0);
	check_stat(kocoon, "/sys/kernel/debug/modules/unloaded_tainted", KOCOON_VIEW_FILE, 0444, 0);
	free_fixture(&fixture);
}

static void sections_tell_addresses_to_some(void **state)
{
	struct fixture fixture;
	const char *path = "/sys/module/configfs/sections/.text";
	char *text;
	size_t len;

	(void)state;
	make_fixture(&fixture);
	check_list(fixture.kocoon, "/sys/module/configfs/sections", ".text .note.gnu.build-id ");
	check_text(fixture.kocoon, path, "0xffffffffc033e000\n");
	assert_int_equal(kocoon_view_read(fixture.kocoon, path, NULL, &text, &len), 0);
	assert_string_equal(text, "0x0000000000000000\n");
	assert_int_equal(len, 19);
	free(text);
	free_fixture(&fixture);
}

static void notes_are_bytes(void **state)
{
	struct fixture fixture;
	char *bytes;
	size_t len;

	(void)state;
	make_fixture(&fixture);
	check_list(fixture.kocoon, "/sys/module/configfs/notes", ".note.gnu.build-id ");
	assert_int_equal(kocoon_view_read(fixture.kocoon,
					  "/sys/module/configfs/notes/.note.gnu.build-id", NULL,
					  &bytes, &len),
			 0);
	assert_int_equal(len, 20);
	assert_memory_equal(bytes, fixture.used->section_files[1].note, 20);
	assert_int_equal(bytes[20], 0);
	free(bytes);
	free_fixture(&fixture);
}

static void holders_are_links(void **state)
{
	struct fixture fixture;
	const char *path = "/sys/module/configfs/holders/null_blk";
	char *target = NULL;

	(void)state;
	make_fixture(&fixture);
	check_list(fixture.kocoon, "/sys/module/configfs/holders", "null_blk@");
	check_list(fixture.kocoon, "/sys/module/null_blk/holders", "");
	assert_int_equal(kocoon_view_readlink(fixture.kocoon, path, &target), 0);
	assert_string_equal(target, "../../null_blk");
	free(target);
	check_text(fixture.kocoon, "/sys/module/configfs/holders/null_blk/refcnt", "0\n");
	check_stat(fixture.kocoon, "/sys/module/configfs/holders/null_blk/", KOCOON_VIEW_FOLDER,
		   0755, 0);
	check_list(fixture.kocoon, path,
		   "uevent initstate coresize initsize taint refcnt holders/");
	assert_int_equal(read_error(fixture.kocoon, path), -EISDIR);
	assert_int_equal(
		kocoon_view_readlink(fixture.kocoon, "/sys/module/configfs/refcnt", &target),
		-EINVAL);
	/* A user whose folder isn't there yet, or any more, is no holder. */
	kc_sysfs_teardown(fixture.user);
	check_list(fixture.kocoon, "/sys/module/configfs/holders", "");
	assert_int_equal(kocoon_view_readlink(fixture.kocoon, path, &target), -ENOENT);
	assert_int_equal(read_error(fixture.kocoon, "/sys/module/null_blk/refcnt"), -ENOENT);
	check_list(fixture.kocoon, "/sys/module", "configfs/");
	free_fixture(&fixture);
}

static void uevents_are_asked_for(void **state)
{
	static const struct {
		const char *text;
		int err;
	} answers[] = {
		{ "add", 0 },
		{ "remove\n", 0 },
		{ "change", 0 },
		{ "move", 0 },
		{ "online", 0 },
		{ "offline", 0 },
		{ "bind", 0 },
		{ "unbind", 0 },
		{ "", 0 }, /* a write of no bytes never comes to the file */
		{ "add ", -EINVAL },
		{ "foo", -EINVAL },
		{ "addx", -EINVAL },
		{ "ad", -EINVAL },
		{ " ", -EINVAL },
		{ "\n", -EINVAL },
		{ "add fe4d7c9d-b8c6-4a70-9ef1-3d8a58d18eed", 0 },
		{ "add fe4d7c9d-b8c6-4a70-9ef1-3d8a58d18eed A=1 B=abc", 0 },
		{ "add fe4d7c9d-b8c6-4a70-9ef1-3d8a58d18eed A", -EINVAL },
		{ "add fe4d7c9d-b8c6-4a70-9ef1-3d8a58d18eed A=", -EINVAL },
		{ "add fe4d7c9d-b8c6-4a70-9ef1-3d8a58d18eed ", -EINVAL },
		{ "add fe4d7c9d-b8c6-4a70-9ef1-3d8a58d18eed  A=1", -EINVAL },
		{ "add fe4d7c9d-b8c6-4a70-9ef1-3d8a58d18eedA=1", -EINVAL },
		{ "add nonsense", -EINVAL },
		{ "add fe4d7c9d-b8c6-4a70-9ef1-3d8a58d18eed =1", -EINVAL },
		{ "add fe4d7c9d-b8c6-4a70-9ef1-3d8a58d18eed A_B=1", -EINVAL },
		{ "add fe4d7c9d-b8c6-4a70-9ef1-3d8a58d18eed A=1.2", -EINVAL },
	};
	const char *path = "/sys/module/null_blk/uevent";
	struct fixture fixture;

	(void)state;
	make_fixture(&fixture);
	for (size_t i = 0; i < KC_ARRAY_SIZE(answers); i++)
		assert_int_equal(write_text(fixture.kocoon, path, answers[i].text), answers[i].err);
	assert_string_equal(fixture.events,
			    "add@null_blk remove@null_blk change@null_blk move@null_blk "
			    "online@null_blk offline@null_blk bind@null_blk unbind@null_blk "
			    "add@null_blk add@null_blk ");
	assert_int_equal(kocoon_view_write(fixture.kocoon, path, "add\0x", 5), -EINVAL);
	assert_int_equal(read_error(fixture.kocoon, path), -EIO);
	free_fixture(&fixture);
}

static void parameters_have_modes(void **state)
{
	static const struct kc_param params[] = {
		{ .name = "hidden", .perm = 0 },
		{ .name = "mbps", .perm = 0444 },
		{ .name = "size", .perm = 0755 }, /* what sysfs keeps of it */
	};
	struct fixture fixture;
	struct kocoon_loaded *module;

	(void)state;
	make_fixture(&fixture);
	module = fixture.user;
	module->params = malloc(sizeof(params));
	assert_non_null(module->params);
	memcpy(module->params, params, sizeof(params));
	module->param_count = 1;
	check_list(fixture.kocoon, "/sys/module/null_blk",
		   "uevent initstate coresize initsize taint refcnt holders/");
	module->param_count = 3;
	check_list(fixture.kocoon, "/sys/module/null_blk/parameters", "mbps size ");
	check_stat(fixture.kocoon, "/sys/module/null_blk/parameters/mbps", KOCOON_VIEW_FILE, 0444,
		   4096);
	check_stat(fixture.kocoon, "/sys/module/null_blk/parameters/size", KOCOON_VIEW_FILE, 0644,
		   4096);
	assert_int_equal(read_error(fixture.kocoon, "/sys/module/null_blk/parameters/hidden"),
			 -ENOENT);
	/* Two files of one name: the folder can't be made. */
	kc_sysfs_teardown(module);
	module->params[2].name = "mbps";
	assert_int_equal(kc_sysfs_setup(module), -EEXIST);
	assert_int_equal(read_error(fixture.kocoon, "/sys/module/null_blk/refcnt"), -ENOENT);
	module->params[2].perm = 0;
	assert_int_equal(kc_sysfs_setup(module), 0);
	check_list(fixture.kocoon, "/sys/module/null_blk/parameters", "mbps ");
	free_fixture(&fixture);
}

static void names_have_no_slashes(void **state)
{
	struct fixture fixture;
	struct kocoon_loaded *odd;

	(void)state;
	make_fixture(&fixture);
	odd = make_module(fixture.kocoon, "a/b", 0x43000000);
	check_list(fixture.kocoon, "/sys/module", "a!b/null_blk/configfs/");
	check_text(fixture.kocoon, "/sys/module/a!b/refcnt", "0\n");
	unload(odd);
	free_fixture(&fixture);
}

/* ---- paths ---- */

static void wrong_paths_have_their_errno(void **state)
{
	struct fixture fixture;
	struct kocoon *kocoon;
	struct kocoon_view view;
	char long_name[400] = "/sys/module/";

	(void)state;
	make_fixture(&fixture);
	kocoon = fixture.kocoon;
	assert_int_equal(kocoon_view_stat(kocoon, "", &view), -ENOENT);
	assert_int_equal(kocoon_view_stat(kocoon, "sys", &view), -ENOENT);
	assert_int_equal(kocoon_view_stat(kocoon, "/sys/modul", &view), -ENOENT);
	assert_int_equal(kocoon_view_stat(kocoon, "/sys/module/none/refcnt", &view), -ENOENT);
	assert_int_equal(kocoon_view_stat(kocoon, "/sys/module/null_blk/version", &view), -ENOENT);
	assert_int_equal(kocoon_view_stat(kocoon, "/sys/module/null_blk/notes", &view), -ENOENT);
	assert_int_equal(kocoon_view_stat(kocoon, "/sys/module/null_blk/refcnt/", &view), -ENOTDIR);
	assert_int_equal(kocoon_view_stat(kocoon, "/proc/modules/x", &view), -ENOTDIR);
	memset(long_name + strlen(long_name), 'x', 256);
	assert_int_equal(kocoon_view_stat(kocoon, long_name, &view), -ENAMETOOLONG);
	assert_int_equal(kocoon_view_stat(kocoon, "//sys///module/", &view), 0);
	assert_int_equal(read_error(kocoon, "/sys/module/null_blk"), -EISDIR);
	assert_int_equal(read_error(kocoon, "/"), -EISDIR);
	assert_int_equal(write_text(kocoon, "/sys/module/null_blk", "x"), -EISDIR);
	assert_int_equal(write_text(kocoon, "/sys/module/null_blk/refcnt", "1"), -EIO);
	assert_int_equal(write_text(kocoon, "/sys/module/configfs/sections/.text", "1"), -EIO);
	assert_int_equal(write_text(kocoon, "/proc/modules", "1"), -EIO);
	assert_int_equal(kocoon_view_list(kocoon, "/proc/modules", write_name, NULL), -ENOTDIR);
	check_list(kocoon, "/", "proc/sys/");
	check_list(kocoon, "/sys", "kernel/module/");
	check_list(kocoon, "/proc", "kallsyms modules sys/");
	check_list(kocoon, "/proc/sys/kernel", "modprobe modules_disabled tainted ");
	free_fixture(&fixture);
}

static int stop_at_second(void *context, const char *name, const struct kocoon_view *view)
{
	int *count = context;

	(void)name;
	(void)view;
	return ++*count == 2 ? 7 : 0;
}

static void a_listing_can_be_ended(void **state)
{
	struct fixture fixture;
	int count = 0;

	(void)state;
	make_fixture(&fixture);
	assert_int_equal(
		kocoon_view_list(fixture.kocoon, "/sys/module/configfs", stop_at_second, &count),
		7);
	assert_int_equal(count, 2);
	free_fixture(&fixture);
}

/* ---- /proc ---- */

static void proc_modules_is_the_kernels(void **state)
{
	struct fixture fixture;
	struct kocoon_loaded *other;
	char *text;
	size_t len;

	(void)state;
	make_fixture(&fixture);
	check_text(fixture.kocoon, "/proc/modules",
		   "null_blk 36864 0 - Live 0x0000000042000000\n"
		   "configfs 36864 1 null_blk, Live 0x0000000041000000\n");
	assert_int_equal(kocoon_view_read(fixture.kocoon, "/proc/modules", NULL, &text, &len), 0);
	assert_string_equal(text, "null_blk 36864 0 - Live 0x0000000000000000\n"
				  "configfs 36864 1 null_blk, Live 0x0000000000000000\n");
	free(text);
	other = make_module(fixture.kocoon, "other", 0x43000000);
	kc_set_state(other, KOCOON_STATE_UNFORMED);
	set_functions(fixture.user, 0x42000000, 0);
	kc_set_taint(fixture.user, KC_TAINT_OOT_MODULE);
	kc_set_taint(fixture.user, KC_TAINT_UNSIGNED_MODULE);
	kc_set_state(fixture.user, KOCOON_STATE_COMING);
	set_functions(fixture.used, 0x41000000, 0);
	kc_set_taint(fixture.used, KC_TAINT_PROPRIETARY_MODULE);
	kc_set_state(fixture.used, KOCOON_STATE_GOING);
	set_region(fixture.used, KOCOON_REGION_INIT_TEXT, 0, 0);
	check_text(fixture.kocoon, "/proc/modules",
		   "null_blk 36864 0 [permanent], Loading 0x0000000042000000 (OE+)\n"
		   "configfs 32768 1 null_blk,[permanent], Unloading 0x0000000041000000 (P-)\n");
	set_functions(fixture.user, 0, 0); /* nothing to be undone */
	kc_set_state(fixture.user, KOCOON_STATE_LIVE);
	kc_set_state(fixture.used, KOCOON_STATE_UNFORMED);
	check_text(fixture.kocoon, "/proc/modules",
		   "null_blk 36864 0 - Live 0x0000000042000000 (OE)\n");
	unload(other);
	free_fixture(&fixture);
}

/* Kernels of seven regions show none then, those of two what the first one begins with. */
static void the_base_without_text_is_the_kernels(void **state)
{
	struct fixture fixture;

	(void)state;
	make_fixture(&fixture);
	set_region(fixture.user, KOCOON_REGION_TEXT, 0x42000000, 0);
	fixture.user->core_run.address = 0x42000000;
	check_text(fixture.kocoon, "/proc/modules",
		   "null_blk 16384 0 - Live 0x0000000000000000\n"
		   "configfs 36864 1 null_blk, Live 0x0000000041000000\n");
	fixture.user->one_piece = true;
	check_text(fixture.kocoon, "/proc/modules",
		   "null_blk 16384 0 - Live 0x0000000042000000\n"
		   "configfs 36864 1 null_blk, Live 0x0000000041000000\n");
	fixture.user->core_run.address = 0;
	free_fixture(&fixture);
}

static void taints_are_added_only(void **state)
{
	static const struct {
		const char *text;
		int err;
	} answers[] = {
		{ "-1", -EINVAL },
		{ "x", -EINVAL },
		{ "", 0 },
		{ " ", -EINVAL },
		{ "1x", -EINVAL },
		{ "0", 0 },
		{ "16", 0 },
		{ "64 128", 0 },
		{ "0x200", 0 },
		{ "524288", 0 },
		{ "99999999999999999999999", -EINVAL },
	};
	const char *path = "/proc/sys/kernel/tainted";
	struct fixture fixture;

	(void)state;
	make_fixture(&fixture);
	check_text(fixture.kocoon, path, "0\n");
	for (size_t i = 0; i < KC_ARRAY_SIZE(answers); i++)
		assert_int_equal(write_text(fixture.kocoon, path, answers[i].text), answers[i].err);
	check_text(fixture.kocoon, path, "592\n");
	assert_int_equal(kocoon_tainted(fixture.kocoon), 592);
	kocoon_add_taint(fixture.kocoon, KC_TAINT_DIE);
	kocoon_add_taint(fixture.kocoon, 64);
	check_text(fixture.kocoon, path, "720\n");
	free_fixture(&fixture);
}

static void modules_are_disabled_one_way(void **state)
{
	static const char *const refused[] = { "0", "2", "-1", "x", " ", "1x" };
	const char *path = "/proc/sys/kernel/modules_disabled";
	struct fixture fixture;

	(void)state;
	make_fixture(&fixture);
	check_text(fixture.kocoon, path, "0\n");
	for (size_t i = 0; i < KC_ARRAY_SIZE(refused); i++)
		assert_int_equal(write_text(fixture.kocoon, path, refused[i]), -EINVAL);
	assert_int_equal(write_text(fixture.kocoon, path, ""), 0);
	assert_false(kocoon_modules_disabled(fixture.kocoon));
	assert_int_equal(write_text(fixture.kocoon, path, "1 x"), 0);
	check_text(fixture.kocoon, path, "1\n");
	assert_true(kocoon_modules_disabled(fixture.kocoon));
	assert_int_equal(write_text(fixture.kocoon, path, "0"), -EINVAL);
	free_fixture(&fixture);
}

static void modprobe_is_a_line(void **state)
{
	const char *path = "/proc/sys/kernel/modprobe";
	struct fixture fixture;
	char text[300], expected[300];

	(void)state;
	make_fixture(&fixture);
	check_text(fixture.kocoon, path, "/sbin/modprobe\n");
	assert_int_equal(write_text(fixture.kocoon, path, "/bin/true\nmore"), 0);
	check_text(fixture.kocoon, path, "/bin/true\n");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	snprintf(expected, sizeof(expected), "%.255s\n", text);
	assert_int_equal(write_text(fixture.kocoon, path, text), 0);
	check_text(fixture.kocoon, path, expected);
	assert_int_equal(write_text(fixture.kocoon, path, "\n"), 0);
	check_text(fixture.kocoon, path, "\n");
	free_fixture(&fixture);
}

/* ---- statistics, taints of modules that are gone ---- */

static void nothing_happened(void **state)
{
	struct fixture fixture;

	(void)state;
	make_fixture(&fixture);
	check_text(fixture.kocoon, "/sys/kernel/debug/modules/stats",
		   "         Mods ever loaded\t0\n"
		   "     Mods failed on kread\t0\n"
		   "Mods failed on decompress\t0\n"
		   "  Mods failed on becoming\t0\n"
		   "      Mods failed on load\t0\n"
		   "        Total module size\t0\n"
		   "      Total mod text size\t0\n"
		   "       Failed kread bytes\t0\n"
		   "  Failed decompress bytes\t0\n"
		   "    Failed becoming bytes\t0\n"
		   "        Failed kmod bytes\t0\n"
		   " Virtual mem wasted bytes\t0\n");
	check_text(fixture.kocoon, "/sys/kernel/debug/modules/unloaded_tainted", "");
	free_fixture(&fixture);
}

static void failures_are_counted(void **state)
{
	struct fixture fixture;
	struct kocoon_stats stats;
	struct kocoon *kocoon;

	(void)state;
	make_fixture(&fixture);
	kocoon = fixture.kocoon;
	kc_stats_loaded(kocoon, fixture.used);
	kc_stats_loaded(kocoon, fixture.user);
	set_region(fixture.user, KOCOON_REGION_DATA, 0, 0x2001);
	kc_stats_loaded(kocoon, fixture.user);
	kc_stats_unloaded(kocoon);
	kc_stats_failed(kocoon, KOCOON_STAGE_READ, NULL, 10);
	kc_stats_failed(kocoon, KOCOON_STAGE_DECOMPRESS, NULL, 100);
	kc_stats_failed(kocoon, KOCOON_STAGE_ELF, "bad", 1000);
	kc_stats_failed(kocoon, KOCOON_STAGE_DUPLICATE, "configfs", 2000);
	kc_stats_failed(kocoon, KOCOON_STAGE_DUPLICATE, "null_blk", 2000);
	kc_stats_failed(kocoon, KOCOON_STAGE_DUPLICATE, "configfs", 2000);
	kc_stats_failed(kocoon, KOCOON_STAGE_SYMBOLS, "unknown", 5);
	kc_stats_failed(kocoon, KOCOON_STAGE_INIT, "fails", 6);
	check_text(kocoon, "/sys/kernel/debug/modules/stats",
		   "         Mods ever loaded\t3\n"
		   "     Mods failed on kread\t1\n"
		   "Mods failed on decompress\t1\n"
		   "  Mods failed on becoming\t4\n"
		   "      Mods failed on load\t2\n"
		   "        Total module size\t106497\n"
		   "      Total mod text size\t73728\n"
		   "       Failed kread bytes\t10\n"
		   "  Failed decompress bytes\t100\n"
		   "    Failed becoming bytes\t7000\n"
		   "        Failed kmod bytes\t22\n"
		   " Virtual mem wasted bytes\t7132\n"
		   "         Average mod size\t35499\n"
		   "    Average mod text size\t24576\n"
		   "     Avg fail kread bytes\t10\n"
		   "  Avg fail becoming bytes\t1750\n"
		   "    Avg fail decomp bytes\t100\n"
		   "  Average fail load bytes\t11\n"
		   "Duplicate failed modules:\n"
		   "              Module-name\t How-many-times\t                   Reason\n"
		   "                 null_blk\t              1\t                 Becoming\n"
		   "                 configfs\t              2\t                 Becoming\n");
	check_text(kocoon, "/sys/kernel/debug/modules/invalid_becoming_bytes", "7000\n");
	check_text(kocoon, "/sys/kernel/debug/modules/modcount", "3\n");
	check_text(kocoon, "/sys/kernel/debug/modules/failed_load_modules", "2\n");
	kocoon_statistics(kocoon, &stats);
	assert_int_equal(stats.unloaded, 1);
	assert_int_equal(stats.failed_by_stage[KOCOON_STAGE_DUPLICATE], 3);
	assert_int_equal(stats.failed_by_stage[KOCOON_STAGE_INIT], 1);
	free_fixture(&fixture);
}

static void go(struct kocoon *kocoon, const char *name, uint64_t taints)
{
	struct kocoon_loaded *module = make_module(kocoon, name, 0x43000000);

	atomic_store(&module->taints, taints);
	unload(module);
}

static void taints_outlive_modules(void **state)
{
	struct fixture fixture;
	struct kocoon *kocoon;
	const uint64_t out = UINT64_C(1) << KC_TAINT_OOT_MODULE;
	const uint64_t unsigned_module = UINT64_C(1) << KC_TAINT_UNSIGNED_MODULE;

	(void)state;
	make_fixture(&fixture);
	kocoon = fixture.kocoon;
	go(kocoon, "clean", 0);
	go(kocoon, "one", out | unsigned_module);
	go(kocoon, "two", out);
	go(kocoon, "one", out); /* shares one: the same entry */
	go(kocoon, "two", unsigned_module); /* shares none: another */
	check_text(kocoon, "/sys/kernel/debug/modules/unloaded_tainted",
		   "two (E) 1\n"
		   "two (O) 1\n"
		   "one (OE) 2\n");
	free_fixture(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_module_shows_its_files),
		cmocka_unit_test(modes_and_sizes_are_the_kernels),
		cmocka_unit_test(sections_tell_addresses_to_some),
		cmocka_unit_test(notes_are_bytes),
		cmocka_unit_test(holders_are_links),
		cmocka_unit_test(uevents_are_asked_for),
		cmocka_unit_test(parameters_have_modes),
		cmocka_unit_test(names_have_no_slashes),
		cmocka_unit_test(wrong_paths_have_their_errno),
		cmocka_unit_test(a_listing_can_be_ended),
		cmocka_unit_test(proc_modules_is_the_kernels),
		cmocka_unit_test(the_base_without_text_is_the_kernels),
		cmocka_unit_test(taints_are_added_only),
		cmocka_unit_test(modules_are_disabled_one_way),
		cmocka_unit_test(modprobe_is_a_line),
		cmocka_unit_test(nothing_happened),
		cmocka_unit_test(failures_are_counted),
		cmocka_unit_test(taints_outlive_modules),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
