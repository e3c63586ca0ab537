/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * .parainstructions: calls through pv_ops become direct ones (apply_paravirt(), of kernels whose
 * alternatives don't do that). What pv_ops holds is that of the image: bare hardware's.
 */
#include "arch/x86_64/patch.h"

#include <errno.h>

/* struct paravirt_patch_site */
enum { SITE_SIZE = 16, SITE_TYPE = 8, SITE_LEN = 9 };

static int patch_site(const struct kc_patch *patch, const char *table, const uint8_t *site,
		      uint64_t operations)
{
	uint64_t address = kc_load64(site), function, used = KC_BRANCH_SIZE;
	uint8_t type = site[SITE_TYPE], len = site[SITE_LEN];
	struct kc_place place;
	uint8_t *code = kc_patch_at(patch, table, address, len, &place);

	if (!code)
		return -ENOEXEC;
	if (len < KC_BRANCH_SIZE)
		return kc_patch_refuse(patch, table, address, "no room for a call");
	/* Without an image the call goes on through pv_ops. */
	if (!kc_patch_read64(patch, operations + type * UINT64_C(8), &function))
		return 0;
	if (!function)
		function = kc_patch_symbol(patch, "paravirt_BUG");
	if (function == kc_patch_symbol(patch, "_paravirt_nop"))
		used = 0;
	else
		kc_write_branch(code, KC_OP_CALL, address, function);
	kc_write_nops(patch, code + used, len - used);
	return 0;
}

int kc_apply_paravirt(const struct kc_patch *patch)
{
	static const char table[] = ".parainstructions";
	uint64_t operations = kc_patch_symbol(patch, "pv_ops");
	struct kc_place sites;
	int err = 0;

	if (!patch->to->section(patch->to->context, table, &sites) || !operations)
		return 0;
	for (uint64_t at = 0; at + SITE_SIZE <= sites.size && !err; at += SITE_SIZE)
		err = patch_site(patch, table, sites.bytes + at, operations);
	return err;
}
