/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a machine knows of its kernel: addresses of symbols, offsets of members. A machine that
 * boots looks them up in the image, and they are kept in its file; one that goes on finds them
 * there, and asks the kernel only for what no boot has asked for.
 */
#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/kept.h"
#include "kernel/parts.h"
#include "machine/machine.h"

struct kc_machine_facts kc_facts;

/* Two names, the second of which may be NULL; none is empty. */
static uint64_t key_of(const char *name, const char *member)
{
	uint64_t key = kc_kept_mark(0, name, strlen(name));

	return member ? kc_kept_mark(kc_kept_mark(key, ".", 1), member, strlen(member)) : key;
}

static struct kc_machine_fact *find(uint64_t key)
{
	for (uint32_t i = 0; i < kc_facts.count; i++)
		if (kc_facts.rows[i].key == key)
			return &kc_facts.rows[i];
	return NULL;
}

static void note(uint64_t key, uint64_t value)
{
	if (kc_facts.count < KC_MACHINE_FACTS_MAX)
		kc_facts.rows[kc_facts.count++] = (struct kc_machine_fact){ key, value };
}

uint64_t kc_symbol(const char *name)
{
	uint64_t key = key_of(name, NULL), address = 0;
	const struct kc_machine_fact *known = find(key);

	if (known)
		return known->value;
	/* Per-CPU symbols are offsets. */
	if (kc_kernel_find_symbol(kc_machine.kernel, name, &address) && address >= KC_LINK_BASE)
		address += kc_machine.shift;
	note(key, address);
	return address;
}

uint64_t kc_needed(const char *name)
{
	uint64_t address = kc_symbol(name);

	if (!address)
		kc_machine_end(KC_EXIT_UNFIT, "the kernel has no symbol %s", name);
	return address;
}

void kc_need_all(const struct kc_needed_symbol *symbols, size_t count)
{
	for (size_t i = 0; i < count; i++)
		*symbols[i].place = kc_needed(symbols[i].name);
}

void kc_set_variable(const char *name, uint64_t value)
{
	kc_store64(kc_pointer(kc_needed(name)), value);
}

uint32_t kc_offset(const char *structure, const char *member)
{
	uint64_t key = key_of(structure, member);
	const struct kc_machine_fact *known = find(key);
	uint32_t offset;

	if (known)
		return (uint32_t)known->value;
	if (!kc_kernel_member(kc_machine.kernel, structure, member, &offset))
		kc_machine_end(KC_EXIT_UNFIT, "the kernel's BTF has no member %s.%s", structure,
			       member);
	note(key, offset);
	return offset;
}

static bool find_enumerator(const struct btf *btf, const char *enumeration, const char *name,
			    uint32_t *value_ret)
{
	int id = btf ? btf__find_by_name_kind(btf, enumeration, BTF_KIND_ENUM) : -ENOENT;
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;

	for (uint32_t i = 0; type && i < btf_vlen(type); i++) {
		const struct btf_enum *found = &btf_enum(type)[i];
		const char *found_name = btf__name_by_offset(btf, found->name_off);

		if (!found_name || strcmp(found_name, name) != 0)
			continue;
		*value_ret = (uint32_t)found->val;
		return true;
	}
	return false;
}

uint32_t kc_enumerator(const char *enumeration, const char *name)
{
	uint64_t key = key_of(enumeration, name);
	const struct kc_machine_fact *known = find(key);
	uint32_t value;

	if (known)
		return (uint32_t)known->value;
	if (!find_enumerator(kc_kernel_btf(kc_machine.kernel), enumeration, name, &value))
		kc_machine_end(KC_EXIT_UNFIT, "the kernel's BTF has no %s.%s", enumeration, name);
	note(key, value);
	return value;
}
