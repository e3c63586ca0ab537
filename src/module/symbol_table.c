/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "module/symbol_table.h"

#include <stdlib.h>

struct kc_symbol_places {
	uint32_t count;
	uint32_t *symbols; /* entry of the table; in this allocation */
	uint64_t values[]; /* ascending, all different */
};

/* ---- entries of a table ---- */

Elf64_Sym kc_table_symbol(const struct kc_mod_kallsyms *table, uint32_t index)
{
	Elf64_Sym symbol;

	memcpy(&symbol, table->symtab + (uint64_t)index * sizeof(symbol), sizeof(symbol));
	return symbol;
}

const char *kc_table_symbol_name(const struct kc_mod_kallsyms *table, const Elf64_Sym *symbol)
{
	const char *name = kc_span_string(table->strtab, symbol->st_name);

	return name ? name : "";
}

/* Labels of compilers, no functions or data. */
static bool is_mapping_symbol(const char *name)
{
	return (name[0] == '.' && name[1] == 'L') || (name[0] == 'L' && name[1] == '0') ||
	       name[0] == '$';
}

/* Whether an address may be told by it. The first entry of a table stands for "none". */
static bool is_speaking(const struct kc_mod_kallsyms *table, uint32_t index,
			const Elf64_Sym *symbol)
{
	const char *name;

	if (!index || symbol->st_shndx == SHN_UNDEF)
		return false;
	name = kc_table_symbol_name(table, symbol);
	return *name && !is_mapping_symbol(name);
}

/* ---- in order ---- */

struct place {
	uint64_t value;
	uint32_t symbol;
};

/* Of symbols at one address the first one of the table counts: it comes first. */
static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return x->symbol < y->symbol ? -1 : x->symbol > y->symbol;
}

static uint32_t collect_places(const struct kc_mod_kallsyms *table, struct place *places)
{
	uint32_t count = 0, kept = 0;

	for (uint32_t i = 0; i < table->count; i++) {
		Elf64_Sym symbol = kc_table_symbol(table, i);

		if (is_speaking(table, i, &symbol))
			places[count++] = (struct place){ symbol.st_value, i };
	}
	qsort(places, count, sizeof(*places), compare_places);
	for (uint32_t i = 0; i < count; i++)
		if (!kept || places[i].value != places[kept - 1].value)
			places[kept++] = places[i];
	return kept;
}

static struct kc_symbol_places *keep_places(const struct place *found, uint32_t count)
{
	struct kc_symbol_places *places =
		malloc(sizeof(*places) + count * (sizeof(uint64_t) + sizeof(uint32_t)));

	if (!places)
		return NULL;
	places->count = count;
	places->symbols = (uint32_t *)(places->values + count);
	for (uint32_t i = 0; i < count; i++) {
		places->values[i] = found[i].value;
		places->symbols[i] = found[i].symbol;
	}
	return places;
}

struct kc_symbol_places *kc_symbol_places_new(const struct kc_mod_kallsyms *table)
{
	struct place *found = calloc((size_t)table->count + 1, sizeof(*found));
	struct kc_symbol_places *places = NULL;

	if (found)
		places = keep_places(found, collect_places(table, found));
	free(found);
	return places;
}

void kc_symbol_places_free(struct kc_symbol_places *places)
{
	free(places);
}

/* ---- an address ---- */

static void match_in_order(const struct kc_symbol_places *places, uint64_t address,
			   struct kc_symbol_match *match)
{
	const uint64_t *values = places->values;
	uint32_t from = 0, count = places->count;

	/* The first one that is greater. */
	while (count) {
		uint32_t half = count / 2;
		bool right = values[from + half] <= address;

		from = right ? from + half + 1 : from;
		count = right ? count - half - 1 : half;
	}
	if (from < places->count && values[from] < match->next)
		match->next = values[from];
	if (from && values[from - 1] > match->value) {
		match->symbol = places->symbols[from - 1];
		match->value = values[from - 1];
	}
}

static void match_by_walk(const struct kc_mod_kallsyms *table, uint64_t address,
			  struct kc_symbol_match *match)
{
	for (uint32_t i = 1; i < table->count; i++) {
		Elf64_Sym symbol = kc_table_symbol(table, i);

		if (!is_speaking(table, i, &symbol))
			continue;
		if (symbol.st_value <= address && symbol.st_value > match->value) {
			match->symbol = i;
			match->value = symbol.st_value;
		}
		if (symbol.st_value > address && symbol.st_value < match->next)
			match->next = symbol.st_value;
	}
}

struct kc_symbol_match kc_match_symbol(const struct kc_mod_kallsyms *table,
				       const struct kc_symbol_places *places, uint64_t address,
				       uint64_t end)
{
	struct kc_symbol_match match = { .value = kc_table_symbol(table, 0).st_value, .next = end };

	if (places)
		match_in_order(places, address, &match);
	else
		match_by_walk(table, address, &match);
	return match;
}
