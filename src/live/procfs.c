/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What /proc shows of modules: modules (kernel/module/procfs.c), kallsyms (kernel/kallsyms.c), and
 * three of sys/kernel (kernel/sysctl.c).
 */
#include "live/views.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
	SYSCTL_NUMBER = 21, /* digits and a sign: what the kernel copies of a number */
	TAINT_COUNT = 19, /* TAINT_FLAGS_COUNT */
};

/* ---- modules ---- */

/* print_unload_info() */
static int print_users(const struct kocoon_loaded *module, struct kc_buffer *text)
{
	const struct kc_use *use = module->source_list;
	bool permanent = kc_is_permanent(module);
	int err = kc_view_print(text, " %i %s", kocoon_module_refcount(module),
				!use && !permanent ? "-" : "");

	for (; use && !err; use = use->next_of_used)
		err = kc_view_print(text, "%s,", use->user->name);
	if (!err && permanent)
		err = kc_view_print(text, "[permanent],");
	return err;
}

/* module_flags(), which is shown only where there is a taint. */
static int print_flags(const struct kocoon_loaded *module, enum kocoon_module_state state,
		       struct kc_buffer *text)
{
	uint64_t taints = kocoon_loaded_taints(module);
	char letters[32];

	if (!taints)
		return 0;
	kocoon_taint_letters(taints, letters);
	return kc_view_print(text, " (%s%s%s)", letters, state == KOCOON_STATE_GOING ? "-" : "",
			     state == KOCOON_STATE_COMING ? "+" : "");
}

/* Its text's; 0 where it has none. In one piece it is the piece's, whatever that begins with. */
static uint64_t base_address(const struct kocoon_loaded *module)
{
	uint64_t address, size;

	kocoon_loaded_region(module, KOCOON_REGION_TEXT, &address, &size);
	return module->one_piece ? module->core_run.address : address;
}

/* m_show(); under the mutex. */
static int print_module(const struct kocoon_loaded *module, bool show_addresses,
			struct kc_buffer *text)
{
	enum kocoon_module_state state = kc_state(module);
	int err;

	if (state == KOCOON_STATE_UNFORMED)
		return 0;
	err = kc_view_print(text, "%s %" PRIu64, module->name, kc_total_size(module));
	if (!err)
		err = print_users(module, text);
	if (!err)
		err = kc_view_print(text, " %s 0x%016" PRIx64,
				    state == KOCOON_STATE_GOING	   ? "Unloading"
				    : state == KOCOON_STATE_COMING ? "Loading"
								   : "Live",
				    show_addresses ? base_address(module) : 0);
	if (!err)
		err = print_flags(module, state, text);
	return err ? err : kc_buffer_append(text, "\n", 1);
}

static int show_modules(const struct kc_view_place *place, struct kc_buffer *text)
{
	struct kocoon *kocoon = place->kocoon;
	const struct kocoon_loaded *module;
	int err = 0;

	pthread_mutex_lock(&kocoon->mutex);
	module = atomic_load_explicit(&kocoon->modules, memory_order_relaxed);
	for (; module && !err; module = atomic_load_explicit(&module->next, memory_order_relaxed))
		err = print_module(module, place->reader.show_addresses, text);
	pthread_mutex_unlock(&kocoon->mutex);
	return err;
}

const struct kc_node kc_node_proc_modules = {
	.name = "modules",
	.kind = KOCOON_VIEW_FILE,
	.mode = 0444,
	.show = show_modules,
};

/* ---- kallsyms ---- */

/*
 * The kernel's part. Differs from Linux: the kernel here is the program's own, of which only what
 * it exports is known; those of the image that modules are compared with are not in this process.
 */
static int print_kernel_symbols(const struct kocoon *kocoon, bool show_addresses,
				struct kc_buffer *text)
{
	int err = 0;

	for (size_t i = 0; i < kocoon->export_count && !err; i++) {
		const struct kocoon_export *export = &kocoon->exports[i];
		bool data = export->address - kocoon->data < kocoon->data_size;

		err = kc_view_print(text, "%016" PRIx64 " %c %s\n",
				    show_addresses ? export->address : 0, data ? 'D' : 'T',
				    export->name);
	}
	return err;
}

/* is_exported(): which looks at exports for everybody only. */
static bool is_exported(const struct kocoon_loaded *module, const char *name, uint64_t address)
{
	const struct kc_name_table *symbols = &module->kocoon->symbols;
	const struct kc_named *named = kc_name_table_find(symbols, name, kc_hash(name));
	const struct kc_live_export *entry;

	if (!named)
		return false;
	entry = (const void *)((const char *)named - offsetof(struct kc_live_export, named));
	return entry->owner == module && !entry->export->gpl_only &&
	       entry->export->address == address;
}

/* s_show(); a symbol without a name is no symbol. */
static int print_symbols(const struct kocoon_loaded *module, bool show_addresses,
			 struct kc_buffer *text)
{
	const char *name;
	uint64_t address;
	char type;
	int err = 0;

	for (uint32_t i = 0; !err && kc_kallsyms_get(module, i, &name, &address, &type); i++) {
		if (!*name)
			continue;
		type = (char)(is_exported(module, name, address) ? toupper((unsigned char)type)
								 : tolower((unsigned char)type));
		err = kc_view_print(text, "%016" PRIx64 " %c %s\t[%s]\n",
				    show_addresses ? address : 0, type, name, module->name);
	}
	return err;
}

static int show_kallsyms(const struct kc_view_place *place, struct kc_buffer *text)
{
	struct kocoon *kocoon = place->kocoon;
	bool show_addresses = place->reader.show_addresses;
	const struct kocoon_loaded *module;
	int err = print_kernel_symbols(kocoon, show_addresses, text);

	kc_rcu_read_lock();
	module = atomic_load_explicit(&kocoon->modules, memory_order_acquire);
	for (; module && !err; module = atomic_load_explicit(&module->next, memory_order_acquire))
		if (kc_state(module) != KOCOON_STATE_UNFORMED)
			err = print_symbols(module, show_addresses, text);
	kc_rcu_read_unlock();
	return err;
}

const struct kc_node kc_node_proc_kallsyms = {
	.name = "kallsyms",
	.kind = KOCOON_VIEW_FILE,
	.mode = 0444,
	.show = show_kallsyms,
};

/* ---- sys/kernel ---- */

/*
 * proc_get_long() of the first number; others behind it are taken and ignored. -EINVAL: none, or
 * not one.
 */
static int parse_number(const char *text, bool *negative_ret, uint64_t *value_ret)
{
	const char *start = text + strspn(text, " \t\n\v\f\r");
	bool negative = *start == '-';
	uint64_t value;
	char *end;

	if (!isdigit((unsigned char)start[negative]) || strcspn(start, " \t\n") > SYSCTL_NUMBER - 1)
		return -EINVAL;
	errno = 0;
	value = strtoull(start + negative, &end, 0);
	if (errno || (*end && !strchr(" \t\n", *end)))
		return -EINVAL;
	*negative_ret = negative;
	*value_ret = value;
	return 0;
}

static int show_tainted(const struct kc_view_place *place, struct kc_buffer *text)
{
	return kc_view_print(text, "%" PRIu64 "\n", kocoon_tainted(place->kocoon));
}

/* proc_taint(): taints can be added only; unknown bits are ignored. */
static int store_tainted(const struct kc_view_place *place, const char *data, size_t len)
{
	bool negative;
	uint64_t bits;
	int err = parse_number(data, &negative, &bits);

	(void)len;
	if (err || negative)
		return -EINVAL;
	for (unsigned int bit = 0; bit < TAINT_COUNT; bit++)
		if (bits >> bit & 1)
			kocoon_add_taint(place->kocoon, bit);
	return 0;
}

static int show_modules_disabled(const struct kc_view_place *place, struct kc_buffer *text)
{
	return kc_view_print(text, "%d\n", kocoon_modules_disabled(place->kocoon));
}

/* One way: the only value that can be written is 1. */
static int store_modules_disabled(const struct kc_view_place *place, const char *data, size_t len)
{
	bool negative;
	uint64_t value;
	int err = parse_number(data, &negative, &value);

	(void)len;
	if (err || negative || value != 1)
		return -EINVAL;
	kocoon_disable_modules(place->kocoon);
	return 0;
}

static int show_modprobe(const struct kc_view_place *place, struct kc_buffer *text)
{
	char *path = kc_modprobe_path(place->kocoon);
	int err = path ? kc_view_print(text, "%s\n", path) : -ENOMEM;

	free(path);
	return err;
}

/* proc_dostring(): up to the end of the line, or of what there is room for. */
static int store_modprobe(const struct kc_view_place *place, const char *data, size_t len)
{
	char path[KC_PATH_MAX_MODPROBE];
	size_t end = strcspn(data, "\n");

	if (end > len)
		end = len;
	if (end >= sizeof(path))
		end = sizeof(path) - 1;
	memcpy(path, data, end);
	path[end] = 0;
	return kocoon_set_modprobe_path(place->kocoon, path);
}

static const struct kc_node tainted = {
	.name = "tainted",
	.kind = KOCOON_VIEW_FILE,
	.mode = 0644,
	.show = show_tainted,
	.store = store_tainted,
};

static const struct kc_node modules_disabled = {
	.name = "modules_disabled",
	.kind = KOCOON_VIEW_FILE,
	.mode = 0644,
	.show = show_modules_disabled,
	.store = store_modules_disabled,
};

static const struct kc_node modprobe = {
	.name = "modprobe",
	.kind = KOCOON_VIEW_FILE,
	.mode = 0644,
	.show = show_modprobe,
	.store = store_modprobe,
};

const struct kc_node kc_node_sysctl_kernel = {
	.name = "kernel",
	.kind = KOCOON_VIEW_FOLDER,
	.mode = 0555,
	.children = (const struct kc_node *const[]){ &modprobe, &modules_disabled, &tainted, NULL },
};
