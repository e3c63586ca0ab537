/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The signature at a module's end: trailer, PKCS#7 message, certificates in it, public keys, before
 * stock kernels with their keys.
 *
 * The first byte of the input is the settings: bit 0, the rest is a message, to be put behind a
 * stock module; else the rest is the end of the file, trailer included, behind nothing. Bits 1 to
 * 3: which kernel, enforced, locked down.
 */
#include "fuzz.h"

#include <string.h>

#include "../corpus/edit.h"
#include "../corpus/place.h"
#include "module/signing.h"

enum { TRAILER = 12, LENGTH = 8 };

static const char marker[] = "~Module signature appended~\n";

static struct kocoon_kernel *kernels[2];
static struct edit module; /* a stock one, whose signature is among the seeds */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct place place;
	char path[4096];

	(void)argc;
	(void)argv;
	kernels[0] = fuzz_kernel("6.12-cloud-amd64");
	kernels[1] = fuzz_kernel("6.1-cloud-amd64");
	if (!place_find(&place, "6.12-cloud-amd64") || !place_module(&place, "crc7", path))
		exit(2);
	module = edit_open(path, "crc7");
	edit_strip_signature(&module);
	place_deinit(&place);
	return 0;
}

static void check(struct kc_span file, uint8_t settings)
{
	const struct kocoon_policy policy = { .size = sizeof(policy),
					      .sig_enforce = settings & 4,
					      .lockdown = settings & 8 };
	struct kc_signature signature = { 0 };
	struct kocoon_report report;
	struct kc_span image = file;
	int err;

	kc_report_init(&report);
	err = kc_module_sig_check(kernels[settings >> 1 & 1], &policy, &image, &signature, &report);
	FUZZ_CHECK(err <= 0 && image.len <= file.len);
	fuzz_use(image.data, image.len);
	fuzz_use_text(signature.signer);
	fuzz_use_text(signature.key_id);
	fuzz_use_text(signature.hash);
	fuzz_use_report(&report);
	kc_signature_deinit(&signature);
	kc_report_deinit(&report);
}

static void check_message(struct kc_span message, uint8_t settings)
{
	uint8_t trailer[TRAILER] = { 0, 0, 2 };
	size_t len = module.len + message.len + TRAILER + sizeof(marker) - 1;
	uint8_t *file = malloc(len), *end = file;

	FUZZ_CHECK(file);
	for (int i = 0; i < 4; i++)
		trailer[LENGTH + i] = (uint8_t)(message.len >> (24 - 8 * i));
	end = mempcpy(end, module.data, module.len);
	end = mempcpy(end, message.data, message.len);
	end = mempcpy(end, trailer, TRAILER);
	memcpy(end, marker, sizeof(marker) - 1);
	check(kc_span(file, len), settings);
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!len)
		return 0;
	if (data[0] & 1)
		check_message(kc_span(data + 1, len - 1), data[0]);
	else
		check(kc_span(data + 1, len - 1), data[0]);
	return 0;
}
