/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Digests and public-key signatures: see public_key.h. */
#include "module/public_key.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "module/ecdsa_tables.h"

static const struct {
	const char *name;
	const EVP_MD *(*md)(void); /* NULL: no stock kernel has it built in */
} digests[KC_DIGEST_COUNT] = {
	[KC_DIGEST_NONE] = { "none", NULL },
	[KC_DIGEST_SHA1] = { "sha1", EVP_sha1 },
	[KC_DIGEST_SHA224] = { "sha224", EVP_sha224 },
	[KC_DIGEST_SHA256] = { "sha256", EVP_sha256 },
	[KC_DIGEST_SHA384] = { "sha384", EVP_sha384 },
	[KC_DIGEST_SHA512] = { "sha512", EVP_sha512 },
	[KC_DIGEST_SHA3_256] = { "sha3-256", EVP_sha3_256 },
	[KC_DIGEST_SHA3_384] = { "sha3-384", EVP_sha3_384 },
	[KC_DIGEST_SHA3_512] = { "sha3-512", EVP_sha3_512 },
	[KC_DIGEST_SM3] = { "sm3", NULL },
	[KC_DIGEST_STREEBOG_256] = { "streebog256", NULL },
	[KC_DIGEST_STREEBOG_512] = { "streebog512", NULL },
};

const char *kc_digest_name(enum kc_digest digest)
{
	return digests[digest].name;
}

int kc_digest_compute(enum kc_digest digest, struct kc_span bytes,
		      struct kc_digest_value *value_ret)
{
	struct kc_digest_value value;

	if (!digests[digest].md)
		return -ENOPKG;
	if (!EVP_Digest(bytes.data, bytes.len, value.bytes, &value.len, digests[digest].md(), NULL))
		return -ENOMEM;
	*value_ret = value;
	return 0;
}

static const struct {
	enum kc_oid oid;
	struct kc_signature_algorithm is;
} signature_algorithms[] = {
	{ KC_OID_RSA_SHA1, { KC_ALGORITHM_RSA, KC_DIGEST_SHA1 } },
	{ KC_OID_RSA_SHA224, { KC_ALGORITHM_RSA, KC_DIGEST_SHA224 } },
	{ KC_OID_RSA_SHA256, { KC_ALGORITHM_RSA, KC_DIGEST_SHA256 } },
	{ KC_OID_RSA_SHA384, { KC_ALGORITHM_RSA, KC_DIGEST_SHA384 } },
	{ KC_OID_RSA_SHA512, { KC_ALGORITHM_RSA, KC_DIGEST_SHA512 } },
	{ KC_OID_RSA_SHA3_256, { KC_ALGORITHM_RSA, KC_DIGEST_SHA3_256 } },
	{ KC_OID_RSA_SHA3_384, { KC_ALGORITHM_RSA, KC_DIGEST_SHA3_384 } },
	{ KC_OID_RSA_SHA3_512, { KC_ALGORITHM_RSA, KC_DIGEST_SHA3_512 } },
	{ KC_OID_ECDSA_SHA1, { KC_ALGORITHM_ECDSA, KC_DIGEST_SHA1 } },
	{ KC_OID_ECDSA_SHA224, { KC_ALGORITHM_ECDSA, KC_DIGEST_SHA224 } },
	{ KC_OID_ECDSA_SHA256, { KC_ALGORITHM_ECDSA, KC_DIGEST_SHA256 } },
	{ KC_OID_ECDSA_SHA384, { KC_ALGORITHM_ECDSA, KC_DIGEST_SHA384 } },
	{ KC_OID_ECDSA_SHA512, { KC_ALGORITHM_ECDSA, KC_DIGEST_SHA512 } },
	{ KC_OID_ECDSA_SHA3_256, { KC_ALGORITHM_ECDSA, KC_DIGEST_SHA3_256 } },
	{ KC_OID_ECDSA_SHA3_384, { KC_ALGORITHM_ECDSA, KC_DIGEST_SHA3_384 } },
	{ KC_OID_ECDSA_SHA3_512, { KC_ALGORITHM_ECDSA, KC_DIGEST_SHA3_512 } },
	{ KC_OID_GOST_SIGNATURE_256, { KC_ALGORITHM_ECRDSA, KC_DIGEST_STREEBOG_256 } },
	{ KC_OID_GOST_SIGNATURE_512, { KC_ALGORITHM_ECRDSA, KC_DIGEST_STREEBOG_512 } },
};

static bool is_sha3(enum kc_digest digest)
{
	return digest >= KC_DIGEST_SHA3_256 && digest <= KC_DIGEST_SHA3_512;
}

int kc_signature_algorithm_find(const struct kc_behaviour *behaviour, enum kc_oid oid,
				struct kc_signature_algorithm *algorithm_ret)
{
	for (size_t i = 0; i < KC_ARRAY_SIZE(signature_algorithms); i++) {
		if (signature_algorithms[i].oid != oid)
			continue;
		if (is_sha3(signature_algorithms[i].is.digest) && !behaviour->signature_sha3)
			break;
		*algorithm_ret = signature_algorithms[i].is;
		return 0;
	}
	return -ENOPKG;
}

/* ---- RSA ---- */

/* The kernel takes moduli of these sizes only, counted in machine words. */
static bool rsa_size_allowed(int bits)
{
	switch ((bits + 63) / 64 * 64) {
	case 512:
	case 1024:
	case 1536:
	case 2048:
	case 3072:
	case 4096:
		return true;
	default:
		return false;
	}
}

/* signature ^ e mod n, as many bytes as the signature has. NULL: the signature isn't below n. */
static uint8_t *rsa_open(EVP_PKEY *key, struct kc_span signature)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	uint8_t *block = calloc(1, signature.len);
	size_t len = signature.len;

	if (!context || !block || EVP_PKEY_verify_recover_init(context) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_padding(context, RSA_NO_PADDING) <= 0 ||
	    EVP_PKEY_verify_recover(context, block, &len, signature.data, signature.len) <= 0 ||
	    len != signature.len) {
		free(block);
		block = NULL;
	}
	EVP_PKEY_CTX_free(context);
	return block;
}

/* Where the padding of an opened signature ends and its DigestInfo begins; 0: it isn't padded. */
static size_t rsa_padding_end(const uint8_t *block, size_t len)
{
	size_t at = 2;

	if (len < 11 || block[1] != 1)
		return 0;
	while (at < len && block[at] == 0xff)
		at++;
	return at < 10 || at == len || block[at] ? 0 : at + 1;
}

/* The DigestInfo that precedes a digest in a signature: [SEQUENCE [SEQUENCE oid NULL] [digest]]. */
static size_t rsa_digest_info(enum kc_digest digest, uint8_t info[static 32])
{
	const EVP_MD *md = digests[digest].md();
	const ASN1_OBJECT *object = OBJ_nid2obj(EVP_MD_get_type(md));
	size_t oid_len = OBJ_length(object), size = (size_t)EVP_MD_get_size(md);

	if (oid_len > 16)
		return 0;
	info[0] = 0x30;
	info[1] = (uint8_t)(8 + oid_len + size);
	info[2] = 0x30;
	info[3] = (uint8_t)(4 + oid_len);
	info[4] = 0x06;
	info[5] = (uint8_t)oid_len;
	memcpy(info + 6, OBJ_get0_data(object), oid_len);
	memcpy(info + 6 + oid_len, "\x05\x00\x04", 3);
	info[9 + oid_len] = (uint8_t)size;
	return 10 + oid_len;
}

/* What an opened signature holds behind DigestInfo. -EINVAL, -EBADMSG: as the kernel calls it. */
static int rsa_block_digest(const uint8_t *block, size_t len, enum kc_digest digest,
			    struct kc_span *value_ret)
{
	uint8_t info[32];
	size_t info_len = rsa_digest_info(digest, info), at;

	if (block[0])
		return -EINVAL;
	at = rsa_padding_end(block, len);
	if (!at || len - at < info_len || memcmp(block + at, info, info_len))
		return -EBADMSG;
	*value_ret = kc_span(block + at + info_len, len - at - info_len);
	return 0;
}

static bool is_zero_or_one(struct kc_span number)
{
	for (size_t i = 0; i + 1 < number.len; i++)
		if (number.data[i])
			return false;
	return number.data[number.len - 1] <= 1;
}

/* The kernel's errno for a signature that isn't right. */
static int rsa_reason(EVP_PKEY *key, enum kc_digest digest, struct kc_span signature)
{
	uint8_t *block = is_zero_or_one(signature) ? NULL : rsa_open(key, signature);
	struct kc_span value;
	int err = -EINVAL;

	if (block)
		err = rsa_block_digest(block, signature.len, digest, &value);
	free(block);
	return err ? err : -EKEYREJECTED;
}

static int rsa_verify(EVP_PKEY *key, enum kc_digest digest, const struct kc_digest_value *value,
		      struct kc_span signature)
{
	EVP_PKEY_CTX *context;
	int good = 0;

	if (!rsa_size_allowed(EVP_PKEY_get_bits(key)) || !value->len ||
	    signature.len != (size_t)EVP_PKEY_get_size(key))
		return -EINVAL;
	context = EVP_PKEY_CTX_new(key, NULL);
	if (!context)
		return -ENOMEM;
	if (EVP_PKEY_verify_init(context) > 0 &&
	    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) > 0 &&
	    EVP_PKEY_CTX_set_signature_md(context, digests[digest].md()) > 0)
		good = EVP_PKEY_verify(context, signature.data, signature.len, value->bytes,
				       value->len);
	EVP_PKEY_CTX_free(context);
	return good == 1 ? 0 : rsa_reason(key, digest, signature);
}

bool kc_public_key_recover(const struct kc_public_key *key, enum kc_digest digest,
			   struct kc_span signature, struct kc_digest_value *value_ret)
{
	struct kc_span value;
	uint8_t *block;
	bool known = false;

	if (key->algorithm != KC_ALGORITHM_RSA || !key->key || !digests[digest].md ||
	    signature.len != (size_t)EVP_PKEY_get_size(key->key))
		return false;
	block = rsa_open(key->key, signature);
	if (block && !rsa_block_digest(block, signature.len, digest, &value) && value.len &&
	    value.len <= sizeof(value_ret->bytes)) {
		memcpy(value_ret->bytes, value.data, value.len);
		value_ret->len = (unsigned int)value.len;
		known = true;
	}
	free(block);
	return known;
}

/* ---- ECDSA ---- */

/* One of the two numbers of a signature: unsigned, with at most one 0 before as many bytes as the
 * curve's numbers have, in words. */
static int ecdsa_number(struct kc_ber *ber, size_t size, BIGNUM **number_ret)
{
	struct kc_ber_element integer;
	struct kc_span value;

	if (kc_ber_match(ber, KC_BER_INTEGER, 0, &integer) < 0)
		return -EBADMSG;
	value = integer.value;
	if (!value.len || value.len > size + 1 || (value.len > size && value.data[0]))
		return -EINVAL;
	*number_ret = BN_bin2bn(value.data, (int)value.len, NULL);
	return *number_ret ? 0 : -ENOMEM;
}

static int ecdsa_numbers(struct kc_span signature, size_t size, BIGNUM **r_ret, BIGNUM **s_ret)
{
	struct kc_ber_element sequence;
	struct kc_ber ber;
	int err = kc_ber_open(&ber, signature);

	if (err)
		return err;
	if (kc_ber_match(&ber, KC_BER_SEQUENCE, 0, &sequence) < 0)
		return -EBADMSG;
	err = ecdsa_number(&ber, size, r_ret);
	if (!err)
		err = ecdsa_number(&ber, size, s_ret);
	if (!err)
		err = kc_ber_close(&ber, &sequence, false);
	return err;
}

/* 0 < number < order */
static bool in_range(const BIGNUM *number, const BIGNUM *order)
{
	return !BN_is_zero(number) && BN_cmp(number, order) < 0;
}

/* The kernel's errno for a signature that isn't right. */
static int ecdsa_reason(EVP_PKEY *key, const ECDSA_SIG *numbers)
{
	char name[64];
	EC_GROUP *group;
	int err = -EKEYREJECTED;

	if (!EVP_PKEY_get_group_name(key, name, sizeof(name), NULL))
		return err;
	group = EC_GROUP_new_by_curve_name(OBJ_txt2nid(name));
	if (!group)
		return err;
	if (!in_range(ECDSA_SIG_get0_r(numbers), EC_GROUP_get0_order(group)) ||
	    !in_range(ECDSA_SIG_get0_s(numbers), EC_GROUP_get0_order(group)))
		err = -EBADMSG;
	EC_GROUP_free(group);
	return err;
}

/* OpenSSL wants the numbers as DER, which the kernel isn't that strict about. */
static int ecdsa_check(EVP_PKEY *key, const ECDSA_SIG *numbers, const struct kc_digest_value *value)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
	uint8_t *der = NULL;
	int len = i2d_ECDSA_SIG(numbers, &der);
	int good = 0, err = -ENOMEM;

	if (context && len > 0) {
		if (EVP_PKEY_verify_init(context) > 0)
			good = EVP_PKEY_verify(context, der, (size_t)len, value->bytes, value->len);
		err = good == 1 ? 0 : ecdsa_reason(key, numbers);
	}
	OPENSSL_free(der);
	EVP_PKEY_CTX_free(context);
	return err;
}

/* Whether the signature is found good by a quick way; ecdsa_check() has the last word. */
static bool ecdsa_passes_tables(const struct kc_public_key *key, const ECDSA_SIG *numbers,
				const struct kc_digest_value *value)
{
	const struct kc_ecdsa_tables *tables =
		key->cache ? kc_ecdsa_tables_get(key->cache, key->key) : NULL;

	return tables && kc_ecdsa_tables_verify(tables, numbers, value);
}

static int ecdsa_verify(const struct kc_public_key *key, const struct kc_digest_value *value,
			struct kc_span signature)
{
	size_t words = ((size_t)EVP_PKEY_get_bits(key->key) + 63) / 64;
	ECDSA_SIG *numbers = ECDSA_SIG_new();
	BIGNUM *r = NULL, *s = NULL;
	int err;

	if (!numbers)
		return -ENOMEM;
	err = ecdsa_numbers(signature, words * 8, &r, &s);
	if (err) {
		BN_free(r);
		BN_free(s);
	} else {
		ECDSA_SIG_set0(numbers, r, s);
		err = ecdsa_passes_tables(key, numbers, value)
			      ? 0
			      : ecdsa_check(key->key, numbers, value);
	}
	ECDSA_SIG_free(numbers);
	return err;
}

int kc_public_key_verify(const struct kc_behaviour *behaviour, const struct kc_public_key *key,
			 struct kc_signature_algorithm algorithm,
			 const struct kc_digest_value *value, struct kc_span signature)
{
	if (key->algorithm != algorithm.algorithm)
		return -EKEYREJECTED;
	if (!digests[algorithm.digest].md)
		return -ENOENT;
	switch (key->algorithm) {
	case KC_ALGORITHM_RSA:
		return key->key ? rsa_verify(key->key, algorithm.digest, value, signature)
				: -EBADMSG;
	case KC_ALGORITHM_ECDSA:
		if (!behaviour->signature_ecdsa)
			return -ENOENT;
		return key->key ? ecdsa_verify(key, value, signature) : -EINVAL;
	default:
		return -ENOENT;
	}
}
