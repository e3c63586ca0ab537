/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signed modules, right and wrong: keys and certificates, and PKCS#7 messages made element by
 * element, so that each can have one deliberate defect.
 */
#ifndef KC_TESTS_BUILD_SIGNATURE_H
#define KC_TESTS_BUILD_SIGNATURE_H

#include <openssl/x509.h>

#include "base/buffer.h"
#include "kocoon/kocoon.h"

enum key {
	KEY_NONE,
	KEY_RSA,
	KEY_P256,
	KEY_P384,
	KEY_P521,
	KEY_EXPIRED,
	KEY_ROOT,
	KEY_INTERMEDIATE, /* signed by the root */
	KEY_LEAF, /* signed by the root */
	KEY_DEEP, /* signed by the intermediate */
	KEY_STRANGER,
	KEY_STRANGERS_LEAF, /* signed by the stranger */
	KEY_FORGED, /* says that the root signed it */
	KEY_BROKEN_SELF, /* signed by itself, wrongly */
	KEY_ED25519,
	KEY_COUNT,
};

struct signing_key {
	const char *name;
	enum key issuer;
	bool trusted; /* to be given to the kernel */
	const char *curve; /* NULL: RSA */
	EVP_PKEY *pair;
	X509 *certificate;
};

extern struct signing_key signing_keys[KEY_COUNT];

/* New keys each time. */
void make_signing_keys(void);
void free_signing_keys(void);

enum attributes {
	ATTRIBUTES_NONE,
	ATTRIBUTES_GOOD,
	ATTRIBUTES_NO_DIGEST,
	ATTRIBUTES_TWICE,
	ATTRIBUTES_SMIME,
	ATTRIBUTES_OTHER_TYPE,
	ATTRIBUTES_BAD_TIME,
	ATTRIBUTES_DIGEST_NO_STRING,
	ATTRIBUTES_SECOND_FORM,
};

enum defect {
	DEFECT_NONE,
	/* of the whole */
	UNSIGNED,
	CONTENT_CHANGED,
	SIGNATURE_CHANGED,
	SIGNATURE_SHORT,
	SIGNATURE_ZERO,
	SIGNATURE_EMPTY,
	SIGNATURE_OF_OTHER_KEY,
	GARBAGE_BEHIND,
	CUT,
	CUT_TO_NOTHING,
	TOO_LONG,
	/* of the encoding */
	INDEFINITE_LENGTHS,
	LONG_LENGTHS,
	THREE_BYTE_LENGTHS,
	PRIMITIVE_SEQUENCE,
	CONSTRUCTED_STRING,
	/* of the message */
	NOT_SIGNED_DATA,
	NO_SIGNED_DATA,
	VERSION_2,
	VERSION_LONG,
	SIGNER_VERSION_2,
	VERSIONS_DIFFER,
	NO_SIGNERS,
	NO_SIGNERS_INDEFINITE,
	EMPTY_SIGNERS,
	SIGNERS_AS_SEQUENCE,
	CONTENT_ATTACHED,
	CONTENT_OTHER,
	CONTENT_INDIRECT,
	CERTIFICATES_EMPTY,
	CERTIFICATES_GARBAGE,
	CERTIFICATES_AS_SEQUENCE,
	REVOCATIONS_OF_CERTIFICATES,
	REVOCATIONS_GARBAGE,
	KEY_ID_EMPTY,
	ISSUER_EMPTY,
	SERIAL_OTHER,
	NO_SIGNER_ID,
	KEY_ID_IN_VERSION_1,
	UNAUTHENTICATED,
	ONE_WITH_ATTRIBUTES,
	/* of the trailer */
	TRAILER_ID_TYPE,
	TRAILER_ALGO,
	TRAILER_HASH,
	TRAILER_SIGNER_LEN,
	TRAILER_KEY_ID_LEN,
	TRAILER_PAD,
	TRAILER_LENGTH_ZERO,
	TRAILER_LENGTH_WHOLE,
	TRAILER_LENGTH_HUGE,
	TRAILER_ONLY,
	MARKER_CUT,
	/* of the embedded certificate */
	CERTIFICATE_SIGNATURE,
	CERTIFICATE_ALGORITHMS_DIFFER,
};

enum { CARRIES_MAX = 4 };

struct recipe {
	const char *name;
	enum key key;
	int digest; /* 0: SHA-256 */
	int err;
	int enforced; /* with module.sig_enforce=1 */
	enum kocoon_signature_state state;
	enum defect defect;
	enum attributes attributes;
	bool by_key_id;
	enum key second; /* a second SignerInfo */
	int second_digest;
	int key_algorithm; /* named instead of the key's */
	enum key carries[CARRIES_MAX];
};

/* Signatures that the real kernel was asked about: signature_recipes.c. */
extern const struct recipe recipes[];
extern const size_t recipe_count;

/* Adds to a buffer; the test fails where memory is out. */
void add_bytes(struct kc_buffer *buffer, const void *data, size_t len);
/* A module with its signature. */
struct kc_buffer sign_module(const struct recipe *recipe, struct kc_span module);
/* The PKCS#7 message alone. */
struct kc_buffer build_message(const struct recipe *recipe, struct kc_span module);
/* What stands behind a message of this length: trailer and marker. */
void add_trailer(const struct recipe *recipe, struct kc_buffer *file, size_t len);

#endif
