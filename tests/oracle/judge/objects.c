/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Objects in a module's data that its tables lead to, with the types that the kernel's BTF has for
 * them: so a byte is said to be "trace_event_call.event.node.next", not ".data+0x4c8".
 */
#include "judge.h"

#include <bpf/btf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum entry {
	ENTRY_OBJECT, /* the table is an array of them */
	ENTRY_POINTER,
	ENTRY_RELATIVE32, /* to an object; two low bits are flags */
	ENTRY_RELATIVE64,
};

struct table {
	const char *section;
	enum entry entry;
	uint32_t size; /* of an entry; 0: of the object */
	uint32_t at; /* of the pointer in it */
	const char *type;
};

static const struct table tables[] = {
	{ ".gnu.linkonce.this_module", ENTRY_OBJECT, 0, 0, "module" },
	{ "_ftrace_events", ENTRY_POINTER, 8, 0, "trace_event_call" },
	{ "_ftrace_eval_map", ENTRY_POINTER, 8, 0, "trace_eval_map" },
	{ "__tracepoints_ptrs", ENTRY_RELATIVE32, 4, 0, "tracepoint" },
	{ "___srcu_struct_ptrs", ENTRY_POINTER, 8, 0, "srcu_struct" },
	{ "__dyndbg", ENTRY_OBJECT, 0, 0, "_ddebug" },
	{ "__dyndbg_classes", ENTRY_OBJECT, 0, 0, "ddebug_class_map" },
	{ ".static_call_sites", ENTRY_RELATIVE32, 8, 4, "static_call_key" },
	{ "__jump_table", ENTRY_RELATIVE64, 16, 8, "static_key" },
	{ "__bug_table", ENTRY_OBJECT, 0, 0, "bug_entry" },
	{ "__param", ENTRY_OBJECT, 0, 0, "kernel_param" },
	{ "__bpf_raw_tp_map", ENTRY_OBJECT, 0, 0, "bpf_raw_event_map" },
};

/* A member that points to an object further on. */
static const struct link {
	const char *type, *member;
	const char *to; /* NULL: a text */
	const char *name;
} links[] = {
	{ "trace_event_call", "class", "trace_event_class", NULL },
	{ "trace_event_call", "event.funcs", "trace_event_functions", NULL },
	{ "trace_event_call", "print_fmt", NULL, "print_fmt" },
	{ "trace_event_class", "fields_array", "trace_event_fields", NULL },
	/* One behind the other, up to one without a type. */
	{ "trace_event_fields", NULL, "trace_event_fields", NULL },
};

static const struct btf_type *find_struct(const struct btf *btf, const char *name,
					  uint32_t *type_ret)
{
	int id = btf ? btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT) : -1;

	if (id <= 0)
		return NULL;
	*type_ret = (uint32_t)id;
	return btf__type_by_id(btf, (uint32_t)id);
}

static int add(struct judge_objects *objects, const struct judge_object *object)
{
	if (objects->count == objects->room) {
		size_t room = objects->room ? objects->room * 2 : 64;
		struct judge_object *list = reallocarray(objects->list, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		objects->list = list;
		objects->room = room;
	}
	objects->list[objects->count++] = *object;
	return 0;
}

static uint64_t pointer_at(const struct table *table, uint64_t address, const uint8_t *bytes)
{
	switch (table->entry) {
	case ENTRY_POINTER:
		return kc_load64(bytes);
	case ENTRY_RELATIVE32:
		return (address + (uint64_t)(int32_t)kc_load32(bytes)) & ~UINT64_C(3);
	case ENTRY_RELATIVE64:
		return (address + kc_load64(bytes)) & ~UINT64_C(3);
	default:
		return address;
	}
}

static int add_table(const struct kc_load *load, const struct table *table,
		     struct judge_objects *objects)
{
	uint32_t index = kc_find_sec(load, table->section);
	const uint8_t *bytes = index ? kc_section_memory(load, index) : NULL;
	struct judge_object object = { .name = table->type };
	const struct btf_type *type =
		find_struct(kc_kernel_btf(load->kernel), table->type, &object.type);
	uint64_t size = bytes && type ? load->sections[index].shdr.sh_size : 0;
	uint64_t step = table->size ? table->size : type ? type->size : 0;
	int err = 0;

	for (uint64_t at = 0; at + step <= size && step && !err; at += step) {
		object.start = pointer_at(table, kc_section_address(load, index) + at + table->at,
					  bytes + at + table->at);
		object.size = type->size;
		if (kc_memory_at(&load->memory, object.start, object.size, NULL))
			err = add(objects, &object);
	}
	return err;
}

/* ---- members */

static const struct btf_type *skip_names(const struct btf *btf, uint32_t *type)
{
	const struct btf_type *found = btf__type_by_id(btf, *type);

	while (found && (btf_is_mod(found) || btf_is_typedef(found))) {
		*type = found->type;
		found = btf__type_by_id(btf, *type);
	}
	return found;
}

static uint64_t size_of(const struct btf *btf, uint32_t type)
{
	int64_t size = btf__resolve_size(btf, type);

	return size > 0 ? (uint64_t)size : 0;
}

/* The member of a structure that an offset lies in; of a union's, the first that is as long. */
static const struct btf_member *member_of(const struct btf *btf, const struct btf_type *type,
					  uint64_t offset)
{
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		uint64_t start = btf_member_bit_offset(type, i) / 8;

		if (offset >= start && offset - start < size_of(btf, btf_members(type)[i].type))
			return &btf_members(type)[i];
	}
	return NULL;
}

/* Down to what is no structure and no array; `object` becomes that part. */
static void descend(const struct btf *btf, struct judge_object *object, uint64_t address,
		    char path[192])
{
	for (;;) {
		const struct btf_type *type = skip_names(btf, &object->type);
		const struct btf_member *member;
		size_t len = strlen(path);

		if (!type)
			return;
		if (btf_is_array(type)) {
			uint64_t each = size_of(btf, btf_array(type)->type);

			if (!each)
				return;
			object->start += (address - object->start) / each * each;
			object->size = each;
			object->type = btf_array(type)->type;
			snprintf(path + len, 192 - len, "[]");
			continue;
		}
		if (!btf_is_composite(type))
			return;
		member = member_of(btf, type, address - object->start);
		if (!member)
			return;
		object->start +=
			btf_member_bit_offset(type, (uint32_t)(member - btf_members(type))) / 8;
		object->type = member->type;
		object->size = size_of(btf, member->type);
		if (member->name_off)
			snprintf(path + len, 192 - len, ".%s",
				 btf__name_by_offset(btf, member->name_off));
	}
}

/* Offset of "event.funcs" in a structure. False: it has none. */
static bool offset_of(const struct btf *btf, const struct btf_type *type, const char *path,
		      uint64_t *offset_ret)
{
	size_t len = strcspn(path, ".");

	for (uint32_t i = 0; type && i < btf_vlen(type); i++) {
		const struct btf_member *member = &btf_members(type)[i];
		const char *name = btf__name_by_offset(btf, member->name_off);
		uint32_t inner = member->type;
		const struct btf_type *next = skip_names(btf, &inner);

		if (strlen(name) == len && !memcmp(name, path, len)) {
			*offset_ret += btf_member_bit_offset(type, i) / 8;
			return !path[len] || offset_of(btf, next, path + len + 1, offset_ret);
		}
	}
	return false;
}

static int follow(const struct kc_load *load, const struct link *link,
		  const struct judge_object *from, struct judge_objects *objects)
{
	const struct btf *btf = kc_kernel_btf(load->kernel);
	struct judge_object object = { .name = link->to ? link->to : link->name };
	const struct btf_type *to = link->to ? find_struct(btf, link->to, &object.type) : NULL;
	uint64_t offset = 0, room = 0;
	const uint8_t *bytes;

	if (link->member &&
	    !offset_of(btf, btf__type_by_id(btf, from->type), link->member, &offset))
		return 0;
	bytes = kc_memory_at(&load->memory, from->start + offset, 8, NULL);
	if (!bytes || !kc_load64(bytes))
		return 0;
	object.start = link->member ? kc_load64(bytes) : from->start + from->size;
	bytes = kc_memory_at(&load->memory, object.start, 1, &room);
	if (!bytes)
		return 0;
	object.size = to ? to->size : strnlen((const char *)bytes, room);
	return object.size <= room ? add(objects, &object) : 0;
}

static int compare_objects(const void *a, const void *b)
{
	const struct judge_object *left = a, *right = b;

	if (left->start != right->start)
		return left->start < right->start ? -1 : 1;
	return left->size > right->size ? -1 : left->size < right->size;
}

static void drop_doubles(struct judge_objects *objects)
{
	size_t kept = 0;

	for (size_t i = 0; i < objects->count; i++)
		if (!i || compare_objects(&objects->list[kept - 1], &objects->list[i]) != 0)
			objects->list[kept++] = objects->list[i];
	objects->count = kept;
}

int judge_objects_make(const struct kc_load *load, struct judge_objects *objects_ret)
{
	struct judge_objects objects = { 0 };
	int err = 0;

	for (size_t i = 0; i < KC_ARRAY_SIZE(tables) && !err; i++)
		err = add_table(load, &tables[i], &objects);
	for (size_t i = 0; i < objects.count && !err; i++) {
		for (size_t l = 0; l < KC_ARRAY_SIZE(links) && !err; l++) {
			const struct judge_object from = objects.list[i];

			if (!strcmp(from.name, links[l].type))
				err = follow(load, &links[l], &from, &objects);
		}
	}
	if (objects.count)
		qsort(objects.list, objects.count, sizeof(*objects.list), compare_objects);
	drop_doubles(&objects);
	if (err)
		free(objects.list);
	else
		*objects_ret = objects;
	return err;
}

/* The one that starts last of those that hold the address: objects don't overlap but by nesting. */
static const struct judge_object *object_at(const struct judge_objects *objects, uint64_t address)
{
	enum { NESTED = 8 };
	size_t low = 0, high = objects->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (objects->list[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i-- > 0 && low - i <= NESTED;)
		if (address - objects->list[i].start < objects->list[i].size)
			return &objects->list[i];
	return NULL;
}

bool judge_member_at(const struct kc_load *load, const struct judge_objects *objects,
		     uint64_t address, struct judge_object *member_ret, char path_ret[192])
{
	const struct judge_object *object = object_at(objects, address);

	if (!object)
		return false;
	*member_ret = *object;
	snprintf(path_ret, 192, "%s", object->name);
	if (object->type)
		descend(kc_kernel_btf(load->kernel), member_ret, address, path_ret);
	return true;
}
