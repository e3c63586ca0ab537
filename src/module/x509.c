/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * X.509 as the kernel parses it: see x509.h. The order of the checks is the kernel's, because the
 * first one that fails decides the errno.
 */
#include "module/x509.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/x509.h>

/* A certificate on its way. */
struct parsing {
	struct kc_ber ber;
	const struct kc_behaviour *behaviour;
	struct kc_x509 *certificate;
	enum kc_oid last_oid;
	struct kc_span last_oid_bytes;
	struct kc_span algorithm_oid; /* of the signature, as named inside what is signed */
	struct kc_span serial;
	struct kc_span parameters; /* of the key, with their header */
	struct kc_span key_info; /* SubjectPublicKeyInfo, with its header */
	struct kc_span authority; /* contents of the extension */
	bool key_known;
};

bool kc_key_id_same(const struct kc_key_id *a, const struct kc_key_id *b)
{
	const struct kc_key_id *longer = a->first.len >= b->first.len ? a : b;
	const struct kc_key_id *shorter = longer == a ? b : a;
	size_t overlap = longer->first.len - shorter->first.len;

	if (!kc_key_id_known(a) || !kc_key_id_known(b) ||
	    a->first.len + a->second.len != b->first.len + b->second.len)
		return false;
	/* The lengths add up, so the shorter one's second part has at least `overlap` bytes. */
	return !memcmp(longer->first.data, shorter->first.data, shorter->first.len) &&
	       (!overlap ||
		!memcmp(longer->first.data + shorter->first.len, shorter->second.data, overlap)) &&
	       (!longer->second.len ||
		!memcmp(longer->second.data, shorter->second.data + overlap, longer->second.len));
}

static int parse_oid(struct parsing *p)
{
	return kc_ber_match_oid(&p->ber, &p->last_oid, &p->last_oid_bytes);
}

/* AlgorithmIdentifier. The key's is the second of three: the one behind the subject. */
static int parse_algorithm(struct parsing *p)
{
	struct kc_ber_element sequence, parameters;
	int got;

	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &sequence) < 0 || parse_oid(p))
		return -EBADMSG;
	got = kc_ber_match(&p->ber, KC_BER_ANY, KC_BER_OPTIONAL, &parameters);
	if (got < 0)
		return -EBADMSG;
	if (got && p->certificate->subject.data && !p->key_known)
		p->parameters = kc_span(parameters.value.data - parameters.header,
					parameters.value.len + parameters.header);
	return kc_ber_close(&p->ber, &sequence, false);
}

/* Name: a list of sets of pairs; its contents as a whole are what names are compared by. */
static int parse_name(struct parsing *p, struct kc_span *name_ret)
{
	struct kc_ber_element name, set, pair, value;
	int more_sets, more_pairs;

	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &name) < 0)
		return -EBADMSG;
	do {
		if (kc_ber_match(&p->ber, KC_BER_SET, 0, &set) < 0)
			return -EBADMSG;
		do {
			if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &pair) < 0 || parse_oid(p) ||
			    kc_ber_match(&p->ber, KC_BER_ANY, 0, &value) < 0 ||
			    kc_ber_close(&p->ber, &pair, false))
				return -EBADMSG;
			more_pairs = kc_ber_close(&p->ber, &set, true);
		} while (more_pairs > 0);
		more_sets = more_pairs < 0 ? more_pairs : kc_ber_close(&p->ber, &name, true);
	} while (more_sets > 0);
	*name_ret = name.value;
	return more_sets;
}

static bool two_digits(const uint8_t **at, unsigned int *number_ret)
{
	if ((*at)[0] < '0' || (*at)[0] > '9' || (*at)[1] < '0' || (*at)[1] > '9')
		return false;
	*number_ret = (unsigned int)((*at)[0] - '0') * 10 + (unsigned int)((*at)[1] - '0');
	*at += 2;
	return true;
}

static unsigned int days_in_month(unsigned int year, unsigned int month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

int kc_x509_check_time(uint8_t tag, struct kc_span value)
{
	bool utc = tag == KC_BER_UTC_TIME;
	unsigned int century = 0, year, month, day, hour, minute, second;
	const uint8_t *at = value.data;

	if ((!utc && tag != KC_BER_GENERALIZED_TIME) || value.len != (utc ? 13 : 15))
		return -EBADMSG;
	if ((!utc && !two_digits(&at, &century)) || !two_digits(&at, &year))
		return -EBADMSG;
	year += utc ? (year >= 50 ? 1900 : 2000) : century * 100;
	if (!utc && year >= 1950 && year <= 2049)
		return -EBADMSG;
	if (!two_digits(&at, &month) || !two_digits(&at, &day) || !two_digits(&at, &hour) ||
	    !two_digits(&at, &minute) || !two_digits(&at, &second) || *at != 'Z')
		return -EBADMSG;
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
	    hour > 24 || minute > 59 || second > 60)
		return -EBADMSG;
	return 0;
}

/* Either kind of time. One that is missing at the end of its container goes unnoticed: the kernel
 * then looks once more at the element before it, which `time` still is. */
static int parse_time(struct parsing *p, struct kc_ber_element *time)
{
	struct kc_ber_element found;
	int got = kc_ber_match(&p->ber, KC_BER_UTC_TIME, KC_BER_OPTIONAL, &found);

	if (!got)
		got = kc_ber_match(&p->ber, KC_BER_GENERALIZED_TIME,
				   KC_BER_OPTIONAL | KC_BER_CHOICE, &found);
	if (got < 0 || !p->ber.matched)
		return -EBADMSG;
	if (got)
		*time = found;
	return kc_x509_check_time(time->tag, time->value);
}

static int parse_validity(struct parsing *p)
{
	struct kc_ber_element sequence, time;

	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &sequence) < 0)
		return -EBADMSG;
	time = sequence;
	if (parse_time(p, &time) || parse_time(p, &time))
		return -EBADMSG;
	return kc_ber_close(&p->ber, &sequence, false);
}

/* The curve of an elliptic key; an OID with its header, and nothing else. */
static int check_curve(const struct parsing *p)
{
	struct kc_span oid = p->parameters;

	if (oid.len < 3 || oid.data[0] != KC_BER_OID || oid.data[1] != oid.len - 2)
		return -EBADMSG;
	switch (kc_oid_find(kc_span(oid.data + 2, oid.len - 2))) {
	case KC_OID_P192:
	case KC_OID_P256:
	case KC_OID_P384:
	case KC_OID_P521:
		return 0;
	default:
		return -ENOPKG;
	}
}

static int note_key(struct parsing *p, struct kc_span bits)
{
	struct kc_public_key *key = &p->certificate->key;
	int err;

	switch (p->last_oid) {
	case KC_OID_RSA:
		key->algorithm = KC_ALGORITHM_RSA;
		break;
	case KC_OID_GOST_KEY_256:
	case KC_OID_GOST_KEY_512:
		key->algorithm = KC_ALGORITHM_ECRDSA;
		break;
	case KC_OID_EC_KEY:
		err = check_curve(p);
		if (err)
			return err;
		key->algorithm = KC_ALGORITHM_ECDSA;
		break;
	default:
		return -ENOPKG;
	}
	if (!bits.len || bits.data[0])
		return -EBADMSG;
	p->key_known = true;
	return 0;
}

static int parse_key(struct parsing *p)
{
	size_t start = p->ber.at;
	struct kc_ber_element sequence, bits;
	int err;

	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &sequence) < 0 || parse_algorithm(p) ||
	    kc_ber_match(&p->ber, KC_BER_BIT_STRING, 0, &bits) < 0)
		return -EBADMSG;
	err = note_key(p, bits.value);
	if (err)
		return err;
	if (kc_ber_close(&p->ber, &sequence, false))
		return -EBADMSG;
	p->key_info = kc_span(p->ber.data + start, p->ber.at - start);
	return 0;
}

static int note_subject_key_id(struct parsing *p, struct kc_span value)
{
	if (kc_key_id_known(&p->certificate->skid) || value.len < 3 ||
	    value.data[0] != KC_BER_OCTET_STRING || value.data[1] != value.len - 2)
		return -EBADMSG;
	p->certificate->skid.first = kc_span(value.data + 2, value.len - 2);
	return 0;
}

static int check_key_usage(struct kc_span value)
{
	return value.len < 4 || value.data[0] != KC_BER_BIT_STRING || value.data[2] >= 8 ? -EBADMSG
											 : 0;
}

/* Empty, or beginning with a true BOOLEAN. */
static int check_basic_constraints(struct kc_span value)
{
	if (value.len < 2 || value.data[0] != KC_BER_SEQUENCE || value.data[1] != value.len - 2)
		return -EBADMSG;
	if (value.data[1] && (value.len < 5 || memcmp(value.data + 2, "\x01\x01\xff", 3)))
		return -EBADMSG;
	return 0;
}

/* Differs from Linux: kernels before 6.4 don't look at keyUsage and basicConstraints. */
static int note_extension(struct parsing *p, struct kc_span value)
{
	switch (p->last_oid) {
	case KC_OID_SUBJECT_KEY_ID:
		return note_subject_key_id(p, value);
	case KC_OID_KEY_USAGE:
		return check_key_usage(value);
	case KC_OID_BASIC_CONSTRAINTS:
		return check_basic_constraints(value);
	case KC_OID_AUTHORITY_KEY_ID:
		p->authority = value;
		return 0;
	default:
		return 0;
	}
}

static int parse_extension(struct parsing *p)
{
	struct kc_ber_element sequence, critical, value;
	int err;

	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &sequence) < 0 || parse_oid(p) ||
	    kc_ber_match(&p->ber, KC_BER_BOOLEAN, KC_BER_OPTIONAL, &critical) < 0 ||
	    kc_ber_match(&p->ber, KC_BER_OCTET_STRING, 0, &value) < 0)
		return -EBADMSG;
	err = note_extension(p, value.value);
	return err ? err : kc_ber_close(&p->ber, &sequence, false);
}

static int parse_extensions(struct parsing *p)
{
	struct kc_ber_element outer, list;
	int err, more;

	more = kc_ber_match(&p->ber, KC_BER_CONTEXT | KC_BER_CONSTRUCTED | 3, KC_BER_OPTIONAL,
			    &outer);
	if (more <= 0)
		return more;
	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &list) < 0)
		return -EBADMSG;
	do {
		err = parse_extension(p);
		if (err)
			return err;
		more = kc_ber_close(&p->ber, &list, true);
	} while (more > 0);
	return more < 0 ? more : kc_ber_close(&p->ber, &outer, false);
}

static int parse_version(struct parsing *p)
{
	struct kc_ber_element outer, version;
	int got = kc_ber_match(&p->ber, KC_BER_CONTEXT | KC_BER_CONSTRUCTED | 0, KC_BER_OPTIONAL,
			       &outer);

	if (got <= 0)
		return got;
	if (kc_ber_match(&p->ber, KC_BER_INTEGER, 0, &version) < 0)
		return -EBADMSG;
	return kc_ber_close(&p->ber, &outer, false);
}

/* Up to the algorithm that the certificate is signed with. */
static int parse_head(struct parsing *p)
{
	struct kc_ber_element serial;
	int err;

	if (parse_version(p) || kc_ber_match(&p->ber, KC_BER_INTEGER, 0, &serial) < 0 ||
	    parse_algorithm(p))
		return -EBADMSG;
	p->serial = serial.value;
	err = kc_signature_algorithm_find(p->behaviour, p->last_oid, &p->certificate->algorithm);
	p->algorithm_oid = p->last_oid_bytes;
	return err;
}

static int parse_tbs(struct parsing *p)
{
	struct kc_ber_element tbs, unique;
	int err;

	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &tbs) < 0)
		return -EBADMSG;
	err = parse_head(p);
	if (err)
		return err;
	if (parse_name(p, &p->certificate->issuer) || parse_validity(p) ||
	    parse_name(p, &p->certificate->subject))
		return -EBADMSG;
	err = parse_key(p);
	if (err)
		return err;
	for (int number = 1; number <= 2; number++)
		if (kc_ber_match(&p->ber, KC_BER_CONTEXT | number, KC_BER_OPTIONAL, &unique) < 0)
			return -EBADMSG;
	err = parse_extensions(p);
	if (err)
		return err;
	if (kc_ber_close(&p->ber, &tbs, false))
		return -EBADMSG;
	p->certificate->tbs = kc_span(tbs.value.data - tbs.header, tbs.value.len + tbs.header);
	return 0;
}

/* The algorithm is named twice, and must be the same. */
static int note_signature(struct parsing *p, struct kc_span bits)
{
	if (p->last_oid_bytes.len != p->algorithm_oid.len ||
	    memcmp(p->last_oid_bytes.data, p->algorithm_oid.data, p->algorithm_oid.len))
		return -EINVAL;
	if (!bits.len || bits.data[0])
		return -EBADMSG;
	p->certificate->signature = kc_span(bits.data + 1, bits.len - 1);
	return 0;
}

static int parse_certificate(struct parsing *p)
{
	struct kc_ber_element sequence, bits;
	int err;

	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &sequence) < 0)
		return -EBADMSG;
	err = parse_tbs(p);
	if (err)
		return err;
	if (parse_algorithm(p) || kc_ber_match(&p->ber, KC_BER_BIT_STRING, 0, &bits) < 0)
		return -EBADMSG;
	err = note_signature(p, bits.value);
	return err ? err : kc_ber_close(&p->ber, &sequence, false);
}

/* ---- AuthorityKeyIdentifier ---- */

/* [number] with one element of any kind in it. */
static int parse_wrapped(struct parsing *p, int number, unsigned int how)
{
	struct kc_ber_element outer, inner;
	int got = kc_ber_match(&p->ber, KC_BER_CONTEXT | KC_BER_CONSTRUCTED | number, how, &outer);

	if (got <= 0)
		return got;
	if (kc_ber_match(&p->ber, KC_BER_ANY, 0, &inner) < 0 ||
	    kc_ber_close(&p->ber, &outer, false))
		return -EBADMSG;
	kc_ber_returned(&p->ber);
	return 1;
}

/* What is inside the constructed kinds of GeneralName. */
static int parse_general_name_inside(struct parsing *p, int number, struct kc_span *issuer)
{
	struct kc_ber_element element;

	switch (number) {
	case 0: /* otherName */
		if (kc_ber_match(&p->ber, KC_BER_OID, 0, &element) < 0)
			return -EBADMSG;
		return parse_wrapped(p, 0, 0) < 0 ? -EBADMSG : 0;
	case 4: /* directoryName */
		return parse_name(p, issuer);
	case 5: /* ediPartyName */
		return parse_wrapped(p, 0, KC_BER_OPTIONAL) < 0 || parse_wrapped(p, 1, 0) < 0
			       ? -EBADMSG
			       : 0;
	default: /* x400Address */
		return kc_ber_match(&p->ber, KC_BER_ANY, 0, &element) < 0 ? -EBADMSG : 0;
	}
}

static bool general_name_constructed(int number)
{
	return number == 0 || (number >= 3 && number <= 5);
}

/* A choice of nine, tried in order. */
static int parse_general_name(struct parsing *p, struct kc_span *issuer)
{
	struct kc_ber_element name;

	for (int number = 0; number <= 8; number++) {
		bool inside = general_name_constructed(number);
		int got = kc_ber_match(&p->ber,
				       KC_BER_CONTEXT | (inside ? KC_BER_CONSTRUCTED : 0) | number,
				       KC_BER_OPTIONAL | (number ? KC_BER_CHOICE : 0), &name);

		if (got < 0)
			return -EBADMSG;
		if (!got || !inside)
			continue;
		if (parse_general_name_inside(p, number, issuer) ||
		    kc_ber_close(&p->ber, &name, false))
			return -EBADMSG;
		kc_ber_returned(&p->ber);
	}
	return p->ber.matched ? 0 : -EBADMSG;
}

static int parse_general_names(struct parsing *p, struct kc_span *issuer)
{
	struct kc_ber_element list;
	int more = kc_ber_match(&p->ber, KC_BER_CONTEXT | KC_BER_CONSTRUCTED | 1, KC_BER_OPTIONAL,
				&list);

	if (more <= 0)
		return more;
	do {
		if (parse_general_name(p, issuer))
			return -EBADMSG;
		more = kc_ber_close(&p->ber, &list, true);
	} while (more > 0);
	return more;
}

static int parse_authority(struct parsing *p)
{
	struct kc_ber_element sequence, key_id, serial;
	struct kc_span issuer = { 0 };
	int err = kc_ber_open(&p->ber, p->authority), got;

	if (err)
		return err;
	if (kc_ber_match(&p->ber, KC_BER_SEQUENCE, 0, &sequence) < 0)
		return -EBADMSG;
	got = kc_ber_match(&p->ber, KC_BER_CONTEXT | 0, KC_BER_OPTIONAL, &key_id);
	if (got < 0 || parse_general_names(p, &issuer))
		return -EBADMSG;
	if (got)
		p->certificate->authority_key.first = key_id.value;
	got = kc_ber_match(&p->ber, KC_BER_CONTEXT | 2, KC_BER_OPTIONAL, &serial);
	if (got < 0)
		return -EBADMSG;
	if (got && issuer.data)
		p->certificate->authority = (struct kc_key_id){ serial.value, issuer };
	return kc_ber_close(&p->ber, &sequence, false);
}

/* ---- what follows from it ---- */

/*
 * A certificate that names itself as its issuer is verified at once. Where its authority is named
 * in both ways, both must be itself.
 */
static int check_self_signed(const struct kc_behaviour *behaviour, struct kc_x509 *certificate)
{
	bool key_named = kc_key_id_known(&certificate->authority_key);
	bool id_named = kc_key_id_known(&certificate->authority);
	int err;

	if (certificate->subject.len != certificate->issuer.len ||
	    memcmp(certificate->subject.data, certificate->issuer.data, certificate->issuer.len))
		return 0;
	if (key_named || id_named) {
		bool key_same = kc_key_id_same(&certificate->skid, &certificate->authority_key);
		bool id_same = kc_key_id_same(&certificate->id, &certificate->authority);

		if (!key_same && !id_same)
			return 0;
		if (key_same != id_same && key_named && id_named)
			return -EKEYREJECTED;
	}
	if (certificate->unsupported_signature)
		return 0;
	err = kc_public_key_verify(behaviour, &certificate->key, certificate->algorithm,
				   &certificate->digest, certificate->signature);
	if (err == -ENOPKG) {
		certificate->unsupported_signature = true;
		return 0;
	}
	certificate->self_signed = !err;
	return err;
}

/* A key that OpenSSL can't decode stays NULL: the kernel doesn't notice before it is used. */
static void decode_key(struct parsing *p)
{
	const uint8_t *at = p->key_info.data;

	if (p->certificate->key.algorithm != KC_ALGORITHM_ECRDSA)
		p->certificate->key.key = d2i_PUBKEY(NULL, &at, (long)p->key_info.len);
}

int kc_x509_parse(const struct kc_behaviour *behaviour, struct kc_span bytes,
		  struct kc_x509 *certificate)
{
	struct parsing p = { .behaviour = behaviour, .certificate = certificate };
	int err = kc_ber_open(&p.ber, bytes);

	*certificate = (struct kc_x509){ 0 };
	if (!err)
		err = parse_certificate(&p);
	if (!err && p.authority.data)
		err = parse_authority(&p);
	if (err)
		return err;
	err = kc_digest_compute(certificate->algorithm.digest, certificate->tbs,
				&certificate->digest);
	if (err && err != -ENOPKG)
		return err;
	certificate->unsupported_signature = err == -ENOPKG;
	certificate->id = (struct kc_key_id){ p.serial, certificate->issuer };
	decode_key(&p);
	err = check_self_signed(behaviour, certificate);
	if (err)
		kc_x509_deinit(certificate);
	return err;
}

void kc_x509_deinit(struct kc_x509 *certificate)
{
	EVP_PKEY_free(certificate->key.key);
	certificate->key.key = NULL;
}

/* ---- names ---- */

static char *printable(struct kc_span text)
{
	char *copy = malloc(text.len + 1);

	if (!copy)
		return NULL;
	for (size_t i = 0; i < text.len; i++)
		copy[i] = (char)(text.data[i] < 0x20 || text.data[i] == 0x7f ? '?' : text.data[i]);
	copy[text.len] = 0;
	return copy;
}

char *kc_x509_common_name(struct kc_span name)
{
	struct kc_ber_element set, pair, oid, value;
	struct kc_ber ber;

	if (!name.len || kc_ber_open(&ber, name))
		return NULL;
	while (ber.at < ber.end) {
		int more;

		if (kc_ber_match(&ber, KC_BER_SET, 0, &set) < 0)
			return NULL;
		do {
			if (kc_ber_match(&ber, KC_BER_SEQUENCE, 0, &pair) < 0 ||
			    kc_ber_match(&ber, KC_BER_OID, 0, &oid) < 0 ||
			    kc_ber_match(&ber, KC_BER_ANY, 0, &value) < 0)
				return NULL;
			if (kc_oid_find(oid.value) == KC_OID_COMMON_NAME)
				return printable(value.value);
			if (kc_ber_close(&ber, &pair, false))
				return NULL;
			more = kc_ber_close(&ber, &set, true);
		} while (more > 0);
		if (more < 0)
			return NULL;
	}
	return NULL;
}
