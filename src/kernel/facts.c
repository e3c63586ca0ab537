/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A kernel's ways with modules in words, for people; made from what was probed for. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernel/parts.h"

static void add(struct kocoon_kernel *kernel, const char *name, const char *value)
{
	if (kernel->fact_count < KC_FACTS_MAX)
		kernel->facts[kernel->fact_count++] =
			(struct kocoon_fact){ .name = name, .value = value };
}

/* A value that is put together; without memory the fact is left out. */
static void KC_PRINTF(3, 4)
	add_text(struct kocoon_kernel *kernel, const char *name, const char *format, ...)
{
	va_list arguments;
	char *text;
	int len;

	if (kernel->fact_text_count == KC_FACTS_MAX)
		return;
	va_start(arguments, format);
	len = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (len < 0)
		return;
	kernel->fact_texts[kernel->fact_text_count++] = text;
	add(kernel, name, text);
}

static void add_yes_no(struct kocoon_kernel *kernel, const char *name, bool value)
{
	add(kernel, name, value ? "yes" : "no");
}

static void describe_signatures(struct kocoon_kernel *kernel, const struct kc_behaviour *behaviour)
{
	add(kernel, "module signatures",
	    !behaviour->signatures   ? "not checked"
	    : behaviour->sig_enforce ? "enforced"
				     : "checked, not enforced");
	if (!behaviour->signatures)
		return;
	add_text(kernel, "signature algorithms", "RSA%s with SHA-2%s%s",
		 behaviour->signature_ecdsa ? " and ECDSA" : "",
		 behaviour->signature_sha1 ? ", SHA-1" : "",
		 behaviour->signature_sha3 ? ", SHA-3" : "");
	add_text(kernel, "trusted keys", "%zu", kernel->keyring.count);
	add_yes_no(kernel, "platform keyring", behaviour->platform_keyring);
}

static void describe_loading(struct kocoon_kernel *kernel, const struct kc_behaviour *behaviour)
{
	enum kc_format format = behaviour->decompressor.format;

	add(kernel, "lockdown", behaviour->lockdown ? "can be switched on" : "not built in");
	add(kernel, "symbol versions", behaviour->modversions ? "checked" : "not checked");
	add_yes_no(kernel, "extended symbol versions", behaviour->extended_modversions);
	add(kernel, "forced loading", behaviour->force_load ? "allowed" : "refused");
	add(kernel, "writable and executable sections",
	    behaviour->strict_rwx ? "refused" : "allowed");
	add(kernel, "missing namespace imports",
	    behaviour->missing_namespace_allowed ? "allowed, with a warning" : "refused");
	add_yes_no(kernel, "exports to named modules", behaviour->module_namespaces);
	add(kernel, "module decompression in the kernel",
	    format == KC_FORMAT_NONE ? "none" : kc_format_name(format));
	add_yes_no(kernel, "livepatching", behaviour->livepatch);
	add(kernel, "module BTF",
	    !behaviour->btf_modules	      ? "ignored"
	    : behaviour->btf_mismatch_allowed ? "read, a mismatch is allowed"
					      : "read, a mismatch is refused");
}

void kc_kernel_make_facts(struct kocoon_kernel *kernel)
{
	const struct kc_behaviour *behaviour = kc_kernel_behaviour(kernel);
	const struct kc_abi *abi = kc_kernel_abi(kernel);

	if (kc_kernel_has_image(kernel)) {
		add(kernel, "image compression", kc_format_name(kernel->format));
		describe_signatures(kernel, behaviour);
		describe_loading(kernel, behaviour);
		add(kernel, "kallsyms",
		    !kernel->kallsyms.count   ? "not found"
		    : behaviour->kallsyms_all ? "all symbols"
					      : "functions only");
	} else {
		add(kernel, "symbol versions", behaviour->modversions ? "checked" : "not known");
	}
	add_text(kernel, "exports", "%zu", kernel->exports.count);
	if (abi->module_size)
		add_text(kernel, "size of struct module", "%" PRIu32, abi->module_size);
}

size_t kocoon_kernel_facts(const struct kocoon_kernel *kernel, const struct kocoon_fact **facts_ret)
{
	kc_once_run(&((struct kocoon_kernel *)(uintptr_t)kernel)->facts_once, kernel,
		    kc_kernel_make_facts);
	*facts_ret = kernel->facts;
	return kernel->fact_count;
}
