/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel side exports: the program's supplies, then what libkocoon brings along for names
 * that the program has not supplied.
 *
 * Module code reaches 2 GiB around itself. Functions that are farther away get a stub in live space
 * that jumps there and changes no register; data is copied there. Both stay as long as the
 * subsystem.
 */
#include "live/live.h"

#include <errno.h>
#include <stdlib.h>

enum {
	STUB_SIZE = 16,
	DATA_ALIGN = 64,
};

/* Addresses that fit a sign-extended 32-bit number. */
#define NEAR_END UINT64_C(0x80000000)

static bool is_near(const struct kocoon_supply *supply)
{
	uint64_t address = (uintptr_t)supply->address;

	return address < NEAR_END && supply->size < NEAR_END - address;
}

/* Room taken so far, in the order of the supplies. */
struct placing {
	uint64_t stubs;
	uint64_t data;
};

static void measure(const struct kocoon_supply *supply, struct placing *placing)
{
	if (is_near(supply))
		return;
	if (supply->size)
		placing->data += kc_align(supply->size, DATA_ALIGN);
	else
		placing->stubs += STUB_SIZE;
}

static uint64_t place_stub(struct kocoon *kocoon, struct placing *placing, const void *target)
{
	/* jmp *2(%rip), two bytes that are never run, the target. */
	static const uint8_t jump[] = { 0xff, 0x25, 0x02, 0x00, 0x00, 0x00, 0xcc, 0xcc };
	uint64_t address = kocoon->stubs + placing->stubs;
	uint8_t *bytes = kc_live_space_bytes(&kocoon->space, address);

	memcpy(bytes, jump, sizeof(jump));
	kc_store64(bytes + sizeof(jump), (uintptr_t)target);
	placing->stubs += STUB_SIZE;
	return address;
}

static uint64_t place_data(struct kocoon *kocoon, struct placing *placing,
			   const struct kocoon_supply *supply)
{
	uint64_t address = kocoon->data + placing->data;

	memcpy(kc_live_space_bytes(&kocoon->space, address), supply->address, supply->size);
	placing->data += kc_align(supply->size, DATA_ALIGN);
	return address;
}

static uint64_t place(struct kocoon *kocoon, struct placing *placing,
		      const struct kocoon_supply *supply)
{
	if (is_near(supply))
		return (uintptr_t)supply->address;
	return supply->size ? place_data(kocoon, placing, supply)
			    : place_stub(kocoon, placing, supply->address);
}

/* A CRC that the program doesn't know is the one of the kernel that it stands for. */
static int add(struct kocoon *kocoon, const struct kocoon_supply *supply, struct placing *placing)
{
	struct kc_live_export *entry = &kocoon->export_entries[kocoon->export_count];
	struct kocoon_export *export = &kocoon->exports[kocoon->export_count];
	uint32_t hash = kc_hash(supply->name);
	const struct kocoon_export *image =
		kc_kernel_find_export(kocoon->kernel, supply->name, hash);

	*export = (struct kocoon_export){
		.name = strdup(supply->name),
		.ns = supply->ns ? strdup(supply->ns) : NULL,
		.gpl_only = supply->gpl_only,
		.has_crc = supply->has_crc || (image && image->has_crc),
		.crc = supply->has_crc ? supply->crc
		       : image	       ? image->crc
				       : 0,
	};
	kocoon->export_count++;
	if (!export->name || (supply->ns && !export->ns))
		return -ENOMEM;
	export->address = place(kocoon, placing, supply);
	*entry = (struct kc_live_export){
		.named = { export->name, hash },
		.export = export,
		.size = supply->size,
	};
	kc_name_table_add(&kocoon->symbols, &entry->named);
	return 0;
}

/* Supplies in the order in which they count. */
struct supplies {
	struct kc_own_exports lists[5];
};

static int check(const struct kocoon_supply *supplies, size_t count, struct kocoon_report *report)
{
	for (size_t i = 0; i < count; i++)
		if (!supplies[i].name || !supplies[i].address)
			return kc_finding(report, KOCOON_STAGE_KERNEL, -EINVAL,
					  "supply %zu (%s) has no %s", i,
					  supplies[i].name ? supplies[i].name : "?",
					  supplies[i].name ? "address" : "name");
	return 0;
}

static int allocate(struct kocoon *kocoon, uint64_t size, uint64_t *address_ret, uint64_t *size_ret)
{
	int err;

	if (!size)
		return 0;
	size = kc_align(size, KC_PAGE_SIZE);
	err = kc_live_space_allocate(&kocoon->space, size, address_ret);
	if (err)
		return err;
	*size_ret = size;
	kc_live_space_clear(&kocoon->space, *address_ret, size);
	return 0;
}

/* As much room as all of them would take, though some may give way to the program's. */
static int make_room(struct kocoon *kocoon, const struct supplies *all)
{
	struct placing placing = { 0 };
	size_t count = 0;
	int err;

	for (size_t i = 0; i < KC_ARRAY_SIZE(all->lists); i++) {
		for (size_t j = 0; j < all->lists[i].count; j++)
			measure(&all->lists[i].supplies[j], &placing);
		count += all->lists[i].count;
	}
	kocoon->exports = calloc(count + 1, sizeof(*kocoon->exports));
	kocoon->export_entries = calloc(count + 1, sizeof(*kocoon->export_entries));
	if (!kocoon->exports || !kocoon->export_entries || count > UINT32_MAX / 16)
		return -ENOMEM;
	err = kc_name_table_reserve(&kocoon->symbols, (uint32_t)count);
	if (!err)
		err = allocate(kocoon, placing.stubs, &kocoon->stubs, &kocoon->stubs_size);
	return err ? err : allocate(kocoon, placing.data, &kocoon->data, &kocoon->data_size);
}

static int add_all(struct kocoon *kocoon, const struct supplies *all, struct kocoon_report *report)
{
	struct placing placing = { 0 };
	int err = 0;

	for (size_t i = 0; i < KC_ARRAY_SIZE(all->lists); i++) {
		for (size_t j = 0; j < all->lists[i].count && !err; j++) {
			const struct kocoon_supply *supply = &all->lists[i].supplies[j];

			if (!kc_name_table_find(&kocoon->symbols, supply->name,
						kc_hash(supply->name)))
				err = add(kocoon, supply, &placing);
			else if (i == 0)
				err = kc_finding(report, KOCOON_STAGE_KERNEL, -EINVAL,
						 "%s is supplied twice", supply->name);
		}
	}
	return err;
}

static int protect(struct kocoon *kocoon)
{
	int err = 0;

	if (kocoon->stubs_size)
		err = kc_live_space_protect(&kocoon->space, kocoon->stubs, kocoon->stubs_size,
					    KC_PROTECTION_EXECUTE);
	if (!err && kocoon->data_size)
		err = kc_live_space_protect(&kocoon->space, kocoon->data, kocoon->data_size,
					    KC_PROTECTION_WRITE);
	return err;
}

int kc_exports_new(struct kocoon *kocoon, const struct kocoon_supply *supplies, size_t count,
		   struct kocoon_report *report)
{
	const struct supplies all = {
		{ { supplies, count },
		  kc_own_per_cpu_symbols(),
		  kc_own_thunks(),
		  kc_own_module_functions(),
		  kc_own_param_functions() },
	};
	int err = check(supplies, count, report);

	if (!err)
		err = make_room(kocoon, &all);
	if (!err)
		err = add_all(kocoon, &all, report);
	return err ? err : protect(kocoon);
}

void kc_exports_free(struct kocoon *kocoon)
{
	for (size_t i = 0; i < kocoon->export_count; i++) {
		/* NOLINTNEXTLINE(bugprone-casting-through-void) */
		free((void *)(uintptr_t)kocoon->exports[i].name);
		free((void *)(uintptr_t)kocoon->exports[i].ns);
	}
	free(kocoon->exports);
	free(kocoon->export_entries);
	if (kocoon->stubs_size)
		kc_live_space_free(&kocoon->space, kocoon->stubs, kocoon->stubs_size);
	if (kocoon->data_size)
		kc_live_space_free(&kocoon->space, kocoon->data, kocoon->data_size);
}
