/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Numbers of the kernel's CPU features (word * 32 + bit) that code here asks for or sets by itself.
 * They are part of every module's .altinstructions; those that a processor reports are its own
 * CPUID bits, the others (words 3, 7, 8, 11, 21) are the kernel's.
 */
#ifndef KC_ARCH_X86_64_FEATURES_H
#define KC_ARCH_X86_64_FEATURES_H

#define KC_FEATURE(word, bit) ((word)*32 + (bit))

enum {
	KC_FEATURE_UP = KC_FEATURE(3, 9), /* one CPU, locks are patched out */
	KC_FEATURE_OLD_LFENCE_RDTSC = KC_FEATURE(3, 18), /* before it was a CPUID bit */
	KC_FEATURE_ALWAYS = KC_FEATURE(3, 21),
	KC_FEATURE_RETPOLINE = KC_FEATURE(11, 12),
	KC_FEATURE_RETPOLINE_LFENCE = KC_FEATURE(11, 13),
	KC_FEATURE_XENPV = KC_FEATURE(8, 16),
	KC_FEATURE_RETHUNK = KC_FEATURE(11, 14),
	KC_FEATURE_UNRET = KC_FEATURE(11, 15),
	KC_FEATURE_CALL_DEPTH = KC_FEATURE(11, 19),
	KC_FEATURE_SRSO = KC_FEATURE(11, 24),
	KC_FEATURE_SRSO_ALIAS = KC_FEATURE(11, 25),
	KC_FEATURE_INDIRECT_THUNK_ITS = KC_FEATURE(21, 5),
};

#endif
