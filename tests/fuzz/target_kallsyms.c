/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's symbol table: found by its shape in the input, decoded, and looked up in. */
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include "kernel/parts.h"

static void look_up(const struct kc_kallsyms *table)
{
	static const char *const names[] = {
		"_text", "f_12", "f_twin", "", "a", "zzzz", "module_patient_check_exists"
	};

	for (size_t i = 0; i < KC_ARRAY_SIZE(names) && table->by_name.len; i++)
		for (int clones = 0; clones < 2; clones++) {
			uint32_t index = kc_kallsyms_lookup(table, names[i], clones);

			FUZZ_CHECK(index == KC_INDEX_NONE || index < table->count);
		}
}

static void walk_by_name(const struct kc_kallsyms *table)
{
	char text[KC_NAME_MAX + 1];

	for (uint32_t i = 0; i < table->count && table->by_name.len; i++) {
		size_t len = 0;
		uint32_t index = kc_kallsyms_expand_sorted(table, i, text, &len);

		FUZZ_CHECK(index == KC_INDEX_NONE || index < table->count);
		FUZZ_CHECK(index == KC_INDEX_NONE || len <= KC_NAME_MAX);
		if (index != KC_INDEX_NONE)
			fuzz_use_text(text);
	}
}

static void decode(const struct kc_kallsyms *table)
{
	struct kc_symbols symbols;
	int err = kc_symbols_from_kallsyms(table, &symbols);

	FUZZ_CHECK(!err || err == -ENOMEM);
	if (err)
		return;
	FUZZ_CHECK(symbols.count == table->count);
	for (size_t i = 0; i < symbols.count; i++)
		fuzz_use_text(symbols.array[i].name);
	(void)kc_symbols_find(&symbols, "f_12", true);
	(void)kc_symbols_find_global(&symbols, "f_twin");
	kc_symbols_deinit(&symbols);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct kc_kallsyms table = { 0 };

	if (!kc_kallsyms_find(kc_span(data, len), &table))
		return 0;
	look_up(&table);
	walk_by_name(&table);
	/* As a kernel does: names are sorted only where they can't be looked up in place. */
	decode(&table);
	return 0;
}
