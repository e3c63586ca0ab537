/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the targets share; see fuzz.h. */
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../corpus/place.h"

const char *fuzz_file(unsigned int slot, const void *data, size_t len)
{
	static struct {
		int fd;
		char path[32];
	} files[FUZZ_FILES];

	FUZZ_CHECK(slot < FUZZ_FILES);
	if (!files[slot].fd) {
		files[slot].fd = memfd_create("fuzz", MFD_CLOEXEC);
		FUZZ_CHECK(files[slot].fd > 0);
		snprintf(files[slot].path, sizeof(files[slot].path), "/proc/self/fd/%d",
			 files[slot].fd);
	}
	FUZZ_CHECK(!ftruncate(files[slot].fd, 0));
	FUZZ_CHECK(pwrite(files[slot].fd, data, len, 0) == (ssize_t)len);
	return files[slot].path;
}

struct kocoon_kernel *fuzz_kernel(const char *kind)
{
	struct kocoon_kernel *kernel;
	struct place place;

	if (!place_find(&place, kind))
		exit(2);
	if (kocoon_kernel_open(place.vmlinuz, NULL, NULL, &kernel)) {
		fprintf(stderr, "can't open %s\n", place.vmlinuz);
		exit(2);
	}
	place_deinit(&place);
	return kernel;
}

void fuzz_use(const void *data, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum ^= ((const uint8_t *)data)[i];
	/* For the compiler, that is what it was for. */
	__asm__ volatile("" : : "r"(sum));
}

void fuzz_use_text(const char *text)
{
	if (text)
		fuzz_use(text, strlen(text));
}

void fuzz_use_report(const struct kocoon_report *report)
{
	for (size_t i = 0; i < kocoon_report_count(report); i++) {
		const struct kocoon_finding *finding = kocoon_report_get(report, i);

		FUZZ_CHECK(finding && finding->what && finding->err <= 0);
		fuzz_use_text(finding->what);
		fuzz_use_text(finding->expected);
		fuzz_use_text(finding->found);
		fuzz_use_text(finding->hint);
	}
}

static void use_exports(const struct kocoon_kernel *kernel)
{
	const struct kocoon_export *exports;
	const struct kocoon_symbol *symbols;

	for (size_t i = 0, n = kocoon_kernel_exports(kernel, &exports); i < n; i++) {
		fuzz_use_text(exports[i].name);
		fuzz_use_text(exports[i].ns);
	}
	for (size_t i = 0, n = kocoon_kernel_symbols(kernel, &symbols); i < n; i++)
		fuzz_use_text(symbols[i].name);
	(void)kocoon_kernel_export(kernel, "_printk");
}

static void use_keys_and_facts(const struct kocoon_kernel *kernel)
{
	const struct kocoon_fact *facts;
	const struct kocoon_key *keys;

	for (size_t i = 0, n = kocoon_kernel_keys(kernel, &keys); i < n; i++) {
		fuzz_use_text(keys[i].subject);
		fuzz_use_text(keys[i].issuer);
		fuzz_use_text(keys[i].serial);
		fuzz_use_text(keys[i].key_id);
		fuzz_use_text(keys[i].algorithm);
		fuzz_use_text(keys[i].source);
	}
	for (size_t i = 0, n = kocoon_kernel_facts(kernel, &facts); i < n; i++) {
		fuzz_use_text(facts[i].name);
		fuzz_use_text(facts[i].value);
	}
}

void fuzz_use_kernel(const struct kocoon_kernel *kernel)
{
	fuzz_use_text(kocoon_kernel_release(kernel));
	fuzz_use_text(kocoon_kernel_vermagic(kernel));
	fuzz_use_text(kocoon_kernel_arch(kernel));
	fuzz_use_text(kocoon_kernel_build_id(kernel));
	for (size_t i = 0; kocoon_kernel_gap(kernel, i); i++)
		fuzz_use_text(kocoon_kernel_gap(kernel, i));
	use_exports(kernel);
	use_keys_and_facts(kernel);
	(void)kocoon_kernel_struct_size(kernel, "module");
}

struct fuzz_bytes fuzz_next(struct fuzz_bytes *rest, uint8_t mark)
{
	const uint8_t *end = rest->len ? memchr(rest->data, mark, rest->len) : NULL;
	struct fuzz_bytes next = *rest;

	if (!end) {
		*rest = (struct fuzz_bytes){ rest->data + rest->len, 0 };
		return next;
	}
	next.len = (size_t)(end - rest->data);
	rest->data = end + 1;
	rest->len -= next.len + 1;
	return next;
}

char *fuzz_text(struct fuzz_bytes bytes)
{
	char *text = malloc(bytes.len + 1);

	FUZZ_CHECK(text);
	if (bytes.len)
		memcpy(text, bytes.data, bytes.len);
	text[bytes.len] = 0;
	return text;
}

struct fuzz_random fuzz_random(unsigned int seed)
{
	return (struct fuzz_random){ (seed + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15) };
}

/* xorshift64* */
uint64_t fuzz_below(struct fuzz_random *random, uint64_t end)
{
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return end ? (random->state * UINT64_C(2685821657736338717) >> 8) % end : 0;
}

uint64_t fuzz_odd(struct fuzz_random *random, uint64_t was)
{
	switch (fuzz_below(random, 10)) {
	case 0:
		return 0;
	case 1:
		return fuzz_below(random, 64);
	case 2:
		return was + 1 + fuzz_below(random, 16);
	case 3:
		return was - 1 - fuzz_below(random, 16);
	case 4:
		return was + (UINT64_C(1) << fuzz_below(random, 64));
	case 5:
		return was ^ UINT64_C(1) << fuzz_below(random, 64);
	case 6:
		return UINT64_MAX - fuzz_below(random, 64);
	case 7:
		return (UINT64_C(1) << fuzz_below(random, 64)) - 1;
	case 8:
		return UINT64_C(1) << fuzz_below(random, 64);
	default:
		return was ^ fuzz_below(random, 256) << 8 * fuzz_below(random, 8);
	}
}
