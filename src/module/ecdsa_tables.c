/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ECDSA with fixed bases: see ecdsa_tables.h.
 *
 * A scalar is written in signed digits of one byte, -127 to 128. The table of a point P has a row a
 * digit, for row i the points k * 2^(8 i) * P with k = 1 to 128. So the sum over all digits of u1
 * and u2 is u1 * G + u2 * Q. Points of negative digits are added up apart and negated once.
 */

/*
 * EC_POINTs_make_affine() and EC_POINT_get_Jprojective_coordinates_GFp() are deprecated without
 * anything in their place: making points affine one by one would take 25 times as long.
 */
#define OPENSSL_API_COMPAT 10100

#include "module/ecdsa_tables.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/obj_mac.h>

enum {
	DIGIT_BITS = 8,
	ROW = 1 << (DIGIT_BITS - 1),
	/* one more than the scalars have: what a signed digit carries over */
	DIGITS = 384 / DIGIT_BITS + 1,
	TABLE = DIGITS * ROW,
	KEY_MAX = 1 + 2 * 48, /* an encoded point */
};

enum { BASE_G, BASE_Q, BASES };

struct kc_ecdsa_tables {
	EC_GROUP *group; /* owned */
	BIGNUM *field; /* owned: the prime p that coordinates are taken modulo */
	EC_POINT *points[BASES][TABLE]; /* owned; all affine */
};

/* ---- making them ---- */

static bool allocate(struct kc_ecdsa_tables *tables)
{
	tables->group = EC_GROUP_new_by_curve_name(NID_secp384r1);
	tables->field = BN_new();
	if (!tables->group || !tables->field)
		return false;
	for (size_t i = 0; i < TABLE; i++) {
		tables->points[BASE_G][i] = EC_POINT_new(tables->group);
		tables->points[BASE_Q][i] = EC_POINT_new(tables->group);
		if (!tables->points[BASE_G][i] || !tables->points[BASE_Q][i])
			return false;
	}
	return true;
}

/* The first point of each row; affine, because adding an affine point costs two thirds. */
static bool fill_first(const EC_GROUP *group, EC_POINT **table, BN_CTX *context)
{
	EC_POINT *first[DIGITS];

	first[0] = table[0];
	for (size_t i = 1; i < DIGITS; i++) {
		first[i] = table[i * ROW];
		if (!EC_POINT_copy(first[i], first[i - 1]))
			return false;
		for (int bit = 0; bit < DIGIT_BITS; bit++)
			if (!EC_POINT_dbl(group, first[i], first[i], context))
				return false;
	}
	return EC_POINTs_make_affine(group, DIGITS, first, context);
}

static bool fill_row(const EC_GROUP *group, EC_POINT **row, BN_CTX *context)
{
	for (size_t k = 1; k < ROW; k++)
		if (!EC_POINT_add(group, row[k], row[k - 1], row[0], context))
			return false;
	return true;
}

static bool fill(const EC_GROUP *group, EC_POINT **table, const EC_POINT *base, BN_CTX *context)
{
	if (!EC_POINT_copy(table[0], base) || !fill_first(group, table, context))
		return false;
	for (size_t i = 0; i < DIGITS; i++)
		if (!fill_row(group, table + i * ROW, context))
			return false;
	return EC_POINTs_make_affine(group, TABLE, table, context);
}

static bool get_point(const EC_GROUP *group, EVP_PKEY *key, EC_POINT *point, BN_CTX *context)
{
	uint8_t bytes[KEY_MAX];
	size_t len;

	return EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, bytes, sizeof(bytes),
					       &len) &&
	       EC_POINT_oct2point(group, point, bytes, len, context);
}

static bool make(struct kc_ecdsa_tables *tables, EVP_PKEY *key, BN_CTX *context)
{
	const EC_GROUP *group = tables->group;
	EC_POINT *point = EC_POINT_new(group);
	bool made = point && get_point(group, key, point, context) &&
		    EC_GROUP_get_curve(group, tables->field, NULL, NULL, context) &&
		    fill(group, tables->points[BASE_G], EC_GROUP_get0_generator(group), context) &&
		    fill(group, tables->points[BASE_Q], point, context);

	EC_POINT_free(point);
	return made;
}

static bool is_secp384r1(EVP_PKEY *key)
{
	char name[64];

	return EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) == 1 &&
	       OBJ_txt2nid(name) == NID_secp384r1;
}

int kc_ecdsa_tables_new(EVP_PKEY *key, struct kc_ecdsa_tables **tables_ret)
{
	struct kc_ecdsa_tables *tables;
	BN_CTX *context;
	bool made;

	if (!is_secp384r1(key))
		return -ENOTSUP;
	context = BN_CTX_new();
	tables = calloc(1, sizeof(*tables));
	made = context && tables && allocate(tables) && make(tables, key, context);
	BN_CTX_free(context);
	if (!made) {
		kc_ecdsa_tables_free(tables);
		return -ENOMEM;
	}
	*tables_ret = tables;
	return 0;
}

void kc_ecdsa_tables_free(struct kc_ecdsa_tables *tables)
{
	if (!tables)
		return;
	for (size_t i = 0; i < TABLE; i++) {
		EC_POINT_free(tables->points[BASE_G][i]);
		EC_POINT_free(tables->points[BASE_Q][i]);
	}
	BN_free(tables->field);
	EC_GROUP_free(tables->group);
	free(tables);
}

static void free_kept(void *kept)
{
	kc_ecdsa_tables_free(kept);
}

const struct kc_ecdsa_tables *kc_ecdsa_tables_get(struct kc_key_cache *cache, EVP_PKEY *key)
{
	/* Acquires what was released below: who sees the tables sees their points. */
	struct kc_ecdsa_tables *tables = atomic_load_explicit(&cache->kept, memory_order_acquire);

	if (tables)
		return tables;
	/* Looked at first, so that it doesn't count on and around to the same number again. */
	if (atomic_load_explicit(&cache->uses, memory_order_relaxed) > KC_ECDSA_TABLES_AFTER ||
	    atomic_fetch_add_explicit(&cache->uses, 1, memory_order_relaxed) !=
		    KC_ECDSA_TABLES_AFTER ||
	    kc_ecdsa_tables_new(key, &tables))
		return NULL;
	cache->free_kept = free_kept;
	atomic_store_explicit(&cache->kept, tables, memory_order_release);
	return tables;
}

/* ---- verifying ---- */

/* The leftmost bits of the digest, as many as the order has: 384, a whole number of bytes. */
static bool digest_number(const struct kc_digest_value *value, BIGNUM *number)
{
	unsigned int len = value->len < 48 ? value->len : 48;

	return BN_bin2bn(value->bytes, (int)len, number) != NULL;
}

/* Both scalars: u1 = digest / s, u2 = r / s. */
static bool get_scalars(const ECDSA_SIG *numbers, const struct kc_digest_value *value,
			const BIGNUM *order, BIGNUM *scalars[BASES], BN_CTX *context)
{
	BIGNUM *inverse = BN_CTX_get(context);

	return inverse && BN_mod_inverse(inverse, ECDSA_SIG_get0_s(numbers), order, context) &&
	       digest_number(value, scalars[BASE_G]) &&
	       BN_mod_mul(scalars[BASE_G], scalars[BASE_G], inverse, order, context) &&
	       BN_mod_mul(scalars[BASE_Q], ECDSA_SIG_get0_r(numbers), inverse, order, context);
}

/* Adds scalar * base: to sums[0] what counts positive, to sums[1] what counts negative. */
static bool add_multiple(const EC_GROUP *group, EC_POINT *const *table, const BIGNUM *scalar,
			 EC_POINT *sums[2], BN_CTX *context)
{
	uint8_t bytes[DIGITS];
	int carry = 0;

	if (BN_bn2lebinpad(scalar, bytes, sizeof(bytes)) < 0)
		return false;
	for (size_t i = 0; i < DIGITS; i++) {
		int digit = bytes[i] + carry;
		EC_POINT *sum;

		carry = digit > ROW;
		if (carry)
			digit = (1 << DIGIT_BITS) - digit;
		sum = sums[carry];
		if (digit &&
		    !EC_POINT_add(group, sum, sum, table[i * ROW + (size_t)digit - 1], context))
			return false;
	}
	return true;
}

/* The sum of both multiples, in sums[0]. */
static bool add_multiples(const struct kc_ecdsa_tables *tables, BIGNUM *const scalars[BASES],
			  EC_POINT *sums[2], BN_CTX *context)
{
	const EC_GROUP *group = tables->group;

	for (int base = 0; base < BASES; base++)
		if (!add_multiple(group, tables->points[base], scalars[base], sums, context))
			return false;
	return EC_POINT_invert(group, sums[1], context) &&
	       EC_POINT_add(group, sums[0], sums[0], sums[1], context);
}

/*
 * Whether a point's affine x, which is x / z^2, is r modulo the order: r, or r + order where that
 * is still below p. Without the division, which would take as long as 25 additions.
 */
static bool x_is(const struct kc_ecdsa_tables *tables, const EC_POINT *point, const BIGNUM *r,
		 BN_CTX *context)
{
	BIGNUM *x = BN_CTX_get(context), *z = BN_CTX_get(context);
	BIGNUM *candidate = BN_CTX_get(context), *wanted = BN_CTX_get(context);
	const BIGNUM *field = tables->field;

	if (!wanted || EC_POINT_is_at_infinity(tables->group, point) ||
	    !EC_POINT_get_Jprojective_coordinates_GFp(tables->group, point, x, NULL, z, context) ||
	    !BN_mod_sqr(z, z, field, context) || !BN_copy(candidate, r))
		return false;
	while (BN_cmp(candidate, field) < 0) {
		if (!BN_mod_mul(wanted, candidate, z, field, context))
			return false;
		if (!BN_cmp(wanted, x))
			return true;
		if (!BN_add(candidate, candidate, EC_GROUP_get0_order(tables->group)))
			return false;
	}
	return false;
}

/* 0 < number < order */
static bool in_range(const BIGNUM *number, const BIGNUM *order)
{
	return !BN_is_zero(number) && !BN_is_negative(number) && BN_cmp(number, order) < 0;
}

static bool verify(const struct kc_ecdsa_tables *tables, const ECDSA_SIG *numbers,
		   const struct kc_digest_value *value, EC_POINT *sums[2], BN_CTX *context)
{
	const BIGNUM *order = EC_GROUP_get0_order(tables->group);
	const BIGNUM *r = ECDSA_SIG_get0_r(numbers);
	BIGNUM *scalars[BASES] = { BN_CTX_get(context), BN_CTX_get(context) };

	return scalars[BASE_Q] && in_range(r, order) &&
	       in_range(ECDSA_SIG_get0_s(numbers), order) &&
	       get_scalars(numbers, value, order, scalars, context) &&
	       add_multiples(tables, scalars, sums, context) && x_is(tables, sums[0], r, context);
}

bool kc_ecdsa_tables_verify(const struct kc_ecdsa_tables *tables, const ECDSA_SIG *numbers,
			    const struct kc_digest_value *value)
{
	BN_CTX *context = BN_CTX_new();
	/* new points are at infinity */
	EC_POINT *sums[2] = { EC_POINT_new(tables->group), EC_POINT_new(tables->group) };
	bool good = false;

	if (context && sums[0] && sums[1]) {
		BN_CTX_start(context);
		good = verify(tables, numbers, value, sums, context);
		BN_CTX_end(context);
	}
	EC_POINT_free(sums[0]);
	EC_POINT_free(sums[1]);
	BN_CTX_free(context);
	return good;
}
