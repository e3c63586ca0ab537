/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Builds small kernels: an ELF file with what kocoon looks for in one, in any of its forms. */
#ifndef KC_TESTS_BUILD_VMLINUX_H
#define KC_TESTS_BUILD_VMLINUX_H

#include "base/buffer.h"
#include "kernel/parts.h"

#define TEXT_ADDRESS UINT64_C(0xffffffff81000000)

/* A symbol whose name takes two bytes for its length: at TEXT_ADDRESS + 800. */
#define LONG_NAME_PART "a_name_that_is_long_because_it_is_put_together_from_many_parts"
#define LONG_NAME LONG_NAME_PART LONG_NAME_PART LONG_NAME_PART

enum {
	FUNCTIONS = 700, /* symbols f_0, f_1, ... in the text, 16 bytes apart */
	RELOCATIONS = 24, /* bytes behind the ELF file */
};

struct vmlinux_recipe {
	bool pointers; /* entries of export tables are pointers */
	bool no_namespaces; /* ... and have no namespace */
	bool wide_crcs; /* CRCs are 8 bytes wide */
	bool no_crcs;
	bool no_section_names; /* only kallsyms says where the tables are */
	bool no_kallsyms;
	bool old_order; /* addresses before names, as kernels had it */
	enum kc_kallsyms_form form;
	bool no_by_name;
	bool functions_only; /* kallsyms without data symbols */
	bool no_btf;
	bool sig_enforce;
	const char *const *messages; /* further texts in read-only data, ended by NULL */
};

/* To be freed with kc_buffer_deinit(). */
struct kc_buffer build_vmlinux(const struct vmlinux_recipe *recipe);
/* Wraps a payload: packed bytes, and the size that they unpack to. */
struct kc_buffer build_bzimage(struct kc_span packed, uint32_t unpacked_size);
/* Opens bytes as a file. The options may be NULL. */
int open_kernel_bytes(struct kc_span bytes, const struct kocoon_kernel_options *options,
		      struct kocoon_report *report, struct kocoon_kernel **kernel_ret);
/* A self-signed certificate in DER, made once. */
struct kc_span test_certificate(void);
/* Asks a kernel for everything that it can tell, and uses each byte of it. */
void use_kernel(const struct kocoon_kernel *kernel);

#endif
