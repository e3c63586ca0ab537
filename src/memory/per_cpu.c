/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Per-CPU areas: see per_cpu.h. */
#include "memory/per_cpu.h"

#include <asm/prctl.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	GRAIN = 8, /* of the reserve's book */
	GRAINS = KC_PER_CPU_RESERVE / GRAIN,
};

struct visitor {
	struct kc_cpu_slot *slot; /* where it is inside, innermost */
	uint64_t gs_base; /* as it was set last */
	unsigned int last; /* the CPU that it had last */
};

static _Thread_local struct visitor visitor;

static void set_gs_base(uint64_t base)
{
	if (visitor.gs_base == base)
		return;
	syscall(SYS_arch_prctl, ARCH_SET_GS, base);
	visitor.gs_base = base;
}

static uint64_t area(const struct kc_per_cpu *areas, unsigned int cpu)
{
	return areas->address + (uint64_t)cpu * KC_PER_CPU_AREA;
}

static unsigned int number_of(const struct kc_cpu_slot *slot)
{
	return (unsigned int)(slot - slot->areas->cpus);
}

uint8_t *kc_per_cpu_bytes(const struct kc_per_cpu *areas, uint64_t offset, unsigned int cpu)
{
	return kc_live_space_bytes(areas->space, area(areas, cpu)) + offset;
}

/* A zero byte in it stops strings. */
static uint64_t make_cookie(const struct kc_per_cpu *areas)
{
	uint64_t cookie = 0;

	if (getrandom(&cookie, sizeof(cookie), GRND_NONBLOCK) != (ssize_t)sizeof(cookie))
		cookie = (uintptr_t)areas * UINT64_C(0x9e3779b97f4a7c15);
	return cookie & ~UINT64_C(0xff);
}

/* The kernel's own part of each area. */
static void fill(struct kc_per_cpu *areas)
{
	/* The sign bit stands for "no need to reschedule". */
	const uint32_t preemptible = UINT32_C(1) << 31;
	uint64_t cookie = make_cookie(areas);

	for (unsigned int cpu = 0; cpu < areas->count; cpu++) {
		uint8_t *bytes = kc_per_cpu_bytes(areas, 0, cpu);

		kc_store64(bytes + KC_PER_CPU_COOKIE, cookie);
		kc_store64(bytes + KC_PER_CPU_OFFSET, area(areas, cpu));
		kc_store32(bytes + KC_PER_CPU_NUMBER, cpu);
		kc_store32(bytes + KC_PER_CPU_HOT_NUMBER, cpu);
		kc_store32(bytes + KC_PER_CPU_PREEMPT, preemptible);
		kc_store32(bytes + KC_PER_CPU_HOT_PREEMPT, preemptible);
	}
}

int kc_per_cpu_init(struct kc_per_cpu *areas, struct kc_live_space *space, unsigned int count)
{
	uint64_t size = (uint64_t)count * KC_PER_CPU_AREA;
	int err;

	*areas = (struct kc_per_cpu){ .space = space, .count = count };
	areas->cpus = aligned_alloc(_Alignof(struct kc_cpu_slot), count * sizeof(*areas->cpus));
	if (!areas->cpus)
		return -ENOMEM;
	memset(areas->cpus, 0, count * sizeof(*areas->cpus));
	err = kc_live_space_allocate(space, size, &areas->address);
	if (!err) {
		kc_live_space_clear(space, areas->address, size);
		err = kc_live_space_protect(space, areas->address, size, KC_PROTECTION_WRITE);
		if (err)
			kc_live_space_free(space, areas->address, size);
	}
	if (err) {
		free(areas->cpus);
		*areas = (struct kc_per_cpu){ 0 };
		return err;
	}
	pthread_mutex_init(&areas->lock, NULL);
	pthread_cond_init(&areas->freed, NULL);
	fill(areas);
	return 0;
}

void kc_per_cpu_deinit(struct kc_per_cpu *areas)
{
	if (!areas->cpus)
		return;
	kc_live_space_free(areas->space, areas->address, (uint64_t)areas->count * KC_PER_CPU_AREA);
	pthread_mutex_destroy(&areas->lock);
	pthread_cond_destroy(&areas->freed);
	free(areas->cpus);
	*areas = (struct kc_per_cpu){ 0 };
}

/* ---- the reserve ---- */

static bool is_free(const struct kc_per_cpu *areas, uint64_t first, uint64_t count)
{
	for (uint64_t i = first; i < first + count; i++)
		if (areas->used[i])
			return false;
	return true;
}

/* The first grain of room, or GRAINS. */
static uint64_t find_room(const struct kc_per_cpu *areas, uint64_t count, uint64_t step)
{
	for (uint64_t at = 0; at + count <= GRAINS; at += step)
		if (is_free(areas, at, count))
			return at;
	return GRAINS;
}

int kc_per_cpu_allocate(struct kc_per_cpu *areas, uint64_t size, uint64_t align,
			uint64_t *offset_ret)
{
	uint64_t count = size <= KC_PER_CPU_RESERVE ? kc_align(size, GRAIN) / GRAIN : GRAINS + 1;
	uint64_t step = align > GRAIN ? align / GRAIN : 1;
	uint64_t at;

	pthread_mutex_lock(&areas->lock);
	at = find_room(areas, count, step);
	if (at < GRAINS)
		memset(areas->used + at, 1, count);
	pthread_mutex_unlock(&areas->lock);
	if (at >= GRAINS)
		return -ENOMEM;
	for (unsigned int cpu = 0; cpu < areas->count; cpu++)
		memset(kc_per_cpu_bytes(areas, KC_PER_CPU_FIRST + at * GRAIN, cpu), 0,
		       count * GRAIN);
	*offset_ret = KC_PER_CPU_FIRST + at * GRAIN;
	return 0;
}

void kc_per_cpu_free(struct kc_per_cpu *areas, uint64_t offset, uint64_t size)
{
	uint64_t first = (offset - KC_PER_CPU_FIRST) / GRAIN;

	pthread_mutex_lock(&areas->lock);
	memset(areas->used + first, 0, kc_align(size, GRAIN) / GRAIN);
	pthread_mutex_unlock(&areas->lock);
}

void kc_per_cpu_copy(struct kc_per_cpu *areas, uint64_t offset, struct kc_span bytes)
{
	for (unsigned int cpu = 0; cpu < areas->count; cpu++)
		memcpy(kc_per_cpu_bytes(areas, offset, cpu), bytes.data, bytes.len);
}

/* ---- visits ---- */

/* Acquire: what the last visitor of this CPU left in its area is seen. */
static bool try_take(struct kc_per_cpu *areas, unsigned int cpu)
{
	struct kc_cpu_slot *slot = &areas->cpus[cpu];

	return !atomic_load(&slot->taken) &&
	       !atomic_exchange_explicit(&slot->taken, true, memory_order_acquire);
}

static bool take_any(struct kc_per_cpu *areas, unsigned int *cpu_ret)
{
	unsigned int first = visitor.last < areas->count ? visitor.last : 0;

	for (unsigned int i = 0; i < areas->count; i++) {
		unsigned int cpu = (first + i) % areas->count;

		if (!try_take(areas, cpu))
			continue;
		*cpu_ret = cpu;
		return true;
	}
	return false;
}

/*
 * Waiters count themselves before they look once more; who gives a CPU back looks at the count
 * afterwards. Both in one total order (seq_cst): one of the two sees the other.
 */
static unsigned int take(struct kc_per_cpu *areas)
{
	unsigned int cpu = 0;

	if (take_any(areas, &cpu))
		return cpu;
	pthread_mutex_lock(&areas->lock);
	atomic_fetch_add(&areas->waiting, 1);
	while (!take_any(areas, &cpu))
		pthread_cond_wait(&areas->freed, &areas->lock);
	atomic_fetch_sub(&areas->waiting, 1);
	pthread_mutex_unlock(&areas->lock);
	return cpu;
}

static void give(struct kc_per_cpu *areas, unsigned int cpu)
{
	atomic_store(&areas->cpus[cpu].taken, false);
	if (!atomic_load(&areas->waiting))
		return;
	pthread_mutex_lock(&areas->lock);
	pthread_cond_signal(&areas->freed);
	pthread_mutex_unlock(&areas->lock);
}

void kc_per_cpu_enter(struct kc_per_cpu *areas)
{
	struct kc_cpu_slot *slot = visitor.slot;
	unsigned int cpu;

	if (slot && slot->areas == areas) {
		slot->depth++;
		return;
	}
	cpu = take(areas);
	slot = &areas->cpus[cpu];
	slot->depth = 1;
	slot->areas = areas;
	slot->outer = visitor.slot;
	visitor.slot = slot;
	visitor.last = cpu;
	set_gs_base(area(areas, cpu));
}

void kc_per_cpu_leave(struct kc_per_cpu *areas)
{
	struct kc_cpu_slot *slot = visitor.slot;

	if (!slot || slot->areas != areas || --slot->depth)
		return;
	visitor.slot = slot->outer;
	give(areas, number_of(slot));
	slot = visitor.slot;
	if (slot)
		set_gs_base(area(slot->areas, number_of(slot)));
}

void kc_per_cpu_pause(struct kc_per_cpu *areas, struct kc_cpu_pause *pause_ret)
{
	struct kc_cpu_slot *slot = visitor.slot;

	*pause_ret = (struct kc_cpu_pause){ .areas = areas };
	if (!slot || slot->areas != areas)
		return;
	pause_ret->depth = slot->depth;
	slot->depth = 1;
	kc_per_cpu_leave(areas);
}

void kc_per_cpu_resume(const struct kc_cpu_pause *pause)
{
	if (!pause->depth)
		return;
	kc_per_cpu_enter(pause->areas);
	visitor.slot->depth += pause->depth - 1;
}

const struct kc_per_cpu *kc_per_cpu_current(void)
{
	return visitor.slot ? visitor.slot->areas : NULL;
}

int kc_per_cpu_number(const struct kc_per_cpu *areas)
{
	const struct kc_cpu_slot *slot = visitor.slot;

	return slot && slot->areas == areas ? (int)number_of(slot) : -1;
}
