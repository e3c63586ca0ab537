/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The modules that are there already: their names and exports, found by name in constant time. */
#include "judge.h"

#include <errno.h>
#include <stdlib.h>

struct neighbour {
	char *name; /* owned */
	uint64_t taints;
	struct kocoon_export *exports; /* owned, one block with their names */
};

struct offer {
	const struct kocoon_export *export;
	uint32_t neighbour;
};

struct judge_neighbours {
	struct neighbour *list; /* owned */
	size_t count, room;
	struct offer *offers; /* owned */
	size_t offer_count, offer_room;
	struct kc_index by_name, by_export;
};

struct judge_neighbours *judge_neighbours_new(void)
{
	struct judge_neighbours *neighbours = calloc(1, sizeof(*neighbours));

	if (!neighbours)
		return NULL;
	if (kc_index_init(&neighbours->by_name, 4096) == 0 &&
	    kc_index_init(&neighbours->by_export, 1 << 15) == 0)
		return neighbours;
	judge_neighbours_free(neighbours);
	return NULL;
}

void judge_neighbours_free(struct judge_neighbours *neighbours)
{
	if (!neighbours)
		return;
	for (size_t i = 0; i < neighbours->count; i++) {
		free(neighbours->list[i].name);
		free(neighbours->list[i].exports);
	}
	kc_index_deinit(&neighbours->by_name);
	kc_index_deinit(&neighbours->by_export);
	free(neighbours->list);
	free(neighbours->offers);
	free(neighbours);
}

static const struct offer *find_offer(const struct judge_neighbours *neighbours, const char *name,
				      uint32_t hash)
{
	uint32_t cursor = 0, found;

	while ((found = kc_index_next(&neighbours->by_export, hash, &cursor)) != KC_INDEX_NONE)
		if (strcmp(neighbours->offers[found].export->name, name) == 0)
			return &neighbours->offers[found];
	return NULL;
}

void judge_neighbours_bind(const struct judge_neighbours *neighbours, struct kc_load *load)
{
	for (size_t i = 0; i < load->import_count; i++) {
		struct kc_import *import = &load->imports[i];
		const struct offer *offer;

		if (import->export)
			continue;
		offer = find_offer(neighbours, import->name, import->hash);
		if (!offer)
			continue;
		import->export = offer->export;
		import->provider = (int)offer->neighbour;
		import->provider_name = neighbours->list[offer->neighbour].name;
		import->provider_taints = neighbours->list[offer->neighbour].taints;
	}
}

/* Its own copy: the load's names are in the module's memory. */
static struct kocoon_export *copy_exports(const struct kc_load *load)
{
	size_t size = sizeof(*load->exports) * (load->export_count + 1);
	struct kocoon_export *exports;
	char *next;

	for (size_t i = 0; i < load->export_count; i++)
		size += strlen(load->exports[i].name) + 1 +
			(load->exports[i].ns ? strlen(load->exports[i].ns) + 1 : 0);
	exports = calloc(1, size);
	if (!exports)
		return NULL;
	next = (char *)&exports[load->export_count + 1];
	for (size_t i = 0; i < load->export_count; i++) {
		exports[i] = load->exports[i];
		exports[i].name = next;
		next = stpcpy(next, load->exports[i].name) + 1;
		if (!exports[i].ns)
			continue;
		exports[i].ns = next;
		next = stpcpy(next, load->exports[i].ns) + 1;
	}
	return exports;
}

static void *grow(void *list, size_t count, size_t more, size_t size, size_t *room)
{
	size_t wanted = *room ? *room : 1024;
	void *grown = list;

	while (wanted < count + more)
		wanted *= 2;
	if (wanted != *room)
		grown = reallocarray(list, wanted, size);
	if (grown)
		*room = wanted;
	return grown;
}

static int offer_all(struct judge_neighbours *neighbours, const struct kocoon_export *exports,
		     size_t count)
{
	struct offer *offers = grow(neighbours->offers, neighbours->offer_count, count,
				    sizeof(*offers), &neighbours->offer_room);
	int err = 0;

	if (!offers)
		return -ENOMEM;
	neighbours->offers = offers;
	for (size_t i = 0; i < count && !err; i++) {
		offers[neighbours->offer_count] =
			(struct offer){ &exports[i], (uint32_t)neighbours->count - 1 };
		err = kc_index_add(&neighbours->by_export, kc_hash(exports[i].name),
				   (uint32_t)neighbours->offer_count++);
	}
	return err;
}

int judge_neighbours_add(struct judge_neighbours *neighbours, const struct kc_load *load)
{
	struct neighbour *list =
		grow(neighbours->list, neighbours->count, 1, sizeof(*list), &neighbours->room);
	struct neighbour *neighbour;

	if (!list)
		return -ENOMEM;
	neighbours->list = list;
	neighbour = &list[neighbours->count++];
	*neighbour =
		(struct neighbour){ strdup(load->struct_name), load->taints, copy_exports(load) };
	if (!neighbour->name || !neighbour->exports ||
	    kc_index_add(&neighbours->by_name, kc_hash(neighbour->name),
			 (uint32_t)neighbours->count - 1))
		return -ENOMEM;
	return offer_all(neighbours, neighbour->exports, load->export_count);
}

bool judge_neighbours_exists(const struct judge_neighbours *neighbours, const char *name)
{
	uint32_t cursor = 0, found, hash = kc_hash(name);

	while ((found = kc_index_next(&neighbours->by_name, hash, &cursor)) != KC_INDEX_NONE)
		if (strcmp(neighbours->list[found].name, name) == 0)
			return true;
	return false;
}

const char *judge_neighbours_exported(const struct judge_neighbours *neighbours, const char *name,
				      uint32_t hash)
{
	const struct offer *offer = find_offer(neighbours, name, hash);

	return offer ? neighbours->list[offer->neighbour].name : NULL;
}
