/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What modules of the tests import, and how tests load them; see supplies.h. */
#include "supplies.h"

#include <elf.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	LINES = 256, /* the newest */
	LINE = 256,
	PAGE = 4096,
	SPACE = 1 << 28, /* several subsystems fit below 2 GiB */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char lines[LINES][LINE];
static size_t line_count;

/* ---- functions that modules call ---- */

/* "\0016text\n" */
static void keep_line(const char *text)
{
	char *line;
	size_t len;

	if (text[0] == '\001' && text[1])
		text += 2;
	len = strcspn(text, "\n");
	pthread_mutex_lock(&lock);
	line = lines[line_count++ % LINES];
	snprintf(line, LINE, "%.*s", (int)len, text);
	pthread_mutex_unlock(&lock);
}

__attribute__((format(printf, 1, 2))) KOCOON_CALLED_BY_MODULE static int
module_printk(const char *format, ...)
{
	char text[LINE];
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	keep_line(text);
	return len;
}

__attribute__((format(printf, 2, 3))) KOCOON_CALLED_BY_MODULE static int
module_sysfs_emit(char *buffer, const char *format, ...)
{
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(buffer, PAGE, format, arguments);
	va_end(arguments);
	return len < PAGE ? len : PAGE - 1;
}

KOCOON_CALLED_BY_MODULE static void module_msleep(unsigned int milliseconds)
{
	const struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000L };

	nanosleep(&time, NULL);
}

KOCOON_CALLED_BY_MODULE static int module_strcmp(const char *a, const char *b)
{
	return strcmp(a, b);
}

/* clang-format off */
#define FUNCTION(name, function) { (name), (const void *)(function), 0, NULL, false, false, 0 }
static const struct kocoon_supply supplies[] = {
	FUNCTION("_printk", module_printk),
	FUNCTION("__warn_printk", module_printk),
	FUNCTION("msleep", module_msleep),
	FUNCTION("strcmp", module_strcmp),
	FUNCTION("sysfs_emit", module_sysfs_emit),
};
/* clang-format on */

const struct kocoon_supply *live_supplies(size_t *count_ret)
{
	*count_ret = sizeof(supplies) / sizeof(supplies[0]);
	return supplies;
}

struct kocoon *live_new(const struct kocoon_kernel *kernel, const struct kocoon_options *options)
{
	struct kocoon_options mine = { 0 };
	struct kocoon *kocoon = NULL;

	if (options)
		mine = *options;
	mine.size = sizeof(mine);
	if (!mine.space)
		mine.space = SPACE;
	mine.supplies = live_supplies(&mine.supply_count);
	return kocoon_new(kernel, &mine, NULL, &kocoon) ? NULL : kocoon;
}

struct kocoon_kernel *live_kernel(void)
{
	const char *cache = getenv("KOCOON_CACHE"), *base = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	struct kocoon_kernel *kernel = NULL;
	char path[512];
	glob_t images;

	if (cache)
		snprintf(path, sizeof(path), "%s", cache);
	else if (base)
		snprintf(path, sizeof(path), "%s/kocoon", base);
	else
		snprintf(path, sizeof(path), "%s/.cache/kocoon", home ? home : "");
	strncat(path, "/kernels/by-kind/6.12-cloud-amd64/boot/vmlinuz-*",
		sizeof(path) - strlen(path) - 1);
	if (glob(path, 0, NULL, &images))
		return NULL;
	kocoon_kernel_open(images.gl_pathv[0], NULL, NULL, &kernel);
	globfree(&images);
	return kernel;
}

/* ---- what modules have said ---- */

static size_t count_lines(const char *text, size_t len)
{
	size_t count = 0, kept;

	pthread_mutex_lock(&lock);
	kept = line_count < LINES ? line_count : LINES;
	for (size_t i = 0; i < kept; i++)
		count += !strncmp(lines[i], text, len);
	pthread_mutex_unlock(&lock);
	return count;
}

bool live_said(const char *line)
{
	return count_lines(line, strlen(line) + 1) > 0;
}

size_t live_said_count(const char *beginning)
{
	return count_lines(beginning, strlen(beginning));
}

void live_forget(void)
{
	pthread_mutex_lock(&lock);
	line_count = 0;
	pthread_mutex_unlock(&lock);
}

/* ---- the modules ---- */

const char *live_path(const char *module)
{
	static _Thread_local char path[512];

	snprintf(path, sizeof(path), "%s/%s.ko", LIVE_MODULES, module);
	return path;
}

int live_load_flags(struct kocoon *kocoon, const char *module, const char *args, int flags,
		    struct kocoon_report *report)
{
	int fd = open(live_path(module), O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0) {
		perror(live_path(module));
		abort();
	}
	err = kocoon_finit_module(kocoon, fd, args, flags, report);
	close(fd);
	return err;
}

int live_load(struct kocoon *kocoon, const char *module, const char *args)
{
	return live_load_flags(kocoon, module, args, 0, NULL);
}

unsigned char *live_image(const char *module, size_t *len_ret)
{
	FILE *file = fopen(live_path(module), "rbe");
	unsigned char *image = NULL;
	long len;

	if (!file)
		return NULL;
	if (fseek(file, 0, SEEK_END) == 0 && (len = ftell(file)) > 0) {
		rewind(file);
		image = malloc((size_t)len);
		if (image && fread(image, 1, (size_t)len, file) != (size_t)len) {
			free(image);
			image = NULL;
		}
		*len_ret = (size_t)len;
	}
	fclose(file);
	return image;
}

/* struct module: state and list go before the name. */
bool live_rename(unsigned char *image, size_t len, const char *name)
{
	enum { NAME_OFFSET = 24, NAME_SIZE = 56 };
	Elf64_Ehdr header;
	Elf64_Shdr names, section;

	if (len < sizeof(header) || strlen(name) >= NAME_SIZE)
		return false;
	memcpy(&header, image, sizeof(header));
	memcpy(&names, image + header.e_shoff + header.e_shstrndx * sizeof(names), sizeof(names));
	for (unsigned int i = 1; i < header.e_shnum; i++) {
		memcpy(&section, image + header.e_shoff + i * sizeof(section), sizeof(section));
		if (strcmp((const char *)image + names.sh_offset + section.sh_name,
			   ".gnu.linkonce.this_module") != 0)
			continue;
		memset(image + section.sh_offset + NAME_OFFSET, 0, NAME_SIZE);
		memcpy(image + section.sh_offset + NAME_OFFSET, name, strlen(name));
		return true;
	}
	return false;
}

/* ---- calling what modules have ---- */

uint64_t live_symbol(struct kocoon *kocoon, const char *name)
{
	uint64_t address = kocoon_lookup_name(kocoon, name);

	if (!address) {
		fprintf(stderr, "no symbol %s\n", name);
		abort();
	}
	return address;
}

typedef long long_function(uint64_t first, uint64_t second);
typedef int int_function(uint64_t first, uint64_t second);

long live_call(struct kocoon *kocoon, const char *name, uint64_t first, uint64_t second)
{
	long_function *call = (long_function *)(uintptr_t)live_symbol(kocoon, name);
	long result;

	kocoon_enter(kocoon);
	result = call(first, second);
	kocoon_leave(kocoon);
	return result;
}

int live_call_int(struct kocoon *kocoon, const char *name, uint64_t first, uint64_t second)
{
	int_function *call = (int_function *)(uintptr_t)live_symbol(kocoon, name);
	int result;

	kocoon_enter(kocoon);
	result = call(first, second);
	kocoon_leave(kocoon);
	return result;
}
