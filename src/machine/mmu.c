/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory management unit: what the kernel's own page tables map outside of the direct map
 * becomes a mapping when it is touched, and goes when the kernel flushes its address from the TLB.
 *
 * A page that is seen at two addresses has to be one page. While the machine boots, its memory is
 * the file itself and can be mapped twice. Later it is a private copy of the file: a page that gets
 * a second address moves to a file of its own, which both addresses then map.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine/machine.h"

enum { PRESENT = 1, WRITABLE = 2, LARGE = 0x80, SLOTS_FIRST = 4096 };
#define NO_EXECUTE (UINT64_C(1) << 63)
#define FRAME UINT64_C(0x000ffffffffff000)

/* A page that stands, and the page table entry that it stands by. Open addressing; 0: free. */
struct standing {
	uint64_t address, entry;
};

static struct standing *slots;
static size_t slot_count, used;
static int moved_file = -1;
static uint8_t *moved; /* a bit a frame */

/* The entry of 4 KiB for an address, made up from a larger one where that maps it; 0: none. */
static uint64_t walk(uint64_t address)
{
	static uint64_t top;
	uint64_t table;

	if (!top)
		top = kc_needed("init_top_pgt");
	table = top;
	for (unsigned int shift = 39; shift >= 12; shift -= 9) {
		uint64_t entry = kc_load64(kc_pointer(table + (address >> shift & 511) * 8));

		if (!(entry & PRESENT))
			return 0;
		if (shift == 12 || (entry & LARGE && shift <= 30)) {
			uint64_t inside = address & ((UINT64_C(1) << shift) - 1);
			uint64_t frame = entry & FRAME & ~((UINT64_C(1) << shift) - 1);

			return frame | (inside & FRAME) |
			       (entry & (PRESENT | WRITABLE | NO_EXECUTE));
		}
		if ((entry & FRAME) >= kc_state.ram_size)
			return 0;
		table = KC_RAM_BASE + (entry & FRAME);
	}
	return 0;
}

static size_t slot_of(uint64_t address)
{
	size_t slot = (address >> 12) * UINT64_C(0x9e3779b97f4a7c15) >> 32 & (slot_count - 1);

	while (slots[slot].address && slots[slot].address != address)
		slot = (slot + 1) & (slot_count - 1);
	return slot;
}

static bool make_room(void)
{
	struct standing *old = slots;
	size_t old_count = slot_count;

	if (used * 2 < slot_count)
		return true;
	slot_count = slot_count ? slot_count * 2 : SLOTS_FIRST;
	slots = calloc(slot_count, sizeof(*slots));
	if (!slots)
		return false;
	for (size_t i = 0; i < old_count; i++)
		if (old[i].address)
			slots[slot_of(old[i].address)] = old[i];
	free(old);
	return true;
}

/* Closes the gap that a slot leaves in the runs behind it. */
static void forget(size_t slot)
{
	size_t next = slot;

	used--;
	slots[slot].address = 0;
	for (;;) {
		struct standing moving;

		next = (next + 1) & (slot_count - 1);
		moving = slots[next];
		if (!moving.address)
			return;
		slots[next].address = 0;
		slots[slot_of(moving.address)] = moving;
	}
}

/* Has a frame of a private copy stand in a file, with what it holds. */
static bool move_frame(uint64_t frame)
{
	uint64_t page = frame >> 12;
	const void *place = kc_pointer(KC_RAM_BASE + frame);

	if (moved_file < 0) {
		moved_file = memfd_create("kocoon-moved", MFD_CLOEXEC);
		moved = calloc(kc_state.ram_size / KC_MACHINE_PAGE / 8 + 1, 1);
		if (moved_file < 0 || !moved || ftruncate(moved_file, (off_t)kc_state.ram_size))
			return false;
	}
	if (moved[page / 8] >> page % 8 & 1)
		return true;
	if (pwrite(moved_file, place, KC_MACHINE_PAGE, (off_t)frame) != KC_MACHINE_PAGE ||
	    kc_map_at(KC_RAM_BASE + frame, KC_MACHINE_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
		      MAP_SHARED | MAP_FIXED, moved_file, frame))
		return false;
	moved[page / 8] |= (uint8_t)(1 << page % 8);
	return true;
}

static int protection(uint64_t entry)
{
	return PROT_READ | (entry & WRITABLE ? PROT_WRITE : 0) |
	       (entry & NO_EXECUTE ? 0 : PROT_EXEC);
}

/* Nothing answers there: all ones, and what is written is lost (exceptions.c). */
static bool stand_absent(uint64_t address)
{
	if (kc_map_at(address, KC_MACHINE_PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0))
		return false;
	memset(kc_pointer(address), 0xff, KC_MACHINE_PAGE);
	return !mprotect(kc_pointer(address), KC_MACHINE_PAGE, PROT_READ);
}

static bool is_absent(uint64_t entry)
{
	return (entry & FRAME) >= kc_state.ram_size;
}

static bool stand(uint64_t address, uint64_t entry)
{
	uint64_t frame = entry & FRAME;
	uint64_t offset = frame + (kc_machine.booting ? KC_TEMPLATE_HEADER : 0);
	/* What can't be written stays the file's all the same, and a debugger can write to it. */
	int sharing = entry & WRITABLE ? MAP_SHARED : MAP_PRIVATE;

	if (is_absent(entry))
		return stand_absent(address);
	return (kc_machine.booting || move_frame(frame)) &&
	       !kc_map_at(address, KC_MACHINE_PAGE, protection(entry), sharing | MAP_FIXED,
			  kc_machine.booting ? kc_machine.file : moved_file, offset);
}

static bool is_mapped_by_tables(uint64_t address)
{
	return (address >= KC_VMALLOC_BASE && address < KC_VMALLOC_END) ||
	       (address >= KC_RAM_BASE + kc_state.ram_size && address < KC_MODULE_END);
}

bool kc_mmu_fault(uint64_t address)
{
	uint64_t entry;
	size_t slot;

	address &= ~(uint64_t)(KC_MACHINE_PAGE - 1);
	if (!is_mapped_by_tables(address) || !make_room())
		return false;
	entry = walk(address);
	slot = slot_of(address);
	/* It stands as the tables say: what was tried is not allowed. */
	if (!entry || (slots[slot].address && slots[slot].entry == entry) || !stand(address, entry))
		return false;
	used += !slots[slot].address;
	slots[slot] = (struct standing){ address, entry };
	return true;
}

bool kc_mmu_is_absent(uint64_t address)
{
	uint64_t entry = is_mapped_by_tables(address) ? walk(address) : 0;

	return entry && is_absent(entry);
}

void kc_mmu_show_modules(void)
{
	for (uint64_t at = KC_RAM_BASE + kc_state.ram_size; at < KC_MODULE_END;
	     at += KC_MACHINE_PAGE)
		(void)kc_mmu_fault(at);
}

void *kc_mmu_alias(uint64_t address)
{
	uint64_t entry;

	if (!is_mapped_by_tables(address))
		return kc_pointer(address);
	entry = walk(address);
	return entry && !is_absent(entry)
		       ? kc_pointer(KC_RAM_BASE + (entry & FRAME) + (address & 4095))
		       : NULL;
}

static void drop(size_t slot)
{
	munmap(kc_pointer(slots[slot].address), KC_MACHINE_PAGE);
	forget(slot);
}

void kc_mmu_flush_one(uint64_t address)
{
	size_t slot;

	if (!slot_count)
		return;
	slot = slot_of(address & ~(uint64_t)(KC_MACHINE_PAGE - 1));
	if (slots[slot].address)
		drop(slot);
}

void kc_mmu_flush(void)
{
	for (size_t i = 0; i < slot_count;) {
		/* Another may move into the slot of one that is dropped. */
		if (slots[i].address && walk(slots[i].address) != slots[i].entry)
			drop(i);
		else
			i++;
	}
}
