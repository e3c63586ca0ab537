/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the oracle's machine told (record.h), for those who judge by it: the file is mapped, and was
 * looked through as a whole before a record is given out. Spans point into the map and live as long
 * as the records do. Read-only: any number of threads may read.
 */
#ifndef KC_ORACLE_RECORDS_H
#define KC_ORACLE_RECORDS_H

#include "base/span.h"
#include "record.h"

struct kc_record {
	enum record_kind kind;
	uint32_t index; /* the line of the list; RECORD_NO_INDEX: of none */
	struct kc_span bytes;
};

/* One line of the list, with what is told of it, in the order in which it was told. */
struct kc_record_group {
	struct kc_record *records;
	size_t count;
};

struct kc_records {
	struct kc_span map;
	struct kc_record *all; /* owned; sorted by index, in their order within each */
	size_t count;
	struct kc_record_group *groups; /* owned; by index: 0 .. group_count - 1 */
	size_t group_count;
	struct kc_record_group others; /* of no line: RECORD_NO_INDEX */
	bool complete; /* the last boot came to the end of its plan */
};

/*
 * -ENOENT, ...: the file. -EBADMSG: it is no stream of whole records, or a record is too short for
 * its kind; `where_ret` (may be NULL) is the offset of that one. -ENOMEM.
 */
KC_MUST_CHECK int kc_records_open(const char *path, struct kc_records *records_ret,
				  uint64_t *where_ret);
void kc_records_close(struct kc_records *records);

/* What is told of a line; empty where nothing is. */
struct kc_record_group kc_records_of(const struct kc_records *records, uint32_t index);
/* The next record of a kind in a group from `*at` on, which is moved behind it; NULL: none. */
const struct kc_record *kc_records_next(struct kc_record_group group, enum record_kind kind,
					size_t *at);
/* The first one of a kind, or NULL. */
const struct kc_record *kc_records_first(struct kc_record_group group, enum record_kind kind);

/* What is in front of the bytes of some kinds. Lengths were checked by kc_records_open(). */
struct record_module kc_record_module(const struct kc_record *record);
struct record_region kc_record_region(const struct kc_record *record, struct kc_span *bytes_ret);
struct record_memory kc_record_memory(const struct kc_record *record, struct kc_span *bytes_ret);
/* RECORD_RESULT, RECORD_UNLOAD, RECORD_TRIED: 0 or an errno. */
int32_t kc_record_errno(const struct kc_record *record);

#endif
