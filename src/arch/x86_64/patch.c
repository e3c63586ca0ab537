/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Places and branches: what all of the files that patch code need; see patch.h. */
#include "arch/x86_64/patch.h"

#include <errno.h>
#include <inttypes.h>

bool kc_cpu_has(const struct kc_cpu *cpu, unsigned int feature)
{
	return feature / 32 < KC_CPU_WORDS && (cpu->capabilities[feature / 32] >> feature % 32 & 1);
}

int kc_patch_refuse(const struct kc_patch *patch, const char *table, uint64_t address,
		    const char *what)
{
	kc_finding(patch->to->report, KOCOON_STAGE_FINALIZE, -ENOEXEC, "%s: %s at %#" PRIx64, table,
		   what, address);
	kc_hint(patch->to->report,
		"the module was edited after it was built, or built for another kind of kernel");
	return -ENOEXEC;
}

uint8_t *kc_patch_at(const struct kc_patch *patch, const char *table, uint64_t address,
		     uint64_t size, struct kc_place *place_ret)
{
	if (patch->to->at(patch->to->context, address, place_ret) && place_ret->size >= size)
		return place_ret->bytes;
	kc_patch_refuse(patch, table, address, "points out of the module");
	return NULL;
}

uint64_t kc_patch_symbol(const struct kc_patch *patch, const char *name)
{
	return patch->to->symbol(patch->to->context, name);
}

static const uint8_t *bytes_at(const struct kc_patch *patch, uint64_t address, uint64_t size)
{
	struct kc_place place;
	struct kc_span image;

	if (patch->to->at(patch->to->context, address, &place))
		return place.size >= size ? place.bytes : NULL;
	if (patch->to->kernel_bytes(patch->to->context, address, size, &image))
		return image.data;
	return NULL;
}

bool kc_patch_read64(const struct kc_patch *patch, uint64_t address, uint64_t *value_ret)
{
	const uint8_t *bytes = bytes_at(patch, address, sizeof(*value_ret));

	if (bytes)
		*value_ret = kc_load64(bytes);
	return bytes;
}

bool kc_patch_read32(const struct kc_patch *patch, uint64_t address, uint32_t *value_ret)
{
	const uint8_t *bytes = bytes_at(patch, address, sizeof(*value_ret));

	if (bytes)
		*value_ret = kc_load32(bytes);
	return bytes;
}

struct kc_place kc_patch_init_code(const struct kc_patch *patch)
{
	struct kc_place code;

	return patch->to->section(patch->to->context, ".init.text", &code) ? code
									   : (struct kc_place){ 0 };
}

bool kc_patch_owns(const struct kc_patch *patch, uint64_t address)
{
	struct kc_place place;

	return patch->to->at(patch->to->context, address, &place);
}

int kc_patch_sites(const struct kc_patch *patch, const char *table, kc_site_fn *apply)
{
	struct kc_place sites, place;

	if (!patch->to->section(patch->to->context, table, &sites))
		return 0;
	for (uint64_t at = 0; at + sizeof(uint32_t) <= sites.size; at += sizeof(uint32_t)) {
		uint64_t offset = (uint64_t)(int32_t)kc_load32(sites.bytes + at);
		uint64_t address = sites.address + at + offset;
		int err;

		if (!kc_patch_at(patch, table, address, 1, &place))
			return -ENOEXEC;
		err = apply(patch, table, address, &place);
		if (err)
			return err;
	}
	return 0;
}

void kc_write_branch(uint8_t *code, uint8_t opcode, uint64_t address, uint64_t target)
{
	code[0] = opcode;
	kc_store32(code + 1, (uint32_t)(target - (address + KC_BRANCH_SIZE)));
}

uint64_t kc_branch_target(const uint8_t *code, uint64_t address, uint8_t length)
{
	return address + length + (uint64_t)(int32_t)kc_load32(code + length - 4);
}
