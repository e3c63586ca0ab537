/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Livepatch modules (kernel/module/livepatch.c; klp_module_coming(), klp_module_going() and what
 * they do about relocations, kernel/livepatch/core.c).
 *
 * Consumes what a patch's file says in its SHF_RELA_LIVEPATCH sections, which a load has left
 * alone. A section for an object is applied once both are there, whichever comes last, and its
 * places are zero again when the object goes. All under the mutex, which also keeps an object from
 * going meanwhile; text is written through the space's writable mapping.
 *
 * Differs from Linux: every livepatch module counts, enabled or not, since what enables one is the
 * program's. The symbols' values are kept beside the module's own table, which readers look at
 * without a lock.
 */
#include "live/live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "module/livepatch.h"

/* One SHF_RELA_LIVEPATCH section. */
struct klp_section {
	char object[KC_KLP_OBJECT_SIZE];
	struct kc_span entries; /* in kc_livepatch's `entries` */
	uint32_t target; /* the section that it is about */
	bool applied;
};

/* struct klp_modinfo, and the sections that are to be applied. */
struct kc_livepatch {
	/* The subsystem's list of patches: under the mutex. */
	struct kocoon_loaded *next, *previous;
	struct kc_ehdr ehdr;
	Elf64_Shdr *sections; /* owned; sh_addr is where they are in memory */
	uint32_t symbol_index; /* of the symbol table's section */
	/* Owned: Elf64_Sym as in the core table, values of livepatch symbols apart. */
	uint8_t *symbols;
	uint64_t symbol_count;
	struct klp_section *klp; /* owned */
	uint32_t klp_count;
	uint8_t *entries; /* owned */
};

/* ---- what a livepatch module keeps of its file ---- */

static void free_livepatch(struct kc_livepatch *livepatch)
{
	if (!livepatch)
		return;
	free(livepatch->sections);
	free(livepatch->symbols);
	free(livepatch->klp);
	free(livepatch->entries);
	free(livepatch);
}

static bool is_klp_section(const struct kc_load *load, uint32_t index)
{
	const Elf64_Shdr *shdr = &load->sections[index].shdr;

	return (shdr->sh_flags & KC_SHF_RELA_LIVEPATCH) && shdr->sh_type == SHT_RELA &&
	       shdr->sh_info < load->ehdr.shnum && load->sections[shdr->sh_info].placed;
}

static int allocate(struct kc_livepatch *livepatch, const struct kocoon_loaded *module,
		    const struct kc_load *load)
{
	uint64_t bytes = 0, symbol_bytes;

	for (uint32_t i = 1; i < load->ehdr.shnum; i++)
		if (is_klp_section(load, i)) {
			livepatch->klp_count++;
			bytes += load->sections[i].file.len;
		}
	livepatch->symbol_count = module->core_kallsyms.count;
	livepatch->sections = calloc(load->ehdr.shnum, sizeof(*livepatch->sections));
	symbol_bytes = (livepatch->symbol_count + 1) * sizeof(Elf64_Sym);
	livepatch->symbols = calloc(1, symbol_bytes);
	livepatch->klp = calloc(livepatch->klp_count + 1, sizeof(*livepatch->klp));
	livepatch->entries = malloc(bytes + 1);
	return livepatch->sections && livepatch->symbols && livepatch->klp && livepatch->entries
		       ? 0
		       : -ENOMEM;
}

static void copy(struct kc_livepatch *livepatch, const struct kocoon_loaded *module,
		 const struct kc_load *load)
{
	struct klp_section *next = livepatch->klp;
	uint8_t *entries = livepatch->entries;

	livepatch->ehdr = load->ehdr;
	livepatch->symbol_index = load->index.sym;
	for (uint32_t i = 1; i < load->ehdr.shnum; i++) {
		struct kc_span file = load->sections[i].file;

		livepatch->sections[i] = load->sections[i].shdr;
		livepatch->sections[i].sh_addr = kc_section_address(load, i);
		/* apply_relocations() has refused a name of another form. */
		if (!is_klp_section(load, i) ||
		    !kc_klp_section_object(load->sections[i].name, next->object))
			continue;
		memcpy(entries, file.data, file.len);
		next->entries = kc_span(entries, file.len);
		next->target = load->sections[i].shdr.sh_info;
		/* Those of the kernel have been applied by the load. */
		next->applied = strcmp(next->object, "vmlinux") == 0;
		entries += file.len;
		next++;
	}
	livepatch->klp_count = (uint32_t)(next - livepatch->klp);
	if (livepatch->symbol_count)
		memcpy(livepatch->symbols, module->core_kallsyms.symtab,
		       livepatch->symbol_count * sizeof(Elf64_Sym));
}

/* ---- applying a section, and taking it back ---- */

/* Where its target section is: false once that has gone with init. */
static bool find_target(const struct kocoon_loaded *patch, const struct klp_section *section,
			struct kc_place *place_ret)
{
	uint64_t address = patch->livepatch->sections[section->target].sh_addr;

	for (int i = 0; i < KOCOON_REGION_COUNT; i++) {
		const struct kc_region *region = &patch->memory.regions[i];

		if (!kc_region_holds(patch, (enum kocoon_region_kind)i, address))
			continue;
		*place_ret = (struct kc_place){
			.address = address,
			.bytes = region->bytes + (address - region->address),
			.size = region->address + region->size - address,
		};
		return true;
	}
	return false;
}

/* klp_find_object_symbol(), of a module that is there. Under the mutex. */
static bool find_symbol(void *context, const char *object, const char *name, uint64_t position,
			uint64_t *address_ret)
{
	struct kocoon *kocoon = context;
	const struct kocoon_loaded *module = kc_find_module_all(kocoon, object, false);

	return module && kc_kallsyms_find_position(module, name, position, address_ret);
}

/* 0, or an errno with a text of what is wrong. */
static int apply_section(const struct kocoon_loaded *patch, struct klp_section *section,
			 char fault_ret[KC_KLP_FAULT_SIZE])
{
	struct kc_livepatch *livepatch = patch->livepatch;
	struct kc_klp_resolution resolution = {
		.entries = section->entries,
		.object = section->object,
		.symbols = livepatch->symbols,
		.symbol_count = livepatch->symbol_count,
		.strtab = patch->core_kallsyms.strtab,
		.find = find_symbol,
		.context = patch->kocoon,
	};
	struct kc_relocations relocations = {
		.entries = section->entries,
		.symbols = kc_span(livepatch->symbols, livepatch->symbol_count * sizeof(Elf64_Sym)),
	};
	struct kc_place place;
	int err = kc_klp_resolve_symbols(&resolution);

	memcpy(fault_ret, resolution.fault, KC_KLP_FAULT_SIZE);
	if (err || !find_target(patch, section, &place))
		return err;
	relocations.target = place.bytes;
	relocations.target_len = place.size;
	relocations.target_address = place.address;
	err = patch->kocoon->arch->apply_relocate_add(&relocations);
	section->applied = err == 0;
	if (err)
		(void)snprintf(fault_ret, KC_KLP_FAULT_SIZE, "a relocation does not fit its place");
	return err;
}

/* clear_relocate_add(): every place of the section is zero, as before it was applied. */
static void clear_section(const struct kocoon_loaded *patch, struct klp_section *section)
{
	struct kc_place place;
	Elf64_Rela rela;

	section->applied = false;
	if (!find_target(patch, section, &place))
		return;
	for (uint64_t i = 0; kc_elf_rela(section->entries, i, &rela); i++) {
		int width =
			patch->kocoon->arch->relocation_width((uint32_t)ELF64_R_TYPE(rela.r_info));

		if (width > 0 && rela.r_offset < place.size &&
		    (uint64_t)width <= place.size - rela.r_offset)
			memset(place.bytes + rela.r_offset, 0, (size_t)width);
	}
}

static int apply_object(const struct kocoon_loaded *patch, const char *object,
			char fault_ret[KC_KLP_FAULT_SIZE])
{
	int err = 0;

	for (uint32_t i = 0; i < patch->livepatch->klp_count && !err; i++) {
		struct klp_section *section = &patch->livepatch->klp[i];

		if (!section->applied && strcmp(section->object, object) == 0)
			err = apply_section(patch, section, fault_ret);
	}
	return err;
}

/* ---- patches and objects ---- */

static bool is_active(const struct kocoon_loaded *module)
{
	enum kocoon_module_state state = kc_state(module);

	return state == KOCOON_STATE_LIVE || state == KOCOON_STATE_COMING;
}

/* Patches have a list of their own: most modules are none, and pass by without a look at others. */
static void list_patch(struct kocoon_loaded *patch)
{
	struct kocoon *kocoon = patch->kocoon;

	patch->livepatch->next = kocoon->patches;
	if (kocoon->patches)
		kocoon->patches->livepatch->previous = patch;
	kocoon->patches = patch;
}

static void unlist_patch(struct kocoon_loaded *patch)
{
	struct kc_livepatch *livepatch = patch->livepatch;

	if (livepatch->previous)
		livepatch->previous->livepatch->next = livepatch->next;
	else
		patch->kocoon->patches = livepatch->next;
	if (livepatch->next)
		livepatch->next->livepatch->previous = livepatch->previous;
}

/* Whether patches may touch it: from coming to going. Under the mutex. */
static void set_alive(struct kocoon_loaded *module, bool alive)
{
	uint32_t offset = module->members.offset[KC_MEMBER_KLP_ALIVE];

	module->klp_alive = alive;
	if (module->this_module_bytes && offset != KC_NO_MEMBER)
		module->this_module_bytes[offset] = alive;
}

static void clear_object(struct kocoon_loaded *object)
{
	struct kocoon_loaded *patch;

	set_alive(object, false);
	for (patch = object->kocoon->patches; patch; patch = patch->livepatch->next)
		for (uint32_t i = 0; is_active(patch) && i < patch->livepatch->klp_count; i++) {
			struct klp_section *section = &patch->livepatch->klp[i];

			if (section->applied && strcmp(section->object, object->name) == 0)
				clear_section(patch, section);
		}
}

/* Text of a failure, and whose: said once no lock is held. */
struct failure {
	char patch[sizeof(((struct kocoon_loaded *)NULL)->name)];
	char text[KC_KLP_FAULT_SIZE];
};

/* All patches' sections for an object that comes. */
static int apply_patches(struct kocoon_loaded *object, struct failure *failure)
{
	struct kocoon_loaded *patch;
	int err = 0;

	set_alive(object, true);
	for (patch = object->kocoon->patches; patch && !err; patch = patch->livepatch->next) {
		if (!is_active(patch))
			continue;
		err = apply_object(patch, object->name, failure->text);
		if (err)
			memcpy(failure->patch, patch->name, sizeof(failure->patch));
	}
	if (err)
		clear_object(object);
	return err;
}

/* A patch's sections for the objects that are there already. */
static int apply_objects(const struct kocoon_loaded *patch, struct failure *failure)
{
	int err = 0;

	for (uint32_t i = 0; i < patch->livepatch->klp_count && !err; i++) {
		struct klp_section *section = &patch->livepatch->klp[i];
		const struct kocoon_loaded *object =
			kc_find_module_all(patch->kocoon, section->object, false);

		if (object && object->klp_alive && !section->applied)
			err = apply_section(patch, section, failure->text);
	}
	return err;
}

int kc_copy_module_elf(struct kocoon_loaded *module, const struct kc_load *load)
{
	struct kc_livepatch *livepatch = calloc(1, sizeof(*livepatch));
	struct failure failure = { 0 };
	int err = livepatch ? allocate(livepatch, module, load) : -ENOMEM;

	if (err) {
		free_livepatch(livepatch);
		return err;
	}
	copy(livepatch, module, load);
	pthread_mutex_lock(&module->kocoon->mutex);
	module->livepatch = livepatch;
	list_patch(module);
	err = apply_objects(module, &failure);
	pthread_mutex_unlock(&module->kocoon->mutex);
	if (err)
		kc_finding(load->report, KOCOON_STAGE_LIVEPATCH, err, "livepatch: %s",
			   failure.text);
	return err;
}

/* Nobody takes it for a patch any more: its state tells. */
void kc_free_module_elf(struct kocoon_loaded *module)
{
	struct kc_livepatch *livepatch = module->livepatch;

	if (!livepatch)
		return;
	pthread_mutex_lock(&module->kocoon->mutex);
	unlist_patch(module);
	module->livepatch = NULL;
	pthread_mutex_unlock(&module->kocoon->mutex);
	free_livepatch(livepatch);
}

int kc_livepatch_coming(struct kocoon_loaded *module)
{
	struct kocoon *kocoon = module->kocoon;
	struct failure failure = { 0 };
	int err;

	if (strcmp(module->name, "vmlinux") == 0) {
		kc_log(kocoon, KOCOON_LOG_ERROR, "livepatch: vmlinux.ko: invalid module name");
		return -EINVAL;
	}
	pthread_mutex_lock(&kocoon->mutex);
	err = apply_patches(module, &failure);
	pthread_mutex_unlock(&kocoon->mutex);
	if (err) {
		kc_log(kocoon, KOCOON_LOG_ERROR, "livepatch: %s", failure.text);
		kc_log(kocoon, KOCOON_LOG_WARNING,
		       "livepatch: patch '%s' failed for module '%s', refusing to load module '%s'",
		       failure.patch, module->name, module->name);
		return err;
	}
	if (kocoon->hooks.livepatch_coming)
		err = kocoon->hooks.livepatch_coming(kocoon->hooks.context, module);
	if (err >= 0)
		return 0;
	pthread_mutex_lock(&kocoon->mutex);
	clear_object(module);
	pthread_mutex_unlock(&kocoon->mutex);
	return err;
}

void kc_livepatch_going(struct kocoon_loaded *module)
{
	struct kocoon *kocoon = module->kocoon;

	pthread_mutex_lock(&kocoon->mutex);
	clear_object(module);
	pthread_mutex_unlock(&kocoon->mutex);
	if (kocoon->hooks.livepatch_going)
		kocoon->hooks.livepatch_going(kocoon->hooks.context, module);
}

int kocoon_livepatch_apply(struct kocoon *kocoon, struct kocoon_loaded *patch, const char *object)
{
	struct failure failure = { 0 };
	int err = -EINVAL;

	pthread_mutex_lock(&kocoon->mutex);
	if (patch->livepatch)
		err = apply_object(patch, object, failure.text);
	pthread_mutex_unlock(&kocoon->mutex);
	if (err && *failure.text)
		kc_log(kocoon, KOCOON_LOG_ERROR, "livepatch: %s", failure.text);
	return err;
}
