/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names below /sys/module/NAME: two files of one name can't be, and the kernel refuses the module
 * whose parameters or (behaviour.sysfs_sections_needed) loaded sections would have them
 * (module_param_sysfs_setup(), add_sect_attrs()).
 *
 * Consumes the relocated module; the symbol tables are loaded sections too.
 */
#include "module/load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* struct kernel_param: its name comes first, permissions behind three pointers. */
enum { PARAM_PERM = 3 * sizeof(uint64_t) };

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int refuse_twins(struct kc_load *load, const char **names, size_t count, const char *what)
{
	qsort(names, count, sizeof(*names), compare);
	for (size_t i = 1; i < count; i++) {
		if (strcmp(names[i - 1], names[i]) != 0)
			continue;
		kc_finding(load->report, KOCOON_STAGE_SYSFS, -EEXIST, "two %s are called %s", what,
			   names[i]);
		kc_hint(load->report, "each is a file below /sys/module/%s: give them two names",
			load->struct_name);
		return -EEXIST;
	}
	return 0;
}

static int collect_params(struct kc_load *load, const uint8_t *record, uint64_t count,
			  const char **names, size_t *count_ret)
{
	uint32_t size = load->abi->kernel_param_size;
	uint16_t perm;

	for (uint64_t i = 0; i < count; i++, record += size) {
		const char *name = kc_memory_string(&load->memory, kc_load64(record));

		memcpy(&perm, record + PARAM_PERM, sizeof(perm));
		if (!perm)
			continue;
		/* Differs from Linux: a name that is outside of the module is refused, not read. */
		if (!name)
			return kc_finding(
				load->report, KOCOON_STAGE_SYSFS, -ENOEXEC,
				"the name of parameter %" PRIu64 " is outside of the module", i);
		names[(*count_ret)++] = name;
	}
	return 0;
}

static int check_params(struct kc_load *load)
{
	uint32_t section = kc_find_sec(load, "__param"), size = load->abi->kernel_param_size;
	const uint8_t *records = section ? kc_section_memory(load, section) : NULL;
	uint64_t count = records && size ? load->sections[section].shdr.sh_size / size : 0;
	const char **names;
	size_t named = 0;
	int err;

	if (!count)
		return 0;
	names = calloc(count, sizeof(*names));
	if (!names)
		return kc_finding(load->report, KOCOON_STAGE_SYSFS, -ENOMEM, "out of memory");
	err = collect_params(load, records, count, names, &named);
	if (!err)
		err = refuse_twins(load, names, named, "parameters");
	free(names);
	return err;
}

static int check_sections(struct kc_load *load)
{
	const char **names = calloc(load->ehdr.shnum, sizeof(*names));
	size_t named = 0;
	int err;

	if (!names)
		return kc_finding(load->report, KOCOON_STAGE_SYSFS, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < load->ehdr.shnum; i++) {
		const struct kc_section *section = &load->sections[i];

		if (section->shdr.sh_flags & SHF_ALLOC && section->shdr.sh_size)
			names[named++] = section->name;
	}
	err = refuse_twins(load, names, named, "sections");
	free(names);
	return err;
}

int kc_check_sysfs_names(struct kc_load *load)
{
	int err = check_params(load);

	return err || !load->behaviour->sysfs_sections_needed ? err : check_sections(load);
}
