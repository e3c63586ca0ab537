/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * .ibt_endbr_seal: functions whose address nobody takes lose their endbr64 (apply_seal_endbr()),
 * where the kernel does that.
 */
#include "arch/x86_64/patch.h"

static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };

static int seal(const struct kc_patch *patch, const char *table, uint64_t address,
		const struct kc_place *place)
{
	if (place->size < sizeof(endbr64))
		return kc_patch_refuse(patch, table, address, "no endbr64");
	/* The kernel warns about what is none, and leaves it. */
	if (memcmp(place->bytes, endbr64, sizeof(endbr64)) == 0)
		kc_store32(place->bytes, patch->endbr_poison);
	return 0;
}

int kc_apply_seal_endbr(const struct kc_patch *patch)
{
	return patch->endbr_poison ? kc_patch_sites(patch, ".ibt_endbr_seal", seal) : 0;
}
