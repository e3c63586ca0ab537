/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /sys/module: kernel/module/sysfs.c, and what kernel/params.c puts there.
 *
 * Consumes a load, for what only the file knows; later the module itself. Produces the folder of a
 * module, from mod_sysfs_setup() to mod_sysfs_teardown().
 *
 * Folders of parts that are built into a kernel are not shown: nothing of them is here.
 */
#include "live/views.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SECTION_TEXT = 19, /* MODULE_SECT_READ_SIZE: "0x", 16 digits, end of line */
	PARAMETER_MODE = 0664, /* what of a parameter's mode counts */
	NOTE_HEADER = 12, /* Elf64_Nhdr */
	NOTE_BUILD_ID = 3,
	BUILD_ID_MAX = 20,
	UUID_LEN = 36,
};

/* ---- what the load knows ---- */

/* sect_empty() */
static bool is_shown(const struct kc_section *section)
{
	return section->shdr.sh_flags & SHF_ALLOC && section->shdr.sh_size;
}

struct measure {
	size_t count;
	size_t bytes; /* names and notes */
};

static bool is_note(const struct kc_section *section)
{
	return section->shdr.sh_type == SHT_NOTE;
}

static struct measure measure(const struct kc_load *load)
{
	struct measure measure = { 0 };

	for (uint32_t i = 1; i < load->ehdr.shnum; i++) {
		const struct kc_section *section = &load->sections[i];

		if (!is_shown(section))
			continue;
		measure.count++;
		measure.bytes += strlen(section->name) + 1;
		if (is_note(section))
			measure.bytes += section->shdr.sh_size;
	}
	return measure;
}

/* Notes are copied. Differs from Linux: those of init sections stay readable. */
static char *fill(struct kc_section_file *file, const struct kc_load *load, uint32_t index,
		  char *store)
{
	const struct kc_section *section = &load->sections[index];
	const uint8_t *bytes = kc_section_memory(load, index);
	size_t len = strlen(section->name) + 1;

	*file = (struct kc_section_file){
		.name = memcpy(store, section->name, len),
		.address = kc_section_address(load, index),
		.size = section->shdr.sh_size,
	};
	store += len;
	if (is_note(section) && bytes) {
		file->note = memcpy(store, bytes, file->size);
		store += file->size;
	}
	return store;
}

static int compare_names(const void *a, const void *b)
{
	const struct kc_section_file *const *one = a, *const *other = b;

	return strcmp((*one)->name, (*other)->name);
}

/* The name that two of them have; NULL: none. */
static int find_twin(const struct kc_section_file *files, size_t count, const char **name_ret)
{
	const struct kc_section_file **sorted = malloc((count + 1) * sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	*name_ret = NULL;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &files[i];
	qsort(sorted, count, sizeof(*sorted), compare_names);
	for (size_t i = 1; i < count && !*name_ret; i++)
		if (!strcmp(sorted[i - 1]->name, sorted[i]->name))
			*name_ret = sorted[i]->name;
	free(sorted);
	return 0;
}

/*
 * Sections of one name can't all be files. Older kernels then show neither sections/ nor notes/;
 * newer ones refuse the module when its folder is made.
 */
static int drop_twins(struct kocoon_loaded *module, const struct kc_load *load)
{
	const char *name;
	int err = find_twin(module->section_files, module->section_file_count, &name);

	if (err || !name)
		return err;
	kc_log(module->kocoon, KOCOON_LOG_WARNING,
	       "%s: two sections are called %s: its sections are not shown", module->name, name);
	module->section_file_count = 0;
	module->sections_clash = load->behaviour->sysfs_sections_needed;
	return 0;
}

static int collect_sections(struct kocoon_loaded *module, const struct kc_load *load)
{
	struct measure size = measure(load);
	char *store;

	module->section_files = calloc(size.count + 1, sizeof(*module->section_files));
	module->section_names = calloc(1, size.bytes + 1);
	if (!module->section_files || !module->section_names)
		return -ENOMEM;
	store = module->section_names;
	for (uint32_t i = 1; i < load->ehdr.shnum; i++)
		if (is_shown(&load->sections[i]))
			store = fill(&module->section_files[module->section_file_count++], load, i,
				     store);
	return 0;
}

/* As the kernel keeps it: 20 bytes, zeros behind a shorter one. */
static void write_build_id(char *text, struct kc_span id)
{
	for (size_t i = 0; i < BUILD_ID_MAX; i++)
		sprintf(text + 2 * i, "%02x", i < id.len ? id.data[i] : 0);
}

/* parse_build_id_buf() */
static bool find_build_id(char *text, struct kc_span notes)
{
	struct kc_span note, id;
	uint64_t at = 0;

	while (kc_span_sub(notes, at, NOTE_HEADER, &note)) {
		uint64_t name_len = kc_load32(note.data), len = kc_load32(note.data + 4);
		const char *name = kc_span_string(notes, at + NOTE_HEADER);
		uint64_t id_at = at + NOTE_HEADER + kc_align(name_len, 4);

		if (kc_load32(note.data + 8) == NOTE_BUILD_ID && name_len == sizeof("GNU") &&
		    name && !strcmp(name, "GNU") && len && len <= BUILD_ID_MAX &&
		    kc_span_sub(notes, id_at, len, &id)) {
			write_build_id(text, id);
			return true;
		}
		at = id_at + kc_align(len, 4);
	}
	return false;
}

static void init_build_id(struct kocoon_loaded *module)
{
	for (size_t i = 0; i < module->section_file_count; i++) {
		const struct kc_section_file *file = &module->section_files[i];

		if (file->note && find_build_id(module->build_id, kc_span(file->note, file->size)))
			return;
	}
}

static int copy_modinfo(const struct kc_load *load, const char *tag, char **text_ret)
{
	const char *text = kc_get_modinfo(load, tag);

	*text_ret = text ? strdup(text) : NULL;
	return text && !*text_ret ? -ENOMEM : 0;
}

int kc_sysfs_collect(struct kocoon_loaded *module, const struct kc_load *load)
{
	int err = copy_modinfo(load, "version", &module->version);

	if (!err)
		err = copy_modinfo(load, "srcversion", &module->srcversion);
	if (!err)
		err = collect_sections(module, load);
	if (err)
		return err;
	init_build_id(module);
	return drop_twins(module, load);
}

void kc_sysfs_free(struct kocoon_loaded *module)
{
	free(module->version);
	free(module->srcversion);
	free(module->section_files);
	free(module->section_names);
	module->version = module->srcversion = module->section_names = NULL;
	module->section_files = NULL;
	module->section_file_count = 0;
	kc_track_free(module);
}

/* ---- the folder comes and goes ---- */

static int compare_params(const void *a, const void *b)
{
	return strcmp((*(const struct kc_param *const *)a)->name,
		      (*(const struct kc_param *const *)b)->name);
}

/* Two files of one name can't be: -EEXIST. */
static int check_params(const struct kocoon_loaded *module)
{
	const struct kc_param **sorted = malloc((module->param_count + 1) * sizeof(*sorted));
	size_t count = 0;
	int err = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < module->param_count; i++)
		if (module->params[i].perm)
			sorted[count++] = &module->params[i];
	qsort(sorted, count, sizeof(*sorted), compare_params);
	for (size_t i = 1; i < count && !err; i++)
		if (!strcmp(sorted[i - 1]->name, sorted[i]->name))
			err = -EEXIST;
	free(sorted);
	return err;
}

int kc_sysfs_setup(struct kocoon_loaded *module)
{
	int err = *module->name ? check_params(module) : -EINVAL;

	if (!err && module->sections_clash)
		err = -EEXIST;
	if (!err)
		err = kc_track_prepare(module);
	if (!err)
		kc_sysfs_activate(module);
	return err;
}

void kc_sysfs_teardown(struct kocoon_loaded *module)
{
	kc_sysfs_drain(module);
}

/* ---- a module's texts ---- */

static int show_text(struct kc_buffer *text, const char *value)
{
	return kc_view_print(text, "%.*s\n", KC_SYSFS_TEXT - 2, value);
}

static int show_version(const struct kc_view_place *place, struct kc_buffer *text)
{
	return show_text(text, place->module->version);
}

static bool has_version(const struct kc_view_place *folder)
{
	return folder->module->version;
}

static int show_srcversion(const struct kc_view_place *place, struct kc_buffer *text)
{
	return show_text(text, place->module->srcversion);
}

static bool has_srcversion(const struct kc_view_place *folder)
{
	return folder->module->srcversion;
}

static int show_initstate(const struct kc_view_place *place, struct kc_buffer *text)
{
	static const char *const names[] = {
		[KOCOON_STATE_LIVE] = "live",
		[KOCOON_STATE_COMING] = "coming",
		[KOCOON_STATE_GOING] = "going",
		[KOCOON_STATE_UNFORMED] = "going", /* its folder is about to go */
	};

	return show_text(text, names[kc_state(place->module)]);
}

static uint64_t sum(const struct kocoon_loaded *module, enum kocoon_region_kind first,
		    enum kocoon_region_kind end)
{
	uint64_t size = 0;

	for (; first < end; first++)
		size += atomic_load_explicit(&module->region_sizes[first], memory_order_relaxed);
	return size;
}

static int show_coresize(const struct kc_view_place *place, struct kc_buffer *text)
{
	return kc_view_print(text, "%" PRIu64 "\n",
			     sum(place->module, KOCOON_REGION_TEXT, KOCOON_REGION_INIT_TEXT));
}

static int show_initsize(const struct kc_view_place *place, struct kc_buffer *text)
{
	return kc_view_print(text, "%" PRIu64 "\n",
			     sum(place->module, KOCOON_REGION_INIT_TEXT, KOCOON_REGION_COUNT));
}

static int show_taint(const struct kc_view_place *place, struct kc_buffer *text)
{
	char letters[32];

	kocoon_taint_letters(kocoon_loaded_taints(place->module), letters);
	return show_text(text, letters);
}

static int show_refcnt(const struct kc_view_place *place, struct kc_buffer *text)
{
	return kc_view_print(text, "%i\n", kocoon_module_refcount(place->module));
}

/* ---- uevent: kobject_synth_uevent() ---- */

/* " KEY=VALUE"s of letters and digits. */
static bool are_variables(const char *text)
{
	while (*text) {
		size_t len;

		if (*text++ != ' ')
			return false;
		for (len = 0; isalnum((unsigned char)text[len]);)
			len++;
		if (!len || text[len] != '=')
			return false;
		text += len + 1;
		for (len = 0; isalnum((unsigned char)text[len]);)
			len++;
		if (!len)
			return false;
		text += len;
	}
	return true;
}

static bool is_uuid(const char *text)
{
	for (size_t i = 0; i < UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return true;
}

/* kobject_action_type(): NULL: none. What follows a blank is `*rest_ret`; NULL: no blank. */
static const char *find_action(char *text, char **rest_ret)
{
	static const char *const actions[] = { "add",	 "remove",  "change", "move",
					       "online", "offline", "bind",   "unbind" };

	*rest_ret = strchr(text, ' ');
	if (*rest_ret)
		*(*rest_ret)++ = 0;
	for (size_t i = 0; i < KC_ARRAY_SIZE(actions); i++)
		if (!strcmp(actions[i], text))
			return actions[i];
	return NULL;
}

static int store_uevent(const struct kc_view_place *place, const char *data, size_t len)
{
	const struct kocoon_hooks *hooks = &place->kocoon->hooks;
	char text[KC_SYSFS_TEXT + 1], *rest;
	const char *action;

	if (len && (data[len - 1] == '\n' || !data[len - 1]))
		len--;
	if (memchr(data, 0, len))
		return -EINVAL;
	memcpy(text, data, len);
	text[len] = 0;
	action = find_action(text, &rest);
	if (!action || (rest && (!is_uuid(rest) || !are_variables(rest + UUID_LEN))))
		return -EINVAL;
	if (hooks->uevent)
		hooks->uevent(hooks->context, action, place->module->name);
	return 0;
}

/* ---- parameters ---- */

static void look_at_param(const struct kc_view_place *place, struct kocoon_view *view)
{
	view->mode = place->param->perm & PARAMETER_MODE;
}

static int show_param(const struct kc_view_place *place, struct kc_buffer *text)
{
	char *value;
	size_t len;
	int err = kc_param_show(place->module, place->param, &value, &len);

	if (err)
		return err;
	err = kc_buffer_append(text, value, len);
	free(value);
	return err;
}

static int store_param(const struct kc_view_place *place, const char *data, size_t len)
{
	return kc_param_store(place->module, place->param, data, len);
}

static const struct kc_node parameter = {
	.kind = KOCOON_VIEW_FILE,
	.size = KC_SYSFS_TEXT,
	.look = look_at_param,
	.show = show_param,
	.store = store_param,
};

static int each_param(const struct kc_view_place *folder, kc_member_fn *fn, void *context)
{
	struct kc_view_place place = *folder;
	int result = 0;

	place.node = &parameter;
	for (size_t i = 0; i < folder->module->param_count && !result; i++) {
		place.param = &folder->module->params[i];
		if (!place.param->perm)
			continue;
		snprintf(place.name, sizeof(place.name), "%s", place.param->name);
		result = fn(context, &place);
	}
	return result;
}

static bool has_params(const struct kc_view_place *folder)
{
	for (size_t i = 0; i < folder->module->param_count; i++)
		if (folder->module->params[i].perm)
			return true;
	return false;
}

/* ---- sections and notes ---- */

static int show_section(const struct kc_view_place *place, struct kc_buffer *text)
{
	return kc_view_print(text, "0x%016" PRIx64 "\n",
			     place->reader.show_addresses ? place->section->address : 0);
}

static const struct kc_node section_node = {
	.kind = KOCOON_VIEW_FILE,
	.mode = 0400,
	.size = SECTION_TEXT,
	.show = show_section,
};

static void look_at_note(const struct kc_view_place *place, struct kocoon_view *view)
{
	view->size = place->section->size;
}

static int show_note(const struct kc_view_place *place, struct kc_buffer *text)
{
	return kc_buffer_append(text, place->section->note, place->section->size);
}

static const struct kc_node note_node = {
	.kind = KOCOON_VIEW_FILE,
	.mode = 0444,
	.look = look_at_note,
	.show = show_note,
};

static int each_file(const struct kc_view_place *folder, const struct kc_node *node,
		     kc_member_fn *fn, void *context)
{
	struct kc_view_place place = *folder;
	int result = 0;

	place.node = node;
	for (size_t i = 0; i < folder->module->section_file_count && !result; i++) {
		place.section = &folder->module->section_files[i];
		if (node == &note_node && !place.section->note)
			continue;
		snprintf(place.name, sizeof(place.name), "%s", place.section->name);
		result = fn(context, &place);
	}
	return result;
}

static int each_section(const struct kc_view_place *folder, kc_member_fn *fn, void *context)
{
	return each_file(folder, &section_node, fn, context);
}

static bool has_sections(const struct kc_view_place *folder)
{
	return folder->module->section_file_count;
}

static int each_note(const struct kc_view_place *folder, kc_member_fn *fn, void *context)
{
	return each_file(folder, &note_node, fn, context);
}

static bool has_notes(const struct kc_view_place *folder)
{
	for (size_t i = 0; i < folder->module->section_file_count; i++)
		if (folder->module->section_files[i].note)
			return true;
	return false;
}

/* ---- holders ---- */

static int show_holder(const struct kc_view_place *place, struct kc_buffer *text)
{
	return kc_view_print(text, "../../%s", place->name);
}

static const struct kc_node holder_node = {
	.kind = KOCOON_VIEW_LINK,
	.mode = 0777,
	.show = show_holder,
};

/* As kobject_set_name() has it. */
static void copy_name(char *to, size_t size, const char *name)
{
	snprintf(to, size, "%s", name);
	for (; *to; to++)
		if (*to == '/')
			*to = '!';
}

/* Users whose own folder is there: add_usage_links(), del_usage_links(). */
static int each_holder(const struct kc_view_place *folder, kc_member_fn *fn, void *context)
{
	struct kc_view_place place = *folder;
	int result = 0;

	place.node = &holder_node;
	pthread_mutex_lock(&folder->kocoon->mutex);
	for (const struct kc_use *use = folder->module->source_list; use && !result;
	     use = use->next_of_used) {
		if (!kc_sysfs_is_there(use->user))
			continue;
		copy_name(place.name, sizeof(place.name), use->user->name);
		result = fn(context, &place);
	}
	pthread_mutex_unlock(&folder->kocoon->mutex);
	return result;
}

/* ---- the table ---- */

#define TEXT_FILE(entry, permissions, ...)           \
	static const struct kc_node entry##_node = { \
		.name = #entry,                      \
		.kind = KOCOON_VIEW_FILE,            \
		.mode = permissions,                 \
		.size = KC_SYSFS_TEXT,               \
		__VA_ARGS__,                         \
	}

TEXT_FILE(uevent, 0200, .store = store_uevent);
TEXT_FILE(version, 0444, .show = show_version, .there = has_version);
TEXT_FILE(srcversion, 0444, .show = show_srcversion, .there = has_srcversion);
TEXT_FILE(initstate, 0444, .show = show_initstate);
TEXT_FILE(coresize, 0444, .show = show_coresize);
TEXT_FILE(initsize, 0444, .show = show_initsize);
TEXT_FILE(taint, 0444, .show = show_taint);
TEXT_FILE(refcnt, 0444, .show = show_refcnt);

#define FOLDER(entry, list, ...)                                       \
	static const struct kc_node entry##_folder = {                 \
		.name = #entry,                                        \
		.kind = KOCOON_VIEW_FOLDER,                            \
		.mode = 0755,                                          \
		.members = &(const struct kc_members){ .each = list }, \
		__VA_ARGS__,                                           \
	}

FOLDER(holders, each_holder, .size = 0);
FOLDER(notes, each_note, .there = has_notes);
FOLDER(parameters, each_param, .there = has_params);
FOLDER(sections, each_section, .there = has_sections);

static const struct kc_node module_folder = {
	.kind = KOCOON_VIEW_FOLDER,
	.mode = 0755,
	.children =
		(const struct kc_node *const[]){
			&uevent_node,
			&version_node,
			&srcversion_node,
			&initstate_node,
			&coresize_node,
			&initsize_node,
			&taint_node,
			&refcnt_node,
			&holders_folder,
			&parameters_folder,
			&sections_folder,
			&notes_folder,
			NULL,
		},
};

static int each_module(const struct kc_view_place *folder, kc_member_fn *fn, void *context)
{
	struct kc_view_place place = *folder;
	struct kocoon_loaded *module;
	int result = 0;

	place.node = &module_folder;
	kc_rcu_read_lock();
	module = atomic_load_explicit(&folder->kocoon->modules, memory_order_acquire);
	for (; module && !result;
	     module = atomic_load_explicit(&module->next, memory_order_acquire)) {
		if (!kc_sysfs_is_there(module))
			continue;
		copy_name(place.name, sizeof(place.name), module->name);
		result = fn(context, &place);
	}
	kc_rcu_read_unlock();
	return result;
}

static int find_module(const struct kc_view_place *folder, const char *name,
		       struct kc_view_place *place_ret)
{
	struct kocoon *kocoon = folder->kocoon;
	struct kocoon_loaded *module = kc_sysfs_find_active(kocoon, name);
	char with_slashes[sizeof(place_ret->name)];

	if (!module && strchr(name, '!')) {
		snprintf(with_slashes, sizeof(with_slashes), "%s", name);
		for (char *at = with_slashes; *at; at++)
			if (*at == '!')
				*at = '/';
		module = kc_sysfs_find_active(kocoon, with_slashes);
	}
	if (!module)
		return -ENOENT;
	place_ret->node = &module_folder;
	place_ret->module = module;
	return 0;
}

const struct kc_node kc_node_sys_module = {
	.name = "module",
	.kind = KOCOON_VIEW_FOLDER,
	.mode = 0755,
	.members = &(const struct kc_members){ .each = each_module, .find = find_module },
};
