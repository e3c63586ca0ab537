/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/*
 * What the modules of this folder share. They are ordinary kernel modules, built by Kbuild and run
 * before a stock kernel as well; functions that tests call by name are declared here.
 */
#ifndef KC_TESTS_MODULES_H
#define KC_TESTS_MODULES_H

#include <linux/module.h>

/* chain_a */
int chain_a_plain(int value);
int chain_a_gpl(int value);
int chain_a_spaced(int value);
extern int chain_a_count;
/* chain_b */
int chain_b_twice(int value);
/* no_init */
int no_init_answer(void);

/* Called by tests, found by name. */
int chain_c_result(void);
long percpu_add(long more);
long percpu_read(void);
long *percpu_address(void);
unsigned long percpu_raw_offset(void);
long extable_read(const void *address);
int extable_divide(int dividend, int divisor);
long extable_user_read(const void *address);
int traps_warn(void);
int traps_warn_once(void);
void traps_bug(void);
long traps_fault(long *address);
int weak_is_there(void);
int keys_likely(void);
int keys_unlikely(void);
int keys_call(int value);
int keys_call_null(int value);
int protector_sum(const char *text);
int large_sum(void);
int holder_take(void);
void holder_drop(void);
int getter_take(void);
int getter_call(int value);
void getter_drop(void);
int asker_ask(const char *name);
int asker_ask_nowait(const char *name);
int patch_original(int value);

#endif
