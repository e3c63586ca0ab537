/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /proc/kallsyms: the lines of each module in their order, the modules in theirs; and what modules
 * export, by the __ksymtab_ symbols among these lines.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "texts.h"

enum { LINE = 1024, ADDRESS_DIGITS = 16 };

/* Lines of one module, one behind the other. */
struct block {
	char module[TEXTS_NAME];
	char **lines;
	size_t count;
};

/* ---- a line: "ADDRESS TYPE NAME\t[MODULE]" ---- */

static bool find_module(const char *line, char module_ret[TEXTS_NAME])
{
	const char *at = strrchr(line, '[');
	size_t len = at ? strcspn(at + 1, "]") : 0;

	if (!at || at == line || at[-1] != '\t' || len >= TEXTS_NAME)
		return false;
	memcpy(module_ret, at + 1, len);
	module_ret[len] = 0;
	return true;
}

static const char *name_of(const char *line, size_t *len_ret)
{
	const char *name = line + ADDRESS_DIGITS + 3;

	*len_ret = strcspn(name, "\t");
	return name;
}

static bool is_whole(const char *line)
{
	return strlen(line) > ADDRESS_DIGITS + 3;
}

/* ---- exports ---- */

static int index_names(const struct block *block, struct kc_index *index_ret)
{
	int err = kc_index_init(index_ret, block->count + 1);

	for (size_t i = 0; i < block->count && !err; i++) {
		size_t len;
		const char *name = name_of(block->lines[i], &len);

		err = kc_index_add(index_ret, kc_hash_bytes(name, len), (uint32_t)i);
	}
	return err;
}

/* Of several static ones of a name it is the one that is exported, if that is told: in capitals. */
static const char *find_line(const struct block *block, const struct kc_index *index,
			     const char *name, size_t len)
{
	uint32_t hash = kc_hash_bytes(name, len), cursor = 0, found;
	const char *first = NULL;

	while ((found = kc_index_next(index, hash, &cursor)) != KC_INDEX_NONE) {
		size_t of_line;
		const char *other = name_of(block->lines[found], &of_line);
		char type = block->lines[found][ADDRESS_DIGITS + 1];

		if (of_line != len || memcmp(name, other, len) != 0)
			continue;
		if (type >= 'A' && type <= 'Z')
			return block->lines[found];
		if (!first)
			first = block->lines[found];
	}
	return first;
}

/* `line`: the machine's of what is exported; NULL: it has none. */
static void compare_export(const struct texts_module *module, const char *line, const char *name,
			   struct kocoon *kocoon, struct texts_report *report)
{
	char place[LINE], expected[32] = "no symbol of this name", ours[32];

	snprintf(place, sizeof(place), "%s/%s", module->name, name);
	if (line)
		snprintf(expected, sizeof(expected), "%#" PRIx64,
			 texts_expected(module, strtoull(line, NULL, 16)));
	snprintf(ours, sizeof(ours), "%#" PRIx64, kocoon_symbol_address(kocoon, name));
	texts_compare(report, TEXTS_EXPORTS, place, expected, ours);
}

static int compare_exports(const struct texts_module *module, const struct block *block,
			   struct kocoon *kocoon, struct texts_report *report)
{
	static const char prefix[] = "__ksymtab_";
	struct kc_index index = { 0 };
	int err = index_names(block, &index);

	for (size_t i = 0; i < block->count && !err; i++) {
		size_t len;
		const char *name = name_of(block->lines[i], &len), *line;
		char exported[LINE];

		if (len <= strlen(prefix) || memcmp(name, prefix, strlen(prefix)) != 0)
			continue;
		snprintf(exported, sizeof(exported), "%.*s", (int)(len - strlen(prefix)),
			 name + strlen(prefix));
		line = find_line(block, &index, exported, strlen(exported));
		compare_export(module, line, exported, kocoon, report);
	}
	kc_index_deinit(&index);
	return err;
}

/* ---- lines ---- */

/* The machine's line as it has to be here. */
static void expect_line(const struct texts_module *module, const char *line,
			char expected_ret[LINE])
{
	uint64_t address = texts_expected(module, strtoull(line, NULL, 16));

	snprintf(expected_ret, LINE, "%016" PRIx64 "%s", address, line + ADDRESS_DIGITS);
}

static void compare_block(const struct texts_module *module, const struct block *theirs,
			  const struct block *ours, enum texts_category category,
			  struct texts_report *report)
{
	size_t count = theirs->count > ours->count ? theirs->count : ours->count;
	char place[2 * TEXTS_NAME], expected[LINE];

	for (size_t i = 0; i < count; i++) {
		snprintf(place, sizeof(place), "kallsyms/%s/%zu", module->name, i);
		if (i < theirs->count)
			expect_line(module, theirs->lines[i], expected);
		texts_compare(report, category, place, i < theirs->count ? expected : NULL,
			      i < ours->count ? ours->lines[i] : NULL);
	}
}

/* ---- all of them ---- */

/* The lines of modules that both have loaded, in their order. */
static void collect(struct texts_lines *lines, struct texts_places *places, const char *text,
		    size_t len)
{
	char copy[LINE], module[TEXTS_NAME];

	if (len >= sizeof(copy))
		return;
	memcpy(copy, text, len);
	copy[len] = 0;
	if (is_whole(copy) && find_module(copy, module) && texts_places_find(places, module))
		texts_lines_add(lines, copy, len);
}

static int collect_ours(struct texts_lines *lines, struct texts_places *places,
			struct kocoon *kocoon, bool user)
{
	const struct kocoon_reader reader = { .show_addresses = !user };
	char *text, *rest, *line;
	size_t len;
	int err = kocoon_view_read(kocoon, "/proc/kallsyms", &reader, &text, &len);

	if (err)
		return err;
	for (rest = text; (line = strsep(&rest, "\n"));)
		collect(lines, places, line, strlen(line));
	free(text);
	return lines->failed ? -ENOMEM : 0;
}

/* The lines from `*at` on that are of one module; false behind the last. */
static bool next_block(const struct texts_lines *lines, size_t *at, struct block *block_ret)
{
	struct block block = { .lines = lines->lines + *at };
	char module[TEXTS_NAME];

	if (*at == lines->count || !find_module(lines->lines[*at], block.module))
		return false;
	while (*at < lines->count && find_module(lines->lines[*at], module) &&
	       !strcmp(module, block.module)) {
		block.count++;
		++*at;
	}
	*block_ret = block;
	return true;
}

static int compare_all(struct texts_places *places, const struct texts_lines *theirs,
		       const struct texts_lines *ours, struct kocoon *kocoon, bool user,
		       struct texts_report *report)
{
	enum texts_category category = user ? TEXTS_HIDDEN : TEXTS_SYMBOLS;
	struct block of_kernel, of_kocoon = { .count = 0 };
	size_t at = 0, at_ours = 0;
	int err = 0;

	while (!err && next_block(theirs, &at, &of_kernel)) {
		const struct texts_module *module = texts_places_find(places, of_kernel.module);
		size_t here = at_ours;

		/* A module that isn't next here is told once, by its name. */
		if (!next_block(ours, &here, &of_kocoon) ||
		    strcmp(of_kocoon.module, of_kernel.module) != 0) {
			texts_compare(report, category, "kallsyms", of_kernel.module,
				      of_kocoon.module);
			continue;
		}
		at_ours = here;
		compare_block(module, &of_kernel, &of_kocoon, category, report);
		if (!user)
			err = compare_exports(module, &of_kernel, kocoon, report);
	}
	while (next_block(ours, &at_ours, &of_kocoon))
		texts_compare(report, category, "kallsyms", NULL, of_kocoon.module);
	return err;
}

int texts_compare_symbols(struct texts_places *places, struct kc_record_group group,
			  struct kocoon *kocoon, bool user, struct texts_report *report)
{
	struct texts_lines theirs = { 0 }, ours = { 0 };
	const struct kc_record *record;
	size_t at = 0;
	int err;

	while ((record = kc_records_next(group, RECORD_SYMBOL, &at)))
		collect(&theirs, places, (const char *)record->bytes.data, record->bytes.len);
	err = theirs.failed ? -ENOMEM : collect_ours(&ours, places, kocoon, user);
	if (!err)
		err = compare_all(places, &theirs, &ours, kocoon, user, report);
	texts_lines_deinit(&theirs);
	texts_lines_deinit(&ours);
	return err;
}
