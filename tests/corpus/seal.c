/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Damage to signatures and compressed streams: what is wrapped around a module. */
#include <lzma.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "damage.h"

static const char marker[] = "~Module signature appended~\n";
enum { MARKER_LEN = sizeof(marker) - 1, TRAILER_LEN = 12, PKEY_ID_PKCS7 = 2 };

/* The message between the module and the trailer. */
static size_t message_end(struct edit *edit)
{
	if (edit->signature + TRAILER_LEN + MARKER_LEN >= edit->len)
		edit_fail(edit, "the stock module is not signed");
	return edit->len - TRAILER_LEN - MARKER_LEN;
}

static uint8_t *trailer(struct edit *edit)
{
	return edit->data + message_end(edit);
}

void set_trailer(struct edit *edit, const struct corpus_case *test)
{
	trailer(edit)[test->at] = (uint8_t)test->value;
}

static void store_len(struct edit *edit, uint64_t len)
{
	for (int i = 0; i < 4; i++)
		trailer(edit)[8 + i] = (uint8_t)(len >> (24 - 8 * i));
}

void set_signature_len(struct edit *edit, const struct corpus_case *test)
{
	store_len(edit, test->value);
}

void add_signature_len(struct edit *edit, const struct corpus_case *test)
{
	store_len(edit, message_end(edit) - edit->signature + test->value);
}

void flip_in_signature(struct edit *edit, const struct corpus_case *test)
{
	size_t from = test->at < 0 ? message_end(edit) : edit->signature;

	edit->data[from + (size_t)test->at] ^= (uint8_t)test->value;
}

void flip_near(struct edit *edit, const struct corpus_case *test)
{
	uint8_t *found = memmem(edit->data + edit->signature, message_end(edit) - edit->signature,
				test->text, strlen(test->text));

	if (!found)
		edit_fail(edit, "the stock signature does not look as expected");
	found[test->at] ^= (uint8_t)test->value;
}

void spoil_digest_name(struct edit *edit, const struct corpus_case *test)
{
	static const uint8_t sha256[] = { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01 };
	size_t end = message_end(edit);
	int64_t left = test->at;

	for (size_t i = edit->signature; i + sizeof(sha256) <= end; i++) {
		if (memcmp(edit->data + i, sha256, sizeof(sha256)) != 0 || left-- > 0)
			continue;
		edit->data[i + sizeof(sha256) - 1] = (uint8_t)test->value;
		return;
	}
	edit_fail(edit, "no digest sha256 in the stock signature");
}

/* Puts so many zeros before the trailer, or takes bytes away there, and corrects the length. */
static void resize_message(struct edit *edit, int64_t change)
{
	size_t end = message_end(edit), len = (size_t)((int64_t)edit->len + change);
	uint8_t *file = calloc(1, len);

	if (!file)
		edit_fail(edit, "out of memory");
	memcpy(file, edit->data, change < 0 ? (size_t)((int64_t)end + change) : end);
	memcpy(file + (int64_t)end + change, edit->data + end, TRAILER_LEN + MARKER_LEN);
	edit_set(edit, file, len);
	free(file);
	store_len(edit, message_end(edit) - edit->signature);
}

void cut_signature(struct edit *edit, const struct corpus_case *test)
{
	resize_message(edit, -(int64_t)test->value);
}

void lengthen_signature(struct edit *edit, const struct corpus_case *test)
{
	resize_message(edit, (int64_t)test->value);
}

void signature_of(struct edit *edit, const struct corpus_case *test)
{
	char path[4096];
	struct edit other;

	corpus_stock_path(test->text, path);
	other = edit_open(path, edit->what);
	edit_strip_signature(edit);
	edit_append_exactly(edit, other.data + other.signature, other.len - other.signature);
	edit_close(&other);
}

void repeat_signature(struct edit *edit, const struct corpus_case *test)
{
	size_t len = edit->len - edit->signature;
	uint8_t *copy = malloc(len);

	(void)test;
	if (!copy)
		edit_fail(edit, "out of memory");
	memcpy(copy, edit->data + edit->signature, len);
	edit_append_exactly(edit, copy, len);
	free(copy);
}

/* A key and a certificate of it that no kernel has ever seen. */
static X509 *make_certificate(EVP_PKEY *key)
{
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);
	X509_EXTENSION *id;
	X509V3_CTX context;

	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 4711);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400L * 3650);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"corpus", -1,
				   -1, 0);
	X509_set_issuer_name(certificate, name);
	X509_set_pubkey(certificate, key);
	X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
	id = X509V3_EXT_conf_nid(NULL, &context, NID_subject_key_identifier, "hash");
	X509_add_ext(certificate, id, -1);
	X509_EXTENSION_free(id);
	X509_sign(certificate, key, EVP_sha256());
	return certificate;
}

static size_t make_message(struct edit *edit, const struct corpus_case *test, uint8_t **message)
{
	EVP_PKEY *key = test->value & SIGN_EC ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048);
	X509 *certificate = make_certificate(key);
	unsigned int how = CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP;
	BIO *content = BIO_new_mem_buf(edit->data, (int)edit->len);
	CMS_ContentInfo *cms;
	int len;

	how |= test->value & SIGN_EMBEDDED ? 0 : CMS_DETACHED;
	how |= test->value & SIGN_CERTIFICATE ? 0 : CMS_NOCERTS;
	how |= test->value & SIGN_ATTRIBUTES ? 0 : CMS_NOATTR;
	how |= test->value & SIGN_KEY_ID ? CMS_USE_KEYID : 0;
	cms = CMS_sign(NULL, NULL, NULL, NULL, how | CMS_STREAM);
	if (!key || !certificate || !cms ||
	    !CMS_add1_signer(cms, certificate, key, EVP_get_digestbyname(test->text), how) ||
	    CMS_final(cms, content, NULL, how) != 1)
		edit_fail(edit, "can't be signed");
	*message = NULL;
	len = i2d_CMS_ContentInfo(cms, message);
	if (len <= 0)
		edit_fail(edit, "the signature can't be encoded");
	CMS_ContentInfo_free(cms);
	BIO_free(content);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return (size_t)len;
}

void sign(struct edit *edit, const struct corpus_case *test)
{
	uint8_t *message, info[TRAILER_LEN] = { [2] = PKEY_ID_PKCS7 };
	size_t len = make_message(edit, test, &message);

	edit->signature = edit->len;
	edit_append_exactly(edit, message, len);
	edit_append_exactly(edit, info, sizeof(info));
	edit_append_exactly(edit, marker, MARKER_LEN);
	store_len(edit, len);
	OPENSSL_free(message);
}

/* compression */

static void set_packed(struct edit *edit, uint8_t *packed, size_t len)
{
	edit_set(edit, packed, len);
	free(packed);
}

static uint8_t *room(struct edit *edit, size_t len)
{
	uint8_t *bytes = malloc(len);

	if (!bytes)
		edit_fail(edit, "out of memory");
	return bytes;
}

static size_t xz_stream(struct edit *edit, const struct corpus_case *test, uint8_t *packed,
			size_t limit)
{
	lzma_options_lzma lzma2;
	lzma_options_delta delta = { .type = LZMA_DELTA_TYPE_BYTE, .dist = 1 };
	lzma_filter filters[3] = { { .id = LZMA_VLI_UNKNOWN } };
	lzma_check check = test->value & XZ_NO_CHECK ? LZMA_CHECK_NONE
			   : test->value & XZ_CRC64  ? LZMA_CHECK_CRC64
			   : test->value & XZ_SHA256 ? LZMA_CHECK_SHA256
						     : LZMA_CHECK_CRC32;
	lzma_stream stream = LZMA_STREAM_INIT;
	int n = 0;

	lzma_lzma_preset(&lzma2, 6);
	lzma2.dict_size = 1 << 20;
	if (test->value & XZ_X86)
		filters[n++].id = LZMA_FILTER_X86;
	if (test->value & XZ_ARM)
		filters[n++].id = LZMA_FILTER_ARM;
	if (test->value & XZ_DELTA)
		filters[n++] = (lzma_filter){ .id = LZMA_FILTER_DELTA, .options = &delta };
	filters[n++] = (lzma_filter){ .id = LZMA_FILTER_LZMA2, .options = &lzma2 };
	filters[n].id = LZMA_VLI_UNKNOWN;
	if (lzma_stream_encoder(&stream, filters, check) != LZMA_OK)
		edit_fail(edit, "xz can't do that");
	stream.next_out = packed;
	stream.avail_out = limit;
	stream.next_in = edit->data;
	if (test->value & XZ_BLOCKS) {
		stream.avail_in = edit->len / 2;
		while (lzma_code(&stream, LZMA_FULL_FLUSH) == LZMA_OK)
			;
	}
	stream.avail_in = edit->len - (size_t)(stream.next_in - edit->data);
	while (lzma_code(&stream, LZMA_FINISH) == LZMA_OK)
		;
	limit -= stream.avail_out;
	lzma_end(&stream);
	return limit;
}

void pack_xz(struct edit *edit, const struct corpus_case *test)
{
	size_t limit = edit->len * 2 + 65536, len;
	uint8_t *packed = room(edit, 2 * limit);

	len = xz_stream(edit, test, packed, limit);
	if (test->value & XZ_TWICE)
		len += xz_stream(edit, test, packed + len, limit);
	set_packed(edit, packed, len);
}

void append_packed(struct edit *edit, const struct corpus_case *test)
{
	edit_append_exactly(edit, test->text, strlen(test->text));
}
