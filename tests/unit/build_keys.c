/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys and certificates that tests sign modules with: see build_signature.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "build_signature.h"

struct signing_key signing_keys[KEY_COUNT] = {
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
	enum key by = signing_keys[key].issuer;
	EVP_PKEY *pair = make_pair(signing_keys[key].curve);
	long year = 365 * 24 * 3600;

	assert_non_null(pair);
	assert_non_null(certificate);
	signing_keys[key].pair = pair;
	signing_keys[key].certificate = certificate;
	issuer = signing_keys[by].certificate;
	X509_set_version(certificate, X509_VERSION_3);
	/* 0x80 more: a serial number that needs a 0 before it */
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 0x80 + (long)key);
	set_name(X509_get_subject_name(certificate), signing_keys[key].name);
	if (issuer == certificate)
		set_name(X509_get_issuer_name(certificate), signing_keys[key].name);
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
			      key == KEY_FORGED || key == KEY_BROKEN_SELF
				      ? signing_keys[KEY_STRANGER].pair
				      : signing_keys[by].pair,
			      key == KEY_ED25519 ? NULL : EVP_sha256()) > 0);
}

void make_signing_keys(void)
{
	/* The stranger signs what pretends to be others'. */
	make_key(KEY_STRANGER);
	for (enum key key = 1; key < KEY_COUNT; key++)
		if (key != KEY_STRANGER)
			make_key(key);
}

void free_signing_keys(void)
{
	for (enum key key = 1; key < KEY_COUNT; key++) {
		X509_free(signing_keys[key].certificate);
		EVP_PKEY_free(signing_keys[key].pair);
	}
}
