/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/*
 * Published vectors by the kernel's own crypto API, whose modules it asks for itself: SHA3-256 and
 * BLAKE2b-512 of "abc" (FIPS 202, RFC 7693), Camellia (RFC 3713), ChaCha20-Poly1305 (RFC 8439).
 */
#include "modules.h"
#include <crypto/aead.h>
#include <crypto/hash.h>
#include <crypto/skcipher.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#define SAY(format, ...) pr_info("works_crypto: " format "\n", ##__VA_ARGS__)

enum { BYTES_MAX = 192, TAG = 16 };

static size_t bytes_of(const char *hex, u8 *bytes)
{
	size_t len = strlen(hex) / 2;

	return hex2bin(bytes, hex, len) ? 0 : len;
}

static bool is_equal(const u8 *bytes, const char *hex)
{
	u8 wanted[BYTES_MAX];

	return memcmp(bytes, wanted, bytes_of(hex, wanted)) == 0;
}

static int digest(const char *name, const char *text, const char *hex)
{
	struct crypto_shash *hash = crypto_alloc_shash(name, 0, 0);
	u8 result[64];
	int err;

	if (IS_ERR(hash))
		return PTR_ERR(hash);
	err = crypto_shash_tfm_digest(hash, text, strlen(text), result);
	if (!err)
		SAY("%s by %s: %s", name, crypto_shash_driver_name(hash),
		    is_equal(result, hex) ? "right" : "wrong");
	crypto_free_shash(hash);
	return err;
}

static int encrypt(const char *name, const char *key, const char *plain, const char *cipher)
{
	struct crypto_skcipher *tfm = crypto_alloc_skcipher(name, 0, 0);
	struct skcipher_request *request;
	DECLARE_CRYPTO_WAIT(wait);
	u8 *bytes = kmalloc(BYTES_MAX, GFP_KERNEL | __GFP_NOFAIL);
	struct scatterlist list;
	size_t len;
	int err;

	if (IS_ERR(tfm))
		return kfree(bytes), PTR_ERR(tfm);
	request = skcipher_request_alloc(tfm, GFP_KERNEL | __GFP_NOFAIL);
	len = bytes_of(key, bytes);
	err = crypto_skcipher_setkey(tfm, bytes, len);
	len = bytes_of(plain, bytes);
	sg_init_one(&list, bytes, len);
	skcipher_request_set_callback(request, CRYPTO_TFM_REQ_MAY_SLEEP, crypto_req_done, &wait);
	skcipher_request_set_crypt(request, &list, &list, len, NULL);
	if (!err)
		err = crypto_wait_req(crypto_skcipher_encrypt(request), &wait);
	if (!err)
		SAY("%s by %s: %s", name, crypto_skcipher_driver_name(tfm),
		    is_equal(bytes, cipher) ? "right" : "wrong");
	if (!err)
		err = crypto_wait_req(crypto_skcipher_decrypt(request), &wait);
	if (!err)
		SAY("%s back: %s", name, is_equal(bytes, plain) ? "right" : "wrong");
	skcipher_request_free(request);
	crypto_free_skcipher(tfm);
	kfree(bytes);
	return err;
}

static const char aead_key[] = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";
static const char aead_nonce[] = "070000004041424344454647";
static const char aead_more[] = "50515253c0c1c2c3c4c5c6c7";
static const char aead_text[] =
	"Ladies and Gentlemen of the class of '99: If I could offer you only "
	"one tip for the future, sunscreen would be it.";
static const char aead_cipher[] =
	"d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69"
	"da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad67594"
	"5585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691";

/* One buffer: what is authenticated only, the text, room for the tag. */
static int seal(struct crypto_aead *tfm, u8 *bytes)
{
	struct aead_request *request = aead_request_alloc(tfm, GFP_KERNEL | __GFP_NOFAIL);
	const size_t more = sizeof(aead_more) / 2, len = sizeof(aead_text) - 1;
	DECLARE_CRYPTO_WAIT(wait);
	struct scatterlist list;
	u8 nonce[12];
	int err;

	bytes_of(aead_nonce, nonce);
	bytes_of(aead_more, bytes);
	memcpy(bytes + more, aead_text, len);
	sg_init_one(&list, bytes, BYTES_MAX);
	aead_request_set_callback(request, CRYPTO_TFM_REQ_MAY_SLEEP, crypto_req_done, &wait);
	aead_request_set_ad(request, more);
	aead_request_set_crypt(request, &list, &list, len, nonce);
	err = crypto_wait_req(crypto_aead_encrypt(request), &wait);
	if (err)
		goto out;
	SAY("%s by %s: %s", "rfc7539(chacha20,poly1305)", crypto_aead_driver_name(tfm),
	    is_equal(bytes + more, aead_cipher) ? "right" : "wrong");
	aead_request_set_crypt(request, &list, &list, len + TAG, nonce);
	err = crypto_wait_req(crypto_aead_decrypt(request), &wait);
	SAY("opened: %d %s", err, memcmp(bytes + more, aead_text, len) ? "wrong" : "right");
	bytes[more] ^= 1;
	SAY("a forgery: %d", crypto_wait_req(crypto_aead_decrypt(request), &wait));
out:
	aead_request_free(request);
	return err;
}

static int authenticate(void)
{
	struct crypto_aead *tfm = crypto_alloc_aead("rfc7539(chacha20,poly1305)", 0, 0);
	u8 *bytes = kzalloc(BYTES_MAX, GFP_KERNEL | __GFP_NOFAIL);
	int err;

	if (IS_ERR(tfm))
		return kfree(bytes), PTR_ERR(tfm);
	err = crypto_aead_setkey(tfm, bytes, bytes_of(aead_key, bytes));
	if (!err)
		err = crypto_aead_setauthsize(tfm, TAG);
	if (!err)
		err = seal(tfm, bytes);
	crypto_free_aead(tfm);
	kfree(bytes);
	return err;
}

static int __init works_crypto_init(void)
{
	int err = digest("sha3-256", "abc",
			 "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");

	if (!err)
		err = digest("blake2b-512", "abc",
			     "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
			     "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
	if (!err)
		err = encrypt("ecb(camellia)", "0123456789abcdeffedcba9876543210",
			      "0123456789abcdeffedcba9876543210",
			      "67673138549669730857065648eabe43");
	if (!err)
		err = authenticate();
	return err;
}

static void __exit works_crypto_exit(void)
{
}

module_init(works_crypto_init);
module_exit(works_crypto_exit);
MODULE_DESCRIPTION("Published vectors");
MODULE_LICENSE("GPL");
