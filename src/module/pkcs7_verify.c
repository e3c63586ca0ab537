/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A parsed PKCS#7 message against a module's bytes and the trusted keys: verify_pkcs7_message_sig()
 * of certs/system_keyring.c, with pkcs7_verify() and pkcs7_validate_trust() below it.
 *
 * Differs from Linux: there is no list of revoked certificates and hashes, which a machine's
 * firmware fills; and the trusted keys are those of the image and those given, not the firmware's.
 */
#include "module/pkcs7.h"

#include <errno.h>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

struct verification {
	const struct kocoon_kernel *kernel;
	const struct kc_behaviour *behaviour;
	struct kc_pkcs7 *message;
	X509 *const *trusted;
	size_t trusted_count;
	struct kc_pkcs7_answer *answer;
};

static int conclude(struct verification *v, enum kc_pkcs7_fault fault, int err)
{
	v->answer->fault = fault;
	return err;
}

/* ---- the message by itself ---- */

static int verify_certificate(const struct verification *v, const struct kc_x509 *certificate,
			      const struct kc_x509 *by)
{
	return kc_public_key_verify(v->behaviour, &by->key, certificate->algorithm,
				    &certificate->digest, certificate->signature);
}

/* The certificate of the message that signed this one; NULL: none, and *err_ret then tells whether
 * that is a fault. */
static struct kc_x509 *find_issuer(struct kc_pkcs7 *message, const struct kc_x509 *certificate,
				   int *err_ret)
{
	const struct kc_key_id *id = &certificate->authority;
	const struct kc_key_id *key = &certificate->authority_key;

	*err_ret = 0;
	for (size_t i = 0; i < message->certificate_count; i++) {
		struct kc_x509 *other = &message->certificates[i];

		if (kc_key_id_known(id)) {
			if (!kc_key_id_same(&other->id, id))
				continue;
			if (kc_key_id_known(key) && !kc_key_id_same(&other->skid, key)) {
				*err_ret = -EKEYREJECTED;
				return NULL;
			}
			return other;
		}
		if (kc_key_id_same(&other->skid, key))
			return other;
	}
	return NULL;
}

/* Up from the signer's certificate, as far as the message goes. */
static int verify_chain(struct verification *v, struct kc_pkcs7_signer *signer)
{
	struct kc_x509 *certificate = signer->certificate;
	int err;

	for (size_t i = 0; i < v->message->certificate_count; i++)
		v->message->certificates[i].seen = false;
	for (;;) {
		struct kc_x509 *issuer;

		certificate->seen = true;
		if (certificate->self_signed) {
			if (!certificate->unsupported_signature)
				certificate->signer = certificate;
			return 0;
		}
		issuer = find_issuer(v->message, certificate, &err);
		if (err)
			return conclude(v, KC_PKCS7_CHAIN, err);
		if (!issuer || issuer->seen)
			return 0;
		/* Of many signers with one chain, the first has had it verified. */
		err = certificate->signer == issuer ? 0
						    : verify_certificate(v, certificate, issuer);
		if (err)
			return conclude(v, KC_PKCS7_CHAIN, err);
		certificate->signer = issuer;
		certificate = issuer;
	}
}

/* The digest of the module that this signer signed, computed once for all of them. */
static int digest_for(struct verification *v, const struct kc_pkcs7_signer *signer,
		      struct kc_span data)
{
	enum kc_digest digest = signer->algorithm.digest;
	struct kc_digest_value *value = &v->message->digests[digest];

	return value->len ? 0 : kc_digest_compute(digest, data, value);
}

static const struct kc_digest_value *digest_of(const struct verification *v,
					       const struct kc_pkcs7_signer *signer)
{
	return &v->message->digests[signer->algorithm.digest];
}

static int verify_signer(struct verification *v, struct kc_pkcs7_signer *signer,
			 struct kc_span data)
{
	struct kc_pkcs7 *message = v->message;
	int err = digest_for(v, signer, data);

	if (err)
		return conclude(v, KC_PKCS7_ALGORITHM, err);
	for (size_t i = 0; i < message->certificate_count && !signer->certificate; i++)
		if (kc_key_id_same(&message->certificates[i].id, &signer->id))
			signer->certificate = &message->certificates[i];
	if (!signer->certificate)
		return 0;
	err = kc_public_key_verify(v->behaviour, &signer->certificate->key, signer->algorithm,
				   digest_of(v, signer), signer->signature);
	if (err)
		return conclude(v, KC_PKCS7_SIGNATURE, err);
	return verify_chain(v, signer);
}

static int verify_message(struct verification *v, struct kc_span data)
{
	struct kc_pkcs7 *message = v->message;
	int verdict = -ENOPKG;

	if (!message->is_data)
		return conclude(v, KC_PKCS7_CONTENT_TYPE, -EKEYREJECTED);
	if (message->signers[0].attributes)
		return conclude(v, KC_PKCS7_ATTRIBUTES, -EKEYREJECTED);
	for (size_t i = 0; i < message->signer_count; i++) {
		int err;

		v->answer->signer = &message->signers[i];
		err = verify_signer(v, &message->signers[i], data);
		message->signers[i].unsupported = err == -ENOPKG;
		if (err && err != -ENOPKG)
			return err;
		if (!err)
			verdict = 0;
	}
	return verdict;
}

/* ---- trust ---- */

/* The identifiers of a trusted certificate; `*der_ret` holds the serial number's bytes. */
static bool trusted_ids(X509 *certificate, uint8_t **der_ret, struct kc_key_id *id,
			struct kc_key_id *skid)
{
	const ASN1_OCTET_STRING *key_id = X509_get0_subject_key_id(certificate);
	struct kc_ber_element serial, issuer;
	const uint8_t *name;
	struct kc_ber ber;
	size_t name_len;
	int len;

	*id = *skid = (struct kc_key_id){ 0 };
	*der_ret = NULL;
	if (key_id)
		skid->first =
			kc_span(ASN1_STRING_get0_data(key_id), (size_t)ASN1_STRING_length(key_id));
	if (!X509_NAME_get0_der(X509_get_issuer_name(certificate), &name, &name_len) ||
	    kc_ber_open(&ber, kc_span(name, name_len)) ||
	    kc_ber_match(&ber, KC_BER_ANY, 0, &issuer) < 0)
		return false;
	len = i2d_ASN1_INTEGER(X509_get0_serialNumber(certificate), der_ret);
	if (len <= 0 || kc_ber_open(&ber, kc_span(*der_ret, (size_t)len)) ||
	    kc_ber_match(&ber, KC_BER_INTEGER, 0, &serial) < 0)
		return false;
	*id = (struct kc_key_id){ serial.value, issuer.value };
	return true;
}

/* Whether `wanted` is one of a certificate's two identifiers; then, whether `also` is its second
 * one, where that is asked for. */
static int match_trusted(X509 *certificate, const struct kc_key_id *wanted,
			 const struct kc_key_id *also)
{
	struct kc_key_id id, skid;
	uint8_t *der;
	int err = -ENOKEY;

	if (trusted_ids(certificate, &der, &id, &skid) &&
	    (kc_key_id_same(&id, wanted) || kc_key_id_same(&skid, wanted)))
		err = also && !kc_key_id_same(&skid, also) ? -EKEYREJECTED : 0;
	OPENSSL_free(der);
	return err;
}

/*
 * find_asymmetric_key(): by the first identifier if there is one, which the second must then fit,
 * else by the second. -ENOKEY: not found.
 */
static int find_trusted(const struct verification *v, const struct kc_key_id *id,
			const struct kc_key_id *key, X509 **certificate_ret)
{
	const struct kc_key_id *wanted = kc_key_id_known(id) ? id : key;
	const struct kc_key_id *also = wanted == id && kc_key_id_known(key) ? key : NULL;
	int err = -ENOKEY;

	if (!(wanted->first.len + wanted->second.len))
		return -EINVAL;
	for (size_t i = 0; i < v->trusted_count && err == -ENOKEY; i++) {
		err = match_trusted(v->trusted[i], wanted, also);
		if (!err)
			*certificate_ret = v->trusted[i];
	}
	return err;
}

static int verify_with_trusted(const struct verification *v, X509 *trusted,
			       struct kc_signature_algorithm algorithm,
			       const struct kc_digest_value *value, struct kc_span signature)
{
	struct kc_public_key key = { .key = X509_get0_pubkey(trusted),
				     .cache = kc_kernel_key_cache(v->kernel, trusted) };
	int type = key.key ? EVP_PKEY_get_base_id(key.key) : EVP_PKEY_NONE;
	int err;

	key.algorithm = type == EVP_PKEY_RSA  ? KC_ALGORITHM_RSA
			: type == EVP_PKEY_EC ? KC_ALGORITHM_ECDSA
					      : KC_ALGORITHM_NONE;
	err = kc_public_key_verify(v->behaviour, &key, algorithm, value, signature);
	return err && err != -ENOMEM ? -EKEYREJECTED : err;
}

/* Everything from the signer's certificate up to `last` is trusted now. */
static void mark_verified(struct kc_pkcs7_signer *signer, struct kc_x509 *last)
{
	struct kc_x509 *certificate = signer->certificate;

	if (!last)
		return;
	for (; certificate != last; certificate = certificate->signer)
		certificate->verified = true;
	last->verified = true;
}

/*
 * The trusted key that vouches for a signer: one of the chain's certificates itself, then the one
 * that signed the last of the chain, then the signer's own. `*last_ret` is the certificate of the
 * message that it belongs to or that it has signed; `*below_ret` the one that its signature is
 * looked for in: NULL, the signer itself. 1: it is known already that the signer is trusted.
 */
static int find_root(struct verification *v, struct kc_pkcs7_signer *signer, X509 **trusted_ret,
		     struct kc_x509 **last_ret, struct kc_x509 **below_ret)
{
	static const struct kc_key_id none;
	struct kc_x509 *certificate, *below = NULL;
	int err;

	for (certificate = signer->certificate; certificate; certificate = certificate->signer) {
		*last_ret = certificate;
		*below_ret = below;
		if (certificate->seen)
			return certificate->verified ? 1 : -ENOKEY;
		certificate->seen = true;
		if (!find_trusted(v, &certificate->id, &certificate->skid, trusted_ret))
			return 0;
		if (certificate->signer == certificate)
			return -ENOKEY;
		below = certificate;
	}
	*last_ret = *below_ret = below;
	if (below &&
	    (kc_key_id_known(&below->authority) || kc_key_id_known(&below->authority_key))) {
		err = find_trusted(v, &below->authority, &below->authority_key, trusted_ret);
		if (err != -ENOKEY)
			return err;
	}
	*last_ret = *below_ret = NULL;
	return find_trusted(v, &signer->id, &none, trusted_ret);
}

static int trust_signer(struct verification *v, struct kc_pkcs7_signer *signer)
{
	struct kc_x509 *last = NULL, *below = NULL;
	X509 *trusted = NULL;
	int err;

	if (signer->unsupported)
		return conclude(v, KC_PKCS7_ALGORITHM, -ENOPKG);
	err = find_root(v, signer, &trusted, &last, &below);
	if (err < 0)
		return conclude(v, KC_PKCS7_KEY, err);
	if (!err) {
		v->answer->trusted = trusted;
		err = below ? verify_with_trusted(v, trusted, below->algorithm, &below->digest,
						  below->signature)
			    : verify_with_trusted(v, trusted, signer->algorithm,
						  digest_of(v, signer), signer->signature);
		if (err)
			return conclude(v, below ? KC_PKCS7_CHAIN : KC_PKCS7_SIGNATURE, err);
	}
	mark_verified(signer, last);
	return conclude(v, KC_PKCS7_NO_FAULT, 0);
}

static int trust_message(struct verification *v)
{
	struct kc_pkcs7 *message = v->message;
	struct kc_pkcs7_answer answer = { 0 };
	int verdict = -ENOKEY;

	for (size_t i = 0; i < message->certificate_count; i++)
		message->certificates[i].seen = false;
	for (size_t i = 0; i < message->signer_count; i++) {
		int err;

		*v->answer = (struct kc_pkcs7_answer){ .signer = &message->signers[i] };
		err = trust_signer(v, &message->signers[i]);
		if (err && err != -ENOKEY && err != -ENOPKG)
			return err;
		if (!err || (err == -ENOPKG && verdict == -ENOKEY)) {
			verdict = err;
			answer = *v->answer;
		}
	}
	if (verdict != -ENOKEY)
		*v->answer = answer;
	return verdict;
}

int kc_pkcs7_verify(const struct kocoon_kernel *kernel, const struct kc_behaviour *behaviour,
		    struct kc_pkcs7 *message, struct kc_span data, struct kc_pkcs7_answer *answer)
{
	struct verification v = {
		.kernel = kernel, .behaviour = behaviour, .message = message, .answer = answer
	};
	int err;

	v.trusted_count = kc_kernel_certificates(kernel, &v.trusted);
	*answer = (struct kc_pkcs7_answer){ .signer = message->signers };
	if (message->has_content)
		return conclude(&v, KC_PKCS7_CONTENT, -EBADMSG);
	err = verify_message(&v, data);
	return err ? err : trust_message(&v);
}
