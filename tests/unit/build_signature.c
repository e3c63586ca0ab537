/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PKCS#7 messages with one defect each: see build_signature.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "build_signature.h"

static const char marker[] = "~Module signature appended~\n";

enum { TRAILER = 12 };

/* ---- making DER ---- */

void add_bytes(struct kc_buffer *buffer, const void *data, size_t len)
{
	assert_int_equal(kc_buffer_append(buffer, data, len), 0);
}

static struct kc_buffer bytes(const void *data, size_t len)
{
	struct kc_buffer buffer = { 0 };

	add_bytes(&buffer, data, len);
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
			add_bytes(&inner, parts[i].data, parts[i].len);
		kc_buffer_deinit(&parts[i]);
	}
	if (length == LENGTH_INDEFINITE) {
		head[1] = 0x80;
		add_bytes(&inner, "\0", 2);
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
	add_bytes(&element, head, head_len);
	if (inner.len)
		add_bytes(&element, inner.data, inner.len);
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

/* ---- making signatures ---- */

static const EVP_MD *digest_of(int nid)
{
	return EVP_get_digestbynid(nid ? nid : NID_sha256);
}

static struct kc_buffer raw_signature(enum key key, int digest, struct kc_span data)
{
	uint8_t value[EVP_MAX_MD_SIZE], signature[1024];
	unsigned int value_len;
	size_t len = sizeof(signature);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(signing_keys[key].pair, NULL);

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
		if (!signing_keys[key].curve) {
			memset(signature.data, 0, signature.len);
			break;
		}
		kc_buffer_deinit(&signature);
		signature = SEQUENCE(integer(0), integer(0));
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
	X509 *certificate = signing_keys[key].certificate;
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
	if (!signing_keys[key].curve)
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
	int len = i2d_X509(signing_keys[key].certificate, &der);
	struct kc_buffer buffer = bytes(der, (size_t)len);
	static const uint8_t sha256[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 };
	uint8_t *named;

	OPENSSL_free(der);
	if (recipe->defect == CERTIFICATE_SIGNATURE) {
		/* The first number of the signature gets another tag. */
		const ASN1_BIT_STRING *signature;

		X509_get0_signature(&signature, NULL, signing_keys[key].certificate);
		buffer.data[buffer.len - (size_t)ASN1_STRING_length(signature) + 2] ^= 1;
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

		add_bytes(&all, one.data, one.len);
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

struct kc_buffer build_message(const struct recipe *recipe, struct kc_span data)
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
		add_bytes(message, "garbage", 7);
	if (recipe->defect == TOO_LONG)
		add_bytes(message, zeros, sizeof(zeros));
	if (recipe->defect == CUT)
		message->len--;
	if (recipe->defect == CUT_TO_NOTHING)
		message->len = 1;
}

void add_trailer(const struct recipe *recipe, struct kc_buffer *file, size_t len)
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
	add_bytes(file, trailer, sizeof(trailer));
	add_bytes(file, marker, sizeof(marker) - (recipe->defect == MARKER_CUT ? 2 : 1));
}

struct kc_buffer sign_module(const struct recipe *recipe, struct kc_span module)
{
	struct kc_buffer file = bytes(module.data, module.len), message;

	if (recipe->defect == UNSIGNED)
		return file;
	message = build_message(recipe, module);
	change_message(recipe, &message);
	/* A byte that the kernel doesn't look at while it loads: padding of the ELF header. */
	if (recipe->defect == CONTENT_CHANGED)
		file.data[12] ^= 1;
	if (recipe->defect == TRAILER_ONLY)
		file.len = message.len = 0;
	if (message.len)
		add_bytes(&file, message.data, message.len);
	add_trailer(recipe, &file, message.len);
	kc_buffer_deinit(&message);
	return file;
}
