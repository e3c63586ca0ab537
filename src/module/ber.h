/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A walk through BER, as loose and as strict as the kernel's decoder (lib/asn1_decoder.c): what
 * PKCS#7 messages and certificates are parsed with, so that a module is refused where the kernel
 * refuses it.
 *
 * Looser than DER: lengths needn't be minimal, may be indefinite, and nothing is said about what
 * follows the outermost element. Where a constructed type is expected, its primitive form passes.
 * Stricter than BER: lengths have at most two bytes, tags one, and a primitive type can't come in
 * its constructed form. Every failure is -EBADMSG.
 *
 * Optional elements and choices leave two marks in the walk, which later steps ask for, because a
 * choice at the very end of its container counts as taken when the step before it was.
 */
#ifndef KC_MODULE_BER_H
#define KC_MODULE_BER_H

#include "base/span.h"

enum {
	KC_BER_ANY = -1,
	KC_BER_BOOLEAN = 0x01,
	KC_BER_INTEGER = 0x02,
	KC_BER_BIT_STRING = 0x03,
	KC_BER_OCTET_STRING = 0x04,
	KC_BER_OID = 0x06,
	KC_BER_UTC_TIME = 0x17,
	KC_BER_GENERALIZED_TIME = 0x18,
	KC_BER_SEQUENCE = 0x30,
	KC_BER_SET = 0x31,
	KC_BER_CONSTRUCTED = 0x20,
	KC_BER_CONTEXT = 0x80, /* | number, | KC_BER_CONSTRUCTED */

	/* for kc_ber_match() */
	KC_BER_OPTIONAL = 0x1,
	KC_BER_CHOICE = 0x2, /* passed over when an alternative before it matched */

	KC_BER_LENGTH_MAX = 65535,
};

struct kc_ber {
	const uint8_t *data;
	size_t at;
	size_t end; /* of the innermost container with a definite length */
	bool matched;
	bool last_matched;
};

/*@ predicate walkable(struct kc_ber *b) =
	b->at <= b->end && \valid_read(b->data + (0 .. b->end - 1)); */

struct kc_ber_element {
	uint8_t tag;
	struct kc_span value; /* of a container: once it is closed */
	size_t header; /* bytes before the value */
	/* of a container that is open */
	size_t start;
	size_t outer_end;
	bool indefinite;
};

/* A container that was entered and isn't closed yet. */
/*@ predicate entered(struct kc_ber *b, struct kc_ber_element *e) =
	e->start <= b->at && b->end <= e->outer_end &&
	\valid_read(b->data + (0 .. e->outer_end - 1)); */

/*@ requires readable(bytes) && \valid(ber);
    assigns *ber;
    ensures \result == 0 ==> walkable(ber) && ber->data == bytes.data && ber->end == bytes.len; */
/* Starts at the first byte. -EMSGSIZE: more than the kernel's decoder takes. */
KC_MUST_CHECK int kc_ber_open(struct kc_ber *ber, struct kc_span bytes);

/*
 * The next element, of this tag or of any. 1: there it is; a leaf is stepped over, a container
 * (a tag that has KC_BER_CONSTRUCTED) is entered. 0: it isn't there, and needn't be. -EBADMSG.
 */
/*@ requires \valid(ber) && walkable(ber) && \valid(element) && \separated(ber, element);
    assigns ber->at, ber->end, ber->matched, ber->last_matched, *element;
    ensures walkable(ber) && \old(ber->at) <= ber->at && ber->end <= \old(ber->end);
    ensures \result == 1 ==> entered(ber, element) && element->outer_end == \old(ber->end);
    ensures \result == 1 && (tag == KC_BER_ANY || !(tag & KC_BER_CONSTRUCTED)) ==>
	readable(element->value); */
KC_MUST_CHECK int kc_ber_match(struct kc_ber *ber, int tag, unsigned int how,
			       struct kc_ber_element *element);

/*
 * The end of a container. A list of one or more goes on as long as something follows: 1 then. 0:
 * left, and its value is known. -EBADMSG.
 */
/*@ requires \valid(ber) && walkable(ber) && \valid(element) && \separated(ber, element);
    requires entered(ber, element);
    assigns ber->at, ber->end, element->value;
    ensures walkable(ber) && \old(ber->at) <= ber->at;
    ensures \result == 0 ==> readable(element->value) && ber->end <= element->outer_end; */
KC_MUST_CHECK int kc_ber_close(struct kc_ber *ber, struct kc_ber_element *element, bool list);

/* After a part that the kernel's grammar keeps as a subroutine: it counts as matched. */
static inline void kc_ber_returned(struct kc_ber *ber)
{
	ber->matched = true;
	ber->last_matched = true;
}

/* Object identifiers that decide something. */
enum kc_oid {
	KC_OID_UNKNOWN,
	KC_OID_DATA,
	KC_OID_SIGNED_DATA,
	KC_OID_CONTENT_TYPE,
	KC_OID_MESSAGE_DIGEST,
	KC_OID_SIGNING_TIME,
	KC_OID_SMIME_CAPABILITIES,
	KC_OID_MS_INDIRECT_DATA,
	KC_OID_MS_STATEMENT_TYPE,
	KC_OID_MS_OPUS_INFO,
	KC_OID_SHA1,
	KC_OID_SHA224,
	KC_OID_SHA256,
	KC_OID_SHA384,
	KC_OID_SHA512,
	KC_OID_SHA3_256,
	KC_OID_SHA3_384,
	KC_OID_SHA3_512,
	KC_OID_SM3,
	KC_OID_STREEBOG_256,
	KC_OID_STREEBOG_512,
	KC_OID_RSA,
	KC_OID_RSA_SHA1,
	KC_OID_RSA_SHA224,
	KC_OID_RSA_SHA256,
	KC_OID_RSA_SHA384,
	KC_OID_RSA_SHA512,
	KC_OID_RSA_SHA3_256,
	KC_OID_RSA_SHA3_384,
	KC_OID_RSA_SHA3_512,
	KC_OID_EC_KEY,
	KC_OID_ECDSA_SHA1,
	KC_OID_ECDSA_SHA224,
	KC_OID_ECDSA_SHA256,
	KC_OID_ECDSA_SHA384,
	KC_OID_ECDSA_SHA512,
	KC_OID_ECDSA_SHA3_256,
	KC_OID_ECDSA_SHA3_384,
	KC_OID_ECDSA_SHA3_512,
	KC_OID_P192,
	KC_OID_P256,
	KC_OID_P384,
	KC_OID_P521,
	KC_OID_GOST_KEY_256,
	KC_OID_GOST_KEY_512,
	KC_OID_GOST_SIGNATURE_256,
	KC_OID_GOST_SIGNATURE_512,
	KC_OID_COMMON_NAME,
	KC_OID_SUBJECT_KEY_ID,
	KC_OID_KEY_USAGE,
	KC_OID_BASIC_CONSTRAINTS,
	KC_OID_AUTHORITY_KEY_ID,
};

/*@ requires readable(value);
    assigns \nothing; */
enum kc_oid kc_oid_find(struct kc_span value);
/* An object identifier is next: which one, and its bytes. -EBADMSG: something else. */
/*@ requires \valid(ber) && walkable(ber) && \valid(oid_ret) && \valid(bytes_ret);
    requires \separated(ber, oid_ret, bytes_ret);
    assigns ber->at, ber->end, ber->matched, ber->last_matched, *oid_ret, *bytes_ret;
    ensures walkable(ber) && \old(ber->at) <= ber->at && ber->end <= \old(ber->end);
    ensures \result == 0 ==> readable(*bytes_ret); */
KC_MUST_CHECK int kc_ber_match_oid(struct kc_ber *ber, enum kc_oid *oid_ret,
				   struct kc_span *bytes_ret);

#endif
