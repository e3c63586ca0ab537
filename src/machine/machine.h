/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine: a stock kernel's own code, mapped into a process and run there. We are the hardware;
 * the kernel is the kernel.
 *
 * Memory is laid out as on the real machine, only lower: "physical" memory is one mapping at
 * KC_RAM_BASE, which is the kernel's direct map (page_offset_base), and the image lies in it at its
 * physical address. So __pa(), __va() and virt_to_page() of anything are true, and all of the
 * kernel's text and data is below 2 GiB, as code compiled for sign-extended 32-bit addresses needs.
 *
 * Once booted, the machine is a file: a header, the memory, the array of struct page (template.c).
 * Every machine that works is such a file, mapped copy-on-write by a process of its own
 * (process.c).
 *
 * There is one machine in a process: signal handlers and functions that stand in for the kernel's
 * have no argument that could say which. What includes this header is of that process, which is a
 * child and may be lost; booted.c does for what a file of a machine is.
 */
#ifndef KC_MACHINE_MACHINE_H
#define KC_MACHINE_MACHINE_H

#include "kernel/kernel.h"
#include "machine/box.h"

/* Addresses that are free in a process of a position-independent program. */
#define KC_STUB_BASE UINT64_C(0x8000000)
#define KC_DEVICE_BASE UINT64_C(0x8100000)
#define KC_RAM_BASE UINT64_C(0x10000000)
#define KC_MODULE_END UINT64_C(0x7ffff000) /* modules: from behind the memory up to here */
#define KC_VMEMMAP_BASE UINT64_C(0x100000000000)
#define KC_VMALLOC_BASE UINT64_C(0x200000000000)
#define KC_VMALLOC_END UINT64_C(0x400000000000)
#define KC_LINK_BASE UINT64_C(0xffffffff80000000) /* __START_KERNEL_map */

enum {
	KC_MACHINE_PAGE = 4096,
	KC_TEMPLATE_HEADER = 5 * KC_MACHINE_PAGE, /* of its file; the memory follows */
	KC_DEVICE_SIZE = 0x10000,
	KC_STRUCT_PAGE_MAX = 64, /* bytes of a struct page */
	KC_INTERRUPTS_ON = 0x200, /* of the flags register */
};

/* What of a machine is neither memory nor made again by each process; kept in its file. */
struct kc_machine_state {
	uint64_t ram_size;
	uint64_t now; /* ns of the machine's own time */
	uint64_t next_event; /* when its timer fires; 0: it is off */
	uint64_t irq_flags;
	uint64_t gs_base;
	uint64_t cr0, cr2, cr3, cr4;
};

struct kc_machine {
	const struct kocoon_kernel *kernel;
	uint64_t shift; /* added to a link address */
	const char *command_line;
	bool booting; /* its memory is the file itself */
	uint64_t patience_ends; /* ns of its own time; 0: never */
	int file; /* template */
	int channel; /* to the parent; -1: none */
};

extern struct kc_machine kc_machine;
extern struct kc_machine_state kc_state;

static inline void *kc_pointer(uint64_t address)
{
	return (void *)(uintptr_t)address; /* NOLINT: an address of this process */
}

static inline uint64_t kc_address(const void *place)
{
	return (uint64_t)(uintptr_t)place;
}

/* Ends the process, after a message to the parent. */
_Noreturn void kc_machine_end(enum kc_machine_exit status, const char *format, ...) KC_PRINTF(2, 3);

/* ---- map.c ---- */

/* mmap() at an address; flags say what may stand there. 0; -errno. */
KC_MUST_CHECK int kc_map_at(uint64_t address, uint64_t size, int protection, int flags, int file,
			    uint64_t offset);
/* Memory of the host's, for a stack; NULL: there is none. */
void *kc_map_new(size_t size);

/* ---- image.c ---- */

/* Copies the image into memory and relocates it. 0; -ENOEXEC. */
KC_MUST_CHECK int kc_load_image(void);

/* ---- facts.c ---- */

enum { KC_MACHINE_FACTS_MAX = 1000 };

/* Kept in the machine's file. */
struct kc_machine_facts {
	uint32_t count, unused;
	struct kc_machine_fact {
		uint64_t key, value;
	} rows[KC_MACHINE_FACTS_MAX];
};

extern struct kc_machine_facts kc_facts;

/* Address of a symbol in this process; 0: the kernel has none of that name. */
uint64_t kc_symbol(const char *name);
/* The same for what a machine can't do without: ends the process where there is none. */
uint64_t kc_needed(const char *name);
/* The same for many. */
struct kc_needed_symbol {
	const char *name;
	uint64_t *place;
};

void kc_need_all(const struct kc_needed_symbol *symbols, size_t count);
/* Writes 64 bits of a variable of the kernel's. */
void kc_set_variable(const char *name, uint64_t value);
/* Offset of a member, by BTF; those of anonymous structures inside included. */
uint32_t kc_offset(const char *structure, const char *member);
/* Value of a member of an enum, by BTF. */
uint32_t kc_enumerator(const char *enumeration, const char *name);

/* ---- calls.c: between kernel and host ---- */

/*
 * Calls a function of the kernel. It may sleep, and others run meanwhile: from a task's own stack
 * only (tasks.c), never from a function that kc_stub() made callable.
 */
uint64_t kc_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
/* An address below 2 GiB that kernel code calls a host function by, on the host's own stack. */
uint64_t kc_stub(void (*function)(void));
/* The same for assembly that keeps to what its callers expect, on their stack. */
uint64_t kc_direct_stub(void (*function)(void));
#define KC_STUB(function) kc_stub((void (*)(void))(function))
/* While booting, makes a kernel function that there has to be a jump to a stub. */
void kc_replace(const char *function, uint64_t stub);
KC_MUST_CHECK int kc_calls_init(void);

/* ---- replaced.c ---- */

/* Makes the stubs, in the same order in every process; and, while booting, the jumps to them. */
void kc_replace_all(void);

/* ---- firmware.c ---- */

/* Part of setup_arch(), once memory is known: lays the tables down; the kernel reads them. */
void kc_firmware_init(void);

/* ---- paravirt.c ---- */

void kc_take_over_pv_ops(void);
void kc_set_gs(uint64_t base);

/* ---- clock.c ---- */

void kc_clock_init(void);
void kc_add_timers(void);
void kc_calibrate_delay(void);
/* They pass the machine's own time. */
void kc_delay_loops(uint64_t loops);
void kc_delay_usec(uint64_t usec);
void kc_delay_nsec(uint64_t nsec);
void kc_delay_scaled(uint64_t scaled);
uint64_t kc_sched_clock(void);
/* On the stack of whoever raises it. */
void kc_raise_irq_work(void);
/* Whether the timer fires now; it is off then. */
bool kc_event_due(void);

/* ---- exceptions.c ---- */

KC_MUST_CHECK int kc_take_exceptions(void);
/* The timer by which code that runs on is interrupted; a fork has none. */
KC_MUST_CHECK int kc_start_ticks(void);
/* Has the kernel write all tasks' stacks to its log, and ends the process. */
_Noreturn void kc_show_tasks_and_end(const char *why);

/* ---- mmu.c ---- */

/* Before the machine goes on: a part of its memory, from its start, that holds nothing. */
KC_MUST_CHECK int kc_mmu_take_untouched(uint64_t from, uint64_t to);
/* True: what the kernel's page tables say of the address stands now. */
bool kc_mmu_fault(uint64_t address);
/* Whether they map it to where no memory is: a device's, and there is none. */
bool kc_mmu_is_absent(uint64_t address);
/* Once booted: text and read-only data of the image are that from now on. 0; -errno. */
KC_MUST_CHECK int kc_mmu_protect_image(void);
/* Writes where the kernel may not, as to its text. False: nothing is there. */
bool kc_mmu_write(uint64_t address, const void *from, size_t len);
/* Where the page at an address is in the direct map; NULL: nothing is there. */
void *kc_mmu_alias(uint64_t address);
/* Has all that is mapped for modules stand: who looks from outside doesn't fault. */
void kc_mmu_show_modules(void);
void kc_mmu_flush_one(uint64_t address);
void kc_mmu_flush(void);

/* ---- template.c ---- */

/* Bytes of the file of a machine with so much memory. */
uint64_t kc_template_size(uint64_t ram_size);
/* Maps a new machine's memory, shared with the file. */
KC_MUST_CHECK int kc_template_map_new(uint64_t ram_size);
/* Maps a booted machine's memory copy-on-write. -EBADMSG: it is none. */
KC_MUST_CHECK int kc_template_map(void);
/*
 * Maps what no boot has touched of it, from a file of this process's own: what is mapped twice is
 * shared with forks.
 */
KC_MUST_CHECK int kc_template_map_untouched(void);
/* vmemmap_populate() of a part of the array of struct page. */
KC_MUST_CHECK int kc_template_map_pages(uint64_t from, uint64_t to);
/* Notes in the file of a booted machine which memory it never touched. For the parent. */
void kc_template_note_untouched(int file);
/* Whether a file is a booted machine. For anybody. */
bool kc_template_is_whole(int file);
/* Says that the machine has booted. */
KC_MUST_CHECK int kc_template_finish(void);

/* ---- console.c ---- */

/* Registers a console of the kernel's, whose lines go to the parent. */
void kc_add_console(void);
uint64_t kc_console_stub(void);

/* ---- tasks.c ---- */

void kc_tasks_init(void);
/* Added to the offset of a per-CPU symbol. On any stack. */
uint64_t kc_per_cpu_base(void);
void *kc_switch_to(void *previous, uint8_t *next);
/* A task that has executed a program, on its stack. */
void kc_enter_program(void);
/* The top of a new stack for the first task's host code. */
uint64_t kc_task_stack(void);
/* The same for a while. */
uint64_t kc_take_stack(void);
void kc_give_stack(uint64_t stack);
/* A system call, as if by the current task. */
int64_t kc_syscall(unsigned int number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);
struct kc_work {
	void (*function)(void *);
	void *argument;
};

/* Has work, which stays until then, done by a task of its own, on its stack. Its pid, or -errno. */
int kc_start_task(const struct kc_work *work);
/* kernel_execve(): of the first task, and then the kernel has booted; or modprobe. */
int kc_execve(const char *path, const char *const *arguments, const char *const *environment);

/* ---- settle.c ---- */

void kc_settle_init(void);
/* On the first task's stack. */
void kc_settle(void);

/* ---- guest_files.c ---- */

/*
 * What is asked about a file, by system calls of the current task; the answer's text is told. 0;
 * -errno.
 */
KC_MUST_CHECK int kc_guest_file(const struct kc_ask *ask, const char *path, const char *bytes);

/* ---- guest.c ---- */

/* The first task's work: what the parent asks for, until it hangs up. On its own stack. */
_Noreturn void kc_guest(void);
void kc_tell(unsigned int kind, const void *data, size_t len);
/* About a module that is refused. */
void kc_tell_finding(const char *module, const struct kocoon_finding *finding);
/* A task executes modprobe with a name: to be run by kc_guest_program(). 0; -ENOMEM. */
KC_MUST_CHECK int kc_guest_modprobe(uint64_t task, const char *name);
/* That task's program, from its start to its exit status. */
int kc_guest_program(uint64_t task);
/* Nothing runs: gives the parent some milliseconds where the machine waits for it. */
void kc_guest_let_parent_work(void);

#endif
