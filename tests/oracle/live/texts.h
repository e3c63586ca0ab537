/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the real kernel shows of modules, beside what kocoon's living subsystem shows of them: the
 * records of a machine that has loaded a list (../record.h), and the same list loaded here.
 *
 * subject.c is kocoon's side and supplies.c the kernel that its modules find; places.c knows where
 * a module is on either side; lines.c writes down what kocoon shows, in the machine's form;
 * symbols.c compares symbols; report.c counts; texts.c goes through the list. One thread.
 */
#ifndef KC_ORACLE_TEXTS_H
#define KC_ORACLE_TEXTS_H

#include "../records.h"
#include "base/hash.h"
#include "kocoon/live.h"

enum { TEXTS_NAME = 64 };

/* ---- report.c ---- */

enum texts_category {
	TEXTS_LOAD, /* finit_module's errno */
	TEXTS_REGIONS, /* their sizes */
	TEXTS_ATTRIBUTES, /* a module's own files and folders */
	TEXTS_PARAMETERS,
	TEXTS_SECTIONS,
	TEXTS_NOTES,
	TEXTS_HOLDERS,
	TEXTS_PROC_MODULES,
	TEXTS_TAINTED,
	TEXTS_DEBUG, /* /sys/kernel/debug/modules */
	TEXTS_SYMBOLS, /* lines of /proc/kallsyms */
	TEXTS_EXPORTS,
	TEXTS_HIDDEN, /* what somebody without rights sees */
	TEXTS_UNLOAD, /* delete_module's errno */
	TEXTS_CATEGORIES,
};

struct texts_report;

/* `explained` (differences that have a reason) and `json` may be NULL. -EINVAL: what is in the
 * first is not of its form. */
int texts_report_new(const char *explained, const char *json, struct texts_report **report_ret);
void texts_report_free(struct texts_report *report);
/* One entry: equal if both texts are. `theirs`, `ours`: NULL where it is missing. */
void texts_compare(struct texts_report *report, enum texts_category category, const char *place,
		   const char *theirs, const char *ours);
/* The table, and differences in words; as TAP where wanted. False: something has no reason. */
bool texts_report_print(const struct texts_report *report, bool tap);

/* ---- places.c ---- */

/* Bytes that are at one address there and at another here. */
struct texts_span {
	uint64_t theirs, ours, size;
};

/* A module on both sides. */
struct texts_module {
	char name[TEXTS_NAME];
	struct texts_span spans[KOCOON_REGION_COUNT + 1]; /* regions, per-CPU data */
	size_t span_count;
};

struct texts_places {
	struct texts_module *modules; /* owned */
	size_t count;
	struct kc_index by_name;
	size_t last; /* that was asked for */
};

struct texts_subject;

int texts_places_init(struct texts_places *places, size_t expected);
void texts_places_deinit(struct texts_places *places);
/*
 * The module that both have just loaded, by the machine's records of it and what the subject has
 * noted; their sizes are compared. -ENOMEM.
 */
int texts_places_add(struct texts_places *places, struct kc_record_group group,
		     const struct texts_subject *subject, struct texts_report *report);
/* NULL: no module of this name was loaded. */
const struct texts_module *texts_places_find(struct texts_places *places, const char *name);
/* Where something of the module has to be here, that is at `theirs` there. What is nowhere in the
 * module is the same number on both sides. */
uint64_t texts_expected(const struct texts_module *module, uint64_t theirs);
/* The machine's text with each address in it ("0x" and 16 digits) as it has to be here. */
char *texts_translate(const struct texts_module *module, const char *theirs);

/* ---- supplies.c ---- */

/*
 * Every export of the kernel that libkocoon doesn't bring along itself; `others`: the machine's
 * records of its own memory. -ENOMEM. Once in a process. Freed with free(3).
 */
int texts_supplies(const struct kocoon_kernel *kernel, struct kc_record_group others,
		   struct kocoon_supply **supplies_ret, size_t *count_ret);

/* ---- subject.c ---- */

/* Regions of the module that is being loaded, as its init would find them. */
struct texts_subject {
	struct kocoon *kocoon;
	struct kocoon_kernel *kernel;
	char newest[TEXTS_NAME];
	uint64_t addresses[KOCOON_REGION_COUNT], sizes[KOCOON_REGION_COUNT];
	uint64_t percpu, percpu_size;
};

/* Prints what can't be had. */
int texts_subject_init(struct texts_subject *subject, const char *image,
		       const struct kc_records *records);
void texts_subject_deinit(struct texts_subject *subject);
/* finit_module(); the module's init and exit are never called. */
int texts_subject_load(struct texts_subject *subject, const char *path, const char *arguments);

/* ---- lines.c ---- */

/* "PATH KIND MODE SIZE CONTENTS", as RECORD_VIEW has it; by path. */
struct texts_lines {
	char **lines; /* owned, each of them too */
	size_t count, room;
	bool failed; /* no memory for one */
};

void texts_lines_add(struct texts_lines *lines, const char *bytes, size_t len);
void texts_lines_sort(struct texts_lines *lines);
void texts_lines_deinit(struct texts_lines *lines);
/* What is at a path, and below. `user`: for somebody without rights. */
void texts_lines_show(struct texts_lines *lines, struct kocoon *kocoon, const char *path,
		      bool user);
/* As strcmp() of two lines' paths. */
int texts_compare_paths(const char *a, const char *b);

/* ---- symbols.c ---- */

/* The modules' lines of /proc/kallsyms, and what they export. -ENOMEM. */
int texts_compare_symbols(struct texts_places *places, struct kc_record_group group,
			  struct kocoon *kocoon, bool user, struct texts_report *report);

#endif
