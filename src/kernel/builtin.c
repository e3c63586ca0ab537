/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parts of the kernel that have a folder under /sys/module though they are no modules: those with
 * parameters that sysfs shows, and those with a version (param_sysfs_builtin() and
 * version_sysfs_builtin() of kernel/params.c). Read from __param and __modver.
 */
#include <errno.h>
#include <stdlib.h>

#include "kernel/parts.h"

/* Where the fields are that are read here. */
struct shape {
	uint32_t size, name, perm;
	bool has_perm;
};

static int add_name(struct kc_builtins *builtins, const char *name, size_t len)
{
	uint32_t hash = kc_hash_bytes(name, len);
	uint32_t cursor = 0;
	uint32_t found;

	while ((found = kc_index_next(&builtins->index, hash, &cursor)) != KC_INDEX_NONE)
		if (strncmp(builtins->names[found], name, len) == 0 && !builtins->names[found][len])
			return 0;
	if (builtins->count == KC_BUILTINS_MAX)
		return -ENOSPC;
	builtins->names[builtins->count] = strndup(name, len);
	if (!builtins->names[builtins->count])
		return -ENOMEM;
	return kc_index_add(&builtins->index, hash, (uint32_t)builtins->count++);
}

/* "printk.time" is of printk; a name without a part in front belongs to the folder "kernel". */
static int add_parameter(struct kc_builtins *builtins, const char *name)
{
	const char *dot = strchr(name, '.');

	return dot ? add_name(builtins, name, (size_t)(dot - name))
		   : add_name(builtins, "kernel", 6);
}

static bool find_shape(const struct kocoon_kernel *kernel, const char *type, const char *name,
		       struct shape *shape_ret)
{
	struct shape shape = { .size = (uint32_t)kocoon_kernel_struct_size(kernel, type) };

	if (!shape.size || !kc_kernel_member(kernel, type, name, &shape.name) ||
	    shape.name > shape.size || shape.size - shape.name < sizeof(uint64_t))
		return false;
	shape.has_perm = kc_kernel_member(kernel, type, "perm", &shape.perm);
	if (shape.has_perm &&
	    (shape.perm > shape.size || shape.size - shape.perm < sizeof(uint16_t)))
		return false;
	*shape_ret = shape;
	return true;
}

static void read_table(struct kocoon_kernel *kernel, const char *section, const char *start,
		       const char *stop, const struct shape *shape)
{
	struct kc_builtins *builtins = &kernel->builtins;
	struct kc_span table;
	uint64_t address;
	int err = 0;

	if (!kc_kernel_section(kernel, section, start, stop, &address, &table))
		return;
	for (; !err && table.len >= shape->size;
	     table = kc_span(table.data + shape->size, table.len - shape->size)) {
		const char *name = kc_vmlinux_string(
			&kernel->vmlinux, kc_load64(table.data + shape->name), KC_NAME_MAX);

		if (!name || (shape->has_perm && !kc_load16(table.data + shape->perm)))
			continue;
		err = shape->has_perm ? add_parameter(builtins, name)
				      : add_name(builtins, name, strlen(name));
	}
}

static void make_builtins(struct kocoon_kernel *kernel)
{
	struct shape shape;

	if (kc_index_init(&kernel->builtins.index, KC_BUILTINS_MAX / 4))
		return;
	if (find_shape(kernel, "kernel_param", "name", &shape))
		read_table(kernel, "__param", "__start___param", "__stop___param", &shape);
	if (find_shape(kernel, "module_version_attribute", "module_name", &shape))
		read_table(kernel, "__modver", "__start___modver", "__stop___modver", &shape);
}

void kc_builtins_deinit(struct kc_builtins *builtins)
{
	for (size_t i = 0; i < builtins->count; i++)
		free(builtins->names[i]);
	kc_index_deinit(&builtins->index);
}

bool kc_kernel_has_builtin(const struct kocoon_kernel *kernel, const char *name)
{
	struct kocoon_kernel *writable = (struct kocoon_kernel *)(uintptr_t)kernel;
	uint32_t hash = kc_hash(name);
	uint32_t cursor = 0;
	uint32_t found;

	kc_once_run(&writable->builtins_once, kernel, make_builtins);
	while ((found = kc_index_next(&kernel->builtins.index, hash, &cursor)) != KC_INDEX_NONE)
		if (strcmp(kernel->builtins.names[found], name) == 0)
			return true;
	return false;
}
