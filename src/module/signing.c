/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stage KOCOON_STAGE_SIGNATURE: kernel/module/signing.c and kernel/module_signature.c.
 *
 * Consumes the image of a module; cuts off what the kernel cuts off, and tells whether it would go
 * on. The trailer is taken apart by trailer.c, the message by pkcs7_parse.c and pkcs7_verify.c.
 *
 * Differs from Linux: of a kernel whose keys aren't known, a signature by an unknown key is neither
 * trusted nor refused.
 */
#include "module/signing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "module/pkcs7.h"
#include "module/trailer.h"

enum { TEXT_LENGTH = 1024 };

struct checking {
	const struct kocoon_kernel *kernel;
	const struct kc_behaviour *behaviour;
	const struct kocoon_policy *policy;
	struct kc_span *image;
	struct kc_signature *signature;
	struct kocoon_report *report;
	X509 *const *keys;
	size_t key_count;
	bool keys_known;
	bool enforced, locked_down;
};

const char *kocoon_signature_state_name(enum kocoon_signature_state state)
{
	static const char *const names[] = {
		[KOCOON_SIGNATURE_NONE] = "none",
		[KOCOON_SIGNATURE_OK] = "ok",
		[KOCOON_SIGNATURE_UNKNOWN_KEY] = "unknown-key",
		[KOCOON_SIGNATURE_BAD] = "bad",
		[KOCOON_SIGNATURE_UNSUPPORTED] = "unsupported",
		[KOCOON_SIGNATURE_UNCHECKED] = "unchecked",
	};

	return (size_t)state < KC_ARRAY_SIZE(names) ? names[state] : "unknown";
}

void kc_signature_deinit(struct kc_signature *signature)
{
	free(signature->signer);
	free(signature->key_id);
	free(signature->hash);
	*signature = (struct kc_signature){ 0 };
}

/* ---- what the kernel makes of it ---- */

/* Three defects pass where signatures aren't enforced; all others are what they are. */
static int settle(const struct checking *c, int err)
{
	if (err != -ENODATA && err != -ENOPKG && err != -ENOKEY)
		return err;
	if (err == -ENOKEY && !c->keys_known)
		return 0;
	if (c->enforced)
		return -EKEYREJECTED;
	return c->locked_down ? -EPERM : 0;
}

/* What that means for the module, as the end of a hint. */
static const char *consequence(const struct checking *c, int err)
{
	if (settle(c, err) == 0)
		return err == -ENOKEY && !c->keys_known
			       ? ""
			       : "; this kernel takes the module all the same, and is tainted (E)";
	if (settle(c, err) == err)
		return "; the kernel refuses it even where signatures aren't enforced";
	return c->enforced ? "; signatures are enforced (module.sig_enforce)"
			   : "; the kernel is locked down";
}

static void hex(struct kc_span bytes, char *text, size_t size)
{
	size_t at = 0;

	text[0] = 0;
	for (size_t i = 0; i < bytes.len && at + 3 <= size; i++)
		at += (size_t)snprintf(text + at, size - at, "%02x", bytes.data[i]);
}

static char *new_hex(struct kc_span bytes)
{
	char *text = malloc(bytes.len * 2 + 1);

	if (text)
		hex(bytes, text, bytes.len * 2 + 1);
	return text;
}

static char *name_of(const X509_NAME *name)
{
	struct kc_ber_element element;
	const uint8_t *der;
	struct kc_ber ber;
	size_t len;

	if (!X509_NAME_get0_der(name, &der, &len) || kc_ber_open(&ber, kc_span(der, len)) ||
	    kc_ber_match(&ber, KC_BER_ANY, 0, &element) < 0)
		return NULL;
	return kc_x509_common_name(element.value);
}

/* One trusted key: its name, and the identifier that signatures of this kind name keys by. */
static size_t describe_key(X509 *key, bool by_key_id, char *text, size_t size)
{
	const ASN1_STRING *id =
		by_key_id ? X509_get0_subject_key_id(key) : X509_get0_serialNumber(key);
	char *name = name_of(X509_get_subject_name(key));
	char id_text[128] = "none";
	int len;

	if (id)
		hex(kc_span(ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id)), id_text,
		    sizeof(id_text));
	len = snprintf(text, size, "%s (%s)", name ? name : "a key without a name", id_text);
	free(name);
	return len < 0 ? 0 : (size_t)len < size ? (size_t)len : size - 1;
}

static void describe_keys(const struct checking *c, bool by_key_id, char text[TEXT_LENGTH])
{
	size_t at = 0;

	if (!c->key_count)
		snprintf(text, TEXT_LENGTH, "no key is trusted");
	for (size_t i = 0; i < c->key_count; i++) {
		if (at + 256 > TEXT_LENGTH) {
			snprintf(text + at, TEXT_LENGTH - at, ", and %zu more", c->key_count - i);
			break;
		}
		if (i)
			at += (size_t)snprintf(text + at, TEXT_LENGTH - at, ", ");
		at += describe_key(c->keys[i], by_key_id, text + at, 240);
	}
}

/* ---- no signature, and damage to the trailer ---- */

static int refuse_trailer(struct checking *c, int err, const char *what)
{
	int verdict = settle(c, err);

	c->signature->state = err == -ENOPKG ? KOCOON_SIGNATURE_UNSUPPORTED : KOCOON_SIGNATURE_BAD;
	kc_finding(c->report, KOCOON_STAGE_SIGNATURE, verdict, "%s", what);
	kc_hint(c->report, "copy the module again, or sign it again%s", consequence(c, err));
	return verdict;
}

static int refuse_unsigned(struct checking *c, bool ignored)
{
	int verdict = settle(c, -ENODATA);

	c->signature->state = ignored ? KOCOON_SIGNATURE_UNCHECKED : KOCOON_SIGNATURE_NONE;
	if (ignored)
		kc_finding(c->report, KOCOON_STAGE_SIGNATURE, verdict,
			   "the signature isn't looked at, because version checks are overridden");
	else
		kc_finding(c->report, KOCOON_STAGE_SIGNATURE, verdict, "the module isn't signed");
	kc_hint(c->report, "%s%s",
		ignored ? "load it without force options"
			: "sign it with a key that the kernel trusts (sign-file of the kernel's "
			  "headers)",
		consequence(c, -ENODATA));
	return verdict;
}

/* ---- the message ---- */

/* Who signed, as far as it is known. */
static void describe_signer(struct checking *c, const struct kc_pkcs7_signer *signer, X509 *trusted)
{
	struct kc_span id = signer->id.first;

	/* People write a serial number without the 0 that keeps it positive. */
	if (!signer->by_key_id && id.len > 1 && !id.data[0])
		id = kc_span(id.data + 1, id.len - 1);

	c->signature->signer = trusted ? name_of(X509_get_subject_name(trusted))
				       : kc_x509_common_name(signer->issuer);
	if (id.len)
		c->signature->key_id = new_hex(id);
	if (signer->algorithm.digest != KC_DIGEST_NONE)
		c->signature->hash = strdup(kc_digest_name(signer->algorithm.digest));
}

static void found_signer(const struct checking *c, const struct kc_pkcs7_signer *signer)
{
	kc_found(c->report, "%s%s%s %s", c->signature->signer ? c->signature->signer : "",
		 c->signature->signer ? ", " : "",
		 signer->by_key_id ? "key identifier" : "serial number",
		 c->signature->key_id ? c->signature->key_id : "of no length");
}

static int refuse_key(struct checking *c, int err, const struct kc_pkcs7_signer *signer)
{
	int verdict = settle(c, err);
	char keys[TEXT_LENGTH];

	if (!c->keys_known && err == -ENOKEY) {
		c->signature->state = KOCOON_SIGNATURE_UNCHECKED;
		kc_finding(c->report, KOCOON_STAGE_SIGNATURE, 0,
			   "whether the key that signed is trusted isn't known, as there is no "
			   "kernel image to take the trusted keys from");
		found_signer(c, signer);
		kc_hint(c->report, "give the kernel's image, or the key");
		c->signature->sig_ok = true;
		return 0;
	}
	c->signature->state = err == -ENOKEY ? KOCOON_SIGNATURE_UNKNOWN_KEY : KOCOON_SIGNATURE_BAD;
	kc_finding(c->report, KOCOON_STAGE_SIGNATURE, verdict,
		   "signed by a key that this kernel doesn't trust");
	describe_keys(c, signer->by_key_id, keys);
	kc_expected(c->report, "%s", keys);
	found_signer(c, signer);
	kc_hint(c->report, "enrol the key, or sign the module with one that is trusted%s",
		consequence(c, err));
	return verdict;
}

/* The public key that a signature should fit, of the trusted one or of the message's own. */
static struct kc_public_key key_of(const struct kc_pkcs7_answer *answer)
{
	struct kc_public_key key = { 0 };

	if (answer->trusted) {
		key.key = X509_get0_pubkey(answer->trusted);
		if (key.key && EVP_PKEY_get_base_id(key.key) == EVP_PKEY_RSA)
			key.algorithm = KC_ALGORITHM_RSA;
	} else if (answer->signer->certificate) {
		key = answer->signer->certificate->key;
	}
	return key;
}

static int refuse_signature(struct checking *c, int err, const struct kc_pkcs7 *message,
			    const struct kc_pkcs7_answer *answer)
{
	enum kc_digest digest = answer->signer->algorithm.digest;
	const struct kc_digest_value *value = &message->digests[digest];
	struct kc_public_key key = key_of(answer);
	char text[2 * EVP_MAX_MD_SIZE + 1];
	struct kc_digest_value signed_value;

	c->signature->state = KOCOON_SIGNATURE_BAD;
	kc_finding(c->report, KOCOON_STAGE_SIGNATURE, err,
		   "the signature is of other bytes than these, or was made by another key than it "
		   "names");
	if (kc_public_key_recover(&key, digest, answer->signer->signature, &signed_value)) {
		hex(kc_span(signed_value.bytes, signed_value.len), text, sizeof(text));
		kc_expected(c->report, "%s %s", kc_digest_name(digest), text);
	}
	hex(kc_span(value->bytes, value->len), text, sizeof(text));
	kc_found(c->report, "%s %s", kc_digest_name(digest), text);
	kc_hint(c->report,
		"the module was changed after it was signed (stripped, patched, damaged): "
		"copy it again, or sign it again%s",
		consequence(c, err));
	return err;
}

/* The name of an object identifier, or its numbers. */
static void oid_text(struct kc_span oid, char *text, size_t size)
{
	ASN1_OBJECT *object = ASN1_OBJECT_create(NID_undef, (uint8_t *)(uintptr_t)oid.data,
						 (int)oid.len, NULL, NULL);

	text[0] = 0;
	if (object)
		OBJ_obj2txt(text, (int)size, object, 0);
	ASN1_OBJECT_free(object);
}

static int refuse_algorithm(struct checking *c, int err, const struct kc_pkcs7 *message,
			    const struct kc_pkcs7_signer *signer)
{
	int verdict = settle(c, err);
	char text[128];

	c->signature->state = KOCOON_SIGNATURE_UNSUPPORTED;
	kc_finding(c->report, KOCOON_STAGE_SIGNATURE, verdict,
		   "signed with an algorithm that this kernel hasn't got");
	if (message->stopped_at.len) {
		oid_text(message->stopped_at, text, sizeof(text));
		kc_found(c->report, "%s", text);
	} else {
		kc_found(c->report, "%s", kc_digest_name(signer->algorithm.digest));
	}
	kc_hint(c->report, "sign the module with what the kernel's own modules are signed with%s",
		consequence(c, err));
	return verdict;
}

/* A message that the kernel refuses for its form. */
static int refuse_form(struct checking *c, int err, enum kc_pkcs7_fault fault)
{
	static const struct {
		const char *what;
		const char *expected;
		enum kocoon_signature_state state;
	} words[] = {
		[KC_PKCS7_NO_FAULT] = { "the signature is refused", NULL, KOCOON_SIGNATURE_BAD },
		[KC_PKCS7_STRUCTURE] = { "the signature isn't a PKCS#7 message that the kernel can "
					 "parse",
					 "SignedData in DER", KOCOON_SIGNATURE_BAD },
		[KC_PKCS7_ALGORITHM] = { "a certificate in the signature needs an algorithm that "
					 "this kernel hasn't got",
					 NULL, KOCOON_SIGNATURE_UNSUPPORTED },
		[KC_PKCS7_CERTIFICATE] = { "the kernel refuses a certificate in the signature",
					   "no certificates (they aren't needed), or good ones",
					   KOCOON_SIGNATURE_BAD },
		[KC_PKCS7_CONTENT] = { "the signature carries the data that it signs",
				       "a detached signature", KOCOON_SIGNATURE_UNSUPPORTED },
		[KC_PKCS7_CONTENT_TYPE] = { "the signature is for another type of content than "
					    "data",
					    "pkcs7-data", KOCOON_SIGNATURE_UNSUPPORTED },
		[KC_PKCS7_ATTRIBUTES] = { "the signature has authenticated attributes",
					  "a signature without attributes",
					  KOCOON_SIGNATURE_UNSUPPORTED },
		[KC_PKCS7_SIGNATURE] = { "the signature is damaged", NULL, KOCOON_SIGNATURE_BAD },
		[KC_PKCS7_CHAIN] = { "a certificate in the signature isn't signed by the one that "
				     "it "
				     "names",
				     NULL, KOCOON_SIGNATURE_BAD },
		[KC_PKCS7_KEY] = { "no trusted key", NULL, KOCOON_SIGNATURE_BAD },
	};
	int verdict = settle(c, err);

	c->signature->state = err == -ENOPKG ? KOCOON_SIGNATURE_UNSUPPORTED : words[fault].state;
	kc_finding(c->report, KOCOON_STAGE_SIGNATURE, verdict, "%s", words[fault].what);
	if (words[fault].expected)
		kc_expected(c->report, "%s", words[fault].expected);
	kc_hint(c->report,
		"sign the module again, with the kernel's sign-file or openssl cms -sign "
		"-binary -noattr -nocerts -outform DER%s",
		consequence(c, err));
	return verdict;
}

static int refuse_message(struct checking *c, int err, const struct kc_pkcs7 *message,
			  const struct kc_pkcs7_answer *answer)
{
	switch (answer->fault) {
	case KC_PKCS7_KEY:
		return refuse_key(c, err, answer->signer);
	case KC_PKCS7_SIGNATURE:
		return refuse_signature(c, err, message, answer);
	case KC_PKCS7_ALGORITHM:
		return refuse_algorithm(c, err, message, answer->signer);
	default:
		return refuse_form(c, err, answer->fault);
	}
}

/* verify_pkcs7_signature(). */
static int check_message(struct checking *c, struct kc_span bytes)
{
	struct kc_pkcs7_answer answer = { 0 };
	struct kc_pkcs7 message;
	int err = kc_pkcs7_parse(c->behaviour, bytes, &message, &answer.fault);

	if (err)
		answer.signer = message.signer_count ? message.signers : &message.stopped_in;
	else
		err = kc_pkcs7_verify(c->kernel, c->behaviour, &message, *c->image, &answer);
	if (err != -ENOMEM)
		describe_signer(c, answer.signer, answer.trusted);
	if (!err) {
		c->signature->state = KOCOON_SIGNATURE_OK;
		c->signature->sig_ok = true;
	} else if (err != -ENOMEM) {
		err = refuse_message(c, err, &message, &answer);
	}
	kc_pkcs7_deinit(&message);
	return err;
}

/* mod_verify_sig() and mod_check_sig(): the marker is cut off already. */
static int check_trailer(struct checking *c)
{
	struct kc_span message;
	const char *what;
	int err = kc_trailer_split(*c->image, c->image, &message, &what);

	return err ? refuse_trailer(c, err, what) : check_message(c, message);
}

/* A kernel without CONFIG_MODULE_SIG: a signature is bytes behind the module. */
static int pass_unchecked(struct checking *c)
{
	struct kc_span rest;

	c->signature->state = kc_trailer_marked(*c->image, &rest) ? KOCOON_SIGNATURE_UNCHECKED
								  : KOCOON_SIGNATURE_NONE;
	return 0;
}

int kc_module_sig_check(const struct kocoon_kernel *kernel, const struct kocoon_policy *policy,
			struct kc_span *image, struct kc_signature *signature,
			struct kocoon_report *report)
{
	static const struct kocoon_policy defaults = { .size = sizeof(defaults) };
	/* Of a kernel that isn't at hand: what today's have. */
	static const struct kc_behaviour assumed = { .lockdown = true,
						     .signature_sha1 = true,
						     .signature_sha3 = true,
						     .signature_ecdsa = true };
	bool has_image = kc_kernel_has_image(kernel), mangled, marked;
	struct checking c = { .kernel = kernel,
			      .behaviour = has_image ? kc_kernel_behaviour(kernel) : &assumed,
			      .policy = policy ? policy : &defaults,
			      .image = image,
			      .signature = signature,
			      .report = report };
	struct kc_span rest;
	int err;

	if (has_image && !c.behaviour->signatures)
		return pass_unchecked(&c);
	c.key_count = kc_kernel_certificates(kernel, &c.keys);
	c.keys_known = has_image || c.key_count;
	c.enforced = c.policy->sig_enforce || c.behaviour->sig_enforce;
	c.locked_down = c.policy->lockdown && c.behaviour->lockdown;
	mangled = c.policy->force_vermagic || c.policy->force_modversions;
	marked = kc_trailer_marked(*image, &rest);
	if (mangled || !marked)
		return refuse_unsigned(&c, mangled && marked);
	*image = rest;
	/* What OpenSSL says of a signature that isn't good is no error of the program's. */
	ERR_set_mark();
	err = check_trailer(&c);
	ERR_pop_to_mark();
	return err;
}

void kc_signatures_warm_up(const struct kocoon_kernel *kernel)
{
	X509 *const *certificates;
	size_t count = kc_kernel_certificates(kernel, &certificates);
	struct kc_digest_value digest;
	bool ready = !kc_digest_compute(KC_DIGEST_SHA256, kc_span("", 0), &digest) &&
		     !kc_digest_compute(KC_DIGEST_SHA512, kc_span("", 0), &digest);

	for (size_t i = 0; i < count && ready; i++) {
		EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(X509_get0_pubkey(certificates[i]), NULL);

		ready = context && EVP_PKEY_verify_init(context) > 0;
		EVP_PKEY_CTX_free(context);
	}
}
