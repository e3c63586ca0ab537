/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reports: what was found wrong, in words, beside the errno.
 *
 * A finding is written once, where the fault is found: stage, errno, what is wrong and where; then,
 * about the same finding, what was expected, what was found, what a person can do. Texts are
 * copied. A report that runs out of memory keeps the errno and says "out of memory" as text: it
 * never fails. One report belongs to one thread at a time.
 *
 *	kc_finding(report, KOCOON_STAGE_ELF, -ENOEXEC, "section %u (%s) ends behind the file's end",
 *		   i, name);
 *	kc_expected(report, "at most %#" PRIx64 " bytes", len);
 *	kc_found(report, "%#" PRIx64, end);
 *	kc_hint(report, "the file is cut short: copy it again");
 *	return -ENOEXEC;
 */
#ifndef KC_BASE_REPORT_H
#define KC_BASE_REPORT_H

#include <stddef.h>

#include "base/span.h"
#include "kocoon/kocoon.h"

struct kocoon_report {
	struct kocoon_finding *findings; /* owned, as are the texts in it */
	size_t count;
	size_t capacity;
	/* memory ran out: the last finding of the array stands for those that could not be kept */
	bool lost;
};

void kc_report_init(struct kocoon_report *report);
void kc_report_deinit(struct kocoon_report *report);

/*
 * Adds a finding and returns `err`. A NULL report is allowed everywhere: nothing is then written
 * down.
 */
int kc_finding(struct kocoon_report *report, enum kocoon_stage stage, int err, const char *format,
	       ...) KC_PRINTF(4, 5);

/* About the finding that was added last. */
void kc_expected(struct kocoon_report *report, const char *format, ...) KC_PRINTF(2, 3);
void kc_found(struct kocoon_report *report, const char *format, ...) KC_PRINTF(2, 3);
void kc_hint(struct kocoon_report *report, const char *format, ...) KC_PRINTF(2, 3);

/* Moves all findings of `from` behind those of `to`; `from` is empty then. */
void kc_report_move(struct kocoon_report *to, struct kocoon_report *from);

#endif
