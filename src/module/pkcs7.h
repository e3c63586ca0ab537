/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PKCS#7 messages as the kernel takes them for a module's signature: parsing
 * (crypto/asymmetric_keys/pkcs7_parser.c), the message by itself (pkcs7_verify.c), and against
 * trusted keys (pkcs7_trust.c).
 */
#ifndef KC_MODULE_PKCS7_H
#define KC_MODULE_PKCS7_H

#include "module/x509.h"

/* One SignerInfo. */
struct kc_pkcs7_signer {
	struct kc_key_id
		id; /* as looked up among keys: serial number and issuer, or key identifier */
	bool by_key_id;
	struct kc_span issuer; /* contents of the name; empty where the key identifier is named */
	struct kc_signature_algorithm algorithm;
	struct kc_span signature;
	bool attributes;
	struct kc_x509 *certificate; /* the signer's, where the message carries it */
	bool unsupported;
};

struct kc_pkcs7 {
	struct kc_pkcs7_signer *signers; /* owned; at least one */
	size_t signer_count;
	struct kc_x509 *certificates; /* owned */
	size_t certificate_count;
	bool has_content;
	bool is_data; /* the content's type is data */
	struct kc_digest_value digests[KC_DIGEST_COUNT]; /* of the module, once computed */
	/* where parsing stopped at an algorithm: what was known of that signer, and the algorithm's
	 * object identifier, without its header */
	struct kc_pkcs7_signer stopped_in;
	struct kc_span stopped_at;
};

/* Why a message is refused, for words to be found. */
enum kc_pkcs7_fault {
	KC_PKCS7_NO_FAULT,
	KC_PKCS7_STRUCTURE, /* it can't be parsed */
	KC_PKCS7_ALGORITHM, /* an algorithm that the kernel doesn't have */
	KC_PKCS7_CERTIFICATE, /* a certificate that it carries is refused */
	KC_PKCS7_CONTENT, /* it carries content of its own */
	KC_PKCS7_CONTENT_TYPE, /* it is about something else than data */
	KC_PKCS7_ATTRIBUTES, /* it has authenticated attributes */
	KC_PKCS7_SIGNATURE, /* a signature is not of these bytes */
	KC_PKCS7_CHAIN, /* a certificate isn't signed by the one that it names */
	KC_PKCS7_KEY, /* no trusted key */
};

/*
 * 0, or the errno of pkcs7_parse_message(), with the fault. The message borrows from `bytes`; what
 * was parsed until a failure is there to look at. To be freed in any case.
 */
KC_MUST_CHECK int kc_pkcs7_parse(const struct kc_behaviour *behaviour, struct kc_span bytes,
				 struct kc_pkcs7 *message, enum kc_pkcs7_fault *fault_ret);
void kc_pkcs7_deinit(struct kc_pkcs7 *message);

/*
 * verify_pkcs7_message_sig(): `data` against the message, then the message against the kernel's
 * certificates. 0, and the certificate (an index) and signer that it was; else its errno, with the
 * fault and the signer that it is about. `behaviour` is beside the kernel
 * because one without an image has none of its own.
 */
struct kc_pkcs7_answer {
	enum kc_pkcs7_fault fault;
	const struct kc_pkcs7_signer *signer;
	X509 *trusted; /* the key that was tried last; NULL: none was found */
};

KC_MUST_CHECK int kc_pkcs7_verify(const struct kocoon_kernel *kernel,
				  const struct kc_behaviour *behaviour, struct kc_pkcs7 *message,
				  struct kc_span data, struct kc_pkcs7_answer *answer);

#endif
