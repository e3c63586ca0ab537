/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Certificates that a signature carries, parsed as the kernel parses them
 * (crypto/asymmetric_keys/x509_cert_parser.c and x509_public_key.c).
 */
#ifndef KC_MODULE_X509_H
#define KC_MODULE_X509_H

#include "module/public_key.h"

/* What keys are looked up by: the bytes of both parts, one behind the other. Absent: no data. */
struct kc_key_id {
	struct kc_span first;
	struct kc_span second;
};

static inline bool kc_key_id_known(const struct kc_key_id *id)
{
	return id->first.data != NULL;
}

/* False where one of them is absent. */
bool kc_key_id_same(const struct kc_key_id *a, const struct kc_key_id *b);

/* Borrows from the bytes that it was parsed from. */
struct kc_x509 {
	struct kc_span tbs;
	struct kc_span issuer; /* contents of the name, without its header */
	struct kc_span subject;
	struct kc_key_id id; /* serial number and issuer */
	struct kc_key_id skid; /* subject key identifier */
	struct kc_key_id authority; /* serial number and issuer of the certificate's signer */
	struct kc_key_id authority_key; /* its subject key identifier */
	struct kc_public_key key; /* owned */
	struct kc_signature_algorithm algorithm;
	struct kc_span signature;
	struct kc_digest_value digest;
	bool self_signed;
	bool unsupported_signature;

	/* for the walk up a chain */
	struct kc_x509 *signer;
	bool seen, verified;
};

/* 0, or the errno that x509_cert_parse() gives. On failure there is nothing to free. */
KC_MUST_CHECK int kc_x509_parse(const struct kc_behaviour *behaviour, struct kc_span bytes,
				struct kc_x509 *certificate);
void kc_x509_deinit(struct kc_x509 *certificate);

/* A time as ASN.1 has it; 0 or -EBADMSG. */
KC_MUST_CHECK int kc_x509_check_time(uint8_t tag, struct kc_span value);

/* The commonName within the contents of a name, as a new string, unprintable bytes as '?'; NULL:
 * none, or no memory. */
char *kc_x509_common_name(struct kc_span name);

#endif
