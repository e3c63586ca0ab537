/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load_module() of kernel/module/main.c in live space: the pipeline of module/load.c, and what
 * makes a member of the list of the module that comes out of it.
 *
 * Past add_unformed_module() other loaders of the name wait for this one; past
 * complete_formation() everybody sees the module.
 */
#include <errno.h>
#include <stdlib.h>

#include "live/lifecycle.h"

/* ---- is it there already? ---- */

/* finished_loading(): under the mutex. */
static bool is_finished(struct kocoon *kocoon, const char *name)
{
	const struct kocoon_loaded *module = kc_find_module_all(kocoon, name, true);
	enum kocoon_module_state state = module ? kc_state(module) : KOCOON_STATE_LIVE;

	return state == KOCOON_STATE_LIVE || state == KOCOON_STATE_GOING;
}

/*
 * module_patient_check_exists(): under the mutex. A load of the same name that is under way is
 * waited for, and then not tried again: -EBUSY where it failed.
 */
static int patient_check_exists(struct kocoon *kocoon, const char *name,
				struct kocoon_report *report)
{
	const struct kocoon_loaded *other = kc_find_module_all(kocoon, name, true);

	if (!other)
		return 0;
	while (!is_finished(kocoon, name))
		pthread_cond_wait(&kocoon->changed, &kocoon->mutex);
	other = kc_find_module_all(kocoon, name, true);
	if (other && kc_state(other) == KOCOON_STATE_LIVE)
		return kc_finding(report, KOCOON_STAGE_DUPLICATE, -EEXIST,
				  "a module named %s is loaded already", name);
	return kc_finding(report, KOCOON_STAGE_DUPLICATE, -EBUSY, "a module named %s %s", name,
			  other ? "is being unloaded" : "was being loaded meanwhile, and failed");
}

/*
 * What kernels with early_mod_check() ask before layout. A refusal by an earlier stage goes before,
 * one by a later stage gives way.
 */
static int check_early(struct kocoon *kocoon, struct kc_load *load)
{
	int err;

	if (load->err && (load->stage <= KOCOON_STAGE_DUPLICATE))
		return load->err;
	if (!load->behaviour->early_mod_check)
		return load->err;
	pthread_mutex_lock(&kocoon->mutex);
	err = patient_check_exists(kocoon, load->struct_name, load->report);
	pthread_mutex_unlock(&kocoon->mutex);
	if (!err)
		return load->err;
	load->err = err;
	load->stage = KOCOON_STAGE_DUPLICATE;
	return err;
}

/* ---- what the pipeline asks of the list ---- */

static int place(void *context, struct kc_load *load)
{
	struct kocoon_loaded *module = context;

	return kc_place_module(module, &load->memory, load->abi);
}

static void set_owner(struct kocoon_loaded *module, struct kocoon_loaded *owner)
{
	struct kc_live_space *space = &module->kocoon->space;

	kc_live_space_set_owner(space, module->core_run.address, module->core_run.size, owner);
	if (module->init_run.size)
		kc_live_space_set_owner(space, module->init_run.address, module->init_run.size,
					owner);
}

/* add_unformed_module() */
static int admit(void *context, struct kc_load *load)
{
	struct kocoon_loaded *module = context;
	struct kocoon *kocoon = module->kocoon;
	int err;

	pthread_mutex_lock(&kocoon->mutex);
	err = patient_check_exists(kocoon, module->name, load->report);
	if (!err && kc_name_table_reserve(&kocoon->names, 1))
		err = kc_finding(load->report, KOCOON_STAGE_DUPLICATE, -ENOMEM, "out of memory");
	if (!err) {
		kc_list_add(module);
		set_owner(module, module);
		module->listed = true;
	}
	pthread_mutex_unlock(&kocoon->mutex);
	return err;
}

static int percpu(void *context, uint64_t size, uint64_t align, uint64_t *address_ret)
{
	struct kocoon_loaded *module = context;
	int err = kc_per_cpu_allocate(&module->kocoon->per_cpu, size, align, address_ret);

	if (err)
		return err;
	module->percpu_offset = *address_ret;
	module->percpu_size = size;
	return 0;
}

static enum kocoon_import_state resolve(void *context, struct kc_load *load,
					struct kc_import *import)
{
	return kc_resolve_symbol_wait(context, load, import);
}

static uint64_t kernel_symbol(void *context, const char *name)
{
	const struct kocoon_loaded *module = context;
	const struct kc_live_export *found;
	const struct kc_named *named;
	uint64_t address = 0;

	kc_rcu_read_lock();
	named = kc_name_table_find(&module->kocoon->symbols, name, kc_hash(name));
	found = (const struct kc_live_export *)(const void *)named;
	_Static_assert(offsetof(struct kc_live_export, named) == 0, "a name begins its export");
	if (found && !found->owner)
		address = found->export->address;
	kc_rcu_read_unlock();
	return address;
}

static const char *exported(void *context, const char *name, uint32_t hash)
{
	const struct kocoon_loaded *module = context;

	return kc_exported_by(module->kocoon, name, hash);
}

/* ---- what the module keeps of its load ---- */

/* The count that inlined kernel code reads is the one that counts, where it can be. */
static void attach_refcnt(struct kocoon_loaded *module)
{
	uint32_t offset = module->members.offset[KC_MEMBER_REFCNT];

	if (offset != KC_NO_MEMBER && (module->this_module + offset) % sizeof(int) == 0)
		/* NOLINTNEXTLINE(bugprone-casting-through-void) */
		module->refcnt = (atomic_int *)(void *)(module->this_module_bytes + offset);
	/* The load itself holds the module until its init is through. */
	atomic_store(module->refcnt, KC_MODULE_REF_BASE + 1);
}

static uint64_t find_table(const struct kc_load *load, const char *name, uint64_t entry_size,
			   uint64_t *count_ret)
{
	uint32_t section = kc_find_sec(load, name);

	if (!section || !load->sections[section].placed)
		return 0;
	*count_ret = load->sections[section].shdr.sh_size / entry_size;
	return kc_section_address(load, section);
}

static void attach_tables(struct kocoon_loaded *module, const struct kc_load *load)
{
	module->extable = find_table(load, "__ex_table", load->abi->extable_entry_size,
				     &module->extable_count);
	module->bug_table = find_table(load, "__bug_table", 1, &module->bug_table_size);
	if (!load->behaviour->constructors && kc_kernel_has_image(load->kernel))
		return;
	module->ctors = find_table(load, kc_find_sec(load, ".ctors") ? ".ctors" : ".init_array",
				   sizeof(uint64_t), &module->ctor_count);
}

static int attach_exports(struct kocoon_loaded *module, struct kc_load *load)
{
	int err = kc_collect_exports(load);

	module->exports = load->exports;
	module->export_count = load->export_count;
	load->exports = NULL;
	load->export_count = 0;
	return err;
}

static void copy_percpu(struct kocoon_loaded *module, const struct kc_load *load)
{
	struct kc_span initial = load->sections[load->index.pcpu].file;

	if (module->percpu_size && initial.len)
		kc_per_cpu_copy(&module->kocoon->per_cpu, module->percpu_offset, initial);
}

static int attach_params(struct kocoon_loaded *module, const struct kc_load *load)
{
	uint64_t count = 0;
	uint64_t address = find_table(load, "__param", load->abi->kernel_param_size, &count);

	return count ? kc_params_find(module, address, count, load->report) : 0;
}

static int keep(struct kocoon_loaded *module, struct kc_load *load, const char *args)
{
	int err;

	module->members = load->members;
	module->this_module = kc_section_address(load, load->index.mod);
	module->this_module_bytes = kc_section_memory(load, load->index.mod);
	attach_refcnt(module);
	attach_tables(module, load);
	copy_percpu(module, load);
	kc_kallsyms_attach(module, load);
	err = attach_exports(module, load);
	if (!err)
		err = attach_params(module, load);
	if (!err)
		err = kc_sysfs_collect(module, load);
	if (err)
		return err;
	module->args = strdup(args ? args : "");
	return module->args ? 0 : -ENOMEM;
}

/* ---- stations ---- */

/* complete_formation(): from here on everybody sees the module. */
static int complete_formation(struct kocoon_loaded *module, struct kc_load *load)
{
	struct kocoon *kocoon = module->kocoon;
	int err = kc_protect_formed(module);

	pthread_mutex_lock(&kocoon->mutex);
	if (!err)
		err = kc_verify_exported_symbols(load);
	if (!err)
		err = kc_exports_prepare(module);
	if (!err) {
		kc_exports_add(module);
		atomic_store(&module->taints, load->taints);
		kc_set_state(module, KOCOON_STATE_COMING);
	}
	pthread_mutex_unlock(&kocoon->mutex);
	return err;
}

static int prepare_coming_module(struct kocoon_loaded *module, struct kc_load *load,
				 enum kocoon_stage *stage)
{
	int err;

	*stage = KOCOON_STAGE_LIVEPATCH;
	err = kc_livepatch_coming(module);
	if (err)
		return err;
	*stage = KOCOON_STAGE_BTF;
	err = kc_check_btf(load);
	if (!err) {
		*stage = KOCOON_STAGE_FORMATION;
		err = kc_notify_coming(module);
	}
	if (err)
		kc_livepatch_going(module);
	return err;
}

static void add_taints(struct kocoon *kocoon, uint64_t taints)
{
	for (unsigned int bit = 0; taints; bit++, taints >>= 1)
		if (taints & 1)
			kocoon_add_taint(kocoon, bit);
}

/* From a linked module to one that is LIVE; what has been reached is undone in reverse. */
static int form(struct kocoon_loaded *module, struct kc_load *load, const char *args,
		enum kocoon_stage *stage)
{
	int err;

	*stage = KOCOON_STAGE_FORMATION;
	err = keep(module, load, args);
	if (!err)
		err = complete_formation(module, load);
	if (err)
		goto free_module;
	err = prepare_coming_module(module, load, stage);
	if (err) {
		kc_change_state(module, KOCOON_STATE_GOING);
		goto free_module;
	}
	*stage = KOCOON_STAGE_PARAMETERS;
	module->parsed = true;
	err = kc_parse_args(module, load->report);
	if (err)
		goto coming_cleanup;
	*stage = KOCOON_STAGE_SYSFS;
	err = kc_mod_sysfs_init(load);
	if (!err) {
		kc_write_owner(load);
		err = kc_sysfs_setup(module);
	}
	if (err)
		goto coming_cleanup;
	*stage = KOCOON_STAGE_LIVEPATCH;
	err = load->livepatch ? kc_copy_module_elf(module, load) : 0;
	if (err)
		goto sysfs_cleanup;
	*stage = KOCOON_STAGE_INIT;
	return kc_do_init_module(module);

sysfs_cleanup:
	kc_sysfs_teardown(module);
coming_cleanup:
	kc_change_state(module, KOCOON_STATE_GOING);
	kc_params_destroy(module);
	kc_notify(module, KOCOON_STATE_GOING);
	kc_livepatch_going(module);
free_module:
	kc_free_module(module);
	return err;
}

static int load_linked(struct kocoon *kocoon, struct kc_load *load, struct kc_load_request *request)
{
	struct kocoon_loaded *module = kc_loaded_new(kocoon, load->struct_name);
	const struct kc_neighbours neighbours = {
		.context = module,
		.exported = exported,
		.place = place,
		.admit = admit,
		.percpu = percpu,
		.resolve = resolve,
		.kernel_symbol = kernel_symbol,
	};
	int err;

	if (!module) {
		request->stage = KOCOON_STAGE_LAYOUT;
		return -ENOMEM;
	}
	err = kc_load_link(load, &neighbours);
	add_taints(kocoon, load->taints);
	if (!err)
		return form(module, load, request->args, &request->stage);
	request->stage = load->stage;
	kc_free_module(module);
	return err;
}

int kc_load_module(struct kocoon *kocoon, struct kc_load_request *request)
{
	struct kc_load load;
	int err;

	kc_load_init(&load, kocoon->kernel, request->policy, request->report);
	load.live = true;
	load.cpu = kocoon->arch->finalize ? &kocoon->cpu : NULL;
	kc_load_prepare(&load, request->image);
	err = check_early(kocoon, &load);
	memcpy(request->name, load.struct_name, sizeof(request->name));
	if (err) {
		request->stage = load.stage;
		add_taints(kocoon, load.taints);
	} else {
		err = load_linked(kocoon, &load, request);
	}
	kc_load_deinit(&load);
	return err;
}
