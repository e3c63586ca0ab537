/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module for the oracle's machine: while it is loaded, no other module's code runs, and, with
 * CAPTURE defined, what their memory holds is written down.
 *
 * A notifier, called when a module has passed every check up to its formation, and behind all of
 * the kernel's own notifiers, clears the module's `init`, `exit` and its constructors. The kernel
 * then goes on as with a module that has none: it becomes LIVE, its exports serve others, and it
 * can be removed. So finit_module's errno is that of the load, never that of a driver which finds
 * no device. Before that it writes RECORD_MODULE and RECORD_REGIONs (record.h).
 *
 * Built without kernel headers: the program `offsets` says where this kernel's structures have
 * their members. Loaded with MODULE_INIT_IGNORE_VERMAGIC and MODULE_INIT_IGNORE_MODVERSIONS, as it
 * carries neither.
 */
#include "machine.h"
#include "record.h"

typedef int init_fn(void);

struct notifier_block {
	int (*call)(struct notifier_block *block, unsigned long event, void *data);
	struct notifier_block *next;
	int priority;
};

extern int register_module_notifier(struct notifier_block *block);

enum { MODULE_STATE_COMING = 1, LAST = -0x7fffffff, NAME_OFFSET = 24 };

#ifdef CAPTURE

extern void *memremap(uint64_t address, unsigned long size, unsigned long flags);

enum { MEMREMAP_WB = 1 };

/* The marks are replaced before this module is loaded. */
static volatile uint64_t shared_address = SHARED_ADDRESS_MARK, shared_size = SHARED_SIZE_MARK;
static struct shared_memory *shared;

static void copy(void *to, const void *from, uint64_t size)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

/* A record of two parts. One that finds no room is left out, and the host misses it. */
static void tell(uint32_t kind, const void *head, uint64_t head_size, const void *bytes,
		 uint64_t size)
{
	struct record_header header = { kind, (uint32_t)shared->current, head_size + size };
	uint64_t whole = sizeof(header) + (header.size + 7) / 8 * 8;
	char *to = (char *)shared + shared->output + shared->written;

	if (whole > shared->output_size - shared->written)
		return;
	copy(to, &header, sizeof(header));
	copy(to + sizeof(header), head, head_size);
	copy(to + sizeof(header) + head_size, bytes, size);
	__asm__ volatile("" : : : "memory");
	shared->written += whole;
}

static uint64_t word(const void *start, uint64_t offset)
{
	return *(const uint64_t *)((const char *)start + offset);
}

static void tell_region(uint64_t type, const void *description, uint64_t base_at, uint64_t bytes_at)
{
	struct record_region region = {
		.type = type,
		.address = word(description, base_at),
		.size = (uint32_t)word(description, bytes_at),
	};

	if (region.size)
		tell(RECORD_REGION, &region, sizeof(region), (const void *)region.address,
		     region.size);
}

static void capture(const void *module)
{
	struct record_module about = { .address = (uint64_t)module };

	copy(about.name, (const char *)module + NAME_OFFSET, sizeof(about.name));
#ifdef PERCPU_OFFSET
	about.percpu = word(module, PERCPU_OFFSET);
#endif
	tell(RECORD_MODULE, &about, sizeof(about), 0, 0);
#ifdef MEMORY_OFFSET
	for (uint64_t type = 0; type < 7; type++)
		tell_region(type, (const char *)module + MEMORY_OFFSET + type * MEMORY_SIZE,
			    MEMORY_BASE_OFFSET, MEMORY_BYTES_OFFSET);
#else
	tell_region(0, (const char *)module + CORE_LAYOUT_OFFSET, LAYOUT_BASE_OFFSET,
		    LAYOUT_BYTES_OFFSET);
	tell_region(4, (const char *)module + INIT_LAYOUT_OFFSET, LAYOUT_BASE_OFFSET,
		    LAYOUT_BYTES_OFFSET);
#endif
}

static int prepare_capture(void)
{
	shared = memremap(shared_address, shared_size, MEMREMAP_WB);
	return shared && shared->magic == SHARED_MAGIC ? 0 : -5;
}

#else

static void capture(const void *module)
{
	(void)module;
}

static int prepare_capture(void)
{
	return 0;
}

#endif

static int keep_from_running(struct notifier_block *block, unsigned long event, void *module)
{
	(void)block;
	if (event != MODULE_STATE_COMING)
		return 0;
	capture(module);
	*(void **)((char *)module + INIT_OFFSET) = 0;
	*(void **)((char *)module + EXIT_OFFSET) = 0;
#ifdef CONSTRUCTORS_OFFSET
	*(unsigned int *)((char *)module + CONSTRUCTORS_OFFSET) = 0;
#endif
	return 0;
}

static struct notifier_block block = { .call = keep_from_running, .priority = LAST };

static int start(void)
{
	int err = prepare_capture();

	return err ? err : register_module_notifier(&block);
}

static const char info[] __attribute__((used, section(".modinfo"))) = "license=GPL\0name=witness";

/* struct module: `state`, a list head and then the name. */
struct module {
	char before_name[NAME_OFFSET];
	char name[56];
	char up_to_init[INIT_OFFSET - NAME_OFFSET - 56];
	init_fn *init;
	char rest[MODULE_SIZE - INIT_OFFSET - sizeof(init_fn *)];
};

struct module this_module
	__attribute__((used, aligned(64), section(".gnu.linkonce.this_module"))) = {
		.name = "witness",
		.init = start,
	};
