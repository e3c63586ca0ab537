/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names and symbols of livepatch relocation sections: see livepatch.h. */
#include "module/livepatch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool kc_klp_section_object(const char *section, char object_ret[KC_KLP_OBJECT_SIZE])
{
	char object[KC_KLP_OBJECT_SIZE] = { 0 };
	char start[128];

	/* sscanf() looks for the end of all that it is given. */
	snprintf(start, sizeof(start), "%.*s", (int)sizeof(start) - 1, section);
	if (sscanf(start, ".klp.rela.%55[^.]", object) != 1)
		return false;
	memcpy(object_ret, object, sizeof(object));
	return true;
}

static int KC_PRINTF(2, 3) refuse(struct kc_klp_resolution *resolution, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	(void)vsnprintf(resolution->fault, sizeof(resolution->fault), format, values);
	va_end(values);
	return -EINVAL;
}

/* The value of ".klp.sym.OBJECT.NAME,POSITION". */
static int resolve_name(struct kc_klp_resolution *resolution, const char *full, uint64_t *value_ret)
{
	char object[KC_KLP_OBJECT_SIZE], name[512], position[21];

	if (sscanf(full, ".klp.sym.%55[^.].%511[^,],%20[0-9]", object, name, position) != 3)
		return refuse(resolution, "symbol %.500s has an incorrectly formatted name", full);
	/* What belongs to a module must not reach for the kernel's symbols: those are bound when
	 * the patch is loaded. */
	if (strcmp(resolution->object, "vmlinux") != 0 && strcmp(object, "vmlinux") == 0)
		return refuse(
			resolution,
			"invalid access to vmlinux symbol '%s' from module-specific livepatch "
			"relocation section",
			name);
	if (!resolution->find(resolution->context, object, name, strtoull(position, NULL, 10),
			      value_ret))
		return refuse(resolution,
			      "symbol '%s' at position %s is not in object '%s', or not alone",
			      name, position, object);
	return 0;
}

/* No name that is one of a livepatch symbol is longer; sscanf() looks for the end of it all. */
static const char *symbol_name(struct kc_span strings, uint32_t st_name)
{
	enum { LONGEST = 1024 };

	if (strings.len > (uint64_t)st_name + LONGEST)
		strings.len = (size_t)st_name + LONGEST;
	return kc_span_string(strings, st_name);
}

static int resolve_symbol(struct kc_klp_resolution *resolution, uint64_t index)
{
	uint8_t *place = resolution->symbols + index * sizeof(Elf64_Sym);
	const char *name;
	Elf64_Sym symbol;
	uint64_t value = 0;
	int err;

	/* Differs from Linux: a symbol outside of the table is refused, not read. */
	if (index >= resolution->symbol_count)
		return refuse(resolution, "symbol %" PRIu64 " does not exist", index);
	memcpy(&symbol, place, sizeof(symbol));
	name = symbol_name(resolution->strtab, symbol.st_name);
	if (symbol.st_shndx != KC_SHN_LIVEPATCH || !name)
		return refuse(resolution, "symbol %.500s is not marked as a livepatch symbol",
			      name ? name : "?");
	err = resolve_name(resolution, name, &value);
	if (!err)
		kc_store64(place + offsetof(Elf64_Sym, st_value), value);
	return err;
}

int kc_klp_resolve_symbols(struct kc_klp_resolution *resolution)
{
	Elf64_Rela rela;
	int err = 0;

	for (uint64_t i = 0; !err && kc_elf_rela(resolution->entries, i, &rela); i++)
		err = resolve_symbol(resolution, ELF64_R_SYM(rela.r_info));
	return err;
}
