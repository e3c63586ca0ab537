/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Digests and public-key signatures: public_key_verify_signature() of
 * crypto/asymmetric_keys/public_key.c with the algorithms below it, over OpenSSL, with the kernel's
 * errno for each way to fail.
 */
#ifndef KC_MODULE_PUBLIC_KEY_H
#define KC_MODULE_PUBLIC_KEY_H

#include <openssl/evp.h>

#include "kernel/kernel.h"
#include "module/ber.h"

enum kc_digest {
	KC_DIGEST_NONE,
	KC_DIGEST_SHA1,
	KC_DIGEST_SHA224,
	KC_DIGEST_SHA256,
	KC_DIGEST_SHA384,
	KC_DIGEST_SHA512,
	KC_DIGEST_SHA3_256,
	KC_DIGEST_SHA3_384,
	KC_DIGEST_SHA3_512,
	KC_DIGEST_SM3,
	KC_DIGEST_STREEBOG_256,
	KC_DIGEST_STREEBOG_512,
	KC_DIGEST_COUNT,
};

/* "sha256": the kernel's name. */
const char *kc_digest_name(enum kc_digest digest);

struct kc_digest_value {
	uint8_t bytes[EVP_MAX_MD_SIZE];
	unsigned int len; /* 0: not computed */
};

/* -ENOPKG: an algorithm that kernels know by name but stock ones don't have. -ENOMEM. */
KC_MUST_CHECK int kc_digest_compute(enum kc_digest digest, struct kc_span bytes,
				    struct kc_digest_value *value_ret);

enum kc_algorithm {
	KC_ALGORITHM_NONE,
	KC_ALGORITHM_RSA, /* PKCS#1 v1.5 */
	KC_ALGORITHM_ECDSA, /* X9.62 */
	KC_ALGORITHM_ECRDSA,
};

/* What stands in an AlgorithmIdentifier of a signature. */
struct kc_signature_algorithm {
	enum kc_algorithm algorithm;
	enum kc_digest digest;
};

/* By the object identifier of a certificate's signature. -ENOPKG: the kernel doesn't know it. */
KC_MUST_CHECK int kc_signature_algorithm_find(const struct kc_behaviour *behaviour, enum kc_oid oid,
					      struct kc_signature_algorithm *algorithm_ret);

struct kc_public_key {
	enum kc_algorithm algorithm;
	EVP_PKEY *key; /* NULL: damaged */
	struct kc_key_cache *cache; /* of a trusted key; NULL: none, the key is used once */
};

/*
 * Whether `signature` is that of a digest. 0; -EKEYREJECTED: of another digest, or by a key of
 * another kind; -EBADMSG, -EINVAL: it has no form that it could have; -ENOENT: the kernel hasn't
 * got the algorithm. -ENOMEM.
 */
KC_MUST_CHECK int kc_public_key_verify(const struct kc_behaviour *behaviour,
				       const struct kc_public_key *key,
				       struct kc_signature_algorithm algorithm,
				       const struct kc_digest_value *value,
				       struct kc_span signature);

/* The digest that an RSA signature was made of; false where that can't be had. */
KC_MUST_CHECK bool kc_public_key_recover(const struct kc_public_key *key, enum kc_digest digest,
					 struct kc_span signature,
					 struct kc_digest_value *value_ret);

#endif
