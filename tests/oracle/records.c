/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file of records, mapped, checked, and grouped by the line of the list; see records.h. */
#include "records.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int map_file(const char *path, struct kc_span *map_ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	struct stat status;
	void *map = NULL;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) != 0)
		err = -errno;
	else if (status.st_size)
		map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		err = -errno;
	close(fd);
	if (!err)
		*map_ret = kc_span(map, (size_t)status.st_size);
	return err;
}

/* What a record of a kind has at least. */
static size_t least(enum record_kind kind)
{
	switch (kind) {
	case RECORD_RESULT:
	case RECORD_UNLOAD:
	case RECORD_TRIED:
		return sizeof(int32_t);
	case RECORD_MODULE:
		return sizeof(struct record_module);
	case RECORD_REGION:
		return sizeof(struct record_region);
	case RECORD_MEMORY:
		return sizeof(struct record_memory);
	default:
		return 0;
	}
}

/* False: what is at `*at` is no record. */
static bool take_record(struct kc_span map, uint64_t *at, struct kc_record *record_ret)
{
	struct record_header header;
	struct kc_span bytes;
	uint64_t end;

	if (!kc_span_contains(map, *at, sizeof(header)))
		return false;
	memcpy(&header, map.data + *at, sizeof(header));
	if (header.kind < RECORD_START || header.kind > RECORD_END ||
	    !kc_span_sub(map, *at + sizeof(header), header.size, &bytes) ||
	    bytes.len < least(header.kind))
		return false;
	end = *at + sizeof(header) + kc_align(header.size, 8);
	if (end > map.len)
		return false;
	*record_ret = (struct kc_record){ header.kind, header.index, bytes };
	*at = end;
	return true;
}

static int compare_records(const void *a, const void *b)
{
	const struct kc_record *left = a, *right = b;

	if (left->index != right->index)
		return left->index < right->index ? -1 : 1;
	/* Offsets in the file are its order. */
	return left->bytes.data < right->bytes.data ? -1 : left->bytes.data > right->bytes.data;
}

static int collect(struct kc_records *records, uint64_t *where)
{
	size_t room = 0;

	while (*where < records->map.len) {
		if (records->count == room) {
			struct kc_record *more;

			room = room ? room * 2 : 1024;
			more = reallocarray(records->all, room, sizeof(*more));
			if (!more)
				return -ENOMEM;
			records->all = more;
		}
		if (!take_record(records->map, where, &records->all[records->count]))
			return -EBADMSG;
		records->count++;
	}
	records->complete = records->count && records->all[records->count - 1].kind == RECORD_END;
	return 0;
}

/* Indices are numbers of lines of a list: none is far above the number of records. */
static int group(struct kc_records *records)
{
	if (records->count)
		qsort(records->all, records->count, sizeof(*records->all), compare_records);
	for (size_t i = records->count; i-- > 0 && !records->group_count;)
		if (records->all[i].index != RECORD_NO_INDEX)
			records->group_count = (size_t)records->all[i].index + 1;
	if (records->group_count > 1 << 24)
		return -EBADMSG;
	records->groups = calloc(records->group_count + 1, sizeof(*records->groups));
	if (!records->groups)
		return -ENOMEM;
	for (size_t i = 0; i < records->count; i++) {
		struct kc_record *record = &records->all[i];
		struct kc_record_group *group = record->index == RECORD_NO_INDEX
							? &records->others
							: &records->groups[record->index];

		if (!group->count++)
			group->records = record;
	}
	return 0;
}

int kc_records_open(const char *path, struct kc_records *records_ret, uint64_t *where_ret)
{
	struct kc_records records = { 0 };
	uint64_t where = 0;
	int err = map_file(path, &records.map);

	if (!err)
		err = collect(&records, &where);
	if (!err)
		err = group(&records);
	if (err == -EBADMSG && where_ret)
		*where_ret = where;
	if (err)
		kc_records_close(&records);
	else
		*records_ret = records;
	return err;
}

void kc_records_close(struct kc_records *records)
{
	if (records->map.len)
		munmap((void *)(uintptr_t)records->map.data, records->map.len);
	free(records->groups);
	free(records->all);
	*records = (struct kc_records){ 0 };
}

struct kc_record_group kc_records_of(const struct kc_records *records, uint32_t index)
{
	return index < records->group_count ? records->groups[index]
					    : (struct kc_record_group){ 0 };
}

const struct kc_record *kc_records_next(struct kc_record_group group, enum record_kind kind,
					size_t *at)
{
	while (*at < group.count) {
		const struct kc_record *record = &group.records[(*at)++];

		if (record->kind == kind)
			return record;
	}
	return NULL;
}

const struct kc_record *kc_records_first(struct kc_record_group group, enum record_kind kind)
{
	size_t at = 0;

	return kc_records_next(group, kind, &at);
}

struct record_module kc_record_module(const struct kc_record *record)
{
	struct record_module module;

	memcpy(&module, record->bytes.data, sizeof(module));
	return module;
}

struct record_region kc_record_region(const struct kc_record *record, struct kc_span *bytes_ret)
{
	struct record_region region;

	memcpy(&region, record->bytes.data, sizeof(region));
	*bytes_ret =
		kc_span(record->bytes.data + sizeof(region), record->bytes.len - sizeof(region));
	return region;
}

struct record_memory kc_record_memory(const struct kc_record *record, struct kc_span *bytes_ret)
{
	struct record_memory memory;

	memcpy(&memory, record->bytes.data, sizeof(memory));
	*bytes_ret =
		kc_span(record->bytes.data + sizeof(memory), record->bytes.len - sizeof(memory));
	return memory;
}

int32_t kc_record_errno(const struct kc_record *record)
{
	int32_t err;

	memcpy(&err, record->bytes.data, sizeof(err));
	return err;
}
