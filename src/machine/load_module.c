/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load_module() of kernel/module/main.c in a machine: the pipeline, and the steps from a linked
 * module to its init. Whatever a step has of the kernel's is given back in reverse where a later
 * one fails; do_init_module() and what it does after a failing init are the kernel's.
 *
 * The pipeline needs more stack than a task of the kernel's has, and runs on one of the host's.
 * What may run code of modules runs on the task's own, where its traces are looked for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "machine/entry.h"
#include "machine/loader.h"

enum { COMPRESSED_FILE = 4, IGNORE_MODVERSIONS = 1, IGNORE_VERMAGIC = 2, ERRNO_MAX = 4095 };

static struct {
	uint64_t is_module_sig_enforced, kernel_locked_down, module_blacklist, async_probe;
	uint64_t modinfo_attrs, sort_extable, module_finalize, strndup_user, ftrace_module_init,
		ftrace_release_mod, module_bug_finalize, module_bug_cleanup,
		module_enable_rodata_ro, module_enable_data_nx, module_enable_text_rox,
		ftrace_module_enable, klp_module_coming, klp_module_going, module_notify_list,
		notify, notify_robust, parse_args, unknown_param, destroy_params, mod_sysfs_setup,
		mod_sysfs_teardown, copy_module_elf, trace_module_load, do_init_module,
		synchronize_rcu, kfree, vfree, decompress_cleanup;
} at;

static struct {
	uint32_t name, module, header, len, sections, section_names, string_table, sig_ok, index;
} info_of; /* struct load_info */

static struct {
	uint32_t name, setup, free;
} attribute_of; /* struct module_attribute */

static uint32_t locked_down_from; /* enum lockdown_reason */

/* ---- texts that the kernel keeps of .modinfo: setup_modinfo(), free_modinfo() ---- */

static uint64_t attribute(unsigned int index)
{
	return kc_load64(kc_pointer(at.modinfo_attrs + index * sizeof(uint64_t)));
}

static void setup_modinfo(struct kc_loading *loading)
{
	for (unsigned int i = 0; attribute(i); i++) {
		const uint8_t *bytes = kc_pointer(attribute(i));
		uint64_t setup = kc_load64(bytes + attribute_of.setup);
		const char *tag = kc_pointer(kc_load64(bytes + attribute_of.name));

		if (setup)
			kc_call(setup, loading->module,
				kc_address(kc_get_modinfo(&loading->load, tag)), 0, 0);
	}
	loading->has_modinfo = true;
}

static void free_modinfo(const struct kc_loading *loading)
{
	for (unsigned int i = 0; loading->has_modinfo && attribute(i); i++) {
		uint64_t function =
			kc_load64((uint8_t *)kc_pointer(attribute(i)) + attribute_of.free);

		if (function)
			kc_call(function, loading->module, 0, 0, 0);
	}
}

/* ---- struct load_info, for those of the kernel's functions that look at it ---- */

/* Into the kernel's copy of the file, as the kernel has it. */
static uint64_t write_section_headers(const struct kc_loading *loading, uint64_t image)
{
	const struct kc_load *load = &loading->load;
	uint64_t headers = image + load->ehdr.shoff;

	for (uint32_t i = 0; i < load->ehdr.shnum; i++) {
		Elf64_Shdr shdr = load->sections[i].shdr;

		shdr.sh_addr = load->sections[i].placed ? kc_section_address(load, i)
							: image + shdr.sh_offset;
		memcpy(kc_pointer(headers + i * sizeof(shdr)), &shdr, sizeof(shdr));
	}
	return headers;
}

static void fill_in_info(struct kc_loading *loading)
{
	const struct kc_load *load = &loading->load;
	uint8_t *info = kc_pointer(loading->info);
	uint64_t image = kc_load64(info + info_of.header);

	kc_store64(info + info_of.sections, write_section_headers(loading, image));
	kc_store64(info + info_of.section_names,
		   image + load->sections[load->ehdr.shstrndx].shdr.sh_offset);
	kc_store64(info + info_of.string_table,
		   image + load->sections[load->index.str].shdr.sh_offset);
	kc_store64(info + info_of.name,
		   kc_address(kc_module_member(loading->module, KC_MEMBER_NAME)));
	kc_store64(info + info_of.module, loading->module);
	kc_store64(info + info_of.len, load->image.len);
	info[info_of.sig_ok] = load->signature.sig_ok;
	/* The symbol table's is the first of these. */
	kc_store32(info + info_of.index, load->index.sym);
}

static uint64_t info_member(const struct kc_loading *loading, uint32_t offset)
{
	return kc_load64((uint8_t *)kc_pointer(loading->info) + offset);
}

/* ---- from a linked module to one that is COMING ---- */

static void sort_extable(const struct kc_loading *loading)
{
	uint64_t table = kc_load64(kc_module_member(loading->module, KC_MEMBER_EXTABLE));
	uint32_t count = kc_load32(kc_module_member(loading->module, KC_MEMBER_NUM_EXENTRIES));

	kc_call(at.sort_extable, table,
		table + (uint64_t)count * loading->load.abi->extable_entry_size, 0, 0);
}

static void copy_per_cpu(const struct kc_load *load)
{
	struct kc_span initial = load->sections[load->index.pcpu].file;

	if (load->percpu_address && initial.len)
		memcpy(kc_pointer(load->percpu_address + kc_per_cpu_base()), initial.data,
		       initial.len);
}

static int take_arguments(const struct kc_loading *loading)
{
	uint64_t text = kc_call(at.strndup_user, loading->arguments, INT64_MAX, 0, 0);

	if (text > (uint64_t)-ERRNO_MAX)
		return (int)(int64_t)text;
	kc_store64(kc_module_member(loading->module, KC_MEMBER_ARGS), text);
	return 0;
}

static int complete_formation(struct kc_loading *loading)
{
	uint64_t module = loading->module;
	int err;

	kc_modules_lock();
	err = kc_verify_exported_symbols(&loading->load);
	if (!err) {
		kc_call(at.module_bug_finalize, info_member(loading, info_of.header),
			info_member(loading, info_of.sections), module, 0);
		err = (int)kc_call(at.module_enable_rodata_ro, module, false, 0, 0);
	}
	if (!err)
		err = (int)kc_call(at.module_enable_data_nx, module, 0, 0, 0);
	if (!err)
		err = (int)kc_call(at.module_enable_text_rox, module, 0, 0, 0);
	if (!err)
		kc_set_module_state(module, KC_COMING);
	else
		kc_call(at.module_bug_cleanup, module, 0, 0, 0);
	kc_modules_unlock();
	return err;
}

static void undo_finalize(struct kc_loading *loading)
{
	uint64_t module = loading->module;

	kc_call(at.ftrace_release_mod, module, 0, 0, 0);
	kc_call(at.synchronize_rcu, 0, 0, 0, 0);
	kc_call(at.kfree, kc_load64(kc_module_member(module, KC_MEMBER_ARGS)), 0, 0, 0);
}

static int finalize(struct kc_loading *loading, enum kocoon_stage *stage)
{
	struct kc_load *load = &loading->load;
	uint64_t module = loading->module;
	int err;

	*stage = KOCOON_STAGE_FORMATION;
	err = kc_collect_exports(load);
	if (err)
		return err;
	*stage = KOCOON_STAGE_FINALIZE;
	fill_in_info(loading);
	setup_modinfo(loading);
	sort_extable(loading);
	copy_per_cpu(load);
	err = (int)kc_call(at.module_finalize, info_member(loading, info_of.header),
			   info_member(loading, info_of.sections), module, 0);
	if (err)
		return err;
	loading->patched = true;
	*stage = KOCOON_STAGE_PARAMETERS;
	err = take_arguments(loading);
	if (err)
		return err;
	kc_call(at.ftrace_module_init, module, 0, 0, 0);
	*stage = KOCOON_STAGE_FORMATION;
	err = complete_formation(loading);
	if (err)
		undo_finalize(loading);
	return err;
}

/* ---- the pipeline ---- */

static void note_policy(struct kc_loading *loading)
{
	uint64_t names = kc_load64(kc_pointer(at.module_blacklist));

	loading->policy = (struct kocoon_policy){
		.size = sizeof(loading->policy),
		.sig_enforce = kc_call(at.is_module_sig_enforced, 0, 0, 0, 0) & 1,
		.lockdown = at.kernel_locked_down &&
			    kc_load32(kc_pointer(at.kernel_locked_down)) >= locked_down_from,
		.force_vermagic = loading->flags & IGNORE_VERMAGIC,
		.force_modversions = loading->flags & IGNORE_MODVERSIONS,
		.blacklist = names ? kc_pointer(names) : NULL,
	};
}

/* A refusal by an earlier stage goes before, one by a later stage gives way. */
static int check_early(struct kc_loading *loading)
{
	struct kc_load *load = &loading->load;
	int err;

	if ((load->err && load->stage <= KOCOON_STAGE_DUPLICATE) ||
	    !load->behaviour->early_mod_check)
		return load->err;
	kc_modules_lock();
	err = kc_check_exists(loading);
	kc_modules_unlock();
	if (err) {
		load->err = err;
		load->stage = KOCOON_STAGE_DUPLICATE;
	}
	return load->err;
}

static void load_and_form(struct kc_loading *loading)
{
	struct kc_load *load = &loading->load;
	const uint8_t *info = kc_pointer(loading->info);

	note_policy(loading);
	kc_report_init(&loading->report);
	kc_load_init(load, kc_machine.kernel, &loading->policy, &loading->report);
	load->live = true;
	kc_load_prepare(load, kc_span(kc_pointer(kc_load64(info + info_of.header)),
				      kc_load64(info + info_of.len)));
	loading->err = check_early(loading);
	if (!loading->err) {
		loading->neighbours = kc_kernel_neighbours(loading);
		loading->err = kc_load_link(load, &loading->neighbours);
	}
	loading->stage = load->stage;
	if (!loading->err) {
		/* Nobody is to find it before it is formed. */
		kc_set_module_state(loading->module, KC_UNFORMED);
		loading->err = finalize(loading, &loading->stage);
	}
	kc_add_other_taints(loading);
	if (loading->err) {
		free_modinfo(loading);
		kc_withdraw_module(loading);
	}
}

/* ---- from COMING to init: on the task's own stack ---- */

static int prepare_coming_module(struct kc_loading *loading)
{
	enum { STOP = 0x8000, OK = 1 };
	uint64_t module = loading->module;
	int err, answer;

	loading->stage = KOCOON_STAGE_LIVEPATCH;
	kc_call(at.ftrace_module_enable, module, 0, 0, 0);
	err = (int)kc_call(at.klp_module_coming, module, 0, 0, 0);
	if (err)
		return err;
	loading->stage = KOCOON_STAGE_FORMATION;
	answer =
		(int)kc_call(at.notify_robust, at.module_notify_list, KC_COMING, KC_GOING, module) &
		~STOP;
	err = answer > OK ? OK - answer : 0;
	if (err)
		kc_call(at.klp_module_going, module, 0, 0, 0);
	return err;
}

typedef uint64_t parse_args_function(const char *doing, char *args, uint64_t params,
				     unsigned int count, int16_t min, int16_t max, uint64_t module,
				     uint64_t unknown);

static int parse_args(const struct kc_loading *loading)
{
	parse_args_function *parse = (parse_args_function *)kc_pointer(at.parse_args);
	uint64_t module = loading->module;
	const char *name = (const char *)kc_module_member(module, KC_MEMBER_NAME);
	uint64_t rest;

	if (at.async_probe)
		*kc_module_member(module, KC_MEMBER_ASYNC_PROBE_REQUESTED) =
			*(const uint8_t *)kc_pointer(at.async_probe);
	rest = parse(name, kc_pointer(kc_load64(kc_module_member(module, KC_MEMBER_ARGS))),
		     kc_load64(kc_module_member(module, KC_MEMBER_KP)),
		     kc_load32(kc_module_member(module, KC_MEMBER_NUM_KP)), INT16_MIN, INT16_MAX,
		     module, at.unknown_param);
	if (rest > (uint64_t)-ERRNO_MAX)
		return (int)(int64_t)rest;
	if (rest)
		kc_say(KC_SAYS_AFTER_DASHES, kc_address(name), rest, 0);
	return 0;
}

static int show_in_sysfs(struct kc_loading *loading)
{
	uint64_t module = loading->module;

	return (int)kc_call(at.mod_sysfs_setup, module, loading->info,
			    kc_load64(kc_module_member(module, KC_MEMBER_KP)),
			    kc_load32(kc_module_member(module, KC_MEMBER_NUM_KP)));
}

static void undo_coming(struct kc_loading *loading)
{
	uint64_t module = loading->module;

	kc_set_module_state(module, KC_GOING);
	kc_call(at.destroy_params, kc_load64(kc_module_member(module, KC_MEMBER_KP)),
		kc_load32(kc_module_member(module, KC_MEMBER_NUM_KP)), 0, 0);
	kc_call(at.notify, at.module_notify_list, KC_GOING, module, 0);
	kc_call(at.klp_module_going, module, 0, 0, 0);
}

static void undo_formation(struct kc_loading *loading)
{
	kc_set_module_state(loading->module, KC_GOING);
	kc_modules_lock();
	kc_call(at.module_bug_cleanup, loading->module, 0, 0, 0);
	kc_modules_unlock();
	undo_finalize(loading);
	free_modinfo(loading);
	kc_withdraw_module(loading);
}

static int come(struct kc_loading *loading)
{
	int err = prepare_coming_module(loading);

	if (err)
		goto undo_formation;
	loading->stage = KOCOON_STAGE_PARAMETERS;
	err = parse_args(loading);
	if (err)
		goto undo_coming;
	loading->stage = KOCOON_STAGE_SYSFS;
	err = show_in_sysfs(loading);
	if (err)
		goto undo_coming;
	loading->stage = KOCOON_STAGE_LIVEPATCH;
	if (loading->load.livepatch)
		err = (int)kc_call(at.copy_module_elf, loading->module, loading->info, 0, 0);
	if (!err) {
		kc_call(at.trace_module_load, 0, loading->module, 0, 0);
		return 0;
	}
	kc_call(at.mod_sysfs_teardown, loading->module, 0, 0, 0);
undo_coming:
	undo_coming(loading);
undo_formation:
	undo_formation(loading);
	return err;
}

/* ---- load_module() ---- */

static void free_copy(uint64_t info, int flags)
{
	if (flags & COMPRESSED_FILE)
		kc_call(at.decompress_cleanup, info, 0, 0, 0);
	else
		kc_call(at.vfree, kc_load64((uint8_t *)kc_pointer(info) + info_of.header), 0, 0, 0);
}

/* The finding that decided; NULL: a step of the kernel's own did, and has said what it says. */
static const struct kocoon_finding *find_reason(const struct kc_loading *loading)
{
	const struct kocoon_finding *finding;

	for (size_t i = 0; (finding = kocoon_report_get(&loading->report, i)); i++)
		if (finding->err == loading->err)
			return finding;
	return NULL;
}

/* To the kernel's log, and to the parent. */
static void say_why(struct kc_loading *loading)
{
	const struct kocoon_finding *finding = find_reason(loading);
	const char *name = loading->load.name ? loading->load.name : "";

	/* Of symbols it has been said; that there is one already is no news to a kernel's log. */
	if (finding && loading->stage != KOCOON_STAGE_SYMBOLS &&
	    loading->stage != KOCOON_STAGE_DUPLICATE)
		kc_say_error(name, finding->what);
	if (!finding)
		kc_finding(&loading->report, loading->stage, loading->err,
			   "the kernel's own part of this step has failed: its log says more");
	for (size_t i = 0; (finding = kocoon_report_get(&loading->report, i)); i++)
		kc_tell_finding(loading->load.struct_name, finding);
}

__attribute__((force_align_arg_pointer)) int kc_load_module_here(uint64_t info, uint64_t arguments,
								 int flags)
{
	struct kc_loading *loading = calloc(1, sizeof(*loading));
	uint64_t stack = loading ? kc_take_stack() : 0, module = 0;
	int err = loading ? 0 : -ENOMEM;

	if (loading) {
		loading->info = info;
		loading->arguments = arguments;
		loading->flags = flags;
		kc_call_on(stack, (void (*)(void *))load_and_form, loading);
		err = loading->err;
		if (!err)
			err = loading->err = come(loading);
		module = loading->module;
		if (err)
			kc_call_on(stack, (void (*)(void *))say_why, loading);
		kc_give_stack(stack);
		kc_report_deinit(&loading->report);
		kc_load_deinit(&loading->load);
		free(loading);
	}
	free_copy(info, flags);
	return err ? err : (int)kc_call(at.do_init_module, module, 0, 0, 0);
}

static void find_symbols(void)
{
	const struct kc_needed_symbol symbols[] = {
		{ "is_module_sig_enforced", &at.is_module_sig_enforced },
		{ "module_blacklist", &at.module_blacklist },
		{ "modinfo_attrs", &at.modinfo_attrs },
		{ "sort_extable", &at.sort_extable },
		{ "module_finalize", &at.module_finalize },
		{ "strndup_user", &at.strndup_user },
		{ "ftrace_module_init", &at.ftrace_module_init },
		{ "ftrace_release_mod", &at.ftrace_release_mod },
		{ "module_bug_finalize", &at.module_bug_finalize },
		{ "module_bug_cleanup", &at.module_bug_cleanup },
		{ "module_enable_rodata_ro", &at.module_enable_rodata_ro },
		{ "module_enable_data_nx", &at.module_enable_data_nx },
		{ "module_enable_text_rox", &at.module_enable_text_rox },
		{ "ftrace_module_enable", &at.ftrace_module_enable },
		{ "klp_module_coming", &at.klp_module_coming },
		{ "klp_module_going", &at.klp_module_going },
		{ "module_notify_list", &at.module_notify_list },
		{ "blocking_notifier_call_chain", &at.notify },
		{ "blocking_notifier_call_chain_robust", &at.notify_robust },
		{ "parse_args", &at.parse_args },
		{ "unknown_module_param_cb", &at.unknown_param },
		{ "module_destroy_params", &at.destroy_params },
		{ "mod_sysfs_setup", &at.mod_sysfs_setup },
		{ "mod_sysfs_teardown", &at.mod_sysfs_teardown },
		{ "copy_module_elf", &at.copy_module_elf },
		{ "__traceiter_module_load", &at.trace_module_load },
		{ "do_init_module", &at.do_init_module },
		{ "synchronize_rcu", &at.synchronize_rcu },
		{ "kfree", &at.kfree },
		{ "vfree", &at.vfree },
		{ "module_decompress_cleanup", &at.decompress_cleanup },
	};

	kc_need_all(symbols, KC_ARRAY_SIZE(symbols));
	at.kernel_locked_down = kc_symbol("kernel_locked_down");
	at.async_probe = kc_symbol("async_probe");
}

void kc_loader_init(void)
{
	find_symbols();
	if (at.kernel_locked_down)
		locked_down_from = kc_enumerator("lockdown_reason", "LOCKDOWN_MODULE_SIGNATURE");
	info_of.name = kc_offset("load_info", "name");
	info_of.module = kc_offset("load_info", "mod");
	info_of.header = kc_offset("load_info", "hdr");
	info_of.len = kc_offset("load_info", "len");
	info_of.sections = kc_offset("load_info", "sechdrs");
	info_of.section_names = kc_offset("load_info", "secstrings");
	info_of.string_table = kc_offset("load_info", "strtab");
	info_of.sig_ok = kc_offset("load_info", "sig_ok");
	info_of.index = kc_offset("load_info", "index");
	attribute_of.name = kc_offset("module_attribute", "attr") + kc_offset("attribute", "name");
	attribute_of.setup = kc_offset("module_attribute", "setup");
	attribute_of.free = kc_offset("module_attribute", "free");
	kc_module_list_init();
	kc_messages_init();
}
