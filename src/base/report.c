/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reports: see report.h. Texts are allocated one by one; there are few, and only when something is
 * wrong.
 */
#include "base/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 4096 };

static const char out_of_memory[] = "out of memory";
static const char cut[] = "...";

void kc_report_init(struct kocoon_report *report)
{
	*report = (struct kocoon_report){ 0 };
}

static void free_text(const char *text)
{
	if (text != out_of_memory)
		free((void *)(uintptr_t)text);
}

void kc_report_deinit(struct kocoon_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		free_text(report->findings[i].what);
		free_text(report->findings[i].expected);
		free_text(report->findings[i].found);
		free_text(report->findings[i].hint);
	}
	free(report->findings);
	kc_report_init(report);
}

/* Cut where a name from a file makes it longer than anybody reads. */
static KC_PRINTF(1, 0) const char *format_text(const char *format, va_list arguments)
{
	char text[TEXT_MAX] = "";
	int len = vsnprintf(text, sizeof(text), format, arguments);
	char *copy;

	/* Below 0: not even the length can be told. */
	if (len < 0 || (size_t)len >= sizeof(text))
		memcpy(text + sizeof(text) - sizeof(cut), cut, sizeof(cut));
	copy = strdup(text);
	/* cppcheck-suppress memleak */ /* free_text() frees it */
	return copy ? copy : out_of_memory;
}

/* Room for one more, or NULL. */
static struct kocoon_finding *grow(struct kocoon_report *report)
{
	if (report->count == report->capacity) {
		size_t capacity = report->capacity ? report->capacity * 2 : 4;
		struct kocoon_finding *findings =
			reallocarray(report->findings, capacity, sizeof(*findings));

		if (!findings) {
			report->lost = true;
			return NULL;
		}
		report->findings = findings;
		report->capacity = capacity;
	}
	return &report->findings[report->count++];
}

int kc_finding(struct kocoon_report *report, enum kocoon_stage stage, int err, const char *format,
	       ...)
{
	struct kocoon_finding *finding = report ? grow(report) : NULL;
	va_list arguments;

	if (!finding)
		return err;
	va_start(arguments, format);
	*finding = (struct kocoon_finding){ .stage = stage,
					    .err = err,
					    .what = format_text(format, arguments) };
	va_end(arguments);
	return err;
}

static KC_PRINTF(2, 0) void set_text(const char **text, const char *format, va_list arguments)
{
	if (*text)
		free_text(*text);
	*text = format_text(format, arguments);
}

#define DEFINE_ABOUT(member)                                                              \
	void kc_##member(struct kocoon_report *report, const char *format, ...)           \
	{                                                                                 \
		va_list arguments;                                                        \
                                                                                          \
		if (!report || !report->count || report->lost)                            \
			return;                                                           \
		va_start(arguments, format);                                              \
		set_text(&report->findings[report->count - 1].member, format, arguments); \
		va_end(arguments);                                                        \
	}

DEFINE_ABOUT(expected)
DEFINE_ABOUT(found)
DEFINE_ABOUT(hint)

void kc_report_move(struct kocoon_report *to, struct kocoon_report *from)
{
	for (size_t i = 0; i < from->count; i++) {
		struct kocoon_finding *finding = grow(to);

		if (!finding)
			break;
		*finding = from->findings[i];
		from->findings[i] = (struct kocoon_finding){ 0 };
	}
	kc_report_deinit(from);
}

struct kocoon_report *kocoon_report_new(void)
{
	return calloc(1, sizeof(struct kocoon_report));
}

void kocoon_report_free(struct kocoon_report *report)
{
	if (report)
		kc_report_deinit(report);
	free(report);
}

size_t kocoon_report_count(const struct kocoon_report *report)
{
	return report ? report->count : 0;
}

const struct kocoon_finding *kocoon_report_get(const struct kocoon_report *report, size_t index)
{
	return index < report->count ? &report->findings[index] : NULL;
}

static const char *const stage_names[] = {
	[KOCOON_STAGE_READ] = "read",
	[KOCOON_STAGE_DECOMPRESS] = "decompress",
	[KOCOON_STAGE_SIGNATURE] = "signature",
	[KOCOON_STAGE_ELF] = "elf",
	[KOCOON_STAGE_BLACKLIST] = "blacklist",
	[KOCOON_STAGE_MODVERSION] = "modversion",
	[KOCOON_STAGE_VERMAGIC] = "vermagic",
	[KOCOON_STAGE_LIVEPATCH] = "livepatch",
	[KOCOON_STAGE_DUPLICATE] = "duplicate",
	[KOCOON_STAGE_RWX] = "rwx",
	[KOCOON_STAGE_LAYOUT] = "layout",
	[KOCOON_STAGE_PERCPU] = "percpu",
	[KOCOON_STAGE_SECTIONS] = "sections",
	[KOCOON_STAGE_EXPORTS] = "exports",
	[KOCOON_STAGE_SYMBOLS] = "symbols",
	[KOCOON_STAGE_RELOCATIONS] = "relocations",
	[KOCOON_STAGE_FINALIZE] = "finalize",
	[KOCOON_STAGE_FORMATION] = "formation",
	[KOCOON_STAGE_BTF] = "btf",
	[KOCOON_STAGE_PARAMETERS] = "parameters",
	[KOCOON_STAGE_SYSFS] = "sysfs",
	[KOCOON_STAGE_INIT] = "init",
	[KOCOON_STAGE_KERNEL] = "kernel",
};

const char *kocoon_stage_name(enum kocoon_stage stage)
{
	size_t index = (size_t)stage;

	return index < KC_ARRAY_SIZE(stage_names) ? stage_names[index] : "unknown";
}
