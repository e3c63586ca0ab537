/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* BER as the kernel reads it: see ber.h. */
#include "module/ber.h"

#include <errno.h>

enum { TAG_LONG = 0x1f, LENGTH_INDEFINITE = 0x80 };

int kc_ber_open(struct kc_ber *ber, struct kc_span bytes)
{
	if (bytes.len > KC_BER_LENGTH_MAX)
		return -EMSGSIZE;
	ber->data = bytes.data;
	ber->at = 0;
	ber->end = bytes.len;
	ber->matched = ber->last_matched = false;
	return 0;
}

/* A long length of up to `most` bytes at ber->at. */
/*@ requires \valid(ber) && walkable(ber) && \valid(len_ret);
    requires \separated(ber, len_ret);
    assigns ber->at, *len_ret;
    ensures walkable(ber) && \old(ber->at) <= ber->at; */
static int long_length(struct kc_ber *ber, size_t count, size_t most, size_t *len_ret)
{
	size_t len = 0;

	if (count > most || count > ber->end - ber->at)
		return -EBADMSG;
	/*@ loop invariant 0 <= i <= count && ber->at == \at(ber->at, Pre) + i;
	    loop assigns i, len, ber->at;
	    loop variant count - i; */
	for (size_t i = 0; i < count; i++)
		len = len << 8 | ber->data[ber->at++];
	*len_ret = len;
	return 0;
}

/* Steps over all of a long tag but its first byte. False: no length can follow it. */
/*@ requires \valid(ber) && walkable(ber);
    assigns ber->at;
    ensures walkable(ber) && \old(ber->at) <= ber->at;
    ensures \result ==> ber->at < ber->end; */
static bool skip_long_tag(struct kc_ber *ber)
{
	/*@ loop invariant walkable(ber) && \at(ber->at, Pre) <= ber->at;
	    loop assigns ber->at;
	    loop variant ber->end - ber->at; */
	for (;;) {
		if (ber->end - ber->at < 2)
			return false;
		if (!(ber->data[ber->at++] & 0x80))
			return true;
	}
}

/*
 * The length of an element that nobody looks into, from its content to behind its end mark, which
 * counts as part of it. Nested elements are stepped over.
 */
/*@ requires \valid_read(outer) && walkable(outer) && \valid(len_ret);
    requires \separated(outer, len_ret);
    assigns *len_ret;
    ensures \result == 0 ==> *len_ret <= outer->end - outer->at; */
static int indefinite_length(const struct kc_ber *outer, size_t *len_ret)
{
	struct kc_ber ber = *outer;
	size_t depth = 1, len;

	/*@ loop invariant walkable(&ber) && ber.data == outer->data && ber.end == outer->end;
	    loop invariant outer->at <= ber.at && depth <= ber.at - outer->at + 1;
	    loop assigns ber, depth, len;
	    loop variant ber.end - ber.at; */
	while (depth) {
		uint8_t tag;

		if (ber.end - ber.at < 2)
			return -EBADMSG;
		tag = ber.data[ber.at++];
		if (!tag) {
			if (ber.data[ber.at++])
				return -EBADMSG;
			depth--;
			continue;
		}
		if ((tag & TAG_LONG) == TAG_LONG && !skip_long_tag(&ber))
			return -EBADMSG;
		len = ber.data[ber.at++];
		if (len == LENGTH_INDEFINITE) {
			if (!(tag & KC_BER_CONSTRUCTED))
				return -EBADMSG;
			depth++;
			continue;
		}
		if (len > LENGTH_INDEFINITE &&
		    long_length(&ber, len - LENGTH_INDEFINITE, sizeof(size_t) - 1, &len))
			return -EBADMSG;
		if (len > ber.end - ber.at)
			return -EBADMSG;
		ber.at += len;
	}
	*len_ret = ber.at - outer->at;
	return 0;
}

/* The length that follows a tag. */
/*@ requires \valid(ber) && walkable(ber) && ber->at < ber->end;
    requires \valid(element) && \valid(len_ret) && element->header == 2;
    requires \separated(ber, element, len_ret);
    assigns ber->at, element->indefinite, element->header, *len_ret;
    ensures walkable(ber) && \old(ber->at) < ber->at;
    ensures \result == 0 ==> *len_ret <= ber->end - ber->at; */
static int element_length(struct kc_ber *ber, struct kc_ber_element *element, size_t *len_ret)
{
	size_t len = ber->data[ber->at++];

	element->indefinite = len == LENGTH_INDEFINITE;
	if (element->indefinite) {
		if (!(element->tag & KC_BER_CONSTRUCTED) || ber->end - ber->at < 2)
			return -EBADMSG;
		len = 0;
	} else if (len > LENGTH_INDEFINITE) {
		element->header += len - LENGTH_INDEFINITE;
		if (long_length(ber, len - LENGTH_INDEFINITE, 2, &len))
			return -EBADMSG;
	}
	if (len > ber->end - ber->at)
		return -EBADMSG;
	*len_ret = len;
	return 0;
}

/*
 * Whether the tag in the data is the one that is asked for. A constructed one matches either form.
 */
/*@ assigns \nothing; */
static bool tag_matches(int wanted, uint8_t tag)
{
	return wanted == KC_BER_ANY || !((wanted ^ tag) & ~(wanted & KC_BER_CONSTRUCTED) & 0xff);
}

int kc_ber_match(struct kc_ber *ber, int tag, unsigned int how, struct kc_ber_element *element)
{
	size_t len;

	if ((how & KC_BER_CHOICE && ber->matched) ||
	    (how & KC_BER_OPTIONAL && ber->at == ber->end)) {
		ber->last_matched = false;
		return 0;
	}
	ber->matched = ber->last_matched = false;
	if (ber->end - ber->at < 2)
		return -EBADMSG;
	*element = (struct kc_ber_element){ 0 };
	element->tag = ber->data[ber->at];
	element->header = 2;
	if ((element->tag & TAG_LONG) == TAG_LONG)
		return -EBADMSG;
	if (!tag_matches(tag, element->tag))
		return how & KC_BER_OPTIONAL ? 0 : -EBADMSG;
	ber->matched = true;
	ber->at++;
	if (element_length(ber, element, &len))
		return -EBADMSG;
	element->start = ber->at;
	element->outer_end = ber->end;
	if (tag != KC_BER_ANY && tag & KC_BER_CONSTRUCTED) {
		if (!element->indefinite)
			ber->end = ber->at + len;
		return 1;
	}
	if (element->indefinite && indefinite_length(ber, &len))
		return -EBADMSG;
	element->value = kc_span(ber->data + ber->at, len);
	ber->at += len;
	return 1;
}

int kc_ber_close(struct kc_ber *ber, struct kc_ber_element *element, bool list)
{
	size_t end = ber->at;

	if (element->indefinite) {
		if (ber->end - ber->at < 2)
			return -EBADMSG;
		if (ber->data[ber->at])
			return list ? 1 : -EBADMSG;
		if (ber->data[ber->at + 1])
			return -EBADMSG;
		ber->at += 2;
	} else {
		if (ber->at < ber->end)
			return list ? 1 : -EBADMSG;
		ber->end = element->outer_end;
	}
	element->value = kc_span(ber->data + element->start, end - element->start);
	return 0;
}

static const struct {
	enum kc_oid oid;
	uint8_t len;
	uint8_t bytes[10];
} oids[] = {
#define PKCS 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01
#define MICROSOFT 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01
#define NIST 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04
#define ANSI 0x2a, 0x86, 0x48, 0xce, 0x3d
#define GOST 0x2a, 0x85, 0x03, 0x07, 0x01, 0x01
	{ KC_OID_DATA, 9, { PKCS, 7, 1 } },
	{ KC_OID_SIGNED_DATA, 9, { PKCS, 7, 2 } },
	{ KC_OID_CONTENT_TYPE, 9, { PKCS, 9, 3 } },
	{ KC_OID_MESSAGE_DIGEST, 9, { PKCS, 9, 4 } },
	{ KC_OID_SIGNING_TIME, 9, { PKCS, 9, 5 } },
	{ KC_OID_SMIME_CAPABILITIES, 9, { PKCS, 9, 15 } },
	{ KC_OID_MS_INDIRECT_DATA, 10, { MICROSOFT, 4 } },
	{ KC_OID_MS_STATEMENT_TYPE, 10, { MICROSOFT, 11 } },
	{ KC_OID_MS_OPUS_INFO, 10, { MICROSOFT, 12 } },
	{ KC_OID_SHA1, 5, { 0x2b, 0x0e, 0x03, 0x02, 0x1a } },
	{ KC_OID_SHA256, 9, { NIST, 2, 1 } },
	{ KC_OID_SHA384, 9, { NIST, 2, 2 } },
	{ KC_OID_SHA512, 9, { NIST, 2, 3 } },
	{ KC_OID_SHA224, 9, { NIST, 2, 4 } },
	{ KC_OID_SHA3_256, 9, { NIST, 2, 8 } },
	{ KC_OID_SHA3_384, 9, { NIST, 2, 9 } },
	{ KC_OID_SHA3_512, 9, { NIST, 2, 10 } },
	{ KC_OID_SM3, 8, { 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x11 } },
	{ KC_OID_STREEBOG_256, 8, { GOST, 2, 2 } },
	{ KC_OID_STREEBOG_512, 8, { GOST, 2, 3 } },
	{ KC_OID_RSA, 9, { PKCS, 1, 1 } },
	{ KC_OID_RSA_SHA1, 9, { PKCS, 1, 5 } },
	{ KC_OID_RSA_SHA256, 9, { PKCS, 1, 11 } },
	{ KC_OID_RSA_SHA384, 9, { PKCS, 1, 12 } },
	{ KC_OID_RSA_SHA512, 9, { PKCS, 1, 13 } },
	{ KC_OID_RSA_SHA224, 9, { PKCS, 1, 14 } },
	{ KC_OID_RSA_SHA3_256, 9, { NIST, 3, 14 } },
	{ KC_OID_RSA_SHA3_384, 9, { NIST, 3, 15 } },
	{ KC_OID_RSA_SHA3_512, 9, { NIST, 3, 16 } },
	{ KC_OID_EC_KEY, 7, { ANSI, 2, 1 } },
	{ KC_OID_ECDSA_SHA1, 7, { ANSI, 4, 1 } },
	{ KC_OID_ECDSA_SHA224, 8, { ANSI, 4, 3, 1 } },
	{ KC_OID_ECDSA_SHA256, 8, { ANSI, 4, 3, 2 } },
	{ KC_OID_ECDSA_SHA384, 8, { ANSI, 4, 3, 3 } },
	{ KC_OID_ECDSA_SHA512, 8, { ANSI, 4, 3, 4 } },
	{ KC_OID_ECDSA_SHA3_256, 9, { NIST, 3, 10 } },
	{ KC_OID_ECDSA_SHA3_384, 9, { NIST, 3, 11 } },
	{ KC_OID_ECDSA_SHA3_512, 9, { NIST, 3, 12 } },
	{ KC_OID_P192, 8, { ANSI, 3, 1, 1 } },
	{ KC_OID_P256, 8, { ANSI, 3, 1, 7 } },
	{ KC_OID_P384, 5, { 0x2b, 0x81, 0x04, 0x00, 0x22 } },
	{ KC_OID_P521, 5, { 0x2b, 0x81, 0x04, 0x00, 0x23 } },
	{ KC_OID_GOST_KEY_256, 8, { GOST, 1, 1 } },
	{ KC_OID_GOST_KEY_512, 8, { GOST, 1, 2 } },
	{ KC_OID_GOST_SIGNATURE_256, 8, { GOST, 3, 2 } },
	{ KC_OID_GOST_SIGNATURE_512, 8, { GOST, 3, 3 } },
	{ KC_OID_COMMON_NAME, 3, { 0x55, 0x04, 0x03 } },
	{ KC_OID_SUBJECT_KEY_ID, 3, { 0x55, 0x1d, 0x0e } },
	{ KC_OID_KEY_USAGE, 3, { 0x55, 0x1d, 0x0f } },
	{ KC_OID_BASIC_CONSTRAINTS, 3, { 0x55, 0x1d, 0x13 } },
	{ KC_OID_AUTHORITY_KEY_ID, 3, { 0x55, 0x1d, 0x23 } },
};

enum kc_oid kc_oid_find(struct kc_span value)
{
	for (size_t i = 0; i < KC_ARRAY_SIZE(oids); i++)
		if (oids[i].len == value.len && !memcmp(oids[i].bytes, value.data, value.len))
			return oids[i].oid;
	return KC_OID_UNKNOWN;
}

int kc_ber_match_oid(struct kc_ber *ber, enum kc_oid *oid_ret, struct kc_span *bytes_ret)
{
	struct kc_ber_element oid;

	if (kc_ber_match(ber, KC_BER_OID, 0, &oid) < 0)
		return -EBADMSG;
	*oid_ret = kc_oid_find(oid.value);
	*bytes_ret = oid.value;
	return 0;
}
