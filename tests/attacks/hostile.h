/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Modules that no linker makes, section by section, and what judging one costs: in a process of its
 * own, so that a crash, a hang, and every byte of memory are seen.
 */
#ifndef KC_TESTS_HOSTILE_H
#define KC_TESTS_HOSTILE_H

#include <elf.h>

#include "base/buffer.h"
#include "kocoon/kocoon.h"

/* A module on its way. All but `file` can be changed until it is written. */
struct hostile {
	struct kc_buffer file;
	struct kc_buffer headers; /* Elf64_Shdr */
	struct kc_buffer names, strings, symbols;
	Elf64_Ehdr ehdr;
};

/* With struct module and .modinfo, whose further texts are `modinfo`. */
void hostile_start(struct hostile *hostile, const struct kocoon_kernel *kernel, const void *modinfo,
		   size_t modinfo_len);
/* Its number. */
uint32_t hostile_section(struct hostile *hostile, const char *name, uint32_t type, uint64_t flags,
			 const void *bytes, size_t len);
Elf64_Shdr *hostile_header(struct hostile *hostile, uint32_t section);
void hostile_symbol(struct hostile *hostile, uint32_t st_name, uint16_t section);
/* Adds symbol table, string table, names and headers, writes the file and gives all back. */
void hostile_write(struct hostile *hostile, const char *path);
/* `len` times this letter, and a NUL. Its place. */
uint32_t hostile_long_string(struct kc_buffer *strings, size_t len);

struct outcome {
	size_t accepted, refused;
	int err; /* of the last verdict, or of opening */
	enum kocoon_stage stage;
	char text[256]; /* of the last verdict: its reason, or the finding that tells most */
	double seconds;
	uint64_t kib; /* that it took at most, beyond what was there before */
};

typedef void attack_fn(struct outcome *outcome, void *context);

/* Runs it in a process of its own. A signal, or two minutes, and the test fails. */
struct outcome attack(attack_fn *run, void *context);
/* Judges one module. */
struct outcome attack_module(const struct kocoon_kernel *kernel, const char *path);

/* The same where there is so much memory more (not under AddressSanitizer, which needs its own). */
struct outcome attack_module_within(const struct kocoon_kernel *kernel, const char *path,
				    uint64_t mib);

/* It was refused so, with this in the reason, and took no more than so many MiB. */
void assert_refused(const struct outcome *outcome, int err, enum kocoon_stage stage,
		    const char *text, uint64_t mib);
void assert_memory(const struct outcome *outcome, uint64_t mib);

/* The verdicts of a check, into a struct outcome. */
int note_verdict(const struct kocoon_verdict *verdict, void *outcome);

#endif
