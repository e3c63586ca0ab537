/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Module signatures: module_sig_check() of kernel/module/signing.c, verify_pkcs7_signature() behind
 * it.
 */
#ifndef KC_MODULE_SIGNING_H
#define KC_MODULE_SIGNING_H

#include "base/report.h"
#include "base/span.h"
#include "kernel/kernel.h"

struct kc_signature {
	enum kocoon_signature_state state;
	char *signer; /* owned, may be NULL */
	char *key_id; /* owned, may be NULL */
	char *hash; /* owned, may be NULL */
	bool sig_ok; /* as info->sig_ok: no taint E */
};

void kc_signature_deinit(struct kc_signature *signature);

/*
 * Checks the signature at the end of `*image` and cuts it off, as the kernel does: marker, trailer,
 * PKCS#7. `*image` is shortened to the module's own bytes where the kernel shortens info->len.
 * Returns what module_sig_check() would: 0, or the errno of a refusal, with findings of stage
 * KOCOON_STAGE_SIGNATURE (also of a tolerated defect, with err 0).
 */
KC_MUST_CHECK int kc_module_sig_check(const struct kocoon_kernel *kernel,
				      const struct kocoon_policy *policy, struct kc_span *image,
				      struct kc_signature *signature, struct kocoon_report *report);

/*
 * Has OpenSSL ready for signatures of the kernel's keys, in a process whose forks will check some.
 */
void kc_signatures_warm_up(const struct kocoon_kernel *kernel);

#endif
