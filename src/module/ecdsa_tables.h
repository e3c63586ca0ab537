/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ECDSA verification with one key again and again, as a tree of modules asks for it: multiples of
 * the curve's generator and of the key are kept, so that verifying takes additions only.
 *
 * For secp384r1, which stock kernels' keys are on, about five times as fast as OpenSSL, which has
 * code of its own for secp256r1 and secp521r1 but not for this curve. Everything verified is
 * public, so nothing here takes constant time.
 */
#ifndef KC_MODULE_ECDSA_TABLES_H
#define KC_MODULE_ECDSA_TABLES_H

#include <openssl/ec.h>

#include "module/public_key.h"

enum {
	/* Verifications that a key must have had: with fewer, tables cost more than they save. */
	KC_ECDSA_TABLES_AFTER = 32,
};

/* Read-only once made, shared by threads. About 5 MiB. */
struct kc_ecdsa_tables;

/* -ENOTSUP: not a key on secp384r1. -ENOMEM. */
KC_MUST_CHECK int kc_ecdsa_tables_new(EVP_PKEY *key, struct kc_ecdsa_tables **tables_ret);
void kc_ecdsa_tables_free(struct kc_ecdsa_tables *tables);

/*
 * Whether EVP_PKEY_verify() would take this signature. False when memory runs out, too: a "no" is
 * to be asked for again, of OpenSSL.
 */
bool kc_ecdsa_tables_verify(const struct kc_ecdsa_tables *tables, const ECDSA_SIG *numbers,
			    const struct kc_digest_value *value);

/*
 * To be called once a verification with a trusted key. NULL: to be done without tables. The thread
 * whose call is KC_ECDSA_TABLES_AFTER + 1st makes them; others don't wait for it.
 */
const struct kc_ecdsa_tables *kc_ecdsa_tables_get(struct kc_key_cache *cache, EVP_PKEY *key);

#endif
