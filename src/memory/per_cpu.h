/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Per-CPU areas: one a virtual CPU, at a fixed distance from each other in live space, and the
 * offsets within them that modules are given (percpu_modalloc(), mm/percpu.c's reserved chunk).
 *
 * An offset counts from the CPU's GS base. The first page is the kernel's own: the
 * stack protector's cookie is at 40, and variables that inlined kernel code reads are where enum
 * kc_per_cpu_place says. Behind it is the reserve that modules' sections are placed in.
 *
 * A CPU belongs to one thread at a time, from kc_per_cpu_enter() to kc_per_cpu_leave(), which nest;
 * it may sleep meanwhile, but gives the CPU up where it waits for others of its kind. A thread
 * keeps its CPU's GS base between visits, since user code has no use for GS, and mostly gets the
 * same CPU again, which then costs two atomic operations.
 */
#ifndef KC_MEMORY_PER_CPU_H
#define KC_MEMORY_PER_CPU_H

#include "memory/live_space.h"

enum kc_per_cpu_place {
	KC_PER_CPU_COOKIE = 40, /* of the stack protector */
	KC_PER_CPU_OFFSET = 64, /* this_cpu_off: what makes an address of an offset */
	KC_PER_CPU_NUMBER = 72, /* cpu_number */
	KC_PER_CPU_PREEMPT = 76, /* __preempt_count: never such that it would call the scheduler */
	KC_PER_CPU_CURRENT = 80, /* current_task: 0 */
	KC_PER_CPU_HOT = 128, /* pcpu_hot, of kernels that have these together: */
	KC_PER_CPU_HOT_PREEMPT = KC_PER_CPU_HOT + 8,
	KC_PER_CPU_HOT_NUMBER = KC_PER_CPU_HOT + 12,
	KC_PER_CPU_FIRST = 4096, /* where modules' data begins */
	KC_PER_CPU_RESERVE = 8192, /* PERCPU_MODULE_RESERVE */
	KC_PER_CPU_AREA = KC_PER_CPU_FIRST + KC_PER_CPU_RESERVE,
};

/* One virtual CPU. But for `taken`, it is the thread's that has it. */
struct kc_cpu_slot {
	_Alignas(64) atomic_bool taken;
	unsigned int depth; /* of nested visits */
	const struct kc_per_cpu *areas;
	struct kc_cpu_slot *outer; /* where its thread was before: in another subsystem */
};

struct kc_per_cpu {
	struct kc_live_space *space; /* borrowed */
	uint64_t address; /* of CPU 0's area */
	unsigned int count;
	struct kc_cpu_slot *cpus; /* owned */
	pthread_mutex_t lock;
	pthread_cond_t freed;
	atomic_uint waiting; /* threads that found no CPU */
	uint8_t used[KC_PER_CPU_RESERVE /
		     8]; /* under the lock: a byte for 8 bytes of the reserve */
};

KC_MUST_CHECK int kc_per_cpu_init(struct kc_per_cpu *areas, struct kc_live_space *space,
				  unsigned int count);
void kc_per_cpu_deinit(struct kc_per_cpu *areas);
/* Room in every area, zeroed: its offset. -ENOMEM. align: a power of two, at most a page. */
KC_MUST_CHECK int kc_per_cpu_allocate(struct kc_per_cpu *areas, uint64_t size, uint64_t align,
				      uint64_t *offset_ret);
void kc_per_cpu_free(struct kc_per_cpu *areas, uint64_t offset, uint64_t size);
/* Copies initial values into every area. */
void kc_per_cpu_copy(struct kc_per_cpu *areas, uint64_t offset, struct kc_span bytes);
/* Bytes of one CPU at an offset. */
uint8_t *kc_per_cpu_bytes(const struct kc_per_cpu *areas, uint64_t offset, unsigned int cpu);

void kc_per_cpu_enter(struct kc_per_cpu *areas);
void kc_per_cpu_leave(struct kc_per_cpu *areas);
/*
 * Around what may wait for other visitors: the CPU is given up, and one is taken again, as a task
 * that sleeps may wake on another CPU. Nothing where the thread isn't inside.
 */
struct kc_cpu_pause {
	struct kc_per_cpu *areas;
	unsigned int depth; /* of the visits that were ended; 0: none */
};

void kc_per_cpu_pause(struct kc_per_cpu *areas, struct kc_cpu_pause *pause_ret);
void kc_per_cpu_resume(const struct kc_cpu_pause *pause);
/* Where the calling thread is inside, innermost; NULL: nowhere. */
const struct kc_per_cpu *kc_per_cpu_current(void);
/* The calling thread's CPU, or -1. */
int kc_per_cpu_number(const struct kc_per_cpu *areas);

#endif
