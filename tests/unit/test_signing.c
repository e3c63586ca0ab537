/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * module/signing.c and what is below it, against what the real kernel answers: see
 * signature_recipes.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <openssl/cms.h>

#include "build_signature.h"
#include "image/image.h"
#include "module/pkcs7.h"
#include "module/signing.h"

static const char marker[] = "~Module signature appended~\n";

enum { TRAILER = 12, MARKER = sizeof(marker) - 1 };

/* ---- the kernel ---- */

static char folder[] = "/tmp/kocoon-signing.XXXXXX";
static char key_paths[KEY_COUNT][64];
static struct kocoon_kernel *kernel; /* 6.12, trusts the test's keys too */
static struct kocoon_kernel *old_kernel; /* 6.1, likewise */

/* The stock kernel of this kind. */
static void kernel_path(const char *kind, const char *name, char path[4096])
{
	const char *cache = getenv("KOCOON_CACHE"), *home = getenv("HOME");
	glob_t found;
	char pattern[4096];

	if (cache)
		snprintf(pattern, sizeof(pattern), "%s/kernels/by-kind/%s/%s", cache, kind, name);
	else
		snprintf(pattern, sizeof(pattern), "%s/.cache/kocoon/kernels/by-kind/%s/%s",
			 home ? home : "", kind, name);
	if (glob(pattern, 0, NULL, &found))
		fail_msg("%s is missing: run scripts/fetch-kernel %s", pattern, kind);
	snprintf(path, 4096, "%s", found.gl_pathv[0]);
	globfree(&found);
}

static void write_bytes(const char *path, const void *data, size_t len)
{
	FILE *out = fopen(path, "wb");

	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

static void write_key(enum key key, const char *path)
{
	uint8_t *der = NULL;
	int len = i2d_X509(signing_keys[key].certificate, &der);

	assert_true(len > 0);
	write_bytes(path, der, (size_t)len);
	OPENSSL_free(der);
}

static struct kocoon_kernel *open_kernel(const char *kind, bool with_keys)
{
	struct kocoon_kernel_options options = { .size = sizeof(options) };
	const char *paths[KEY_COUNT];
	struct kocoon_kernel *opened;
	char path[4096];

	for (enum key key = 1; key < KEY_COUNT; key++)
		if (signing_keys[key].trusted)
			paths[options.key_count++] = key_paths[key];
	options.key_files = paths;
	kernel_path(kind, "boot/vmlinuz-*", path);
	assert_int_equal(kocoon_kernel_open(path, with_keys ? &options : NULL, NULL, &opened), 0);
	return opened;
}

static int set_up(void **state)
{
	(void)state;
	make_signing_keys();
	assert_non_null(mkdtemp(folder));
	for (enum key key = 1; key < KEY_COUNT; key++) {
		snprintf(key_paths[key], sizeof(key_paths[key]), "%s/%d.der", folder, (int)key);
		if (signing_keys[key].trusted)
			write_key(key, key_paths[key]);
	}
	kernel = open_kernel("6.12-cloud-amd64", true);
	old_kernel = open_kernel("6.1-amd64", true);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	kocoon_kernel_free(kernel);
	kocoon_kernel_free(old_kernel);
	for (enum key key = 1; key < KEY_COUNT; key++) {
		if (signing_keys[key].trusted)
			unlink(key_paths[key]);
	}
	free_signing_keys();
	return rmdir(folder);
}

/* ---- running them ---- */

struct answer {
	int err;
	struct kc_span image;
	struct kc_signature signature;
	struct kocoon_report report;
};

static struct answer ask(const struct kocoon_kernel *judge, const struct kocoon_policy *policy,
			 struct kc_span file)
{
	struct answer answer = { .image = file };

	kc_report_init(&answer.report);
	answer.err = kc_module_sig_check(judge, policy, &answer.image, &answer.signature,
					 &answer.report);
	assert_ptr_equal(answer.image.data, file.data);
	return answer;
}

static void answer_deinit(struct answer *answer)
{
	kc_signature_deinit(&answer->signature);
	kc_report_deinit(&answer->report);
}

static struct kc_buffer bytes(const void *data, size_t len)
{
	struct kc_buffer buffer = { 0 };

	add_bytes(&buffer, data, len);
	return buffer;
}

static struct kc_buffer sample(void)
{
	struct kc_buffer module = { 0 };

	for (int i = 0; i < 1000; i++)
		add_bytes(&module, "a module's bytes", 16);
	return module;
}

static void assert_answer(const struct answer *answer, int err, const struct recipe *recipe)
{
	assert_int_equal(answer->err, err);
	assert_string_equal(kocoon_signature_state_name(answer->signature.state),
			    kocoon_signature_state_name(recipe->state));
	assert_int_equal(answer->signature.sig_ok, recipe->state == KOCOON_SIGNATURE_OK);
	if (recipe->state == KOCOON_SIGNATURE_OK) {
		assert_int_equal(answer->report.count, 0);
		return;
	}
	assert_int_equal(answer->report.count, 1);
	assert_int_equal(answer->report.findings[0].err, err);
	assert_int_equal(answer->report.findings[0].stage, KOCOON_STAGE_SIGNATURE);
	assert_non_null(answer->report.findings[0].hint);
}

/* What is cut off is all behind the module, unless the kernel gives up before. */
static void assert_cut(const struct answer *answer, const struct recipe *recipe, size_t file_len,
		       size_t module_len)
{
	size_t len = module_len;

	if (recipe->state == KOCOON_SIGNATURE_NONE)
		len = file_len;
	else if (recipe->defect == TRAILER_LENGTH_ZERO)
		len = file_len - MARKER - TRAILER;
	else if (recipe->defect >= TRAILER_ID_TYPE && recipe->defect <= TRAILER_ONLY)
		len = file_len - MARKER;
	assert_int_equal(answer->image.len, len);
}

static void test_recipes(void **state)
{
	static const struct kocoon_policy enforce = { .size = sizeof(enforce),
						      .sig_enforce = true };
	static const struct kocoon_policy lockdown = { .size = sizeof(lockdown), .lockdown = true };
	struct kc_buffer module = sample();

	(void)state;
	for (size_t i = 0; i < recipe_count; i++) {
		const struct recipe *recipe = &recipes[i];
		struct kc_buffer file = sign_module(recipe, kc_buffer_span(&module));
		struct answer answer = ask(kernel, NULL, kc_buffer_span(&file));
		bool tolerated = !recipe->err && recipe->enforced;

		print_message("# %s\n", recipe->name);
		assert_answer(&answer, recipe->err, recipe);
		assert_cut(&answer, recipe, file.len, module.len);
		answer_deinit(&answer);
		answer = ask(kernel, &enforce, kc_buffer_span(&file));
		assert_answer(&answer, recipe->enforced, recipe);
		answer_deinit(&answer);
		answer = ask(kernel, &lockdown, kc_buffer_span(&file));
		assert_answer(&answer, tolerated ? -EPERM : recipe->err, recipe);
		answer_deinit(&answer);
		kc_buffer_deinit(&file);
	}
	kc_buffer_deinit(&module);
}

/* The recipe of this name. */
static struct kc_buffer make(const char *name, struct kc_span module)
{
	for (size_t i = 0; i < recipe_count; i++)
		if (!strcmp(recipes[i].name, name))
			return sign_module(&recipes[i], module);
	fail_msg("no recipe \"%s\"", name);
	return (struct kc_buffer){ 0 };
}

static void test_who_signed(void **state)
{
	static const struct {
		const char *recipe, *signer, *key_id, *hash;
	} rows[] = {
		{ "rsa", "kocoon rsa", "81", "sha256" },
		{ "p384 sha384", "kocoon p384", "83", "sha384" },
		{ "stranger", "kocoon stranger", "8a", "sha256" },
		{ "leaf not carried", "kocoon root", "88", "sha256" },
		{ "leaf", "kocoon root", "88", "sha256" },
		{ "stranger, then trusted", "kocoon rsa", "81", "sha256" },
		{ "rsa md5", "kocoon rsa", "81", NULL },
		{ "rsa sm3", "kocoon rsa", "81", "sm3" },
		{ "unsigned", NULL, NULL, NULL },
	};
	struct kc_buffer module = sample();

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(rows); i++) {
		struct kc_buffer file = make(rows[i].recipe, kc_buffer_span(&module));
		struct answer answer = ask(kernel, NULL, kc_buffer_span(&file));
		const char *texts[][2] = { { answer.signature.signer, rows[i].signer },
					   { answer.signature.key_id, rows[i].key_id },
					   { answer.signature.hash, rows[i].hash } };

		for (size_t k = 0; k < KC_ARRAY_SIZE(texts); k++) {
			if (texts[k][1])
				assert_string_equal(texts[k][0], texts[k][1]);
			else
				assert_null(texts[k][0]);
		}
		answer_deinit(&answer);
		kc_buffer_deinit(&file);
	}
	kc_buffer_deinit(&module);
}

static void assert_contains(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text ? text : "(none)");
}

static void test_words(void **state)
{
	static const struct {
		const char *recipe, *what, *expected, *found, *hint;
	} rows[] = {
		{ "stranger", "doesn't trust", "kocoon rsa (81)", "kocoon stranger", "enrol" },
		{ "stranger by key id", "doesn't trust", "kocoon rsa (", "key identifier",
		  "tainted" },
		{ "content changed", "other bytes", "sha256 ", "sha256 ", "changed after" },
		{ "rsa md5", "algorithm", NULL, "md5", "sign" },
		{ "rsa sm3", "algorithm", NULL, "sm3", "sign" },
		{ "attributes", "attributes", "without attributes", NULL, "-noattr" },
		{ "content attached", "carries the data", "detached", NULL, "sign" },
		{ "cut", "PKCS#7", NULL, NULL, "even where signatures aren't enforced" },
		{ "unsigned", "isn't signed", NULL, NULL, "sign-file" },
		{ "trailer: id type", "type PKCS#7", NULL, NULL, "tainted" },
	};
	struct kc_buffer module = sample();

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(rows); i++) {
		struct kc_buffer file = make(rows[i].recipe, kc_buffer_span(&module));
		struct answer answer = ask(kernel, NULL, kc_buffer_span(&file));
		const struct kocoon_finding *finding = &answer.report.findings[0];

		assert_int_equal(answer.report.count, 1);
		assert_contains(finding->what, rows[i].what);
		assert_contains(finding->hint, rows[i].hint);
		if (rows[i].expected)
			assert_contains(finding->expected, rows[i].expected);
		if (rows[i].found)
			assert_contains(finding->found, rows[i].found);
		answer_deinit(&answer);
		kc_buffer_deinit(&file);
	}
	kc_buffer_deinit(&module);
}

/* Both digests are named: the one that was signed, and the one of the bytes. */
static void test_digests_are_told_apart(void **state)
{
	struct kc_buffer module = sample(), file = make("content changed", kc_buffer_span(&module));
	struct answer answer = ask(kernel, NULL, kc_buffer_span(&file));
	uint8_t value[EVP_MAX_MD_SIZE];
	char text[128] = "sha256 ";
	const char *texts[2] = { answer.report.findings[0].expected,
				 answer.report.findings[0].found };

	(void)state;
	for (int i = 0; i < 2; i++) {
		EVP_Digest(i ? file.data : module.data, module.len, value, NULL, EVP_sha256(),
			   NULL);
		for (int k = 0; k < 32; k++)
			snprintf(text + 7 + 2 * k, 3, "%02x", value[k]);
		assert_string_equal(texts[i], text);
	}
	answer_deinit(&answer);
	kc_buffer_deinit(&file);
	kc_buffer_deinit(&module);
}

/* 6.1 has neither ECDSA nor SHA-3 (learnt from its source; its own keys are RSA). */
static void test_old_kernel(void **state)
{
	static const struct {
		const char *recipe;
		int err;
		enum kocoon_signature_state state;
	} rows[] = {
		{ "rsa", 0, KOCOON_SIGNATURE_OK },
		{ "rsa sha512", 0, KOCOON_SIGNATURE_OK },
		{ "rsa sha3-256", 0, KOCOON_SIGNATURE_UNSUPPORTED },
		{ "p256", -EKEYREJECTED, KOCOON_SIGNATURE_BAD },
		{ "carries itself", -ENOENT, KOCOON_SIGNATURE_BAD },
		{ "stranger", 0, KOCOON_SIGNATURE_UNKNOWN_KEY },
	};
	struct kc_buffer module = sample();

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(rows); i++) {
		struct kc_buffer file = make(rows[i].recipe, kc_buffer_span(&module));
		struct answer answer = ask(old_kernel, NULL, kc_buffer_span(&file));

		print_message("# %s\n", rows[i].recipe);
		assert_int_equal(answer.err, rows[i].err);
		assert_int_equal(answer.signature.state, rows[i].state);
		answer_deinit(&answer);
		kc_buffer_deinit(&file);
	}
	kc_buffer_deinit(&module);
}

/* With the options that override version checks, the kernel takes no module for signed. */
static void test_forced(void **state)
{
	static const struct kocoon_policy policies[] = {
		{ .size = sizeof(struct kocoon_policy), .force_vermagic = true },
		{ .size = sizeof(struct kocoon_policy), .force_modversions = true },
		{ .size = sizeof(struct kocoon_policy),
		  .force_vermagic = true,
		  .sig_enforce = true },
	};
	struct kc_buffer module = sample(), file = make("rsa", kc_buffer_span(&module));

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(policies); i++) {
		struct answer answer = ask(kernel, &policies[i], kc_buffer_span(&file));

		assert_int_equal(answer.err, policies[i].sig_enforce ? -EKEYREJECTED : 0);
		assert_int_equal(answer.signature.state, KOCOON_SIGNATURE_UNCHECKED);
		assert_false(answer.signature.sig_ok);
		assert_int_equal(answer.image.len, file.len);
		assert_contains(answer.report.findings[0].what, "isn't looked at");
		answer_deinit(&answer);
	}
	kc_buffer_deinit(&file);
	kc_buffer_deinit(&module);
}

/* Without an image the keys aren't known, but a message can be damaged all the same. */
static void test_without_image(void **state)
{
	static const struct {
		const char *recipe;
		int err;
		enum kocoon_signature_state state;
	} rows[] = {
		{ "rsa", 0, KOCOON_SIGNATURE_UNCHECKED },
		{ "stranger", 0, KOCOON_SIGNATURE_UNCHECKED },
		{ "unsigned", 0, KOCOON_SIGNATURE_NONE },
		{ "cut", -EBADMSG, KOCOON_SIGNATURE_BAD },
		{ "carried stranger, content changed", -EKEYREJECTED, KOCOON_SIGNATURE_BAD },
	};
	static const char export[] = "0x12345678\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n";
	struct kocoon_kernel_options options = { .size = sizeof(options) };
	struct kc_buffer module = sample();
	struct kocoon_kernel *opened;
	char symvers[128];

	(void)state;
	snprintf(symvers, sizeof(symvers), "%s/Module.symvers", folder);
	write_bytes(symvers, export, strlen(export));
	options.symvers = symvers;
	assert_int_equal(kocoon_kernel_open(NULL, &options, NULL, &opened), 0);
	for (size_t i = 0; i < KC_ARRAY_SIZE(rows); i++) {
		struct kc_buffer file = make(rows[i].recipe, kc_buffer_span(&module));
		struct answer answer = ask(opened, NULL, kc_buffer_span(&file));

		print_message("# %s\n", rows[i].recipe);
		assert_int_equal(answer.err, rows[i].err);
		assert_int_equal(answer.signature.state, rows[i].state);
		answer_deinit(&answer);
		kc_buffer_deinit(&file);
	}
	kocoon_kernel_free(opened);
	unlink(symvers);
	kc_buffer_deinit(&module);
}

/* A message that OpenSSL makes, as a distribution would. */
static void test_openssl_cms(void **state)
{
	static const struct {
		unsigned int flags;
		int err;
	} rows[] = {
		{ CMS_NOATTR | CMS_NOCERTS, 0 },
		{ CMS_NOATTR | CMS_NOCERTS | CMS_USE_KEYID, 0 },
		{ CMS_NOATTR, 0 },
		{ CMS_NOCERTS, -EKEYREJECTED },
	};
	struct kc_buffer module = sample();

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(rows); i++) {
		struct kc_buffer file = bytes(module.data, module.len);
		unsigned int flags = rows[i].flags | CMS_BINARY | CMS_DETACHED | CMS_PARTIAL;
		BIO *data = BIO_new_mem_buf(module.data, (int)module.len);
		CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
		uint8_t *der = NULL;
		struct answer answer;
		int len;

		assert_non_null(CMS_add1_signer(cms, signing_keys[KEY_RSA].certificate,
						signing_keys[KEY_RSA].pair, EVP_sha256(), flags));
		assert_int_equal(CMS_final(cms, data, NULL, flags), 1);
		len = i2d_CMS_ContentInfo(cms, &der);
		add_bytes(&file, der, (size_t)len);
		add_trailer(&(struct recipe){ 0 }, &file, (size_t)len);
		answer = ask(kernel, NULL, kc_buffer_span(&file));
		assert_int_equal(answer.err, rows[i].err);
		assert_int_equal(answer.signature.sig_ok, !rows[i].err);
		answer_deinit(&answer);
		OPENSSL_free(der);
		CMS_ContentInfo_free(cms);
		BIO_free(data);
		kc_buffer_deinit(&file);
	}
	kc_buffer_deinit(&module);
}

/* ---- stock modules, damage ---- */

static struct kc_buffer stock_module(const char *kind)
{
	static const struct kc_decompressor none = { .format = KC_FORMAT_NONE };
	struct kc_unpacker unpacker = { 0 };
	struct kc_buffer file = { 0 }, buffer = { 0 };
	enum kc_format format;
	struct kc_span image;
	char path[4096];

	kernel_path(kind, "lib/modules/*/kernel/drivers/net/dummy.ko*", path);
	assert_int_equal(kc_read_file(path, 1 << 26, &file, NULL), 0);
	assert_int_equal(kc_module_decompress(&none, kc_buffer_span(&file), &unpacker, &buffer,
					      NULL, &format, &image),
			 0);
	kc_unpacker_deinit(&unpacker);
	if (format == KC_FORMAT_NONE)
		return file;
	kc_buffer_deinit(&file);
	return buffer;
}

/* A stock module before a stock kernel: as it is, and with a bit changed. */
static void assert_stock(const struct kocoon_kernel *judge, struct kc_buffer *module, bool own)
{
	struct answer answer = ask(judge, NULL, kc_buffer_span(module));

	assert_int_equal(answer.err, 0);
	assert_int_equal(answer.signature.state,
			 own ? KOCOON_SIGNATURE_OK : KOCOON_SIGNATURE_UNKNOWN_KEY);
	answer_deinit(&answer);
	module->data[100] ^= 1;
	answer = ask(judge, NULL, kc_buffer_span(module));
	assert_int_equal(answer.err, own ? -EKEYREJECTED : 0);
	module->data[100] ^= 1;
	answer_deinit(&answer);
}

/* Each stock module is trusted by its own kernel, and by no other; a changed one by none. */
static void test_stock_modules(void **state)
{
	static const char *const kinds[] = { "6.12-cloud-amd64", "6.12-amd64", "6.1-amd64",
					     "6.1-cloud-amd64" };
	struct kc_buffer modules[KC_ARRAY_SIZE(kinds)];

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(kinds); i++)
		modules[i] = stock_module(kinds[i]);
	for (size_t i = 0; i < KC_ARRAY_SIZE(kinds); i++) {
		struct kocoon_kernel *judge = open_kernel(kinds[i], false);

		for (size_t k = 0; k < KC_ARRAY_SIZE(kinds); k++)
			assert_stock(judge, &modules[k], i == k);
		kocoon_kernel_free(judge);
	}
	for (size_t i = 0; i < KC_ARRAY_SIZE(kinds); i++)
		kc_buffer_deinit(&modules[i]);
}

/* One of the few errnos that there can be, and none that says that damage is good. */
static void assert_refused(const struct answer *answer)
{
	static const int allowed[] = { -EBADMSG, -EINVAL, -EKEYREJECTED, -ENOPKG, -ENOENT };

	if (!answer->err) {
		assert_int_not_equal(answer->signature.state, KOCOON_SIGNATURE_BAD);
		return;
	}
	for (size_t i = 0; i < KC_ARRAY_SIZE(allowed); i++)
		if (answer->err == allowed[i])
			return;
	fail_msg("errno %d", answer->err);
}

/* Memory of its exact size, so that a sanitizer sees each byte read outside. */
static struct answer ask_exactly(struct kc_span file)
{
	uint8_t *exact = malloc(file.len);
	struct answer answer;

	assert_non_null(exact);
	memcpy(exact, file.data, file.len);
	answer = ask(kernel, NULL, kc_span(exact, file.len));
	answer.image = kc_span(NULL, answer.image.len);
	free(exact);
	return answer;
}

/* Every seventh bit of what is behind a small module, for a chain of certificates. */
static void test_flips(void **state)
{
	static const struct recipe recipe = { .key = KEY_DEEP,
					      .second = KEY_STRANGER,
					      .carries = { KEY_DEEP, KEY_INTERMEDIATE } };
	struct kc_buffer file = sign_module(&recipe, kc_span("module", 6));

	(void)state;
	for (size_t bit = 6 * 8; bit < file.len * 8; bit += 7) {
		struct answer answer;

		file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		answer = ask_exactly(kc_buffer_span(&file));
		file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_refused(&answer);
		answer_deinit(&answer);
	}
	kc_buffer_deinit(&file);
}

/* Every length of a message, with a trailer that says so. */
static void test_every_truncation(void **state)
{
	static const struct recipe recipe = { .key = KEY_LEAF, .carries = { KEY_LEAF } };
	struct kc_buffer message = build_message(&recipe, kc_span("module", 6));

	(void)state;
	for (size_t len = 0; len < message.len; len++) {
		struct kc_buffer file = bytes("module", 6);
		struct answer answer;

		add_bytes(&file, message.data, len);
		add_trailer(&recipe, &file, len);
		answer = ask_exactly(kc_buffer_span(&file));
		assert_int_equal(answer.err, -EBADMSG);
		answer_deinit(&answer);
		kc_buffer_deinit(&file);
	}
	kc_buffer_deinit(&message);
}

/* Files that are hardly anything. */
static void test_tiny_files(void **state)
{
	(void)state;
	for (size_t len = 0; len <= TRAILER + 2; len++) {
		struct kc_buffer file = { 0 };
		struct answer answer;

		for (size_t i = 0; i < len; i++)
			add_bytes(&file, "\2", 1);
		add_bytes(&file, marker, MARKER);
		answer = ask_exactly(kc_buffer_span(&file));
		assert_int_equal(answer.err, len ? -EBADMSG : 0);
		assert_int_equal(answer.signature.state,
				 len ? KOCOON_SIGNATURE_BAD : KOCOON_SIGNATURE_NONE);
		answer_deinit(&answer);
		kc_buffer_deinit(&file);
	}
}

static void test_key_ids(void **state)
{
	static const struct {
		const char *parts[4];
		bool same;
	} rows[] = {
		{ { "ab", "cd", "ab", "cd" }, true },	{ { "abc", "d", "ab", "cd" }, true },
		{ { "abcd", "", "", "abcd" }, true },	{ { "abc", "d", "ab", "xd" }, false },
		{ { "ab", "cd", "ab", "cde" }, false }, { { "", "", "", "" }, true },
		{ { "ab", "cd", "xb", "cd" }, false },	{ { "ab", "cd", "abc", "x" }, false },
	};
	static const struct kc_key_id none;

	(void)state;
	for (size_t i = 0; i < KC_ARRAY_SIZE(rows); i++) {
		struct kc_span s[4];
		struct kc_key_id a, b;

		for (int k = 0; k < 4; k++)
			s[k] = kc_span(rows[i].parts[k], strlen(rows[i].parts[k]));
		a = (struct kc_key_id){ s[0], s[1] };
		b = (struct kc_key_id){ s[2], s[3] };
		assert_int_equal(kc_key_id_same(&a, &b), rows[i].same);
		assert_int_equal(kc_key_id_same(&b, &a), rows[i].same);
		assert_false(kc_key_id_same(&a, &none));
		assert_false(kc_key_id_same(&none, &none));
	}
}

/* ---- for the oracle ---- */

static int write_cases(const char *where, const char *module_path)
{
	struct kc_buffer module = { 0 };
	char path[4096];
	FILE *list, *table;
	size_t len;

	make_signing_keys();
	assert_int_equal(kc_read_file(module_path, 1 << 26, &module, NULL), 0);
	/* Its own signature goes. */
	len = (size_t)module.data[module.len - MARKER - 2] << 8 |
	      module.data[module.len - MARKER - 1];
	module.len -= MARKER + TRAILER + len;
	for (enum key key = 1; key < KEY_COUNT; key++) {
		snprintf(path, sizeof(path), "%s/trusted-%02d.der", where, (int)key);
		if (signing_keys[key].trusted)
			write_key(key, path);
	}
	snprintf(path, sizeof(path), "%s/list", where);
	list = fopen(path, "w");
	snprintf(path, sizeof(path), "%s/table", where);
	table = fopen(path, "w");
	assert_non_null(list);
	assert_non_null(table);
	for (size_t i = 0; i < recipe_count; i++) {
		const struct recipe *recipe = &recipes[i];
		struct kc_buffer file = sign_module(recipe, kc_buffer_span(&module));
		bool tolerated = !recipe->err && recipe->enforced;
		const char *names[3] = { kocoon_errno_name(recipe->err),
					 kocoon_errno_name(recipe->enforced),
					 kocoon_errno_name(tolerated ? -EPERM : recipe->err) };

		snprintf(path, sizeof(path), "%s/%03zu.ko", where, i);
		write_bytes(path, file.data, file.len);
		fprintf(list, "%s\t0\t\n", path);
		fprintf(table, "%s\t%s\t%s\t%s\n", recipe->name, names[0] ? names[0] : "0",
			names[1] ? names[1] : "0", names[2] ? names[2] : "0");
		kc_buffer_deinit(&file);
	}
	kc_buffer_deinit(&module);
	return fclose(list) || fclose(table);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recipes),
		cmocka_unit_test(test_who_signed),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_digests_are_told_apart),
		cmocka_unit_test(test_old_kernel),
		cmocka_unit_test(test_forced),
		cmocka_unit_test(test_without_image),
		cmocka_unit_test(test_openssl_cms),
		cmocka_unit_test(test_stock_modules),
		cmocka_unit_test(test_flips),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_tiny_files),
		cmocka_unit_test(test_key_ids),
	};

	if (argc == 4 && !strcmp(argv[1], "--write"))
		return write_cases(argv[2], argv[3]);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
