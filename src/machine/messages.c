/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel's loader says of a module, in the kernel's own words: its formats are found in
 * its image, by some words that no other text has. A kernel without one says nothing.
 */
#include <string.h>

#include "machine/loader.h"

static const char *const words[KC_MESSAGES] = {
	[KC_SAYS_OUT_OF_TREE] = "out-of-tree module taints",
	[KC_SAYS_NO_RETPOLINE] = "not compiled with retpoline",
	[KC_SAYS_STAGING] = "from the staging directory",
	[KC_SAYS_LIVEPATCH] = "kernel with TAINT_LIVEPATCH",
	[KC_SAYS_LICENSE] = ": module license '",
	[KC_SAYS_TEST] = "test module taints",
	[KC_SAYS_UNVERIFIED] = "module verification failed",
	[KC_SAYS_UNKNOWN_SYMBOL] = "Unknown symbol %s (err",
	[KC_SAYS_OTHER_VERSION] = "disagrees about version of symbol",
	[KC_SAYS_NO_VERSION] = "no symbol version for",
	[KC_SAYS_PROVIDER_LATE] = "gave up waiting for init of module",
	[KC_SAYS_AFTER_DASHES] = "after `--'",
};

static uint64_t printk, start, end;

void kc_messages_init(void)
{
	printk = kc_needed("_printk");
	start = kc_needed("__start_rodata");
	end = kc_needed("__end_rodata");
}

static uint64_t find_format(const char *fragment)
{
	const char *at = memmem(kc_pointer(start), end - start, fragment, strlen(fragment));

	if (!at)
		return 0;
	while (kc_address(at) > start && at[-1])
		at--;
	return kc_address(at);
}

void kc_say(enum kc_message message, uint64_t a, uint64_t b, uint64_t c)
{
	static uint64_t formats[KC_MESSAGES];

	if (!formats[message])
		formats[message] = find_format(words[message]);
	if (formats[message])
		kc_call(printk, formats[message], a, b, c);
}

void kc_say_error(const char *name, const char *text)
{
	kc_call(printk, kc_address("\0013%s: %s\n"), kc_address(name), kc_address(text), 0);
}
