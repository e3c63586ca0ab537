/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What `kocoon map` shows of a module, gathered once for its three outputs.
 */
#ifndef CLI_MAP_H
#define CLI_MAP_H

#include "kocoon/kocoon.h"

#include "cli/text.h"

struct map {
	const struct kocoon_module *module;
	const struct kocoon_verdict *verdict;
	const char *kernel; /* its name */
	const struct kocoon_region *regions[KOCOON_REGION_COUNT];
	size_t region_count;
	uint64_t size; /* of all regions */
	uint64_t freed_size; /* of those that are freed after init */
};

/* A picture of it: one bar of all regions to scale, and a column a region. */
void map_svg(const struct map *map, struct text *out);

#endif
