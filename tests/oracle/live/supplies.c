/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel that stock modules find here: each export of a kernel image, at an address of its own.
 * Modules' init never runs, so little of it is called or looked at: only by functions of modules
 * that are called to read their parameters. For these, some functions are here in earnest, and
 * variables hold what the machine's hold. The other exports can't be read, written or run.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "live/live.h"
#include "texts.h"

enum { APART = 16, PAGE = 4096, COPIES = 8 };
#define ROOM UINT64_C(0x04000000)
#define ROOM_SIZE UINT64_C(0x0c000000)

/* ---- what reading parameters calls ---- */

/* What was written, not what there would have been. */
static int written(int len, size_t room)
{
	return len < 0 ? 0 : (size_t)len < room ? len : room ? (int)room - 1 : 0;
}

KOCOON_CALLED_BY_MODULE KC_PRINTF(3, 4) static int module_snprintf(char *to, size_t room,
								   const char *format, ...)
{
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(to, room, format, arguments);
	va_end(arguments);
	return len;
}

KOCOON_CALLED_BY_MODULE KC_PRINTF(3, 4) static int module_scnprintf(char *to, size_t room,
								    const char *format, ...)
{
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(to, room, format, arguments);
	va_end(arguments);
	return written(len, room);
}

KOCOON_CALLED_BY_MODULE KC_PRINTF(2, 3) static int module_sysfs_emit(char *to, const char *format,
								     ...)
{
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(to, PAGE, format, arguments);
	va_end(arguments);
	return written(len, PAGE);
}

KOCOON_CALLED_BY_MODULE KC_PRINTF(3, 4) static int module_sysfs_emit_at(char *page, int at,
									const char *format, ...)
{
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(page + at, (size_t)(PAGE - at), format, arguments);
	va_end(arguments);
	return written(len, (size_t)(PAGE - at));
}

/* Locks of one thread. */
KOCOON_CALLED_BY_MODULE static void module_nothing(void)
{
}

static const struct {
	const char *name;
	const void *function;
} in_earnest[] = {
	{ "sprintf", (const void *)module_sysfs_emit },
	{ "snprintf", (const void *)module_snprintf },
	{ "scnprintf", (const void *)module_scnprintf },
	{ "sysfs_emit", (const void *)module_sysfs_emit },
	{ "sysfs_emit_at", (const void *)module_sysfs_emit_at },
	{ "mutex_lock", (const void *)module_nothing },
	{ "mutex_unlock", (const void *)module_nothing },
};

static const void *find_in_earnest(const char *name)
{
	for (size_t i = 0; i < KC_ARRAY_SIZE(in_earnest); i++)
		if (!strcmp(in_earnest[i].name, name))
			return in_earnest[i].function;
	return NULL;
}

/* ---- all of them ---- */

static bool is_brought_along(const char *name)
{
	const struct kc_own_exports own[] = { kc_own_per_cpu_symbols(), kc_own_thunks(),
					      kc_own_module_functions(), kc_own_param_functions() };

	for (size_t i = 0; i < KC_ARRAY_SIZE(own); i++)
		for (size_t j = 0; j < own[i].count; j++)
			if (!strcmp(own[i].supplies[j].name, name))
				return true;
	return false;
}

/* ---- places below 2 GiB, and below where live space begins ---- */

struct room {
	char *at, *end;
};

static int reserve(struct room *room_ret)
{
	void *wanted = (void *)(uintptr_t)ROOM; /* NOLINT(performance-no-int-to-ptr) */
	char *got = mmap(wanted, ROOM_SIZE, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (got != wanted)
		return -ENOMEM;
	*room_ret = (struct room){ got, got + ROOM_SIZE };
	return 0;
}

/* NULL: there is no such room left. */
static char *take(struct room *room, size_t size)
{
	char *at = room->at;

	size = kc_align(size, PAGE);
	if (size > (size_t)(room->end - at))
		return NULL;
	room->at += size;
	return at;
}

/* A part of the machine's own memory, copied. */
struct copy {
	uint64_t address, size;
	char *bytes;
};

struct copies {
	struct copy list[COPIES];
	size_t count;
};

static int copy_memory(struct room *room, struct kc_record_group others, struct copies *copies_ret)
{
	const struct kc_record *record;
	size_t at = 0;

	copies_ret->count = 0;
	while ((record = kc_records_next(others, RECORD_MEMORY, &at)) &&
	       copies_ret->count < COPIES) {
		struct copy *copy = &copies_ret->list[copies_ret->count++];
		struct kc_span bytes;

		*copy = (struct copy){ .address = kc_record_memory(record, &bytes).address };
		copy->size = bytes.len;
		copy->bytes = take(room, bytes.len);
		if (!copy->bytes ||
		    mprotect(copy->bytes, kc_align(bytes.len, PAGE), PROT_READ | PROT_WRITE) < 0)
			return -ENOMEM;
		memcpy(copy->bytes, bytes.data, bytes.len);
	}
	return 0;
}

static const void *find_copy(const struct copies *copies, uint64_t address)
{
	for (size_t i = 0; i < copies->count; i++)
		if (address - copies->list[i].address < copies->list[i].size)
			return copies->list[i].bytes + (address - copies->list[i].address);
	return NULL;
}

/* ---- whoever comes where nothing is ---- */

static const struct kocoon_export *all_exports;
static const char *nowhere;
static size_t nowhere_count;

static void put(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(2);
}

/* Ends the program with the name of what would have to be here in earnest. */
static void tell_export(int signal_number, siginfo_t *info, void *context)
{
	size_t index = (size_t)((const char *)info->si_addr - nowhere) / APART;

	(void)context;
	if (index >= nowhere_count) {
		signal(signal_number, SIG_DFL);
		return;
	}
	put("texts: code of a module wants what isn't here in earnest: ");
	put(all_exports[index].name);
	put("\n");
	_exit(2);
}

/* Before the subsystem takes the signal: it hands on what is none of its own. */
static int watch(const struct kocoon_export *exports, size_t count, const char *place)
{
	struct sigaction action = { .sa_sigaction = tell_export, .sa_flags = SA_SIGINFO };

	all_exports = exports;
	nowhere = place;
	nowhere_count = count;
	return sigaction(SIGSEGV, &action, NULL) < 0 ? -errno : 0;
}

/* ---- the table ---- */

static const void *place(const struct kocoon_export *export, const struct copies *copies)
{
	const void *found = find_in_earnest(export->name);

	if (!found)
		found = find_copy(copies, export->address);
	return found ? found : nowhere + (size_t)(export - all_exports) * APART;
}

static int make_places(struct kc_record_group others, const struct kocoon_export *exports,
		       size_t count, struct copies *copies_ret)
{
	struct room room;
	int err = reserve(&room);
	char *rest;

	if (!err)
		err = copy_memory(&room, others, copies_ret);
	if (err)
		return err;
	rest = take(&room, count * APART);
	return rest ? watch(exports, count, rest) : -ENOMEM;
}

int texts_supplies(const struct kocoon_kernel *kernel, struct kc_record_group others,
		   struct kocoon_supply **supplies_ret, size_t *count_ret)
{
	const struct kocoon_export *exports;
	size_t count = kocoon_kernel_exports(kernel, &exports), used = 0;
	struct kocoon_supply *supplies = calloc(count + 1, sizeof(*supplies));
	struct copies copies;
	int err = supplies ? make_places(others, exports, count, &copies) : -ENOMEM;

	if (err) {
		free(supplies);
		return err;
	}
	for (size_t i = 0; i < count; i++) {
		if (is_brought_along(exports[i].name))
			continue;
		supplies[used++] = (struct kocoon_supply){
			.name = exports[i].name,
			.address = place(&exports[i], &copies),
			.ns = exports[i].ns,
			.gpl_only = exports[i].gpl_only,
		};
	}
	*supplies_ret = supplies;
	*count_ret = used;
	return 0;
}
