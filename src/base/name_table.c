/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names to things that come and go: see name_table.h. Linear probing at half load; a removed entry
 * leaves a mark where others stand behind it, so that a reader's walk never ends too early. When
 * entries and marks fill half of the slots, the entries are copied into new ones, and readers of
 * the old ones finish there.
 */
#include "base/name_table.h"

#include <errno.h>
#include <stdlib.h>

struct kc_name_slots {
	struct kc_waste waste;
	uint32_t mask;
	uint32_t used; /* entries and marks; the writer's */
	_Atomic(struct kc_named *) slot[];
};

static struct kc_named removed = { .name = "" };

static struct kc_name_slots *slots_of(const struct kc_name_table *table)
{
	/* Acquire: the slots were filled before they were published. */
	return atomic_load_explicit(&table->slots, memory_order_acquire);
}

static struct kc_name_slots *slots_new(uint32_t entries)
{
	uint32_t size = 16;
	struct kc_name_slots *slots;

	while (size < entries * 2)
		size *= 2;
	slots = calloc(1, sizeof(*slots) + size * sizeof(slots->slot[0]));
	if (slots)
		slots->mask = size - 1;
	return slots;
}

static void free_slots(struct kc_waste *waste)
{
	free((char *)waste - offsetof(struct kc_name_slots, waste));
}

int kc_name_table_init(struct kc_name_table *table, struct kc_garbage *garbage)
{
	struct kc_name_slots *slots = slots_new(8);

	if (!slots)
		return -ENOMEM;
	table->count = 0;
	table->reserved = 0;
	table->garbage = garbage;
	atomic_init(&table->slots, slots);
	return 0;
}

void kc_name_table_deinit(struct kc_name_table *table)
{
	free(slots_of(table));
	atomic_init(&table->slots, NULL);
}

/*
 * Release: who finds the entry sees what it consists of. A mark's slot may be taken: whoever walks
 * past it walks past the entry as well.
 */
static void insert(struct kc_name_slots *slots, struct kc_named *entry)
{
	uint32_t at = entry->hash & slots->mask;
	struct kc_named *there;

	while ((there = atomic_load_explicit(&slots->slot[at], memory_order_relaxed)) &&
	       there != &removed)
		at = (at + 1) & slots->mask;
	slots->used += !there;
	atomic_store_explicit(&slots->slot[at], entry, memory_order_release);
}

/* Marks at the end of a run lead nowhere: no walk is cut short when they become empty. */
static void trim_run(struct kc_name_slots *slots, uint32_t at)
{
	if (atomic_load_explicit(&slots->slot[(at + 1) & slots->mask], memory_order_relaxed))
		return;
	while (atomic_load_explicit(&slots->slot[at], memory_order_relaxed) == &removed) {
		atomic_store_explicit(&slots->slot[at], NULL, memory_order_release);
		slots->used--;
		at = (at - 1) & slots->mask;
	}
}

static int rebuild(struct kc_name_table *table, uint32_t entries)
{
	struct kc_name_slots *old = slots_of(table);
	struct kc_name_slots *slots = slots_new(entries);

	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i <= old->mask; i++) {
		struct kc_named *entry = atomic_load_explicit(&old->slot[i], memory_order_relaxed);

		if (entry && entry != &removed)
			insert(slots, entry);
	}
	atomic_store_explicit(&table->slots, slots, memory_order_release);
	kc_garbage_add(table->garbage, &old->waste, free_slots);
	return 0;
}

int kc_name_table_reserve(struct kc_name_table *table, uint32_t more)
{
	const struct kc_name_slots *slots = slots_of(table);
	uint32_t unused = table->reserved - table->count;

	if (more > UINT32_MAX / 8 - table->reserved)
		return -ENOMEM;
	/* What others have reserved and not used yet takes slots too. */
	if (slots->used + unused + more > (slots->mask + 1) / 2) {
		int err = rebuild(table, (table->reserved + more) * 2);

		if (err)
			return err;
	}
	table->reserved += more;
	return 0;
}

void kc_name_table_unreserve(struct kc_name_table *table, uint32_t fewer)
{
	table->reserved -= fewer;
}

void kc_name_table_add(struct kc_name_table *table, struct kc_named *entry)
{
	insert(slots_of(table), entry);
	table->count++;
}

void kc_name_table_remove(struct kc_name_table *table, struct kc_named *entry)
{
	struct kc_name_slots *slots = slots_of(table);
	uint32_t at = entry->hash & slots->mask;

	while (atomic_load_explicit(&slots->slot[at], memory_order_relaxed) != entry)
		at = (at + 1) & slots->mask;
	atomic_store_explicit(&slots->slot[at], &removed, memory_order_release);
	trim_run(slots, at);
	table->count--;
	table->reserved--;
}

struct kc_named *kc_name_table_find(const struct kc_name_table *table, const char *name,
				    uint32_t hash)
{
	struct kc_name_slots *slots = slots_of(table);

	for (uint32_t at = hash & slots->mask;; at = (at + 1) & slots->mask) {
		/* Acquire: the entry was complete before it was put here. */
		struct kc_named *entry =
			atomic_load_explicit(&slots->slot[at], memory_order_acquire);

		if (!entry)
			return NULL;
		if (entry != &removed && entry->hash == hash && strcmp(entry->name, name) == 0)
			return entry;
	}
}
