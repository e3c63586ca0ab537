/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * module/signing.c and what is below it against what the real kernel answers.
 *
 * Each recipe of `recipes` is one signature, made from keys that are new in each run. The errnos of
 * its row were learnt from the real kernel (Debian's 6.12 cloud kernel, made to trust the test's
 * keys), with
 *
 *	tests/oracle/signatures DIR
 *
 * which runs `test_signing --write DIR dummy.ko`, `trust` and `ask`: without options; with
 * module.sig_enforce=1; with lockdown=integrity.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/buffer.h"
#include "image/image.h"
#include "module/pkcs7.h"
#include "module/signing.h"

static const char marker[] = "~Module signature appended~\n";

enum { TRAILER = 12, MARKER = sizeof(marker) - 1 };

/* -------------------------------------------------------------------------------------------------
 * keys and certificates */

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

static struct {
	const char *name;
	enum key issuer;
	bool trusted;
	const char *curve; /* NULL: RSA */
	EVP_PKEY *pair;
	X509 *certificate;
} keys[KEY_COUNT] = {
	[KEY_RSA] = { "kocoon rsa", KEY_RSA, true, NULL, NULL, NULL },
	[KEY_P256] = { "kocoon p256", KEY_P256, true, "P-256", NULL, NULL },
	[KEY_P384] = { "kocoon p384", KEY_P384, true, "P-384", NULL, NULL },
	[KEY_P521] = { "kocoon p521", KEY_P521, true, "P-521", NULL, NULL },
	[KEY_EXPIRED] = { "kocoon expired", KEY_EXPIRED, true, "P-256", NULL, NULL },
	[KEY_ROOT] = { "kocoon root", KEY_ROOT, true, "P-256", NULL, NULL },
	[KEY_INTERMEDIATE] = { "kocoon intermediate", KEY_ROOT, false, "P-256", NULL, NULL },
	[KEY_LEAF] = { "kocoon leaf", KEY_ROOT, false, "P-256", NULL, NULL },
	[KEY_DEEP] = { "kocoon deep", KEY_INTERMEDIATE, false, "P-256", NULL, NULL },
	[KEY_STRANGER] = { "kocoon stranger", KEY_STRANGER, false, "P-256", NULL, NULL },
	[KEY_STRANGERS_LEAF] = { "kocoon stranger's leaf", KEY_STRANGER, false, "P-256", NULL,
				 NULL },
	[KEY_FORGED] = { "kocoon forged", KEY_ROOT, false, "P-256", NULL, NULL },
	[KEY_BROKEN_SELF] = { "kocoon broken", KEY_BROKEN_SELF, false, "P-256", NULL, NULL },
	[KEY_ED25519] = { "kocoon ed25519", KEY_ED25519, false, "ED25519", NULL, NULL },
};

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static EVP_PKEY *make_pair(const char *curve)
{
	if (!curve)
		return EVP_RSA_gen(2048);
	return strncmp(curve, "P-", 2) ? EVP_PKEY_Q_keygen(NULL, NULL, curve) : EVP_EC_gen(curve);
}

static void set_name(X509_NAME *name, const char *text)
{
	assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
						    (const uint8_t *)text, -1, -1, 0),
			 1);
}

static void make_key(enum key key)
{
	X509 *certificate = X509_new(), *issuer;
	enum key by = keys[key].issuer;
	EVP_PKEY *pair = make_pair(keys[key].curve);
	long year = 365 * 24 * 3600;

	assert_non_null(pair);
	assert_non_null(certificate);
	keys[key].pair = pair;
	keys[key].certificate = certificate;
	issuer = keys[by].certificate;
	X509_set_version(certificate, X509_VERSION_3);
	/* 0x80 more: a serial number that needs a 0 before it */
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 0x80 + (long)key);
	set_name(X509_get_subject_name(certificate), keys[key].name);
	if (issuer == certificate)
		set_name(X509_get_issuer_name(certificate), keys[key].name);
	else
		X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
	X509_gmtime_adj(X509_getm_notBefore(certificate), key == KEY_EXPIRED ? -3 * year : -year);
	X509_gmtime_adj(X509_getm_notAfter(certificate), key == KEY_EXPIRED ? -year : year);
	X509_set_pubkey(certificate, pair);
	add_extension(certificate, issuer, NID_basic_constraints, "CA:TRUE");
	add_extension(certificate, issuer, NID_key_usage, "digitalSignature,keyCertSign");
	add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
	add_extension(certificate, issuer, NID_authority_key_identifier, "keyid");
	assert_true(X509_sign(certificate,
			      key == KEY_FORGED || key == KEY_BROKEN_SELF ? keys[KEY_STRANGER].pair
									  : keys[by].pair,
			      key == KEY_ED25519 ? NULL : EVP_sha256()) > 0);
}

/* -------------------------------------------------------------------------------------------------
 * making DER */

static void add(struct kc_buffer *buffer, const void *data, size_t len)
{
	assert_int_equal(kc_buffer_append(buffer, data, len), 0);
}

static struct kc_buffer bytes(const void *data, size_t len)
{
	struct kc_buffer buffer = { 0 };

	add(&buffer, data, len);
	return buffer;
}

#define TEXT(text) bytes(text, sizeof(text) - 1)

enum length { LENGTH_SHORTEST, LENGTH_LONG, LENGTH_INDEFINITE, LENGTH_THREE_BYTES };

/* An element around parts, which it frees. */
static struct kc_buffer wrap(int tag, enum length length, struct kc_buffer *parts, size_t count)
{
	struct kc_buffer inner = { 0 }, element = { 0 };
	uint8_t head[5] = { (uint8_t)tag };
	size_t head_len = 2;

	for (size_t i = 0; i < count; i++) {
		if (parts[i].len)
			add(&inner, parts[i].data, parts[i].len);
		kc_buffer_deinit(&parts[i]);
	}
	if (length == LENGTH_INDEFINITE) {
		head[1] = 0x80;
		add(&inner, "\0", 2);
	} else if (length == LENGTH_THREE_BYTES) {
		head_len = 5;
		head[1] = 0x83;
		head[3] = (uint8_t)(inner.len >> 8);
		head[4] = (uint8_t)inner.len;
	} else if (inner.len > 255 || length == LENGTH_LONG) {
		head_len = 4;
		head[1] = 0x82;
		head[2] = (uint8_t)(inner.len >> 8);
		head[3] = (uint8_t)inner.len;
	} else if (inner.len > 127) {
		head_len = 3;
		head[1] = 0x81;
		head[2] = (uint8_t)inner.len;
	} else {
		head[1] = (uint8_t)inner.len;
	}
	add(&element, head, head_len);
	if (inner.len)
		add(&element, inner.data, inner.len);
	kc_buffer_deinit(&inner);
	return element;
}

#define PARTS(...)                           \
	(struct kc_buffer[]){ __VA_ARGS__ }, \
		sizeof((struct kc_buffer[]){ __VA_ARGS__ }) / sizeof(struct kc_buffer)
#define SEQUENCE(...) wrap(0x30, LENGTH_SHORTEST, PARTS(__VA_ARGS__))
#define SET(...) wrap(0x31, LENGTH_SHORTEST, PARTS(__VA_ARGS__))
#define ELEMENT(tag, ...) wrap(tag, LENGTH_SHORTEST, PARTS(__VA_ARGS__))
#define NOTHING ((struct kc_buffer){ 0 })

static struct kc_buffer oid(int nid)
{
	const ASN1_OBJECT *object = OBJ_nid2obj(nid);

	return ELEMENT(0x06, bytes(OBJ_get0_data(object), OBJ_length(object)));
}

static struct kc_buffer algorithm(int nid)
{
	return SEQUENCE(oid(nid), TEXT("\x05\x00"));
}

static struct kc_buffer integer(int number)
{
	uint8_t byte = (uint8_t)number;

	return ELEMENT(0x02, bytes(&byte, 1));
}

/* -------------------------------------------------------------------------------------------------
 * recipes */

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

static const struct recipe {
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
} recipes[] = {
#define OK .err = 0, .enforced = 0, .state = KOCOON_SIGNATURE_OK
#define UNKNOWN .err = 0, .enforced = -EKEYREJECTED, .state = KOCOON_SIGNATURE_UNKNOWN_KEY
#define UNSUPPORTED .err = 0, .enforced = -EKEYREJECTED, .state = KOCOON_SIGNATURE_UNSUPPORTED
#define NOT_SIGNED .err = 0, .enforced = -EKEYREJECTED, .state = KOCOON_SIGNATURE_NONE
#define BAD(number) .err = (number), .enforced = (number), .state = KOCOON_SIGNATURE_BAD
#define FORM(number) .err = (number), .enforced = (number), .state = KOCOON_SIGNATURE_UNSUPPORTED
	{ "unsigned", KEY_RSA, 0, NOT_SIGNED, .defect = UNSIGNED },
	{ "rsa", KEY_RSA, 0, OK },
	{ "rsa by key id", KEY_RSA, 0, OK, .by_key_id = true },
	{ "rsa sha1", KEY_RSA, NID_sha1, OK },
	{ "rsa sha224", KEY_RSA, NID_sha224, OK },
	{ "rsa sha384", KEY_RSA, NID_sha384, OK },
	{ "rsa sha512", KEY_RSA, NID_sha512, OK },
	{ "rsa sha3-256", KEY_RSA, NID_sha3_256, OK },
	{ "rsa sha3-384", KEY_RSA, NID_sha3_384, OK },
	{ "rsa sha3-512", KEY_RSA, NID_sha3_512, OK },
	{ "rsa sha3-224", KEY_RSA, NID_sha3_224, UNSUPPORTED },
	{ "rsa md5", KEY_RSA, NID_md5, UNSUPPORTED },
	{ "rsa sm3", KEY_RSA, NID_sm3, UNSUPPORTED },
	{ "p256", KEY_P256, 0, OK },
	{ "p384", KEY_P384, 0, OK },
	{ "p384 sha384", KEY_P384, NID_sha384, OK },
	{ "p521 sha512", KEY_P521, NID_sha512, OK },
	{ "p256 sha1", KEY_P256, NID_sha1, OK },
	{ "p256 sha512", KEY_P256, NID_sha512, OK },
	{ "p256 sha3-256", KEY_P256, NID_sha3_256, OK },
	{ "p256 sha3-512", KEY_P256, NID_sha3_512, OK },
	{ "p256 by key id", KEY_P256, 0, OK, .by_key_id = true },
	{ "expired", KEY_EXPIRED, 0, OK },
	{ "stranger", KEY_STRANGER, 0, UNKNOWN },
	{ "stranger by key id", KEY_STRANGER, 0, UNKNOWN, .by_key_id = true },
	{ "leaf not carried", KEY_LEAF, 0, UNKNOWN },
	{ "rsa named ecdsa", KEY_RSA, 0, BAD(-EKEYREJECTED),
	  .key_algorithm = NID_ecdsa_with_SHA256 },
	{ "p256 named rsa", KEY_P256, 0, BAD(-EKEYREJECTED), .key_algorithm = NID_rsaEncryption },
	{ "rsa named sha256WithRSA", KEY_RSA, 0, UNSUPPORTED,
	  .key_algorithm = NID_sha256WithRSAEncryption },
	{ "rsa named dsa", KEY_RSA, 0, UNSUPPORTED, .key_algorithm = NID_dsa },
	{ "p256 named ecdsa-with-sha512", KEY_P256, 0, OK, .key_algorithm = NID_ecdsa_with_SHA512 },

	{ "content changed", KEY_RSA, 0, BAD(-EKEYREJECTED), .defect = CONTENT_CHANGED },
	{ "content changed p256", KEY_P256, 0, BAD(-EKEYREJECTED), .defect = CONTENT_CHANGED },
	{ "signature changed", KEY_RSA, 0, BAD(-EKEYREJECTED), .defect = SIGNATURE_CHANGED },
	{ "signature changed p256", KEY_P256, 0, BAD(-EKEYREJECTED), .defect = SIGNATURE_CHANGED },
	{ "signature short", KEY_RSA, 0, BAD(-EKEYREJECTED), .defect = SIGNATURE_SHORT },
	{ "signature short p256", KEY_P256, 0, BAD(-EKEYREJECTED), .defect = SIGNATURE_SHORT },
	{ "signature zero", KEY_RSA, 0, BAD(-EKEYREJECTED), .defect = SIGNATURE_ZERO },
	{ "signature empty", KEY_RSA, 0, BAD(-EKEYREJECTED), .defect = SIGNATURE_EMPTY },
	{ "signature by another", KEY_P256, 0, BAD(-EKEYREJECTED),
	  .defect = SIGNATURE_OF_OTHER_KEY },
	{ "stranger, content changed", KEY_STRANGER, 0, UNKNOWN, .defect = CONTENT_CHANGED },
	{ "garbage behind", KEY_RSA, 0, OK, .defect = GARBAGE_BEHIND },
	{ "cut", KEY_RSA, 0, BAD(-EBADMSG), .defect = CUT },
	{ "cut to nothing", KEY_RSA, 0, BAD(-EBADMSG), .defect = CUT_TO_NOTHING },
	{ "too long", KEY_RSA, 0, BAD(-EMSGSIZE), .defect = TOO_LONG },

	{ "indefinite lengths", KEY_RSA, 0, OK, .defect = INDEFINITE_LENGTHS },
	{ "long lengths", KEY_P256, 0, OK, .defect = LONG_LENGTHS },
	{ "three-byte lengths", KEY_P256, 0, BAD(-EBADMSG), .defect = THREE_BYTE_LENGTHS },
	{ "primitive sequence", KEY_P256, 0, OK, .defect = PRIMITIVE_SEQUENCE },
	{ "constructed string", KEY_P256, 0, BAD(-EBADMSG), .defect = CONSTRUCTED_STRING },

	{ "not signed data", KEY_RSA, 0, BAD(-EINVAL), .defect = NOT_SIGNED_DATA },
	{ "no signed data", KEY_RSA, 0, BAD(-EINVAL), .defect = NO_SIGNED_DATA },
	{ "version 2", KEY_RSA, 0, BAD(-EINVAL), .defect = VERSION_2 },
	{ "version of two bytes", KEY_RSA, 0, BAD(-EINVAL), .defect = VERSION_LONG },
	{ "signer version 2", KEY_RSA, 0, BAD(-EINVAL), .defect = SIGNER_VERSION_2 },
	{ "versions differ", KEY_RSA, 0, BAD(-EBADMSG), .defect = VERSIONS_DIFFER },
	{ "no signers", KEY_RSA, 0, BAD(-EINVAL), .defect = NO_SIGNERS },
	{ "no signers, indefinite", KEY_RSA, 0, BAD(-EBADMSG), .defect = NO_SIGNERS_INDEFINITE },
	{ "empty set of signers", KEY_RSA, 0, BAD(-EBADMSG), .defect = EMPTY_SIGNERS },
	{ "sequence of signers", KEY_RSA, 0, OK, .defect = SIGNERS_AS_SEQUENCE },
	{ "content attached", KEY_RSA, 0, FORM(-EBADMSG), .defect = CONTENT_ATTACHED },
	{ "content of another type", KEY_RSA, 0, FORM(-EINVAL), .defect = CONTENT_OTHER },
	{ "authenticode", KEY_RSA, 0, BAD(-EBADMSG), .defect = CONTENT_INDIRECT },
	{ "authenticode with attributes", KEY_RSA, 0, FORM(-EKEYREJECTED),
	  .defect = CONTENT_INDIRECT, .attributes = ATTRIBUTES_GOOD },
	{ "authenticode with s/mime", KEY_RSA, 0, FORM(-EKEYREJECTED), .defect = CONTENT_INDIRECT,
	  .attributes = ATTRIBUTES_SMIME },
	{ "empty certificates", KEY_RSA, 0, OK, .defect = CERTIFICATES_EMPTY },
	{ "garbage as certificate", KEY_RSA, 0, BAD(-EBADMSG), .defect = CERTIFICATES_GARBAGE },
	{ "certificates as sequence", KEY_LEAF, 0, OK, .defect = CERTIFICATES_AS_SEQUENCE,
	  .carries = { KEY_LEAF } },
	{ "certificates as revocations", KEY_RSA, 0, OK, .defect = REVOCATIONS_OF_CERTIFICATES },
	{ "garbage as revocations", KEY_RSA, 0, BAD(-EBADMSG), .defect = REVOCATIONS_GARBAGE },
	{ "empty key id", KEY_RSA, 0, BAD(-EINVAL), .defect = KEY_ID_EMPTY, .by_key_id = true },
	{ "empty issuer", KEY_RSA, 0, BAD(-EBADMSG), .defect = ISSUER_EMPTY },
	{ "another serial number", KEY_RSA, 0, UNKNOWN, .defect = SERIAL_OTHER },
	{ "no signer id", KEY_RSA, 0, BAD(-EBADMSG), .defect = NO_SIGNER_ID },
	{ "key id in version 1", KEY_RSA, 0, BAD(-EINVAL), .defect = KEY_ID_IN_VERSION_1,
	  .by_key_id = true },
	{ "unauthenticated attributes", KEY_RSA, 0, OK, .defect = UNAUTHENTICATED },

	{ "attributes", KEY_RSA, 0, FORM(-EKEYREJECTED), .attributes = ATTRIBUTES_GOOD },
	{ "attributes of a stranger", KEY_STRANGER, 0, FORM(-EKEYREJECTED),
	  .attributes = ATTRIBUTES_GOOD },
	{ "attributes without digest", KEY_RSA, 0, BAD(-EBADMSG),
	  .attributes = ATTRIBUTES_NO_DIGEST },
	{ "attribute twice", KEY_RSA, 0, FORM(-EKEYREJECTED), .attributes = ATTRIBUTES_TWICE },
	{ "s/mime attribute", KEY_RSA, 0, FORM(-EKEYREJECTED), .attributes = ATTRIBUTES_SMIME },
	{ "attribute of another type", KEY_RSA, 0, BAD(-EBADMSG),
	  .attributes = ATTRIBUTES_OTHER_TYPE },
	{ "attribute with bad time", KEY_RSA, 0, BAD(-EBADMSG), .attributes = ATTRIBUTES_BAD_TIME },
	{ "attribute digest no string", KEY_RSA, 0, BAD(-EBADMSG),
	  .attributes = ATTRIBUTES_DIGEST_NO_STRING },
	{ "attributes' second form", KEY_RSA, 0, OK, .attributes = ATTRIBUTES_SECOND_FORM },
	{ "one with attributes", KEY_RSA, 0, BAD(-EINVAL), .defect = ONE_WITH_ATTRIBUTES,
	  .second = KEY_P256 },

	{ "carries itself", KEY_P256, 0, OK, .carries = { KEY_P256 } },
	{ "carries itself by key id", KEY_P256, 0, OK, .by_key_id = true, .carries = { KEY_P256 } },
	{ "leaf", KEY_LEAF, 0, OK, .carries = { KEY_LEAF } },
	{ "leaf and root", KEY_LEAF, 0, OK, .carries = { KEY_LEAF, KEY_ROOT } },
	{ "leaf by key id", KEY_LEAF, 0, UNKNOWN, .by_key_id = true, .carries = { KEY_LEAF } },
	{ "deep", KEY_DEEP, 0, OK, .carries = { KEY_DEEP, KEY_INTERMEDIATE } },
	{ "deep, turned round", KEY_DEEP, 0, OK,
	  .carries = { KEY_ROOT, KEY_INTERMEDIATE, KEY_DEEP } },
	{ "deep without intermediate", KEY_DEEP, 0, UNKNOWN, .carries = { KEY_DEEP } },
	{ "carried stranger", KEY_STRANGER, 0, UNKNOWN, .carries = { KEY_STRANGER } },
	{ "stranger's leaf", KEY_STRANGERS_LEAF, 0, UNKNOWN,
	  .carries = { KEY_STRANGERS_LEAF, KEY_STRANGER } },
	{ "forged", KEY_FORGED, 0, BAD(-EKEYREJECTED), .carries = { KEY_FORGED } },
	{ "forged and root", KEY_FORGED, 0, BAD(-EKEYREJECTED),
	  .carries = { KEY_FORGED, KEY_ROOT } },
	{ "leaf, content changed", KEY_LEAF, 0, BAD(-EKEYREJECTED), .defect = CONTENT_CHANGED,
	  .carries = { KEY_LEAF } },
	{ "carried stranger, content changed", KEY_STRANGER, 0, BAD(-EKEYREJECTED),
	  .defect = CONTENT_CHANGED, .carries = { KEY_STRANGER } },
	{ "carried rsa, signature short", KEY_RSA, 0, BAD(-EINVAL), .defect = SIGNATURE_SHORT,
	  .carries = { KEY_RSA } },
	{ "carried rsa, signature zero", KEY_RSA, 0, BAD(-EINVAL), .defect = SIGNATURE_ZERO,
	  .carries = { KEY_RSA } },
	{ "carried rsa, signature by another", KEY_P256, 0, BAD(-EKEYREJECTED),
	  .defect = SIGNATURE_OF_OTHER_KEY, .carries = { KEY_P256 } },
	{ "carried p256, signature short", KEY_P256, 0, BAD(-EBADMSG), .defect = SIGNATURE_SHORT,
	  .carries = { KEY_P256 } },
	{ "carried p256, signature zero", KEY_P256, 0, BAD(-EBADMSG), .defect = SIGNATURE_ZERO,
	  .carries = { KEY_P256 } },
	{ "broken self-signature", KEY_RSA, 0, BAD(-EKEYREJECTED), .carries = { KEY_BROKEN_SELF } },
	{ "certificate's signature damaged", KEY_RSA, 0, BAD(-EBADMSG),
	  .defect = CERTIFICATE_SIGNATURE, .carries = { KEY_P256 } },
	{ "certificate's algorithms differ", KEY_RSA, 0, BAD(-EINVAL),
	  .defect = CERTIFICATE_ALGORITHMS_DIFFER, .carries = { KEY_P256 } },
	{ "ed25519 certificate", KEY_RSA, 0, UNSUPPORTED, .carries = { KEY_ED25519 } },

	{ "two trusted", KEY_RSA, 0, OK, .second = KEY_P256 },
	{ "stranger, then trusted", KEY_STRANGER, 0, OK, .second = KEY_RSA },
	{ "trusted, then stranger", KEY_RSA, 0, OK, .second = KEY_STRANGER },
	{ "two strangers", KEY_STRANGER, 0, UNKNOWN, .second = KEY_STRANGERS_LEAF },
	{ "sm3, then trusted", KEY_RSA, NID_sm3, OK, .second = KEY_P256 },
	{ "sm3, then stranger", KEY_RSA, NID_sm3, UNSUPPORTED, .second = KEY_STRANGER },
	{ "trusted, then md5", KEY_P256, 0, UNSUPPORTED, .second = KEY_RSA,
	  .second_digest = NID_md5 },
	{ "bad, then trusted", KEY_RSA, 0, BAD(-EKEYREJECTED), .defect = SIGNATURE_CHANGED,
	  .second = KEY_P256 },

	{ "trailer: id type", KEY_RSA, 0, UNSUPPORTED, .defect = TRAILER_ID_TYPE },
	{ "trailer: algo", KEY_RSA, 0, BAD(-EBADMSG), .defect = TRAILER_ALGO },
	{ "trailer: hash", KEY_RSA, 0, BAD(-EBADMSG), .defect = TRAILER_HASH },
	{ "trailer: signer", KEY_RSA, 0, BAD(-EBADMSG), .defect = TRAILER_SIGNER_LEN },
	{ "trailer: key id", KEY_RSA, 0, BAD(-EBADMSG), .defect = TRAILER_KEY_ID_LEN },
	{ "trailer: pad", KEY_RSA, 0, BAD(-EBADMSG), .defect = TRAILER_PAD },
	{ "trailer: length 0", KEY_RSA, 0, BAD(-EBADMSG), .defect = TRAILER_LENGTH_ZERO },
	{ "trailer: length of all", KEY_RSA, 0, BAD(-EBADMSG), .defect = TRAILER_LENGTH_WHOLE },
	{ "trailer: length huge", KEY_RSA, 0, BAD(-EBADMSG), .defect = TRAILER_LENGTH_HUGE },
	{ "trailer only", KEY_RSA, 0, BAD(-EBADMSG), .defect = TRAILER_ONLY },
	{ "marker cut", KEY_RSA, 0, NOT_SIGNED, .defect = MARKER_CUT },
};

/* -------------------------------------------------------------------------------------------------
 * making signatures */

static const EVP_MD *digest_of(int nid)
{
	return EVP_get_digestbynid(nid ? nid : NID_sha256);
}

static struct kc_buffer raw_signature(enum key key, int digest, struct kc_span data)
{
	uint8_t value[EVP_MAX_MD_SIZE], signature[1024];
	unsigned int value_len;
	size_t len = sizeof(signature);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(keys[key].pair, NULL);

	assert_int_equal(
		EVP_Digest(data.data, data.len, value, &value_len, digest_of(digest), NULL), 1);
	assert_int_equal(EVP_PKEY_sign_init(context), 1);
	if (digest != NID_sm3)
		assert_int_equal(EVP_PKEY_CTX_set_signature_md(context, digest_of(digest)), 1);
	assert_int_equal(EVP_PKEY_sign(context, signature, &len, value, value_len), 1);
	EVP_PKEY_CTX_free(context);
	return bytes(signature, len);
}

static struct kc_buffer signature_of(const struct recipe *recipe, enum key key, int digest,
				     struct kc_span data)
{
	static const uint8_t zeros[512];
	bool rsa = !keys[key].curve;
	struct kc_buffer signature;

	if (key == KEY_ED25519)
		return TEXT("none");
	signature = raw_signature(recipe->defect == SIGNATURE_OF_OTHER_KEY ? KEY_STRANGER : key,
				  digest, data);
	switch (recipe->defect) {
	case SIGNATURE_CHANGED:
		signature.data[signature.len - 1] ^= 1;
		break;
	case SIGNATURE_SHORT:
		signature.len--;
		break;
	case SIGNATURE_EMPTY:
		signature.len = 0;
		break;
	case SIGNATURE_ZERO:
		if (rsa)
			memset(signature.data, 0, signature.len);
		kc_buffer_deinit(rsa ? &(struct kc_buffer){ 0 } : &signature);
		if (!rsa)
			signature = SEQUENCE(ELEMENT(0x02, bytes(zeros, 1)),
					     ELEMENT(0x02, bytes(zeros, 1)));
		break;
	default:
		break;
	}
	return signature;
}

static struct kc_buffer name_der(const X509_NAME *name)
{
	const uint8_t *der;
	size_t len;

	assert_int_equal(X509_NAME_get0_der(name, &der, &len), 1);
	return bytes(der, len);
}

static struct kc_buffer serial_der(const X509 *certificate)
{
	uint8_t *der = NULL;
	int len = i2d_ASN1_INTEGER(X509_get0_serialNumber(certificate), &der);
	struct kc_buffer buffer = bytes(der, (size_t)len);

	OPENSSL_free(der);
	return buffer;
}

static struct kc_buffer signer_id(const struct recipe *recipe, enum key key)
{
	X509 *certificate = keys[key].certificate;
	const ASN1_OCTET_STRING *key_id = X509_get0_subject_key_id(certificate);
	struct kc_buffer name, serial;

	if (recipe->defect == NO_SIGNER_ID)
		return NOTHING;
	if (recipe->by_key_id)
		return ELEMENT(0x80, recipe->defect == KEY_ID_EMPTY
					     ? NOTHING
					     : bytes(ASN1_STRING_get0_data(key_id),
						     (size_t)ASN1_STRING_length(key_id)));
	name = recipe->defect == ISSUER_EMPTY ? SEQUENCE(NOTHING)
					      : name_der(X509_get_issuer_name(certificate));
	serial = serial_der(certificate);
	if (recipe->defect == SERIAL_OTHER)
		serial.data[serial.len - 1] ^= 0x40;
	return SEQUENCE(name, serial);
}

static struct kc_buffer attribute(int nid, struct kc_buffer value)
{
	return SEQUENCE(oid(nid), SET(value));
}

static struct kc_buffer attributes_of(const struct recipe *recipe, enum attributes kind)
{
	int content = recipe->defect == CONTENT_INDIRECT ? NID_ms_ctl_sign : NID_pkcs7_data;
	struct kc_buffer type, digest, extra = NOTHING;

	if (kind == ATTRIBUTES_NONE)
		return NOTHING;
	type = attribute(NID_pkcs9_contentType, oid(content));
	if (recipe->defect == CONTENT_INDIRECT) {
		kc_buffer_deinit(&type);
		type = attribute(NID_pkcs9_contentType,
				 TEXT("\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x04"));
	}
	digest = attribute(NID_pkcs9_messageDigest, ELEMENT(0x04, TEXT("12345678")));
	switch (kind) {
	case ATTRIBUTES_NO_DIGEST:
		digest.len = 0;
		break;
	case ATTRIBUTES_TWICE:
		extra = attribute(NID_pkcs9_messageDigest, ELEMENT(0x04, TEXT("12345678")));
		break;
	case ATTRIBUTES_SMIME:
		extra = attribute(NID_SMIMECapabilities, SEQUENCE(NOTHING));
		break;
	case ATTRIBUTES_OTHER_TYPE:
		kc_buffer_deinit(&type);
		type = attribute(NID_pkcs9_contentType, oid(NID_pkcs7_signed));
		break;
	case ATTRIBUTES_BAD_TIME:
		extra = attribute(NID_pkcs9_signingTime, ELEMENT(0x17, TEXT("250230000000Z")));
		break;
	case ATTRIBUTES_DIGEST_NO_STRING:
		kc_buffer_deinit(&digest);
		digest = attribute(NID_pkcs9_messageDigest, ELEMENT(0x0c, TEXT("12345678")));
		break;
	case ATTRIBUTES_SECOND_FORM:
		return ELEMENT(0xa2, SEQUENCE(type, digest));
	default:
		break;
	}
	return ELEMENT(0xa0, type, digest, extra);
}

static int key_algorithm_of(const struct recipe *recipe, enum key key, int digest)
{
	int nid;

	if (recipe->key_algorithm)
		return recipe->key_algorithm;
	if (!keys[key].curve)
		return NID_rsaEncryption;
	switch (digest) {
	case NID_sha3_256:
		return NID_ecdsa_with_SHA3_256;
	case NID_sha3_512:
		return NID_ecdsa_with_SHA3_512;
	default:
		assert_int_equal(OBJ_find_sigid_by_algs(&nid, digest ? digest : NID_sha256,
							NID_X9_62_id_ecPublicKey),
				 1);
		return nid;
	}
}

static struct kc_buffer signer_info(const struct recipe *recipe, enum key key, int digest,
				    struct kc_span data, bool second)
{
	bool version_3 = recipe->by_key_id && recipe->defect != KEY_ID_IN_VERSION_1;
	enum attributes kind = second && recipe->defect == ONE_WITH_ATTRIBUTES ? ATTRIBUTES_GOOD
									       : recipe->attributes;
	int version = recipe->defect == SIGNER_VERSION_2  ? 2
		      : recipe->defect == VERSIONS_DIFFER ? 3
		      : version_3			  ? 3
							  : 1;
	static const struct recipe plain;
	int string = recipe->defect == CONSTRUCTED_STRING ? 0x24 : 0x04;

	return SEQUENCE(integer(version), signer_id(recipe, key),
			algorithm(digest ? digest : NID_sha256), attributes_of(recipe, kind),
			algorithm(key_algorithm_of(recipe, key, digest)),
			ELEMENT(string, signature_of(second ? &plain : recipe, key, digest, data)),
			recipe->defect == UNAUTHENTICATED
				? ELEMENT(0xa1, attribute(NID_pkcs9_unstructuredName,
							  ELEMENT(0x0c, TEXT("x"))))
				: NOTHING);
}

static struct kc_buffer certificate_der(const struct recipe *recipe, enum key key)
{
	uint8_t *der = NULL;
	int len = i2d_X509(keys[key].certificate, &der);
	struct kc_buffer buffer = bytes(der, (size_t)len);
	static const uint8_t sha256[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 };
	uint8_t *named;

	OPENSSL_free(der);
	if (recipe->defect == CERTIFICATE_SIGNATURE) {
		/* The first number of the signature gets a length that isn't right. */
		const ASN1_BIT_STRING *signature;

		X509_get0_signature(&signature, NULL, keys[key].certificate);
		buffer.data[buffer.len - (size_t)ASN1_STRING_length(signature) + 3] ^= 1;
	}
	if (recipe->defect == CERTIFICATE_ALGORITHMS_DIFFER) {
		named = memmem(buffer.data, buffer.len, sha256, sizeof(sha256));
		named = memmem(named + 1, buffer.len - (size_t)(named + 1 - buffer.data), sha256,
			       sizeof(sha256));
		named[7] = 3;
	}
	return buffer;
}

static struct kc_buffer certificates_of(const struct recipe *recipe)
{
	struct kc_buffer all = { 0 };

	for (size_t i = 0; i < CARRIES_MAX && recipe->carries[i]; i++) {
		struct kc_buffer one = certificate_der(recipe, recipe->carries[i]);

		add(&all, one.data, one.len);
		kc_buffer_deinit(&one);
	}
	if (recipe->defect == CERTIFICATES_GARBAGE)
		all = SEQUENCE(integer(1));
	if (all.len)
		return ELEMENT(recipe->defect == CERTIFICATES_AS_SEQUENCE ? 0xa2 : 0xa0, all);
	return recipe->defect == CERTIFICATES_EMPTY ? ELEMENT(0xa0, NOTHING) : NOTHING;
}

static struct kc_buffer revocations_of(const struct recipe *recipe)
{
	switch (recipe->defect) {
	case REVOCATIONS_OF_CERTIFICATES:
		return ELEMENT(0xa1, SEQUENCE(certificate_der(recipe, KEY_STRANGER)));
	case REVOCATIONS_GARBAGE:
		return ELEMENT(0xa1, SEQUENCE(SEQUENCE(integer(1))));
	default:
		return NOTHING;
	}
}

static struct kc_buffer content_of(const struct recipe *recipe, struct kc_span data)
{
	switch (recipe->defect) {
	case CONTENT_ATTACHED:
		return SEQUENCE(oid(NID_pkcs7_data),
				ELEMENT(0xa0, ELEMENT(0x04, bytes(data.data, 1000))));
	case CONTENT_OTHER:
		return SEQUENCE(oid(NID_pkcs7_enveloped));
	case CONTENT_INDIRECT:
		return SEQUENCE(TEXT("\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x01\x04"));
	default:
		return SEQUENCE(oid(NID_pkcs7_data));
	}
}

static struct kc_buffer signers_of(const struct recipe *recipe, struct kc_span data)
{
	struct kc_buffer first, second = NOTHING;

	if (recipe->defect == NO_SIGNERS || recipe->defect == NO_SIGNERS_INDEFINITE)
		return NOTHING;
	if (recipe->defect == EMPTY_SIGNERS)
		return SET(NOTHING);
	first = signer_info(recipe, recipe->key, recipe->digest, data, false);
	if (recipe->second)
		second = signer_info(recipe, recipe->second, recipe->second_digest, data, true);
	return ELEMENT(recipe->defect == SIGNERS_AS_SEQUENCE ? 0x30 : 0x31, first, second);
}

static struct kc_buffer message_of(const struct recipe *recipe, struct kc_span data)
{
	bool version_3 = recipe->by_key_id && recipe->defect != KEY_ID_IN_VERSION_1;
	enum length length =
		recipe->defect == INDEFINITE_LENGTHS || recipe->defect == NO_SIGNERS_INDEFINITE
			? LENGTH_INDEFINITE
		: recipe->defect == LONG_LENGTHS       ? LENGTH_LONG
		: recipe->defect == THREE_BYTE_LENGTHS ? LENGTH_THREE_BYTES
						       : LENGTH_SHORTEST;
	struct kc_buffer version = recipe->defect == VERSION_2	    ? integer(2)
				   : recipe->defect == VERSION_LONG ? TEXT("\x02\x02\x00\x01")
				   : version_3			    ? integer(3)
								    : integer(1);
	struct kc_buffer signed_data, content;

	if (recipe->defect == NO_SIGNED_DATA) {
		kc_buffer_deinit(&version);
		return SEQUENCE(oid(NID_pkcs7_signed));
	}
	signed_data = wrap(recipe->defect == PRIMITIVE_SEQUENCE ? 0x10 : 0x30, length,
			   PARTS(version, SET(algorithm(NID_sha256)), content_of(recipe, data),
				 certificates_of(recipe), revocations_of(recipe),
				 signers_of(recipe, data)));
	content = wrap(0xa0, length, PARTS(signed_data));
	return wrap(
		0x30, length,
		PARTS(oid(recipe->defect == NOT_SIGNED_DATA ? NID_pkcs7_data : NID_pkcs7_signed),
		      content));
}

static void change_message(const struct recipe *recipe, struct kc_buffer *message)
{
	static const uint8_t zeros[70000];

	if (recipe->defect == GARBAGE_BEHIND)
		add(message, "garbage", 7);
	if (recipe->defect == TOO_LONG)
		add(message, zeros, sizeof(zeros));
	if (recipe->defect == CUT)
		message->len--;
	if (recipe->defect == CUT_TO_NOTHING)
		message->len = 1;
}

static void add_trailer(const struct recipe *recipe, struct kc_buffer *file, size_t len)
{
	uint8_t trailer[TRAILER] = { 0, 0, 2 };
	static const struct {
		enum defect defect;
		uint8_t at, value;
	} changes[] = { { TRAILER_ID_TYPE, 2, 1 },	 { TRAILER_ALGO, 0, 1 },
			{ TRAILER_HASH, 1, 4 },		 { TRAILER_SIGNER_LEN, 3, 1 },
			{ TRAILER_KEY_ID_LEN, 4, 1 },	 { TRAILER_PAD, 7, 1 },
			{ TRAILER_LENGTH_HUGE, 8, 0xff } };

	if (recipe->defect == TRAILER_LENGTH_ZERO)
		len = 0;
	if (recipe->defect == TRAILER_LENGTH_WHOLE)
		len = file->len;
	for (int i = 0; i < 4; i++)
		trailer[8 + i] = (uint8_t)(len >> (24 - 8 * i));
	for (size_t i = 0; i < KC_ARRAY_SIZE(changes); i++)
		if (changes[i].defect == recipe->defect)
			trailer[changes[i].at] = changes[i].value;
	add(file, trailer, sizeof(trailer));
}

/* A module with its signature. */
static struct kc_buffer sign(const struct recipe *recipe, struct kc_span module)
{
	struct kc_buffer file = bytes(module.data, module.len), message;

	if (recipe->defect == UNSIGNED)
		return file;
	message = message_of(recipe, module);
	change_message(recipe, &message);
	/* A byte that the kernel doesn't look at while it loads: padding of the ELF header. */
	if (recipe->defect == CONTENT_CHANGED)
		file.data[12] ^= 1;
	if (recipe->defect == TRAILER_ONLY)
		file.len = message.len = 0;
	if (message.len)
		add(&file, message.data, message.len);
	add_trailer(recipe, &file, message.len);
	add(&file, marker, recipe->defect == MARKER_CUT ? MARKER - 1 : MARKER);
	kc_buffer_deinit(&message);
	return file;
}

/* -------------------------------------------------------------------------------------------------
 * the kernel */

static char folder[] = "/tmp/kocoon-signing.XXXXXX";
static char key_paths[KEY_COUNT][64];
static struct kocoon_kernel *kernel; /* 6.12, trusts the test's keys too */
static struct kocoon_kernel *old_kernel; /* 6.1, likewise */

/* The stock kernel of this kind. */
static void kernel_path(const char *kind, const char *name, char path[4096])
{
	const char *cache = getenv("KOCOON_CACHE"), *home = getenv("HOME");
	glob_t found;
	char pattern[4096];

	if (cache)
		snprintf(pattern, sizeof(pattern), "%s/kernels/by-kind/%s/%s", cache, kind, name);
	else
		snprintf(pattern, sizeof(pattern), "%s/.cache/kocoon/kernels/by-kind/%s/%s",
			 home ? home : "", kind, name);
	if (glob(pattern, 0, NULL, &found))
		fail_msg("%s is missing: run scripts/fetch-kernel %s", pattern, kind);
	snprintf(path, 4096, "%s", found.gl_pathv[0]);
	globfree(&found);
}

static void write_bytes(const char *path, const void *data, size_t len)
{
	FILE *out = fopen(path, "wb");

	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

static void write_key(enum key key, const char *path)
{
	uint8_t *der = NULL;
	int len = i2d_X509(keys[key].certificate, &der);

	assert_true(len > 0);
	write_bytes(path, der, (size_t)len);
	OPENSSL_free(der);
}

static struct kocoon_kernel *open_kernel(const char *kind, bool with_keys)
{
	struct kocoon_kernel_options options = { .size = sizeof(options) };
	const char *paths[KEY_COUNT];
	struct kocoon_kernel *opened;
	char path[4096];

	for (enum key key = 1; key < KEY_COUNT; key++)
		if (keys[key].trusted)
			paths[options.key_count++] = key_paths[key];
	options.key_files = paths;
	kernel_path(kind, "boot/vmlinuz-*", path);
	assert_int_equal(kocoon_kernel_open(path, with_keys ? &options : NULL, NULL, &opened), 0);
	return opened;
}

static void make_keys(void)
{
	/* The stranger signs what pretends to be others'. */
	make_key(KEY_STRANGER);
	for (enum key key = 1; key < KEY_COUNT; key++)
		if (key != KEY_STRANGER)
			make_key(key);
}

static int set_up(void **state)
{
	(void)state;
	make_keys();
	assert_non_null(mkdtemp(folder));
	for (enum key key = 1; key < KEY_COUNT; key++) {
		snprintf(key_paths[key], sizeof(key_paths[key]), "%s/%d.der", folder, (int)key);
		if (keys[key].trusted)
			write_key(key, key_paths[key]);
	}
	kernel = open_kernel("6.12-cloud-amd64", true);
	old_kernel = open_kernel("6.1-amd64", true);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	kocoon_kernel_free(kernel);
	kocoon_kernel_free(old_kernel);
	for (enum key key = 1; key < KEY_COUNT; key++) {
		if (keys[key].trusted)
			unlink(key_paths[key]);
		X509_free(keys[key].certificate);
		EVP_PKEY_free(keys[key].pair);
	}
	return rmdir(folder);
}

/* -------------------------------------------------------------------------------------------------
 * running them */

struct answer {
	int err;
	struct kc_span image;
	struct kc_signature signature;
	struct kocoon_report report;
};

static struct answer ask(const struct kocoon_kernel *judge, const struct kocoon_policy *policy,
			 struct kc_span file)
{
	struct answer answer = { .image = file };

	kc_report_init(&answer.report);
	answer.err = kc_module_sig_check(judge, policy, &answer.image, &answer.signature,
					 &answer.report);
	assert_ptr_equal(answer.image.data, file.data);
	return answer;
}

static void answer_deinit(struct answer *answer)
{
	kc_signature_deinit(&answer->signature);
	kc_report_deinit(&answer->report);
}

static struct kc_buffer sample(void)
{
	struct kc_buffer module = { 0 };

	for (int i = 0; i < 1000; i++)
		add(&module, "a module's bytes", 16);
	return module;
}

static void assert_answer(const struct answer *answer, int err, const struct recipe *recipe)
{
	assert_int_equal(answer->err, err);
	assert_string_equal(kocoon_signature_state_name(answer->signature.state),
			    kocoon_signature_state_name(recipe->state));
	assert_int_equal(answer->signature.sig_ok, recipe->state == KOCOON_SIGNATURE_OK);
	if (recipe->state == KOCOON_SIGNATURE_OK) {
		assert_int_equal(answer->report.count, 0);
		return;
	}
	assert_int_equal(answer->report.count, 1);
	assert_int_equal(answer->report.findings[0].err, err);
	assert_int_equal(answer->report.findings[0].stage, KOCOON_STAGE_SIGNATURE);
	assert_non_null(answer->report.findings[0].hint);
}

/* What is cut off is all behind the module, unless the kernel gives up before. */
static void assert_cut(const struct answer *answer, const struct recipe *recipe, size_t file_len,
		       size_t module_len)
{
	size_t len = module_len;

	if (recipe->state == KOCOON_SIGNATURE_NONE)
		len = file_len;
	else if (recipe->defect == TRAILER_LENGTH_ZERO)
		len = file_len - MARKER - TRAILER;
	else if (recipe->defect >= TRAILER_ID_TYPE && recipe->defect <= TRAILER_ONLY)
		len = file_len - MARKER;
	assert_int_equal(answer->image.len, len);
}

static void test_recipes(void **state)
{
	static const struct kocoon_policy enforce = { .size = sizeof(enforce),
						      .sig_enforce = true };
	static const struct kocoon_policy lockdown = { .size = sizeof(lockdown), .lockdown = true };
	struct kc_buffer module = sample();

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(recipes); i++) {
		const struct recipe *recipe = &recipes[i];
		struct kc_buffer file = sign(recipe, kc_buffer_span(&module));
		struct answer answer = ask(kernel, NULL, kc_buffer_span(&file));
		bool tolerated = !recipe->err && recipe->enforced;

		print_message("# %s\n", recipe->name);
		assert_answer(&answer, recipe->err, recipe);
		assert_cut(&answer, recipe, file.len, module.len);
		answer_deinit(&answer);
		answer = ask(kernel, &enforce, kc_buffer_span(&file));
		assert_answer(&answer, recipe->enforced, recipe);
		answer_deinit(&answer);
		answer = ask(kernel, &lockdown, kc_buffer_span(&file));
		assert_answer(&answer, tolerated ? -EPERM : recipe->err, recipe);
		answer_deinit(&answer);
		kc_buffer_deinit(&file);
	}
	kc_buffer_deinit(&module);
}

/* The recipe of this name. */
static struct kc_buffer make(const char *name, struct kc_span module)
{
	for (size_t i = 0; i < KC_ARRAY_SIZE(recipes); i++)
		if (!strcmp(recipes[i].name, name))
			return sign(&recipes[i], module);
	fail_msg("no recipe \"%s\"", name);
	return NOTHING;
}

static void test_who_signed(void **state)
{
	static const struct {
		const char *recipe, *signer, *key_id, *hash;
	} rows[] = {
		{ "rsa", "kocoon rsa", "81", "sha256" },
		{ "p384 sha384", "kocoon p384", "83", "sha384" },
		{ "stranger", "kocoon stranger", "8a", "sha256" },
		{ "leaf not carried", "kocoon root", "88", "sha256" },
		{ "leaf", "kocoon root", "88", "sha256" },
		{ "stranger, then trusted", "kocoon rsa", "81", "sha256" },
		{ "rsa md5", "kocoon rsa", "81", NULL },
		{ "rsa sm3", "kocoon rsa", "81", "sm3" },
		{ "unsigned", NULL, NULL, NULL },
	};
	struct kc_buffer module = sample();

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(rows); i++) {
		struct kc_buffer file = make(rows[i].recipe, kc_buffer_span(&module));
		struct answer answer = ask(kernel, NULL, kc_buffer_span(&file));
		const char *texts[][2] = { { answer.signature.signer, rows[i].signer },
					   { answer.signature.key_id, rows[i].key_id },
					   { answer.signature.hash, rows[i].hash } };

		for (size_t k = 0; k < KC_ARRAY_SIZE(texts); k++) {
			if (texts[k][1])
				assert_string_equal(texts[k][0], texts[k][1]);
			else
				assert_null(texts[k][0]);
		}
		answer_deinit(&answer);
		kc_buffer_deinit(&file);
	}
	kc_buffer_deinit(&module);
}

static void assert_contains(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text ? text : "(none)");
}

static void test_words(void **state)
{
	static const struct {
		const char *recipe, *what, *expected, *found, *hint;
	} rows[] = {
		{ "stranger", "doesn't trust", "kocoon rsa (81)", "kocoon stranger", "enrol" },
		{ "stranger by key id", "doesn't trust", "kocoon rsa (", "key identifier",
		  "tainted" },
		{ "content changed", "other bytes", "sha256 ", "sha256 ", "changed after" },
		{ "rsa md5", "algorithm", NULL, "md5", "sign" },
		{ "rsa sm3", "algorithm", NULL, "sm3", "sign" },
		{ "attributes", "attributes", "without attributes", NULL, "-noattr" },
		{ "content attached", "carries the data", "detached", NULL, "sign" },
		{ "cut", "PKCS#7", NULL, NULL, "even where signatures aren't enforced" },
		{ "unsigned", "isn't signed", NULL, NULL, "sign-file" },
		{ "trailer: id type", "type PKCS#7", NULL, NULL, "tainted" },
	};
	struct kc_buffer module = sample();

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(rows); i++) {
		struct kc_buffer file = make(rows[i].recipe, kc_buffer_span(&module));
		struct answer answer = ask(kernel, NULL, kc_buffer_span(&file));
		const struct kocoon_finding *finding = &answer.report.findings[0];

		assert_int_equal(answer.report.count, 1);
		assert_contains(finding->what, rows[i].what);
		assert_contains(finding->hint, rows[i].hint);
		if (rows[i].expected)
			assert_contains(finding->expected, rows[i].expected);
		if (rows[i].found)
			assert_contains(finding->found, rows[i].found);
		answer_deinit(&answer);
		kc_buffer_deinit(&file);
	}
	kc_buffer_deinit(&module);
}

/* Both digests are named: the one that was signed, and the one of the bytes. */
static void test_digests_are_told_apart(void **state)
{
	struct kc_buffer module = sample(), file = make("content changed", kc_buffer_span(&module));
	struct answer answer = ask(kernel, NULL, kc_buffer_span(&file));
	uint8_t value[EVP_MAX_MD_SIZE];
	char text[128] = "sha256 ";
	const char *texts[2] = { answer.report.findings[0].expected,
				 answer.report.findings[0].found };

	(void)state;
	for (int i = 0; i < 2; i++) {
		EVP_Digest(i ? file.data : module.data, module.len, value, NULL, EVP_sha256(),
			   NULL);
		for (int k = 0; k < 32; k++)
			snprintf(text + 7 + 2 * k, 3, "%02x", value[k]);
		assert_string_equal(texts[i], text);
	}
	answer_deinit(&answer);
	kc_buffer_deinit(&file);
	kc_buffer_deinit(&module);
}

/* 6.1 has neither ECDSA nor SHA-3 (learnt from its source; its own keys are RSA). */
static void test_old_kernel(void **state)
{
	static const struct {
		const char *recipe;
		int err;
		enum kocoon_signature_state state;
	} rows[] = {
		{ "rsa", 0, KOCOON_SIGNATURE_OK },
		{ "rsa sha512", 0, KOCOON_SIGNATURE_OK },
		{ "rsa sha3-256", 0, KOCOON_SIGNATURE_UNSUPPORTED },
		{ "p256", -EKEYREJECTED, KOCOON_SIGNATURE_BAD },
		{ "carries itself", -ENOENT, KOCOON_SIGNATURE_BAD },
		{ "stranger", 0, KOCOON_SIGNATURE_UNKNOWN_KEY },
	};
	struct kc_buffer module = sample();

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(rows); i++) {
		struct kc_buffer file = make(rows[i].recipe, kc_buffer_span(&module));
		struct answer answer = ask(old_kernel, NULL, kc_buffer_span(&file));

		print_message("# %s\n", rows[i].recipe);
		assert_int_equal(answer.err, rows[i].err);
		assert_int_equal(answer.signature.state, rows[i].state);
		answer_deinit(&answer);
		kc_buffer_deinit(&file);
	}
	kc_buffer_deinit(&module);
}

/* With the options that override version checks, the kernel takes no module for signed. */
static void test_forced(void **state)
{
	static const struct kocoon_policy policies[] = {
		{ .size = sizeof(struct kocoon_policy), .force_vermagic = true },
		{ .size = sizeof(struct kocoon_policy), .force_modversions = true },
		{ .size = sizeof(struct kocoon_policy),
		  .force_vermagic = true,
		  .sig_enforce = true },
	};
	struct kc_buffer module = sample(), file = make("rsa", kc_buffer_span(&module));

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(policies); i++) {
		struct answer answer = ask(kernel, &policies[i], kc_buffer_span(&file));

		assert_int_equal(answer.err, policies[i].sig_enforce ? -EKEYREJECTED : 0);
		assert_int_equal(answer.signature.state, KOCOON_SIGNATURE_UNCHECKED);
		assert_false(answer.signature.sig_ok);
		assert_int_equal(answer.image.len, file.len);
		assert_contains(answer.report.findings[0].what, "isn't looked at");
		answer_deinit(&answer);
	}
	kc_buffer_deinit(&file);
	kc_buffer_deinit(&module);
}

/* Without an image the keys aren't known, but a message can be damaged all the same. */
static void test_without_image(void **state)
{
	static const struct {
		const char *recipe;
		int err;
		enum kocoon_signature_state state;
	} rows[] = {
		{ "rsa", 0, KOCOON_SIGNATURE_UNCHECKED },
		{ "stranger", 0, KOCOON_SIGNATURE_UNCHECKED },
		{ "unsigned", 0, KOCOON_SIGNATURE_NONE },
		{ "cut", -EBADMSG, KOCOON_SIGNATURE_BAD },
		{ "carried stranger, content changed", -EKEYREJECTED, KOCOON_SIGNATURE_BAD },
	};
	struct kocoon_kernel_options options = { .size = sizeof(options) };
	struct kc_buffer module = sample();
	struct kocoon_kernel *opened;
	char symvers[128];

	(void)state;
	snprintf(symvers, sizeof(symvers), "%s/Module.symvers", folder);
	write_bytes(symvers, "0x12345678\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n", 43);
	options.symvers = symvers;
	assert_int_equal(kocoon_kernel_open(NULL, &options, NULL, &opened), 0);
	for (size_t i = 0; i < KC_ARRAY_SIZE(rows); i++) {
		struct kc_buffer file = make(rows[i].recipe, kc_buffer_span(&module));
		struct answer answer = ask(opened, NULL, kc_buffer_span(&file));

		print_message("# %s\n", rows[i].recipe);
		assert_int_equal(answer.err, rows[i].err);
		assert_int_equal(answer.signature.state, rows[i].state);
		answer_deinit(&answer);
		kc_buffer_deinit(&file);
	}
	kocoon_kernel_free(opened);
	unlink(symvers);
	kc_buffer_deinit(&module);
}

/* A message that OpenSSL makes, as a distribution would. */
static void test_openssl_cms(void **state)
{
	static const struct {
		unsigned int flags;
		int err;
	} rows[] = {
		{ CMS_NOATTR | CMS_NOCERTS, 0 },
		{ CMS_NOATTR | CMS_NOCERTS | CMS_USE_KEYID, 0 },
		{ CMS_NOATTR, 0 },
		{ CMS_NOCERTS, -EKEYREJECTED },
	};
	struct kc_buffer module = sample();

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(rows); i++) {
		struct kc_buffer file = bytes(module.data, module.len);
		unsigned int flags = rows[i].flags | CMS_BINARY | CMS_DETACHED | CMS_PARTIAL;
		BIO *data = BIO_new_mem_buf(module.data, (int)module.len);
		CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
		uint8_t *der = NULL;
		struct answer answer;
		int len;

		assert_non_null(CMS_add1_signer(cms, keys[KEY_RSA].certificate, keys[KEY_RSA].pair,
						EVP_sha256(), flags));
		assert_int_equal(CMS_final(cms, data, NULL, flags), 1);
		len = i2d_CMS_ContentInfo(cms, &der);
		add(&file, der, (size_t)len);
		add_trailer(&(struct recipe){ 0 }, &file, (size_t)len);
		add(&file, marker, MARKER);
		answer = ask(kernel, NULL, kc_buffer_span(&file));
		assert_int_equal(answer.err, rows[i].err);
		assert_int_equal(answer.signature.sig_ok, !rows[i].err);
		answer_deinit(&answer);
		OPENSSL_free(der);
		CMS_ContentInfo_free(cms);
		BIO_free(data);
		kc_buffer_deinit(&file);
	}
	kc_buffer_deinit(&module);
}

/* -------------------------------------------------------------------------------------------------
 * stock modules, damage */

static struct kc_buffer stock_module(const char *kind)
{
	static const struct kc_decompressor none = { .format = KC_FORMAT_NONE };
	struct kc_unpacker unpacker = { 0 };
	struct kc_buffer file = { 0 }, buffer = { 0 };
	enum kc_format format;
	struct kc_span image;
	char path[4096];

	kernel_path(kind, "lib/modules/*/kernel/drivers/net/dummy.ko*", path);
	assert_int_equal(kc_read_file(path, 1 << 26, &file, NULL), 0);
	assert_int_equal(kc_module_decompress(&none, kc_buffer_span(&file), &unpacker, &buffer,
					      NULL, &format, &image),
			 0);
	kc_unpacker_deinit(&unpacker);
	if (format == KC_FORMAT_NONE)
		return file;
	kc_buffer_deinit(&file);
	return buffer;
}

/* Each stock module is trusted by its own kernel, and by no other; a changed one by none. */
static void test_stock_modules(void **state)
{
	static const char *const kinds[] = { "6.12-cloud-amd64", "6.12-amd64", "6.1-amd64",
					     "6.1-cloud-amd64" };

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(kinds); i++) {
		struct kc_buffer module = stock_module(kinds[i]);

		for (size_t k = 0; k < KC_ARRAY_SIZE(kinds); k++) {
			struct kocoon_kernel *judge = open_kernel(kinds[k], false);
			struct answer answer = ask(judge, NULL, kc_buffer_span(&module));

			assert_int_equal(answer.err, 0);
			assert_int_equal(answer.signature.state,
					 i == k ? KOCOON_SIGNATURE_OK
						: KOCOON_SIGNATURE_UNKNOWN_KEY);
			answer_deinit(&answer);
			module.data[100] ^= 1;
			answer = ask(judge, NULL, kc_buffer_span(&module));
			assert_int_equal(answer.err, i == k ? -EKEYREJECTED : 0);
			module.data[100] ^= 1;
			answer_deinit(&answer);
			kocoon_kernel_free(judge);
		}
		kc_buffer_deinit(&module);
	}
}

/* One of the few errnos that there can be, and none that says that damage is good. */
static void assert_refused(const struct answer *answer)
{
	static const int allowed[] = { -EBADMSG, -EINVAL, -EKEYREJECTED, -ENOPKG, -ENOENT };

	if (!answer->err) {
		assert_int_not_equal(answer->signature.state, KOCOON_SIGNATURE_BAD);
		return;
	}
	for (size_t i = 0; i < KC_ARRAY_SIZE(allowed); i++)
		if (answer->err == allowed[i])
			return;
	fail_msg("errno %d", answer->err);
}

/* Memory of its exact size, so that a sanitizer sees each byte read outside. */
static struct answer ask_exactly(struct kc_span file)
{
	uint8_t *exact = malloc(file.len);
	struct answer answer;

	assert_non_null(exact);
	memcpy(exact, file.data, file.len);
	answer = ask(kernel, NULL, kc_span(exact, file.len));
	answer.image = kc_span(NULL, answer.image.len);
	free(exact);
	return answer;
}

/* Every bit of what is behind a small module, for a message with a chain of certificates. */
static void test_every_flip(void **state)
{
	static const struct recipe recipe = { .key = KEY_DEEP,
					      .second = KEY_STRANGER,
					      .carries = { KEY_DEEP, KEY_INTERMEDIATE } };
	struct kc_buffer file = sign(&recipe, kc_span("module", 6));

	(void)state;
	for (size_t bit = 6 * 8; bit < file.len * 8; bit += 3) {
		struct answer answer;

		file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		answer = ask_exactly(kc_buffer_span(&file));
		file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_refused(&answer);
		answer_deinit(&answer);
	}
	kc_buffer_deinit(&file);
}

/* Every length of a message, with a trailer that says so. */
static void test_every_truncation(void **state)
{
	static const struct recipe recipe = { .key = KEY_LEAF, .carries = { KEY_LEAF } };
	struct kc_buffer message = message_of(&recipe, kc_span("module", 6));

	(void)state;
	for (size_t len = 0; len < message.len; len++) {
		struct kc_buffer file = TEXT("module");
		struct answer answer;

		add(&file, message.data, len);
		add_trailer(&recipe, &file, len);
		add(&file, marker, MARKER);
		answer = ask_exactly(kc_buffer_span(&file));
		assert_int_equal(answer.err, -EBADMSG);
		answer_deinit(&answer);
		kc_buffer_deinit(&file);
	}
	kc_buffer_deinit(&message);
}

/* Files that are hardly anything. */
static void test_tiny_files(void **state)
{
	(void)state;
	for (size_t len = 0; len <= TRAILER + 2; len++) {
		struct kc_buffer file = { 0 };
		struct answer answer;

		for (size_t i = 0; i < len; i++)
			add(&file, "\2", 1);
		add(&file, marker, MARKER);
		answer = ask_exactly(kc_buffer_span(&file));
		assert_int_equal(answer.err, len ? -EBADMSG : 0);
		assert_int_equal(answer.signature.state,
				 len ? KOCOON_SIGNATURE_BAD : KOCOON_SIGNATURE_NONE);
		answer_deinit(&answer);
		kc_buffer_deinit(&file);
	}
}

static void test_key_ids(void **state)
{
	static const struct {
		const char *parts[4];
		bool same;
	} rows[] = {
		{ { "ab", "cd", "ab", "cd" }, true },	{ { "abc", "d", "ab", "cd" }, true },
		{ { "abcd", "", "", "abcd" }, true },	{ { "abc", "d", "ab", "xd" }, false },
		{ { "ab", "cd", "ab", "cde" }, false }, { { "", "", "", "" }, true },
		{ { "ab", "cd", "xb", "cd" }, false },	{ { "ab", "cd", "abc", "x" }, false },
	};
	static const struct kc_key_id none;

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(rows); i++) {
		struct kc_span s[4];
		struct kc_key_id a, b;

		for (int k = 0; k < 4; k++)
			s[k] = kc_span(rows[i].parts[k], strlen(rows[i].parts[k]));
		a = (struct kc_key_id){ s[0], s[1] };
		b = (struct kc_key_id){ s[2], s[3] };
		assert_int_equal(kc_key_id_same(&a, &b), rows[i].same);
		assert_int_equal(kc_key_id_same(&b, &a), rows[i].same);
		assert_false(kc_key_id_same(&a, &none));
		assert_false(kc_key_id_same(&none, &none));
	}
}

/* -------------------------------------------------------------------------------------------------
 * for the oracle */

static int write_cases(const char *where, const char *module_path)
{
	struct kc_buffer module = { 0 };
	char path[4096];
	FILE *list, *table;
	size_t len;

	make_keys();
	assert_int_equal(kc_read_file(module_path, 1 << 26, &module, NULL), 0);
	/* Its own signature goes. */
	len = (size_t)module.data[module.len - MARKER - 2] << 8 |
	      module.data[module.len - MARKER - 1];
	module.len -= MARKER + TRAILER + len;
	for (enum key key = 1; key < KEY_COUNT; key++) {
		snprintf(path, sizeof(path), "%s/trusted-%02d.der", where, (int)key);
		if (keys[key].trusted)
			write_key(key, path);
	}
	snprintf(path, sizeof(path), "%s/list", where);
	list = fopen(path, "w");
	snprintf(path, sizeof(path), "%s/table", where);
	table = fopen(path, "w");
	assert_non_null(list);
	assert_non_null(table);
	for (size_t i = 0; i < KC_ARRAY_SIZE(recipes); i++) {
		const struct recipe *recipe = &recipes[i];
		struct kc_buffer file = sign(recipe, kc_buffer_span(&module));
		bool tolerated = !recipe->err && recipe->enforced;
		const char *names[3] = { kocoon_errno_name(recipe->err),
					 kocoon_errno_name(recipe->enforced),
					 kocoon_errno_name(tolerated ? -EPERM : recipe->err) };

		snprintf(path, sizeof(path), "%s/%03zu.ko", where, i);
		write_bytes(path, file.data, file.len);
		fprintf(list, "%s\t0\t\n", path);
		fprintf(table, "%s\t%s\t%s\t%s\n", recipe->name, names[0] ? names[0] : "0",
			names[1] ? names[1] : "0", names[2] ? names[2] : "0");
		kc_buffer_deinit(&file);
	}
	kc_buffer_deinit(&module);
	return fclose(list) || fclose(table);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recipes),
		cmocka_unit_test(test_who_signed),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_digests_are_told_apart),
		cmocka_unit_test(test_old_kernel),
		cmocka_unit_test(test_forced),
		cmocka_unit_test(test_without_image),
		cmocka_unit_test(test_openssl_cms),
		cmocka_unit_test(test_stock_modules),
		cmocka_unit_test(test_every_flip),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_tiny_files),
		cmocka_unit_test(test_key_ids),
	};

	if (argc == 4 && !strcmp(argv[1], "--write"))
		return write_cases(argv[2], argv[3]);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
