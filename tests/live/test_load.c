/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The three calls before real modules: what they refuse, and in which order they look. The errnos
 * are those of the stock kernel that the modules are built for.
 */
#include "unit.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supplies.h"

static struct kocoon_kernel *kernel;
static char folder[] = "/tmp/live-load.XXXXXX";
static bool capable = true;

static bool is_capable(void *context)
{
	(void)context;
	return capable;
}

static struct kocoon *new_subsystem(void)
{
	const struct kocoon_options options = { .hooks = { .capable = is_capable } };
	struct kocoon *kocoon = live_new(kernel, &options);

	assert_non_null(kocoon);
	return kocoon;
}

static int each_is_counted(struct kocoon_loaded *module, void *context)
{
	(void)module;
	++*(size_t *)context;
	return 0;
}

static size_t count(struct kocoon *kocoon)
{
	size_t number = 0;

	assert_int_equal(kocoon_each_module(kocoon, each_is_counted, &number), 0);
	return number;
}

static void comes_runs_and_goes(void **state)
{
	struct kocoon *kocoon = new_subsystem();
	struct kocoon_loaded *module;

	(void)state;
	live_forget();
	assert_int_equal(live_load(kocoon, "hello", ""), 0);
	assert_true(live_said("hello: here"));
	module = kocoon_find_get(kocoon, "hello");
	assert_non_null(module);
	assert_string_equal(kocoon_loaded_name(module), "hello");
	assert_int_equal(kocoon_loaded_state(module), KOCOON_STATE_LIVE);
	assert_int_equal(kocoon_module_refcount(module), 1);
	kocoon_module_put(module);
	assert_int_equal(count(kocoon), 1);
	assert_int_equal(live_load(kocoon, "hello", ""), -EEXIST);
	assert_false(live_said("hello: gone"));
	assert_int_equal(kocoon_delete_module(kocoon, "hello", 0), 0);
	assert_true(live_said("hello: gone"));
	assert_int_equal(count(kocoon), 0);
	assert_null(kocoon_find_get(kocoon, "hello"));
	assert_int_equal(kocoon_delete_module(kocoon, "hello", 0), -ENOENT);
	assert_int_equal(kocoon_delete_module(kocoon, "", 0), -ENOENT);
	kocoon_free(kocoon);
}

static int load_file(struct kocoon *kocoon, const char *path, int open_flags, int flags)
{
	int fd = open(path, open_flags | O_CLOEXEC), err;

	assert_true(fd >= 0);
	err = kocoon_finit_module(kocoon, fd, "", flags, NULL);
	close(fd);
	return err;
}

static const char *made(const char *name, const char *text)
{
	static char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	return path;
}

static const char long_text[] =
	"This is a text and no module, though it is longer than the header of an ELF file.\n";

static void looks_at_the_descriptor(void **state)
{
	struct kocoon *kocoon = new_subsystem();
	char path[128];
	int fd;

	(void)state;
	assert_int_equal(kocoon_finit_module(kocoon, -1, "", 0, NULL), -EBADF);
	assert_int_equal(kocoon_finit_module(kocoon, -1, "", 8, NULL), -EINVAL);
	assert_int_equal(kocoon_finit_module(kocoon, -1, "", -1, NULL), -EINVAL);
	snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0644), 0);
	assert_int_equal(load_file(kocoon, path, O_RDWR, 0), -EINVAL);
	assert_int_equal(load_file(kocoon, path, O_RDONLY | O_NONBLOCK, 0), -EINVAL);
	assert_int_equal(load_file(kocoon, folder, O_RDONLY, 0), -EINVAL);
	assert_int_equal(load_file(kocoon, "/dev/null", O_RDONLY, 0), -EINVAL);
	assert_int_equal(load_file(kocoon, "/proc/version", O_RDONLY, 0), -EINVAL);
	assert_int_equal(load_file(kocoon, made("empty", ""), O_RDONLY, 0), -EINVAL);
	assert_int_equal(load_file(kocoon, made("text", long_text), O_WRONLY, 0), -EBADF);
	assert_int_equal(load_file(kocoon, live_path("hello"), O_PATH, 0), -EBADF);
	assert_int_equal(load_file(kocoon, made("text", long_text), O_RDWR, 0), -ETXTBSY);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(kocoon_finit_module(kocoon, fd, "", 0, NULL), -EINVAL);
	close(fd);
	assert_int_equal(count(kocoon), 0);
	kocoon_free(kocoon);
}

static void looks_at_the_contents(void **state)
{
	struct kocoon *kocoon = new_subsystem();

	(void)state;
	assert_int_equal(load_file(kocoon, made("text", long_text), O_RDONLY, 0), -ENOEXEC);
	assert_int_equal(load_file(kocoon, made("text", long_text), O_RDONLY, 4), -EINVAL);
	assert_int_equal(load_file(kocoon, made("short", "ab"), O_RDONLY, 0), -ENOEXEC);
	assert_int_equal(kocoon_init_module(kocoon, "", 0, "", NULL), -ENOEXEC);
	assert_int_equal(kocoon_init_module(kocoon, "ab", 2, "", NULL), -ENOEXEC);
	assert_int_equal(count(kocoon), 0);
	kocoon_free(kocoon);
}

static void unpacks_when_told(void **state)
{
	struct kocoon *kocoon = new_subsystem();

	(void)state;
	assert_int_equal(live_load(kocoon, "hello_xz", ""), -ENOEXEC);
	assert_int_equal(live_load_flags(kocoon, "hello_xz", "", KOCOON_COMPRESSED_FILE, NULL), 0);
	assert_int_equal(kocoon_delete_module(kocoon, "hello", 0), 0);
	kocoon_free(kocoon);
}

static void takes_an_image(void **state)
{
	struct kocoon *kocoon = new_subsystem();
	size_t len = 0;
	unsigned char *image = live_image("hello", &len);

	(void)state;
	assert_non_null(image);
	assert_int_equal(kocoon_init_module(kocoon, image, len, NULL, NULL), 0);
	assert_int_equal(kocoon_init_module(kocoon, image, len, "", NULL), -EEXIST);
	assert_true(live_rename(image, len, "hello_again"));
	assert_int_equal(kocoon_init_module(kocoon, image, len, "", NULL), 0);
	free(image); /* nothing of it is needed any more */
	assert_int_equal(count(kocoon), 2);
	assert_int_equal(kocoon_delete_module(kocoon, "hello_again", 0), 0);
	assert_int_equal(kocoon_delete_module(kocoon, "hello", 0), 0);
	kocoon_free(kocoon);
}

static void permission_goes_before_everything(void **state)
{
	struct kocoon *kocoon = new_subsystem();

	(void)state;
	assert_int_equal(live_load(kocoon, "permanent", ""), 0);
	capable = false;
	assert_int_equal(live_load(kocoon, "hello", ""), -EPERM);
	assert_int_equal(kocoon_finit_module(kocoon, -1, "", 8, NULL), -EPERM);
	assert_int_equal(kocoon_init_module(kocoon, "", 0, "", NULL), -EPERM);
	assert_int_equal(kocoon_delete_module(kocoon, "nobody", 0), -EPERM);
	capable = true;
	assert_false(kocoon_modules_disabled(kocoon));
	kocoon_disable_modules(kocoon);
	assert_true(kocoon_modules_disabled(kocoon));
	assert_int_equal(live_load(kocoon, "hello", ""), -EPERM);
	assert_int_equal(kocoon_finit_module(kocoon, -1, "", 8, NULL), -EPERM);
	assert_int_equal(kocoon_init_module(kocoon, "", 0, "", NULL), -EPERM);
	assert_int_equal(kocoon_delete_module(kocoon, "nobody", 0), -EPERM);
	assert_int_equal(count(kocoon), 1);
	kocoon_free(kocoon);
}

static void versions_are_compared(void **state)
{
	struct kocoon *kocoon = new_subsystem();

	(void)state;
	assert_int_equal(live_load(kocoon, "wrong_version", ""), -EINVAL);
	assert_int_equal(live_load_flags(kocoon, "wrong_version", "", KOCOON_IGNORE_VERMAGIC, NULL),
			 -EINVAL);
	assert_int_equal(count(kocoon), 0);
	assert_int_equal(
		live_load_flags(kocoon, "wrong_version", "", KOCOON_IGNORE_MODVERSIONS, NULL), 0);
	assert_int_equal(kocoon_delete_module(kocoon, "hello", 0), 0);
	/* This kernel can be forced, and a module without versions forces it. */
	assert_int_equal(live_load(kocoon, "no_versions", ""), 0);
	assert_int_equal(kocoon_delete_module(kocoon, "hello", 0), 0);
	assert_true(kocoon_tainted(kocoon) & 1 << 1);
	kocoon_free(kocoon);
}

static uint64_t taints_of(struct kocoon *kocoon, const char *name)
{
	struct kocoon_loaded *module = kocoon_find_get(kocoon, name);
	uint64_t taints;

	assert_non_null(module);
	taints = kocoon_loaded_taints(module);
	kocoon_module_put(module);
	return taints;
}

static void taints(void **state)
{
	struct kocoon *kocoon = new_subsystem();
	enum { P = 1 << 0, O = 1 << 12, E = 1 << 13 };

	(void)state;
	assert_int_equal(kocoon_tainted(kocoon), 0);
	assert_int_equal(live_load(kocoon, "hello", ""), 0);
	assert_int_equal(taints_of(kocoon, "hello"), O | E);
	assert_int_equal(live_load(kocoon, "proprietary", ""), 0);
	assert_int_equal(taints_of(kocoon, "proprietary"), P | O | E);
	assert_int_equal(kocoon_delete_module(kocoon, "proprietary", 0), 0);
	assert_int_equal(kocoon_tainted(kocoon), P | O | E);
	assert_int_equal(taints_of(kocoon, "hello"), O | E);
	kocoon_free(kocoon);
}

static void no_kernel_is_needed(void **state)
{
	struct kocoon *kocoon = live_new(NULL, NULL);

	(void)state;
	assert_non_null(kocoon);
	live_forget();
	assert_int_equal(live_load(kocoon, "hello", NULL), 0);
	assert_true(live_said("hello: here"));
	kocoon_free(kocoon); /* which unloads */
	assert_true(live_said("hello: gone"));
}

static void subsystems_are_apart(void **state)
{
	struct kocoon *first = new_subsystem(), *second = live_new(NULL, NULL);

	(void)state;
	assert_non_null(second);
	assert_int_equal(live_load(first, "hello", ""), 0);
	assert_int_equal(live_load(second, "hello", ""), 0);
	assert_int_equal(kocoon_delete_module(first, "hello", 0), 0);
	assert_int_equal(count(first), 0);
	assert_int_equal(count(second), 1);
	kocoon_free(first);
	assert_int_equal(kocoon_delete_module(second, "hello", 0), 0);
	kocoon_free(second);
}

/* Each is a file below /sys/module/NAME/sections. */
static void two_sections_of_one_name(void **state)
{
	struct kocoon *kocoon = new_subsystem();
	size_t len, number = 0;
	unsigned char *image = live_image("hello", &len);
	const uint64_t at = offsetof(Elf64_Ehdr, e_shoff);
	Elf64_Shdr *sections, *first = NULL;
	uint64_t table;

	(void)state;
	assert_non_null(image);
	memcpy(&table, image + at, sizeof(table));
	sections = (Elf64_Shdr *)(void *)(image + table);
	for (int i = 1; number < 2; i++) {
		if (sections[i].sh_type != SHT_NOTE || !(sections[i].sh_flags & SHF_ALLOC))
			continue;
		if (number++)
			sections[i].sh_name = first->sh_name;
		first = &sections[i];
	}
	assert_int_equal(kocoon_init_module(kocoon, image, len, "", NULL), -EEXIST);
	assert_int_equal(count(kocoon), 0);
	free(image);
	kocoon_free(kocoon);
}

static int set_up(void **state)
{
	(void)state;
	kernel = live_kernel();
	return kernel && mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "fifo", "empty", "text", "short" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
	kocoon_kernel_free(kernel);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_runs_and_goes),
		cmocka_unit_test(looks_at_the_descriptor),
		cmocka_unit_test(looks_at_the_contents),
		cmocka_unit_test(unpacks_when_told),
		cmocka_unit_test(takes_an_image),
		cmocka_unit_test(permission_goes_before_everything),
		cmocka_unit_test(versions_are_compared),
		cmocka_unit_test(taints),
		cmocka_unit_test(two_sections_of_one_name),
		cmocka_unit_test(no_kernel_is_needed),
		cmocka_unit_test(subsystems_are_apart),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
