/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * PKCS#7 as the kernel parses it: see pkcs7.h. The order of the checks is the kernel's, because the
 * first one that fails decides the errno.
 *
 * Differs from Linux: md4 and md5, which kernels before 6.4 took by name, are never known here.
 */
#include "module/pkcs7.h"

#include <errno.h>
#include <stdlib.h>

/* A message on its way. What a SignerInfo doesn't set is left from the one before. */
struct parsing {
	struct kc_ber ber;
	const struct kc_behaviour *behaviour;
	struct kc_pkcs7 *message;
	enum kc_pkcs7_fault fault;
	enum kc_oid last_oid;
	struct kc_span last_oid_bytes;
	unsigned int version;
	bool expect_key_id;
	struct kc_span serial, issuer, key_id;
	size_t signer_capacity, certificate_capacity;
	bool is_certificate_list; /* not a list of revocations */
	/* of the SignerInfo being parsed */
	struct kc_pkcs7_signer signer;
	unsigned int attributes_seen;
};

/* Attributes that may come once. */
enum {
	SEEN_CONTENT_TYPE = 0x01,
	SEEN_SIGNING_TIME = 0x02,
	SEEN_MESSAGE_DIGEST = 0x04,
	SEEN_SMIME_CAPABILITIES = 0x08,
	SEEN_MS_OPUS_INFO = 0x10,
	SEEN_MS_STATEMENT_TYPE = 0x20,
};

/* Room for one more in an array; NULL: out of memory. */
static void *grow(void *array, size_t count, size_t *capacity, size_t size)
{
	void *larger;

	if (count < *capacity)
		return array;
	larger = reallocarray(array, *capacity ? *capacity * 2 : 2, size);
	if (larger)
		*capacity = *capacity ? *capacity * 2 : 2;
	return larger;
}

static int parse_oid(struct parsing *p)
{
	return kc_ber_match_oid(&p->ber, &p->last_oid, &p->last_oid_bytes);
}

/* An element that is a list: calls `parse` for each of its members. */
static int parse_list(struct parsing *p, struct kc_ber_element *list,
		      int (*parse)(struct parsing *p))
{
	int err, more;

	do {
		err = parse(p);
		if (err)
			return err;
		more = kc_ber_close(&p->ber, list, true);
	} while (more > 0);
	return more;
}

/* A choice between two kinds of list with the same members. 1: one was there. */
static int parse_either_list(struct parsing *p, int tag, int other_tag,
			     int (*parse)(struct parsing *p))
{
	struct kc_ber_element list;
	int got = 0, err;

	for (int i = 0; i < 2; i++) {
		int here = kc_ber_match(&p->ber, i ? other_tag : tag,
					KC_BER_OPTIONAL | (i ? KC_BER_CHOICE : 0), &list);

		if (here < 0)
			return -EBADMSG;
		if (!here)
			continue;
		err = parse_list(p, &list, parse);
		if (err)
			return err;
		kc_ber_returned(&p->ber);
		got = 1;
	}
	return got;
}

/* AlgorithmIdentifier. */
static int parse_algorithm(struct parsing *p)
{
	struct kc_ber_element sequence, parameters;

	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &sequence) < 0 || parse_oid(p) ||
	    kc_ber_match(&p->ber, KC_BER_ANY, KC_BER_OPTIONAL, &parameters) < 0)
		return -EBADMSG;
	return kc_ber_close(&p->ber, &sequence, false);
}

static void identify_signer(struct parsing *p)
{
	p->signer.by_key_id = p->expect_key_id;
	if (p->expect_key_id) {
		p->signer.id.first = p->key_id;
	} else {
		p->signer.id = (struct kc_key_id){ p->serial, p->issuer };
		p->signer.issuer = p->issuer;
	}
}

static int unknown_algorithm(struct parsing *p)
{
	identify_signer(p);
	p->message->stopped_in = p->signer;
	p->message->stopped_at = p->last_oid_bytes;
	p->fault = KC_PKCS7_ALGORITHM;
	return -ENOPKG;
}

static int note_digest(struct parsing *p)
{
	static const struct {
		enum kc_oid oid;
		enum kc_digest digest;
	} known[] = {
		{ KC_OID_SHA256, KC_DIGEST_SHA256 },
		{ KC_OID_SHA384, KC_DIGEST_SHA384 },
		{ KC_OID_SHA512, KC_DIGEST_SHA512 },
		{ KC_OID_SHA224, KC_DIGEST_SHA224 },
		{ KC_OID_SHA1, KC_DIGEST_SHA1 },
		{ KC_OID_SM3, KC_DIGEST_SM3 },
		{ KC_OID_STREEBOG_256, KC_DIGEST_STREEBOG_256 },
		{ KC_OID_STREEBOG_512, KC_DIGEST_STREEBOG_512 },
		{ KC_OID_SHA3_256, KC_DIGEST_SHA3_256 },
		{ KC_OID_SHA3_384, KC_DIGEST_SHA3_384 },
		{ KC_OID_SHA3_512, KC_DIGEST_SHA3_512 },
	};

	for (size_t i = 0; i < KC_ARRAY_SIZE(known); i++) {
		if (known[i].oid != p->last_oid)
			continue;
		p->signer.algorithm.digest = known[i].digest;
		if ((p->last_oid == KC_OID_SHA1 && !p->behaviour->signature_sha1) ||
		    (p->last_oid >= KC_OID_SHA3_256 && p->last_oid <= KC_OID_SHA3_512 &&
		     !p->behaviour->signature_sha3))
			break;
		return 0;
	}
	return unknown_algorithm(p);
}

static int note_key_algorithm(struct parsing *p)
{
	switch (p->last_oid) {
	case KC_OID_RSA:
		p->signer.algorithm.algorithm = KC_ALGORITHM_RSA;
		return 0;
	case KC_OID_ECDSA_SHA3_256:
	case KC_OID_ECDSA_SHA3_384:
	case KC_OID_ECDSA_SHA3_512:
		if (!p->behaviour->signature_sha3)
			break;
		/* fall through */
	case KC_OID_ECDSA_SHA1:
	case KC_OID_ECDSA_SHA224:
	case KC_OID_ECDSA_SHA256:
	case KC_OID_ECDSA_SHA384:
	case KC_OID_ECDSA_SHA512:
		p->signer.algorithm.algorithm = KC_ALGORITHM_ECDSA;
		return 0;
	case KC_OID_GOST_KEY_256:
	case KC_OID_GOST_KEY_512:
		p->signer.algorithm.algorithm = KC_ALGORITHM_ECRDSA;
		return 0;
	default:
		break;
	}
	return unknown_algorithm(p);
}

/* ---- certificates ---- */

static int parse_certificate(struct parsing *p)
{
	struct kc_pkcs7 *message = p->message;
	struct kc_ber_element any;
	struct kc_x509 *certificates, certificate;
	size_t len;
	int err;

	if (kc_ber_match(&p->ber, KC_BER_ANY, 0, &any) < 0 || any.tag != KC_BER_SEQUENCE)
		return -EBADMSG;
	/* Of one with an indefinite length, the end mark is in the value already. The kernel adds
	 * two bytes for it nevertheless, which its parser never gets to. */
	len = any.value.len + any.header;
	err = kc_x509_parse(p->behaviour, kc_span(any.value.data - any.header, len), &certificate);
	if (err) {
		p->fault = KC_PKCS7_CERTIFICATE;
		return err;
	}
	if (!p->is_certificate_list) {
		kc_x509_deinit(&certificate);
		return 0;
	}
	certificates = grow(message->certificates, message->certificate_count,
			    &p->certificate_capacity, sizeof(*certificates));
	if (!certificates) {
		kc_x509_deinit(&certificate);
		return -ENOMEM;
	}
	message->certificates = certificates;
	certificates[message->certificate_count++] = certificate;
	return 0;
}

/* In the set form an empty list passes. */
static int parse_certificate_set(struct parsing *p)
{
	if (p->ber.at == p->ber.end)
		return p->ber.matched ? 0 : -EBADMSG;
	return parse_certificate(p);
}

static int parse_certificates(struct parsing *p)
{
	static const struct {
		int tag;
		int (*parse)(struct parsing *p);
	} forms[] = { { KC_BER_CONTEXT | KC_BER_CONSTRUCTED | 0, parse_certificate_set },
		      { KC_BER_CONTEXT | KC_BER_CONSTRUCTED | 2, parse_certificate } };
	struct kc_ber_element list;
	int err;

	p->is_certificate_list = true;
	for (size_t i = 0; i < KC_ARRAY_SIZE(forms); i++) {
		int got = kc_ber_match(&p->ber, forms[i].tag,
				       KC_BER_OPTIONAL | (i ? KC_BER_CHOICE : 0), &list);

		if (got < 0)
			return -EBADMSG;
		if (!got)
			continue;
		err = parse_list(p, &list, forms[i].parse);
		if (err)
			return err;
		kc_ber_returned(&p->ber);
	}
	return 0;
}

/* What the kernel takes for a certificate revocation list: a sequence of certificates. */
static int parse_revocations(struct parsing *p)
{
	struct kc_ber_element list;
	int err;

	p->is_certificate_list = false;
	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &list) < 0)
		return -EBADMSG;
	err = parse_list(p, &list, parse_certificate);
	if (!err)
		kc_ber_returned(&p->ber);
	return err;
}

/* ---- SignerInfo ---- */

static int parse_name_pair(struct parsing *p)
{
	struct kc_ber_element pair, value;

	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &pair) < 0 || parse_oid(p) ||
	    kc_ber_match(&p->ber, KC_BER_ANY, 0, &value) < 0)
		return -EBADMSG;
	return kc_ber_close(&p->ber, &pair, false);
}

static int parse_name_set(struct parsing *p)
{
	struct kc_ber_element set;

	if (kc_ber_match(&p->ber, KC_BER_SET, 0, &set) < 0)
		return -EBADMSG;
	return parse_list(p, &set, parse_name_pair);
}

static int parse_issuer_and_serial(struct parsing *p, struct kc_ber_element *outer)
{
	struct kc_ber_element name, serial;

	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &name) < 0 ||
	    parse_list(p, &name, parse_name_set))
		return -EBADMSG;
	p->issuer = name.value;
	if (kc_ber_match(&p->ber, KC_BER_INTEGER, 0, &serial) < 0)
		return -EBADMSG;
	p->serial = serial.value;
	if (kc_ber_close(&p->ber, outer, false))
		return -EBADMSG;
	kc_ber_returned(&p->ber);
	return 0;
}

/* SignerIdentifier: a choice, of which the version says which one will be looked at. */
static int parse_signer_id(struct parsing *p)
{
	struct kc_ber_element element;
	int got = kc_ber_match(&p->ber, KC_BER_SEQUENCE, KC_BER_OPTIONAL, &element);

	if (got < 0 || (got && parse_issuer_and_serial(p, &element)))
		return -EBADMSG;
	got = kc_ber_match(&p->ber, KC_BER_CONTEXT | 0, KC_BER_OPTIONAL | KC_BER_CHOICE, &element);
	if (got < 0 || !p->ber.matched)
		return -EBADMSG;
	if (got)
		p->key_id = element.value;
	return 0;
}

static int parse_signer_version(struct parsing *p)
{
	struct kc_ber_element version;

	if (kc_ber_match(&p->ber, KC_BER_INTEGER, 0, &version) < 0)
		return -EBADMSG;
	if (version.value.len != 1)
		return -EINVAL;
	switch (version.value.data[0]) {
	case 1:
		p->expect_key_id = false;
		return p->version == 1 ? 0 : -EBADMSG;
	case 3:
		p->expect_key_id = true;
		return p->version != 1 ? 0 : -EBADMSG;
	default:
		return -EINVAL;
	}
}

/* An attribute that is to come once, and some only in Authenticode. */
static int note_once(struct parsing *p, unsigned int bit, bool authenticode_only)
{
	bool repeated = p->attributes_seen & bit;

	p->attributes_seen |= bit;
	if (repeated || (authenticode_only && p->message->is_data)) {
		p->fault = KC_PKCS7_ATTRIBUTES;
		return -EKEYREJECTED;
	}
	return 0;
}

static int note_attribute(struct parsing *p, const struct kc_ber_element *value)
{
	enum kc_oid content = p->message->is_data ? KC_OID_DATA : KC_OID_MS_INDIRECT_DATA;
	int err;

	switch (p->last_oid) {
	case KC_OID_CONTENT_TYPE:
		err = note_once(p, SEEN_CONTENT_TYPE, false);
		if (!err && kc_oid_find(value->value) != content)
			err = -EBADMSG;
		return err;
	case KC_OID_SIGNING_TIME:
		err = note_once(p, SEEN_SIGNING_TIME, false);
		return err ? err : kc_x509_check_time(value->tag, value->value);
	case KC_OID_MESSAGE_DIGEST:
		err = note_once(p, SEEN_MESSAGE_DIGEST, false);
		if (!err && value->tag != KC_BER_OCTET_STRING)
			err = -EBADMSG;
		return err;
	case KC_OID_SMIME_CAPABILITIES:
		return note_once(p, SEEN_SMIME_CAPABILITIES, true);
	case KC_OID_MS_OPUS_INFO:
		return note_once(p, SEEN_MS_OPUS_INFO, true);
	case KC_OID_MS_STATEMENT_TYPE:
		return note_once(p, SEEN_MS_STATEMENT_TYPE, true);
	default:
		return 0;
	}
}

static int parse_attribute_value(struct parsing *p)
{
	struct kc_ber_element value;

	if (kc_ber_match(&p->ber, KC_BER_ANY, 0, &value) < 0)
		return -EBADMSG;
	return note_attribute(p, &value);
}

static int parse_any(struct parsing *p)
{
	struct kc_ber_element value;

	return kc_ber_match(&p->ber, KC_BER_ANY, 0, &value) < 0 ? -EBADMSG : 0;
}

static int parse_attribute_of(struct parsing *p, int (*parse)(struct parsing *p))
{
	struct kc_ber_element attribute, type, values;
	int err;

	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &attribute) < 0 ||
	    kc_ber_match(&p->ber, KC_BER_OID, 0, &type) < 0)
		return -EBADMSG;
	if (parse == parse_attribute_value)
		p->last_oid = kc_oid_find(type.value);
	if (kc_ber_match(&p->ber, KC_BER_SET, 0, &values) < 0)
		return -EBADMSG;
	err = parse_list(p, &values, parse);
	return err ? err : kc_ber_close(&p->ber, &attribute, false);
}

static int parse_attribute(struct parsing *p)
{
	return parse_attribute_of(p, parse_attribute_value);
}

static int parse_unauthenticated_attribute(struct parsing *p)
{
	return parse_attribute_of(p, parse_any);
}

/* The first form of authenticated attributes is complete. */
static int note_attributes(struct parsing *p)
{
	unsigned int needed = SEEN_CONTENT_TYPE | SEEN_MESSAGE_DIGEST;

	if ((p->attributes_seen & needed) != needed)
		return -EBADMSG;
	p->signer.attributes = true;
	return 0;
}

/* The second form, which the kernel parses and then pays no attention to. */
static int parse_attribute_sequence(struct parsing *p)
{
	struct kc_ber_element outer, list;
	int err;
	int got = kc_ber_match(&p->ber, KC_BER_CONTEXT | KC_BER_CONSTRUCTED | 2,
			       KC_BER_OPTIONAL | KC_BER_CHOICE, &outer);

	if (got <= 0)
		return got;
	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &list) < 0)
		return -EBADMSG;
	err = parse_list(p, &list, parse_attribute);
	return err ? err : kc_ber_close(&p->ber, &outer, false);
}

static int parse_attributes(struct parsing *p)
{
	struct kc_ber_element list;
	int err;
	int got = kc_ber_match(&p->ber, KC_BER_CONTEXT | KC_BER_CONSTRUCTED | 0, KC_BER_OPTIONAL,
			       &list);

	if (got < 0)
		return -EBADMSG;
	if (got) {
		err = parse_list(p, &list, parse_attribute);
		if (!err)
			err = note_attributes(p);
		if (err)
			return err;
		kc_ber_returned(&p->ber);
	}
	return parse_attribute_sequence(p);
}

static int parse_signature(struct parsing *p)
{
	struct kc_ber_element signature;
	int err;

	if (parse_algorithm(p))
		return -EBADMSG;
	err = note_key_algorithm(p);
	if (err)
		return err;
	if (kc_ber_match(&p->ber, KC_BER_OCTET_STRING, 0, &signature) < 0)
		return -EBADMSG;
	p->signer.signature = signature.value;
	err = parse_either_list(p, KC_BER_CONTEXT | KC_BER_CONSTRUCTED | 1,
				KC_BER_CONTEXT | KC_BER_CONSTRUCTED | 3,
				parse_unauthenticated_attribute);
	return err < 0 ? err : 0;
}

/* A SignerInfo is complete: it joins the message. */
static int note_signer(struct parsing *p)
{
	struct kc_pkcs7 *message = p->message;
	struct kc_pkcs7_signer *signers;

	if (!message->is_data && !p->signer.attributes)
		return -EBADMSG;
	identify_signer(p);
	signers = grow(message->signers, message->signer_count, &p->signer_capacity,
		       sizeof(*signers));
	if (!signers)
		return -ENOMEM;
	message->signers = signers;
	signers[message->signer_count++] = p->signer;
	return 0;
}

static int parse_signer(struct parsing *p)
{
	struct kc_ber_element sequence;
	int err;

	p->signer = (struct kc_pkcs7_signer){ 0 };
	p->attributes_seen = 0;
	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &sequence) < 0)
		return -EBADMSG;
	err = parse_signer_version(p);
	if (!err && (parse_signer_id(p) || parse_algorithm(p)))
		err = -EBADMSG;
	if (!err)
		err = note_digest(p);
	if (!err)
		err = parse_attributes(p);
	if (!err)
		err = parse_signature(p);
	if (!err)
		err = kc_ber_close(&p->ber, &sequence, false);
	if (!err)
		err = note_signer(p);
	if (!err)
		kc_ber_returned(&p->ber);
	return err;
}

/* ---- the message ---- */

static int parse_version(struct parsing *p)
{
	struct kc_ber_element version;

	if (kc_ber_match(&p->ber, KC_BER_INTEGER, 0, &version) < 0)
		return -EBADMSG;
	if (version.value.len != 1)
		return -EINVAL;
	p->version = version.value.data[0];
	return p->version == 1 || p->version == 3 ? 0 : -EINVAL;
}

/* The inner ContentInfo: what is signed, and whether it is in there. */
static int parse_content(struct parsing *p)
{
	struct kc_ber_element sequence, outer, data;
	int got;

	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &sequence) < 0 || parse_oid(p))
		return -EBADMSG;
	got = kc_ber_match(&p->ber, KC_BER_CONTEXT | KC_BER_CONSTRUCTED | 0, KC_BER_OPTIONAL,
			   &outer);
	if (got < 0)
		return -EBADMSG;
	if (got) {
		if (kc_ber_match(&p->ber, KC_BER_ANY, 0, &data) < 0 ||
		    kc_ber_close(&p->ber, &outer, false))
			return -EBADMSG;
		kc_ber_returned(&p->ber);
		p->message->has_content = true;
	}
	if (kc_ber_close(&p->ber, &sequence, false))
		return -EBADMSG;
	p->message->is_data = p->last_oid == KC_OID_DATA;
	if (!p->message->is_data && p->last_oid != KC_OID_MS_INDIRECT_DATA) {
		p->fault = KC_PKCS7_CONTENT_TYPE;
		return -EINVAL;
	}
	return 0;
}

static int parse_signed_data(struct parsing *p)
{
	struct kc_ber_element sequence;
	int err;

	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &sequence) < 0)
		return -EBADMSG;
	err = parse_version(p);
	if (!err && parse_either_list(p, KC_BER_SET, KC_BER_SEQUENCE, parse_algorithm) < 0)
		err = -EBADMSG;
	if (!err && !p->ber.matched)
		err = -EBADMSG;
	if (!err)
		err = parse_content(p);
	if (!err)
		err = parse_certificates(p);
	if (!err) {
		err = parse_either_list(p, KC_BER_CONTEXT | KC_BER_CONSTRUCTED | 1,
					KC_BER_CONTEXT | KC_BER_CONSTRUCTED | 3, parse_revocations);
		if (err > 0)
			err = 0;
	}
	if (!err) {
		err = parse_either_list(p, KC_BER_SET, KC_BER_SEQUENCE, parse_signer);
		if (err >= 0)
			err = p->ber.matched ? 0 : -EBADMSG;
	}
	return err ? err : kc_ber_close(&p->ber, &sequence, false);
}

static int parse_message(struct parsing *p)
{
	struct kc_ber_element sequence, content;
	int got, err;

	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &sequence) < 0 || parse_oid(p))
		return -EBADMSG;
	if (p->last_oid != KC_OID_SIGNED_DATA)
		return -EINVAL;
	got = kc_ber_match(&p->ber, KC_BER_CONTEXT | KC_BER_CONSTRUCTED | 0, KC_BER_OPTIONAL,
			   &content);
	if (got < 0)
		return -EBADMSG;
	if (got) {
		err = parse_signed_data(p);
		if (!err)
			err = kc_ber_close(&p->ber, &content, false);
		if (err)
			return err;
	}
	return kc_ber_close(&p->ber, &sequence, false);
}

/* There must be a signer, and all of them have authenticated attributes, or none. */
static int check_signers(const struct kc_pkcs7 *message)
{
	if (!message->signer_count)
		return -EINVAL;
	for (size_t i = 1; i < message->signer_count; i++)
		if (message->signers[i].attributes != message->signers[0].attributes)
			return -EINVAL;
	return 0;
}

int kc_pkcs7_parse(const struct kc_behaviour *behaviour, struct kc_span bytes,
		   struct kc_pkcs7 *message, enum kc_pkcs7_fault *fault_ret)
{
	static const uint8_t nothing;
	struct parsing p = { .behaviour = behaviour,
			     .message = message,
			     .fault = KC_PKCS7_STRUCTURE,
			     .serial = { &nothing, 0 },
			     .issuer = { &nothing, 0 },
			     .key_id = { &nothing, 0 } };
	int err = kc_ber_open(&p.ber, bytes);

	*message = (struct kc_pkcs7){ 0 };
	if (!err)
		err = parse_message(&p);
	if (!err)
		err = check_signers(message);
	if (err)
		*fault_ret = p.fault;
	return err;
}

void kc_pkcs7_deinit(struct kc_pkcs7 *message)
{
	for (size_t i = 0; i < message->certificate_count; i++)
		kc_x509_deinit(&message->certificates[i]);
	free(message->certificates);
	free(message->signers);
	*message = (struct kc_pkcs7){ 0 };
}
