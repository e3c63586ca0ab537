/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The memory management unit: what the kernel's own page tables map outside of the direct map
 * becomes a mapping when it is touched, and goes when the kernel flushes its address from the TLB.
 *
 * A page that is seen at two addresses has to be one page. While the machine boots, its memory is
 * the file itself and can be mapped twice. Later it is a private copy of the file: a page that gets
 * a second address moves to a file of its own, which both addresses then map. Memory that nobody
 * has touched at boot holds nothing, and is there from the start.
 *
 * Once booted, the kernel's text and read-only data can't be written, and nothing else of the
 * direct map is executed. Who patches text writes to the file that its page has moved to: that is
 * the second, writable mapping of it. Differs from Linux: the direct map of what the tables map
 * read-only elsewhere stays writable.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine/machine.h"

enum { PRESENT = 1, WRITABLE = 2, LARGE = 0x80, SLOTS_FIRST = 4096 };
enum { AROUND = 32 * KC_MACHINE_PAGE /* that one fault puts in place, at most */ };
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

static bool is_moved(uint64_t frame)
{
	return moved[frame / KC_MACHINE_PAGE / 8] >> frame / KC_MACHINE_PAGE % 8 & 1;
}

static bool open_moved(void)
{
	if (moved_file >= 0)
		return true;
	moved = calloc(kc_state.ram_size / KC_MACHINE_PAGE / 8 + 1, 1);
	moved_file = moved ? memfd_create("kocoon-moved", MFD_CLOEXEC) : -1;
	return moved_file >= 0 && !ftruncate(moved_file, (off_t)kc_state.ram_size);
}

/* What is the image's text, and its read-only data, as addresses; the kernel gives up the rest. */
static struct {
	uint64_t text, text_end, rodata, rodata_end;
} image;

static bool is_image(uint64_t address)
{
	return (address >= image.text && address < image.text_end) ||
	       (address >= image.rodata && address < image.rodata_end);
}

int kc_mmu_protect_image(void)
{
	const uint64_t mask = KC_MACHINE_PAGE - 1;

	image.text = kc_needed("_text") & ~mask;
	image.text_end = (kc_needed("_etext") + mask) & ~mask;
	image.rodata = kc_needed("__start_rodata") & ~mask;
	image.rodata_end = (kc_needed("__end_rodata") + mask) & ~mask;
	if (mprotect(kc_pointer(image.text), image.text_end - image.text, PROT_READ | PROT_EXEC) ||
	    mprotect(kc_pointer(image.rodata), image.rodata_end - image.rodata, PROT_READ))
		return -errno;
	return 0;
}

/* Has frames stand in the file that holds pages with two addresses. */
static bool put_moved(uint64_t frame, uint64_t size)
{
	uint64_t address = KC_RAM_BASE + frame;
	bool is_text = address >= image.text && address < image.text_end;
	int allowed = PROT_READ | (is_image(address) ? 0 : PROT_WRITE) | (is_text ? PROT_EXEC : 0);
	/* As in stand(). */
	int sharing = is_image(address) ? MAP_PRIVATE : MAP_SHARED;

	if (kc_map_at(address, size, allowed, sharing | MAP_FIXED, moved_file, frame))
		return false;
	for (uint64_t at = frame; at < frame + size; at += KC_MACHINE_PAGE)
		moved[at / KC_MACHINE_PAGE / 8] |= (uint8_t)(1 << at / KC_MACHINE_PAGE % 8);
	return true;
}

/* The same with what they hold. */
static bool move_frames(uint64_t frame, uint64_t size)
{
	uint64_t end = frame + size;

	if (!open_moved())
		return false;
	while (frame < end) {
		uint64_t next = frame + KC_MACHINE_PAGE;

		if (!is_moved(frame)) {
			while (next < end && !is_moved(next))
				next += KC_MACHINE_PAGE;
			if (pwrite(moved_file, kc_pointer(KC_RAM_BASE + frame), next - frame,
				   (off_t)frame) != (ssize_t)(next - frame) ||
			    !put_moved(frame, next - frame))
				return false;
		}
		frame = next;
	}
	return true;
}

int kc_mmu_take_untouched(uint64_t from, uint64_t to)
{
	return open_moved() && put_moved(from, to - from) ? 0 : -ENOMEM;
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

/* Frames side by side that the tables map side by side, all in one way. */
struct run {
	uint64_t address, entry, size;
};

static bool note_standing(const struct run *run)
{
	for (uint64_t at = 0; at < run->size; at += KC_MACHINE_PAGE) {
		size_t slot;

		if (!make_room())
			return false;
		slot = slot_of(run->address + at);
		used += !slots[slot].address;
		slots[slot] = (struct standing){ run->address + at, run->entry + at };
	}
	return true;
}

static bool stand(const struct run *run)
{
	/* Of more than a stack all will be used, and each page would cost a fault. */
	enum { FEW = 4 * KC_MACHINE_PAGE };
	/* What can't be written stays the file's all the same, and a debugger can write to it. */
	int sharing = run->entry & WRITABLE ? MAP_SHARED : MAP_PRIVATE;
	int flags = sharing | MAP_FIXED | (run->size > FEW ? MAP_POPULATE : 0);
	uint64_t frame = run->entry & FRAME;
	int file = kc_machine.booting ? kc_machine.file : moved_file;
	uint64_t offset = frame + (kc_machine.booting ? KC_TEMPLATE_HEADER : 0);
	return !kc_map_at(run->address, run->size, protection(run->entry), flags, file, offset) &&
	       note_standing(run);
}

static bool is_mapped_by_tables(uint64_t address)
{
	return (address >= KC_VMALLOC_BASE && address < KC_VMALLOC_END) ||
	       (address >= KC_RAM_BASE + kc_state.ram_size && address < KC_MODULE_END);
}

/* What a page stands by; 0: it doesn't. */
static uint64_t standing_entry(uint64_t address)
{
	const struct standing *slot = &slots[slot_of(address)];

	return slot->address ? slot->entry : 0;
}

/* Whether a page may be put in place together with one that was touched. */
static bool is_alike(uint64_t address, uint64_t touched)
{
	uint64_t entry = is_mapped_by_tables(address) ? walk(address) : 0;

	return entry && !is_absent(entry) && !standing_entry(address) &&
	       (entry & ~FRAME) == (touched & ~FRAME);
}

/* From one that was touched to where the tables map no more, or it stands already. */
static bool stand_around(uint64_t address, uint64_t entry)
{
	uint64_t first = address & ~(uint64_t)(AROUND - 1), end = first + AROUND, from = address;
	struct run run;

	while (from > first && is_alike(from - KC_MACHINE_PAGE, entry))
		from -= KC_MACHINE_PAGE;
	do {
		run = (struct run){ from, walk(from), KC_MACHINE_PAGE };
		while (from + run.size < end && is_alike(from + run.size, entry) &&
		       walk(from + run.size) == run.entry + run.size)
			run.size += KC_MACHINE_PAGE;
		if ((!kc_machine.booting && !move_frames(run.entry & FRAME, run.size)) ||
		    !stand(&run))
			return false;
		from += run.size;
	} while (from < end && (from == address || is_alike(from, entry)));
	return true;
}

bool kc_mmu_fault(uint64_t address)
{
	uint64_t entry;

	address &= ~(uint64_t)(KC_MACHINE_PAGE - 1);
	if (!is_mapped_by_tables(address) || !make_room())
		return false;
	entry = walk(address);
	/* It stands as the tables say: what was tried is not allowed. */
	if (!entry || standing_entry(address) == entry)
		return false;
	if (is_absent(entry))
		return stand_absent(address) &&
		       note_standing(&(struct run){ address, entry, KC_MACHINE_PAGE });
	return stand_around(address, entry);
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

/* Inside one page. */
static bool write_page(uint64_t address, const void *from, size_t len)
{
	uint8_t *to = kc_mmu_alias(address);
	uint64_t frame = to ? kc_address(to) - KC_RAM_BASE : 0;

	if (!to || kc_machine.booting || !is_image(kc_address(to))) {
		if (to)
			memcpy(to, from, len);
		return to;
	}
	return move_frames(frame & ~(uint64_t)(KC_MACHINE_PAGE - 1), KC_MACHINE_PAGE) &&
	       pwrite(moved_file, from, len, (off_t)frame) == (ssize_t)len;
}

bool kc_mmu_write(uint64_t address, const void *from, size_t len)
{
	while (len) {
		size_t room = KC_MACHINE_PAGE - address % KC_MACHINE_PAGE;
		size_t part = len < room ? len : room;

		if (!write_page(address, from, part))
			return false;
		address += part;
		from = (const uint8_t *)from + part;
		len -= part;
	}
	return true;
}

void kc_mmu_flush_one(uint64_t address)
{
	size_t slot;

	if (!slot_count)
		return;
	slot = slot_of(address & ~(uint64_t)(KC_MACHINE_PAGE - 1));
	if (!slots[slot].address)
		return;
	munmap(kc_pointer(slots[slot].address), KC_MACHINE_PAGE);
	forget(slot);
}

static int compare_addresses(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

/* Those that no longer stand as the tables say, in runs. */
static void drop_all(uint64_t *addresses, size_t count)
{
	qsort(addresses, count, sizeof(*addresses), compare_addresses);
	for (size_t i = 0, next; i < count; i = next) {
		for (next = i + 1; next < count; next++)
			if (addresses[next] != addresses[next - 1] + KC_MACHINE_PAGE)
				break;
		munmap(kc_pointer(addresses[i]), (next - i) * KC_MACHINE_PAGE);
	}
	for (size_t i = 0; i < count; i++)
		forget(slot_of(addresses[i]));
}

void kc_mmu_flush(void)
{
	uint64_t *addresses = calloc(used + 1, sizeof(*addresses));
	size_t count = 0;

	if (!addresses)
		kc_machine_end(KC_EXIT_DIED, "no memory is left for the page tables");
	for (size_t i = 0; i < slot_count; i++)
		if (slots[i].address && walk(slots[i].address) != slots[i].entry)
			addresses[count++] = slots[i].address;
	if (count)
		drop_all(addresses, count);
	free(addresses);
}
