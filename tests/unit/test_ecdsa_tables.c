/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ECDSA with tables of multiples: the answers that OpenSSL gives, for good signatures and bad. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>

#include "module/ecdsa_tables.h"

static BN_CTX *context;
static EC_GROUP *group;
static const BIGNUM *order;

static int start(void **state)
{
	(void)state;
	context = BN_CTX_new();
	BN_CTX_start(context);
	group = EC_GROUP_new_by_curve_name(NID_secp384r1);
	order = EC_GROUP_get0_order(group);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	EC_GROUP_free(group);
	BN_CTX_end(context);
	BN_CTX_free(context);
	return 0;
}

/* "n-1", "p", "2", "x80": n less or more a number, the field's prime, a number, 48 bytes 0x80. */
static BIGNUM *number(const char *text)
{
	BIGNUM *value = BN_new(), *field = BN_CTX_get(context);
	uint8_t bytes[48];

	assert_true(EC_GROUP_get_curve(group, field, NULL, NULL, context));
	if (*text == 'x') {
		memset(bytes, (int)strtol(text + 1, NULL, 16), sizeof(bytes));
		assert_non_null(BN_bin2bn(bytes, sizeof(bytes), value));
	} else if (*text == 'n' || *text == 'p') {
		long more = strtol(text + 1, NULL, 10);

		assert_non_null(BN_copy(value, *text == 'n' ? order : field));
		assert_true(more < 0 ? BN_sub_word(value, (BN_ULONG)-more)
				     : BN_add_word(value, (BN_ULONG)more));
	} else {
		assert_true(BN_set_word(value, strtoul(text, NULL, 10)));
	}
	return value;
}

static EVP_PKEY *key_of_point(const EC_POINT *point)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *making = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params;
	uint8_t bytes[97];
	size_t len = EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, bytes,
					sizeof(bytes), context);

	assert_true(len);
	assert_true(OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-384", 0));
	assert_true(OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, bytes, len));
	params = OSSL_PARAM_BLD_to_param(build);
	assert_int_equal(EVP_PKEY_fromdata_init(making), 1);
	assert_int_equal(EVP_PKEY_fromdata(making, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(making);
	return key;
}

static ECDSA_SIG *signature_of(const BIGNUM *r, const BIGNUM *s)
{
	ECDSA_SIG *signature = ECDSA_SIG_new();

	assert_true(ECDSA_SIG_set0(signature, BN_dup(r), BN_dup(s)));
	return signature;
}

static ECDSA_SIG *sign(EVP_PKEY *key, const struct kc_digest_value *value)
{
	EVP_PKEY_CTX *signing = EVP_PKEY_CTX_new(key, NULL);
	uint8_t der[160];
	const uint8_t *at = der;
	size_t len = sizeof(der);
	ECDSA_SIG *signature;

	assert_int_equal(EVP_PKEY_sign_init(signing), 1);
	assert_int_equal(EVP_PKEY_sign(signing, der, &len, value->bytes, value->len), 1);
	signature = d2i_ECDSA_SIG(NULL, &at, (long)len);
	assert_non_null(signature);
	EVP_PKEY_CTX_free(signing);
	return signature;
}

static bool openssl_takes(EVP_PKEY *key, const ECDSA_SIG *signature,
			  const struct kc_digest_value *value)
{
	EVP_PKEY_CTX *verifying = EVP_PKEY_CTX_new(key, NULL);
	uint8_t *der = NULL;
	int len = i2d_ECDSA_SIG(signature, &der), good;

	assert_true(len > 0);
	assert_int_equal(EVP_PKEY_verify_init(verifying), 1);
	good = EVP_PKEY_verify(verifying, der, (size_t)len, value->bytes, value->len);
	OPENSSL_free(der);
	EVP_PKEY_CTX_free(verifying);
	ERR_clear_error();
	return good == 1;
}

/* Both give this answer. */
static void expect(EVP_PKEY *key, const struct kc_ecdsa_tables *tables, const ECDSA_SIG *signature,
		   const struct kc_digest_value *value, bool wanted)
{
	assert_int_equal(openssl_takes(key, signature, value), wanted);
	assert_int_equal(kc_ecdsa_tables_verify(tables, signature, value), wanted);
	ERR_clear_error();
}

static void random_digest(unsigned int len, struct kc_digest_value *value)
{
	value->len = len;
	assert_int_equal(RAND_bytes(value->bytes, sizeof(value->bytes)), 1);
}

/* The same number with one bit another. */
static BIGNUM *damaged(const BIGNUM *good)
{
	BIGNUM *bad = BN_dup(good);
	uint16_t random;
	int bit;

	assert_int_equal(RAND_bytes((uint8_t *)&random, sizeof(random)), 1);
	bit = random % 384;
	assert_true(BN_is_bit_set(bad, bit) ? BN_clear_bit(bad, bit) : BN_set_bit(bad, bit));
	return bad;
}

static void expect_damaged_refused(EVP_PKEY *key, const struct kc_ecdsa_tables *tables,
				   const ECDSA_SIG *good, const struct kc_digest_value *value)
{
	BIGNUM *r = damaged(ECDSA_SIG_get0_r(good)), *s = damaged(ECDSA_SIG_get0_s(good));
	ECDSA_SIG *bad_r = signature_of(r, ECDSA_SIG_get0_s(good));
	ECDSA_SIG *bad_s = signature_of(ECDSA_SIG_get0_r(good), s);
	struct kc_digest_value other = *value;

	other.bytes[value->len / 2] ^= 4;
	expect(key, tables, bad_r, value, false);
	expect(key, tables, bad_s, value, false);
	expect(key, tables, good, &other, false);
	ECDSA_SIG_free(bad_r);
	ECDSA_SIG_free(bad_s);
	BN_free(r);
	BN_free(s);
}

static void test_random(void **state)
{
	static const unsigned int lengths[] = { 1, 20, 28, 32, 47, 48, 49, 64 };

	(void)state;
	for (int i = 0; i < 4; i++) {
		EVP_PKEY *key = EVP_EC_gen("P-384");
		struct kc_ecdsa_tables *tables = NULL;

		assert_int_equal(kc_ecdsa_tables_new(key, &tables), 0);
		for (size_t j = 0; j < 88; j++) {
			struct kc_digest_value value;
			ECDSA_SIG *signature;

			random_digest(lengths[j % KC_ARRAY_SIZE(lengths)], &value);
			signature = sign(key, &value);
			expect(key, tables, signature, &value, true);
			expect_damaged_refused(key, tables, signature, &value);
			ECDSA_SIG_free(signature);
		}
		kc_ecdsa_tables_free(tables);
		EVP_PKEY_free(key);
	}
}

/* Digests that are 0, or not below the order. */
static void test_digests(void **state)
{
	static const char *const values[] = { "0", "1", "n-1", "n0", "n+1", "xff" };
	EVP_PKEY *key = EVP_EC_gen("P-384");
	struct kc_ecdsa_tables *tables = NULL;

	(void)state;
	assert_int_equal(kc_ecdsa_tables_new(key, &tables), 0);
	for (size_t i = 0; i < KC_ARRAY_SIZE(values); i++) {
		struct kc_digest_value value = { .len = 48 };
		BIGNUM *digest = number(values[i]);
		ECDSA_SIG *signature;

		assert_int_equal(BN_bn2binpad(digest, value.bytes, 48), 48);
		signature = sign(key, &value);
		expect(key, tables, signature, &value, true);
		value.len = 64; /* what stands behind the first 48 bytes doesn't count */
		expect(key, tables, signature, &value, true);
		value.len = 47;
		expect(key, tables, signature, &value, !strcmp(values[i], "0"));
		ECDSA_SIG_free(signature);
		BN_free(digest);
	}
	kc_ecdsa_tables_free(tables);
	EVP_PKEY_free(key);
}

static void test_ranges(void **state)
{
	static const char *const values[] = { "0", "1", "n-1", "n0", "n+1", "p-1", "p0", "xff" };
	EVP_PKEY *key = EVP_EC_gen("P-384");
	struct kc_ecdsa_tables *tables = NULL;
	struct kc_digest_value value;
	ECDSA_SIG *good;

	(void)state;
	random_digest(32, &value);
	good = sign(key, &value);
	assert_int_equal(kc_ecdsa_tables_new(key, &tables), 0);
	for (size_t i = 0; i < KC_ARRAY_SIZE(values); i++) {
		BIGNUM *odd = number(values[i]);
		const BIGNUM *pairs[][2] = { { ECDSA_SIG_get0_r(good), odd },
					     { odd, ECDSA_SIG_get0_s(good) },
					     { odd, odd } };

		for (size_t j = 0; j < KC_ARRAY_SIZE(pairs); j++) {
			ECDSA_SIG *signature = signature_of(pairs[j][0], pairs[j][1]);

			expect(key, tables, signature, &value, false);
			ECDSA_SIG_free(signature);
		}
		BN_free(odd);
	}
	/* The other one of the two signatures that there are for every r. */
	{
		BIGNUM *s = BN_dup(order), *above = BN_dup(order);
		ECDSA_SIG *twin, *too_large;

		assert_true(BN_sub(s, order, ECDSA_SIG_get0_s(good)));
		assert_true(BN_add(above, order, ECDSA_SIG_get0_s(good)));
		twin = signature_of(ECDSA_SIG_get0_r(good), s);
		too_large = signature_of(ECDSA_SIG_get0_r(good), above);
		expect(key, tables, twin, &value, true);
		expect(key, tables, too_large, &value, false);
		ECDSA_SIG_free(twin);
		ECDSA_SIG_free(too_large);
		BN_free(s);
		BN_free(above);
	}
	ECDSA_SIG_free(good);
	kc_ecdsa_tables_free(tables);
	EVP_PKEY_free(key);
}

/*
 * The signature and digest by which verifying comes to u1 * G + u2 * Q, where that is `sum`; good,
 * if `sum` isn't infinity.
 */
static ECDSA_SIG *signature_for(const BIGNUM *u1, const BIGNUM *u2, const EC_POINT *sum,
				struct kc_digest_value *value)
{
	BIGNUM *r = BN_new(), *s = BN_new(), *digest = BN_new();
	ECDSA_SIG *signature;

	if (EC_POINT_is_at_infinity(group, sum))
		assert_true(BN_one(r));
	else
		assert_true(EC_POINT_get_affine_coordinates(group, sum, r, NULL, context));
	assert_true(BN_nnmod(r, r, order, context));
	assert_non_null(BN_mod_inverse(s, u2, order, context));
	assert_true(BN_mod_mul(s, s, r, order, context));
	assert_true(BN_mod_mul(digest, s, u1, order, context));
	value->len = 48;
	assert_int_equal(BN_bn2binpad(digest, value->bytes, 48), 48);
	signature = signature_of(r, s);
	BN_free(r);
	BN_free(s);
	BN_free(digest);
	return signature;
}

static void expect_scalars(EVP_PKEY *key, const struct kc_ecdsa_tables *tables,
			   const EC_POINT *public, const char *u1_text, const char *u2_text)
{
	BIGNUM *u1 = number(u1_text), *u2 = number(u2_text);
	EC_POINT *sum = EC_POINT_new(group);
	struct kc_digest_value value;
	ECDSA_SIG *signature;

	assert_true(EC_POINT_mul(group, sum, u1, public, u2, context));
	signature = signature_for(u1, u2, sum, &value);
	expect(key, tables, signature, &value, !EC_POINT_is_at_infinity(group, sum));
	ECDSA_SIG_free(signature);
	EC_POINT_free(sum);
	BN_free(u1);
	BN_free(u2);
}

/*
 * Scalars with digits on either side of a carry, for keys whose multiples meet the generator's:
 * sums that double, and that come to infinity.
 */
static void test_scalars(void **state)
{
	static const char *const keys[] = { "1", "2", "n-1", "x5a" };
	static const char *const values[] = { "0",   "1",   "2",   "128",   "129",
					      "255", "256", "384", "n-1",   "n-2",
					      "x7f", "x80", "x81", "n-128", "n-256" };

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(keys); i++) {
		BIGNUM *private = number(keys[i]);
		EC_POINT *public = EC_POINT_new(group);
		struct kc_ecdsa_tables *tables = NULL;
		EVP_PKEY *key;

		assert_true(EC_POINT_mul(group, public, private, NULL, NULL, context));
		key = key_of_point(public);
		assert_int_equal(kc_ecdsa_tables_new(key, &tables), 0);
		for (size_t j = 0; j < KC_ARRAY_SIZE(values); j++)
			for (size_t k = 1; k < KC_ARRAY_SIZE(values); k += 1 + (j + k) % 2)
				expect_scalars(key, tables, public, values[j], values[k]);
		kc_ecdsa_tables_free(tables);
		EVP_PKEY_free(key);
		EC_POINT_free(public);
		BN_free(private);
	}
}

/* The key by which u1 * G + u2 * Q is this point: Q = (point - u1 * G) / u2. */
static EC_POINT *public_for(const BIGNUM *u1, const BIGNUM *u2, const EC_POINT *point)
{
	EC_POINT *public = EC_POINT_new(group);
	BIGNUM *inverse = BN_new();

	assert_true(EC_POINT_mul(group, public, u1, NULL, NULL, context));
	assert_true(EC_POINT_invert(group, public, context));
	assert_true(EC_POINT_add(group, public, public, point, context));
	assert_non_null(BN_mod_inverse(inverse, u2, order, context));
	assert_true(EC_POINT_mul(group, public, NULL, public, inverse, context));
	BN_free(inverse);
	return public;
}

/* A point whose x isn't below the order: r is what is left of it. */
static void test_x_above_order(void **state)
{
	BIGNUM *x = number("n1"), *u1 = number("x5a"), *u2 = number("x3c");
	EC_POINT *point = EC_POINT_new(group), *public;
	struct kc_ecdsa_tables *tables = NULL;
	struct kc_digest_value value;
	ECDSA_SIG *signature;
	EVP_PKEY *key;

	(void)state;
	while (!EC_POINT_set_compressed_coordinates(group, point, x, 0, context))
		assert_true(BN_add_word(x, 1));
	ERR_clear_error();
	public = public_for(u1, u2, point);
	key = key_of_point(public);
	assert_int_equal(kc_ecdsa_tables_new(key, &tables), 0);
	signature = signature_for(u1, u2, point, &value);
	assert_true(BN_num_bits(ECDSA_SIG_get0_r(signature)) < 16);
	expect(key, tables, signature, &value, true);
	ECDSA_SIG_free(signature);
	kc_ecdsa_tables_free(tables);
	EVP_PKEY_free(key);
	EC_POINT_free(point);
	EC_POINT_free(public);
	BN_free(x);
	BN_free(u1);
	BN_free(u2);
}

static void test_other_keys(void **state)
{
	EVP_PKEY *keys[] = { EVP_EC_gen("P-256"), EVP_EC_gen("P-521"), EVP_EC_gen("secp256k1"),
			     EVP_RSA_gen(1024) };
	struct kc_ecdsa_tables *tables = NULL;

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(keys); i++) {
		assert_non_null(keys[i]);
		assert_int_equal(kc_ecdsa_tables_new(keys[i], &tables), -ENOTSUP);
		EVP_PKEY_free(keys[i]);
	}
	assert_null(tables);
}

enum {
	ROUNDS = 3 * KC_ECDSA_TABLES_AFTER,
};

struct work {
	struct kc_public_key key;
	struct kc_digest_value value;
	struct kc_span good;
	struct kc_span wrong; /* a good form, of another digest */
	struct kc_span too_large; /* r is the order */
};

static int verify(const struct work *work, struct kc_span signature)
{
	static const struct kc_behaviour behaviour = { .signature_ecdsa = true };
	static const struct kc_signature_algorithm algorithm = { KC_ALGORITHM_ECDSA,
								 KC_DIGEST_SHA256 };

	return kc_public_key_verify(&behaviour, &work->key, algorithm, &work->value, signature);
}

/* How many answers were wrong: cmocka's assertions are for the first thread only. */
static void *verify_many(void *context_of_thread)
{
	const struct work *work = context_of_thread;
	uintptr_t wrong = 0;

	for (int i = 0; i < ROUNDS; i++) {
		wrong += verify(work, work->good) != 0;
		if (i % 8)
			continue;
		wrong += verify(work, work->wrong) != -EKEYREJECTED;
		wrong += verify(work, work->too_large) != -EBADMSG;
	}
	ERR_clear_error();
	return (void *)wrong;
}

static struct kc_span encoded(ECDSA_SIG *signature)
{
	uint8_t *der = NULL;
	int len = i2d_ECDSA_SIG(signature, &der);

	assert_true(len > 0);
	ECDSA_SIG_free(signature);
	return kc_span(der, (size_t)len);
}

static void work_init(struct work *work, EVP_PKEY *key, struct kc_key_cache *cache)
{
	struct kc_digest_value other;

	*work = (struct work){ .key = { KC_ALGORITHM_ECDSA, key, cache } };
	random_digest(32, &work->value);
	random_digest(32, &other);
	work->good = encoded(sign(key, &work->value));
	work->wrong = encoded(sign(key, &other));
	work->too_large = encoded(signature_of(order, order));
}

static void work_deinit(struct work *work)
{
	OPENSSL_free((void *)(uintptr_t)work->good.data);
	OPENSSL_free((void *)(uintptr_t)work->wrong.data);
	OPENSSL_free((void *)(uintptr_t)work->too_large.data);
}

/* A key that is asked for a few times stays without tables; two threads then share one. */
static void test_threads(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-384");
	struct kc_key_cache cache = { 0 };
	struct work work;
	pthread_t threads[2];

	(void)state;
	work_init(&work, key, &cache);
	for (int i = 0; i < KC_ECDSA_TABLES_AFTER / 2; i++)
		assert_int_equal(verify(&work, work.good), 0);
	assert_null(atomic_load(&cache.kept));
	for (size_t i = 0; i < KC_ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, verify_many, &work), 0);
	for (size_t i = 0; i < KC_ARRAY_SIZE(threads); i++) {
		void *wrong;

		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	assert_non_null(atomic_load(&cache.kept));
	cache.free_kept(atomic_load(&cache.kept));
	work_deinit(&work);
	EVP_PKEY_free(key);
}

/* A key on another curve goes on without tables, however often it is asked for. */
static void test_other_curve_uses(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct kc_key_cache cache = { 0 };
	struct work work;

	(void)state;
	work_init(&work, key, &cache);
	for (int i = 0; i < 2 * KC_ECDSA_TABLES_AFTER; i++) {
		assert_int_equal(verify(&work, work.good), 0);
		assert_int_equal(verify(&work, work.wrong), -EKEYREJECTED);
	}
	assert_null(atomic_load(&cache.kept));
	ERR_clear_error();
	work_deinit(&work);
	EVP_PKEY_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),	      cmocka_unit_test(test_digests),
		cmocka_unit_test(test_ranges),	      cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_x_above_order), cmocka_unit_test(test_other_keys),
		cmocka_unit_test(test_threads),	      cmocka_unit_test(test_other_curve_uses),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
