/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine as a file: a header, the memory, the array of struct page, the devices' page.
 * A machine that boots maps the file shared; once it has booted it says so in the header, and any
 * number of machines map the file copy-on-write and go on from there.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/machine.h"

static const char magic[16] = "kocoon machine 1";

/* Holes of the file that are worth a mapping. */
enum { HOLES_MAX = 32, HOLE_MIN = 1 << 20 };

struct hole {
	uint64_t from, to; /* in the memory */
};

struct header {
	char magic[16];
	struct kc_machine_state state;
	struct hole holes[HOLES_MAX];
	struct kc_machine_facts facts;
};

_Static_assert(sizeof(struct header) <= KC_TEMPLATE_HEADER, "the memory follows it");

static uint64_t pages_size(uint64_t ram_size)
{
	return ram_size / KC_MACHINE_PAGE * KC_STRUCT_PAGE_MAX;
}

static uint64_t pages_offset(uint64_t ram_size)
{
	return KC_TEMPLATE_HEADER + ram_size;
}

uint64_t kc_template_size(uint64_t ram_size)
{
	return pages_offset(ram_size) + pages_size(ram_size) + KC_DEVICE_SIZE;
}

static int map(uint64_t address, uint64_t size, int protection, int flags, uint64_t offset)
{
	return kc_map_at(address, size, protection, flags, kc_machine.file, offset);
}

/* While it boots, anything may become text. */
static int map_memory(int sharing)
{
	const int data = PROT_READ | PROT_WRITE, execution = kc_machine.booting ? PROT_EXEC : 0;
	uint64_t ram = kc_state.ram_size;
	int err = map(KC_RAM_BASE, ram, data | execution, sharing | MAP_FIXED_NOREPLACE,
		      KC_TEMPLATE_HEADER);

	if (!err)
		err = map(KC_DEVICE_BASE, KC_DEVICE_SIZE, data, sharing | MAP_FIXED_NOREPLACE,
			  pages_offset(ram) + pages_size(ram));
	return err;
}

int kc_template_map_new(uint64_t ram_size)
{
	if (ftruncate(kc_machine.file, (off_t)kc_template_size(ram_size)))
		return -errno;
	kc_state.ram_size = ram_size;
	return map_memory(MAP_SHARED);
}

int kc_template_map_pages(uint64_t from, uint64_t to)
{
	from &= ~(uint64_t)(KC_MACHINE_PAGE - 1);
	to = (to + KC_MACHINE_PAGE - 1) & ~(uint64_t)(KC_MACHINE_PAGE - 1);
	if (from < KC_VMEMMAP_BASE || to - KC_VMEMMAP_BASE > pages_size(kc_state.ram_size))
		return -ENOMEM;
	return map(from, to - from, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		   pages_offset(kc_state.ram_size) + from - KC_VMEMMAP_BASE);
}

int kc_template_finish(void)
{
	struct header header = { .state = kc_state, .facts = kc_facts };

	memcpy(header.magic, magic, sizeof(magic));
	return pwrite(kc_machine.file, &header, sizeof(header), 0) == sizeof(header) ? 0 : -EIO;
}

static bool read_header(int file, struct header *header)
{
	struct stat status;

	return pread(file, header, sizeof(*header), 0) == sizeof(*header) &&
	       memcmp(header->magic, magic, sizeof(magic)) == 0 && fstat(file, &status) == 0 &&
	       (uint64_t)status.st_size == kc_template_size(header->state.ram_size) &&
	       header->facts.count <= KC_MACHINE_FACTS_MAX;
}

void kc_template_note_untouched(int file)
{
	struct header header;
	size_t count = 0;
	off_t at = KC_TEMPLATE_HEADER, end;

	if (!read_header(file, &header))
		return;
	end = (off_t)pages_offset(header.state.ram_size);
	while (count < HOLES_MAX && (at = lseek(file, at, SEEK_HOLE)) >= 0 && at < end) {
		off_t data = lseek(file, at, SEEK_DATA);

		if (data < 0 || data > end)
			data = end;
		if (data - at >= HOLE_MIN)
			header.holes[count++] =
				(struct hole){ (uint64_t)at - KC_TEMPLATE_HEADER,
					       (uint64_t)data - KC_TEMPLATE_HEADER };
		at = data;
	}
	/* Without them a machine is slower. */
	(void)!pwrite(file, header.holes, sizeof(header.holes), offsetof(struct header, holes));
}

static int take_untouched(const struct header *header)
{
	for (size_t i = 0; i < HOLES_MAX && header->holes[i].to; i++) {
		const struct hole *hole = &header->holes[i];
		int err;

		if (hole->from >= hole->to || hole->to > header->state.ram_size ||
		    hole->from % KC_MACHINE_PAGE || hole->to % KC_MACHINE_PAGE)
			return -EBADMSG;
		err = kc_mmu_take_untouched(hole->from, hole->to);
		if (err)
			return err;
	}
	return 0;
}

bool kc_template_is_whole(int file)
{
	struct header header;

	return read_header(file, &header);
}

int kc_template_map(void)
{
	struct header header;
	int err;

	if (!read_header(kc_machine.file, &header))
		return -EBADMSG;
	kc_state = header.state;
	kc_facts = header.facts;
	err = map_memory(MAP_PRIVATE);
	if (!err)
		err = map(KC_VMEMMAP_BASE, pages_size(kc_state.ram_size), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_FIXED_NOREPLACE, pages_offset(kc_state.ram_size));
	if (!err)
		err = kc_mmu_protect_image();
	return err;
}

int kc_template_map_untouched(void)
{
	struct header header;

	return read_header(kc_machine.file, &header) ? take_untouched(&header) : -EBADMSG;
}
