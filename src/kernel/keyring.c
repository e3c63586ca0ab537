/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys that modules are verified with: X.509 certificates from the image's list and from files.
 *
 * Consumes DER and PEM through OpenSSL; produces the certificates for the signature check, and a
 * description of each for people.
 */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/parts.h"

enum {
	DER_HEAD = 4, /* bytes of tag and length of a certificate */
	KEYS_MAX =
		4096, /* more than any kernel trusts: the bound on what a damaged list may cost */
};

static char *copy_hex(const uint8_t *bytes, size_t len)
{
	char *text = malloc(len * 2 + 1);

	if (!text)
		return NULL;
	text[0] = 0;
	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return text;
}

/* A certificate may be anybody's: what would move a terminal's cursor is not shown. */
static char *make_printable(char *text)
{
	for (char *place = text; place && *place; place++)
		if ((unsigned char)*place < ' ' || *place == 0x7f)
			*place = '?';
	return text;
}

/* The name as people know it: the common name, else the organisation, else all of it. */
static char *copy_name(X509_NAME *name)
{
	static const int kinds[] = { NID_commonName, NID_organizationName };
	char *text, *line;

	for (size_t i = 0; i < KC_ARRAY_SIZE(kinds); i++) {
		int place = X509_NAME_get_index_by_NID(name, kinds[i], -1);
		ASN1_STRING *value =
			place < 0 ? NULL
				  : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, place));
		unsigned char *utf8;
		int len = value ? ASN1_STRING_to_UTF8(&utf8, value) : -1;

		if (len < 0)
			continue;
		text = strndup((const char *)utf8, (size_t)len);
		OPENSSL_free(utf8);
		return make_printable(text);
	}
	line = X509_NAME_oneline(name, NULL, 0);
	text = line ? strdup(line) : NULL;
	OPENSSL_free(line);
	return make_printable(text);
}

static char *copy_serial(X509 *certificate)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get_serialNumber(certificate), NULL);
	uint8_t *bytes = number ? malloc((size_t)BN_num_bytes(number) + 1) : NULL;
	char *text = NULL;

	if (bytes)
		text = copy_hex(bytes, (size_t)BN_bn2bin(number, bytes));
	free(bytes);
	BN_free(number);
	return text;
}

static char *copy_key_id(X509 *certificate)
{
	const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(certificate);

	return id ? copy_hex(ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id))
		  : strdup("");
}

static const char *short_curve(const char *group)
{
	static const char *const names[][2] = { { "prime256v1", "P-256" },
						{ "secp384r1", "P-384" },
						{ "secp521r1", "P-521" } };

	for (size_t i = 0; i < KC_ARRAY_SIZE(names); i++)
		if (!strcmp(group, names[i][0]))
			return names[i][1];
	return group;
}

/* "RSA-4096", "EC-P-384" */
static char *copy_algorithm(X509 *certificate)
{
	EVP_PKEY *key = X509_get0_pubkey(certificate);
	char group[64];
	char *text;
	int len;

	if (!key)
		return strdup("unknown");
	if (EVP_PKEY_is_a(key, "EC") &&
	    EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1)
		len = asprintf(&text, "EC-%s", short_curve(group));
	else if (EVP_PKEY_is_a(key, "RSA"))
		len = asprintf(&text, "RSA-%d", EVP_PKEY_get_bits(key));
	else
		len = asprintf(&text, "%s", EVP_PKEY_get0_type_name(key) ?: "unknown");
	return len < 0 ? NULL : text;
}

static void free_key(struct kocoon_key *key)
{
	const char *texts[] = { key->subject, key->issuer,    key->serial,
				key->key_id,  key->algorithm, key->source };

	for (size_t i = 0; i < KC_ARRAY_SIZE(texts); i++)
		free((void *)(uintptr_t)texts[i]);
}

/* Takes the certificate over, also on failure. */
static int add(struct kc_keyring *keyring, X509 *certificate, const char *source)
{
	struct kocoon_key key = {
		.subject = copy_name(X509_get_subject_name(certificate)),
		.issuer = copy_name(X509_get_issuer_name(certificate)),
		.serial = copy_serial(certificate),
		.key_id = copy_key_id(certificate),
		.algorithm = copy_algorithm(certificate),
		.source = strdup(source),
	};
	size_t count = keyring->count + 1;
	X509 **certificates = NULL;
	struct kocoon_key *keys = NULL;
	struct kc_key_cache *caches = NULL;

	if (key.subject && key.issuer && key.serial && key.key_id && key.algorithm && key.source)
		certificates = reallocarray(keyring->certificates, count, sizeof(*certificates));
	if (certificates) {
		keyring->certificates = certificates;
		keys = reallocarray(keyring->keys, count, sizeof(*keys));
	}
	if (keys) {
		keyring->keys = keys;
		caches = reallocarray(keyring->caches, count, sizeof(*caches));
	}
	if (!caches) {
		free_key(&key);
		X509_free(certificate);
		return -ENOMEM;
	}
	keyring->caches = caches;
	memset(&keyring->caches[keyring->count], 0, sizeof(*caches));
	keyring->keys[keyring->count] = key;
	keyring->certificates[keyring->count] = certificate;
	keyring->count++;
	return 0;
}

static X509 *parse_der(struct kc_span *bytes)
{
	const unsigned char *place = bytes->data;
	X509 *certificate = d2i_X509(NULL, &place, (long)bytes->len);
	size_t used = certificate ? (size_t)(place - bytes->data) : 0;

	*bytes = kc_span(bytes->data + used, bytes->len - used);
	return certificate;
}

int kc_keyring_add_list(struct kc_keyring *keyring, struct kc_span list,
			struct kocoon_report *report)
{
	int err = 0;

	while (list.len && !err) {
		X509 *certificate = keyring->count < KEYS_MAX ? parse_der(&list) : NULL;

		if (!certificate) {
			kc_finding(
				report, KOCOON_STAGE_KERNEL, 0,
				"the image's list of certificates is damaged behind the first %zu",
				keyring->count);
			break;
		}
		err = add(keyring, certificate, "image");
	}
	ERR_clear_error();
	return err;
}

/* Behind the DER sequence at `place`, or `place` where none of a certificate's size is there. */
static uint64_t skip_certificate(struct kc_span area, uint64_t place)
{
	const uint8_t *head = area.data + place;
	uint64_t size;

	/* A sequence with two bytes of length, in it a sequence. */
	if (!kc_span_contains(area, place, DER_HEAD + 1) || head[0] != 0x30 || head[1] != 0x82 ||
	    head[DER_HEAD] != 0x30)
		return place;
	size = DER_HEAD + (uint64_t)head[2] * 256 + head[3];
	return kc_span_contains(area, place, size) ? place + size : place;
}

/* Behind all certificates from `place` on. */
static uint64_t skip_certificates(struct kc_span area, uint64_t place)
{
	uint64_t next;

	while ((next = skip_certificate(area, place)) != place)
		place = next;
	return place;
}

/* Whether behind the certificates, aligned, stands how many bytes they are. */
static bool is_list(struct kc_span area, uint64_t start, uint64_t end)
{
	struct kc_span size;

	return kc_span_sub(area, kc_align(end, 8), sizeof(uint64_t), &size) &&
	       kc_load64(size.data) == end - start;
}

bool kc_keyring_search(const struct kc_vmlinux *vmlinux, struct kc_span *list_ret)
{
	for (size_t i = 0; i < vmlinux->segment_count; i++) {
		struct kc_span area = vmlinux->segments[i].bytes;

		if (vmlinux->segments[i].address % 8)
			continue;
		for (uint64_t place = 0, end; place < area.len; place = kc_align(end + 1, 8)) {
			end = skip_certificates(area, place);
			if (end != place && is_list(area, place, end))
				return kc_span_sub(area, place, end - place, list_ret);
		}
	}
	return false;
}

/* A certificate that is encrypted is none: nobody is asked for a password. */
static int no_password(char *text, int size, int writing, void *context)
{
	(void)text;
	(void)size;
	(void)writing;
	(void)context;
	return -1;
}

static int add_pem(struct kc_keyring *keyring, struct kc_span bytes, const char *path,
		   size_t *count_ret)
{
	BIO *bio = BIO_new_mem_buf(bytes.len ? bytes.data : (const uint8_t *)"", (int)bytes.len);
	X509 *certificate;
	size_t count = 0;
	int err = bio ? 0 : -ENOMEM;

	while (!err && (certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
		err = keyring->count < KEYS_MAX ? add(keyring, certificate, path) : -EFBIG;
		count++;
	}
	BIO_free(bio);
	*count_ret = count;
	return err;
}

int kc_keyring_add_file(struct kc_keyring *keyring, const char *path, struct kocoon_report *report)
{
	struct kc_buffer buffer = { 0 };
	int err = kc_read_file(path, KC_KEY_FILE_MAX, &buffer, report);
	struct kc_span bytes = kc_buffer_span(&buffer);
	X509 *certificate = NULL;
	size_t count = 1;

	if (!err && bytes.len)
		certificate = parse_der(&bytes);
	if (certificate)
		err = add(keyring, certificate, path);
	else if (!err)
		err = add_pem(keyring, bytes, path, &count);
	ERR_clear_error();
	kc_buffer_deinit(&buffer);
	if (!err && !count) {
		err = kc_finding(report, KOCOON_STAGE_KERNEL, -EINVAL,
				 "%s: no X.509 certificate in it", path);
		kc_hint(report, "a certificate in DER or PEM is wanted, not a private key");
	}
	return err;
}

void kc_keyring_deinit(struct kc_keyring *keyring)
{
	for (size_t i = 0; i < keyring->count; i++) {
		void *kept = atomic_load(&keyring->caches[i].kept);

		if (kept)
			keyring->caches[i].free_kept(kept);
		X509_free(keyring->certificates[i]);
		free_key(&keyring->keys[i]);
	}
	free(keyring->certificates);
	free(keyring->keys);
	free(keyring->caches);
	*keyring = (struct kc_keyring){ 0 };
}
