/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A damaged module in live space, up to its first instruction: a notifier refuses what comes as far
 * as COMING. Nothing of it may be left.
 *
 * The input is the module's file. Bit 0 of the ELF header's EI_PAD: with a stock kernel behind the
 * subsystem, else with none.
 */
#include "fuzz.h"

#include <errno.h>

#include "../live/supplies.h"
#include "live/live.h"

enum { ROUND = 64 };

static struct kocoon *subsystems[2];
static uint64_t space_used[2];

static int refuse(void *context, enum kocoon_module_state event, struct kocoon_loaded *module)
{
	(void)context;
	(void)module;
	return event == KOCOON_STATE_COMING ? -EPERM : 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct kocoon_kernel *kernel = live_kernel();
	/* Few areas: a section with per-CPU data is copied to each. */
	const struct kocoon_options options = { .cpus = 2 };

	(void)argc;
	(void)argv;
	FUZZ_CHECK(kernel);
	fuzz_use_kernel(kernel);
	for (int i = 0; i < 2; i++) {
		subsystems[i] = live_new(i ? kernel : NULL, &options);
		FUZZ_CHECK(subsystems[i]);
		FUZZ_CHECK(!kocoon_register_notifier(subsystems[i], refuse, NULL, 0));
		kocoon_synchronize(subsystems[i]);
		space_used[i] = kc_live_space_used(&subsystems[i]->space);
	}
	return 0;
}

static void nothing_is_left(struct kocoon *kocoon, uint64_t used)
{
	kocoon_synchronize(kocoon);
	FUZZ_CHECK(!atomic_load(&kocoon->modules));
	FUZZ_CHECK(!kocoon->names.count && !kocoon->names.reserved);
	FUZZ_CHECK(kocoon->symbols.count == kocoon->export_count);
	FUZZ_CHECK(kc_live_space_used(&kocoon->space) == used);
	for (size_t i = 0; i < sizeof(kocoon->per_cpu.used); i++)
		FUZZ_CHECK(!kocoon->per_cpu.used[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static unsigned int round;
	int which = len > EI_NIDENT && data[EI_PAD + 2] & 1;

	FUZZ_CHECK(kocoon_init_module(subsystems[which], data, len, "int=1", NULL) < 0);
	if (++round % ROUND == 0)
		for (int i = 0; i < 2; i++)
			nothing_is_left(subsystems[i], space_used[i]);
	return 0;
}
