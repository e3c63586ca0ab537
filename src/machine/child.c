/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process that is a machine: from a fork to the kernel's first instruction, or its last one. */
#include <errno.h>
#include <string.h>

#include "machine/child.h"
#include "machine/entry.h"
#include "machine/loader.h"
#include "machine/machine.h"

struct kc_machine kc_machine = { .file = -1, .channel = -1 };
struct kc_machine_state kc_state;

/* Stubs are made in one order, whether the machine boots or goes on. */
static int make_stubs(void)
{
	int err = kc_calls_init();

	if (err)
		return err;
	kc_clock_init();
	kc_tasks_init();
	kc_settle_init();
	kc_console_stub();
	kc_loader_init();
	kc_replace_all();
	return kc_take_exceptions();
}

static void introduce(const struct kc_child *child, bool booting)
{
	kc_machine.kernel = child->kernel;
	kc_machine.shift = KC_RAM_BASE - KC_LINK_BASE;
	kc_machine.command_line = child->command_line;
	kc_machine.file = child->file;
	kc_machine.channel = child->channel;
	kc_machine.booting = booting;
}

void kc_child_boot(const struct kc_child *child)
{
	int err;

	introduce(child, true);
	err = kc_template_map_new(child->ram_size);
	if (!err)
		err = kc_load_image();
	if (!err)
		err = make_stubs();
	if (!err)
		err = kc_start_ticks();
	if (err)
		kc_machine_end(KC_EXIT_UNFIT, "the image can't be mapped: %s", strerror(-err));
	kc_take_over_pv_ops();
	memset(kc_pointer(kc_needed("init_top_pgt")), 0, KC_MACHINE_PAGE);
	kc_set_variable("page_offset_base", KC_RAM_BASE);
	kc_set_variable("vmemmap_base", KC_VMEMMAP_BASE);
	kc_set_variable("vmalloc_base", KC_VMALLOC_BASE);
	kc_set_variable("phys_base", KC_LINK_BASE - KC_RAM_BASE);
	kc_start(kc_needed("start_kernel"), 0, kc_needed("__top_init_kernel_stack"));
}

void kc_child_restore(const struct kc_child *child)
{
	int err;

	introduce(child, false);
	err = kc_template_map();
	if (!err)
		err = make_stubs();
	if (err)
		kc_machine_end(KC_EXIT_UNFIT, "the booted machine can't be mapped: %s",
			       strerror(-err));
	kc_take_over_pv_ops();
}

void kc_child_go_on(int channel)
{
	int err;

	kc_machine.channel = channel;
	err = kc_template_map_untouched();
	if (!err)
		err = kc_start_ticks();
	if (err)
		kc_machine_end(KC_EXIT_UNFIT, "the booted machine can't be mapped: %s",
			       strerror(-err));
	kc_start((uint64_t)(uintptr_t)kc_guest, 0, kc_task_stack());
}
