/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Live space: see live_space.h. Its low mapping is one range of no access from the start; regions
 * are made accessible in it by mprotect(), and inaccessible again when they are given back, so that
 * the host keeps one mapping for all that is free.
 */
#include "memory/live_space.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory/page_runs.h"

/*
 * Where space is looked for: above what programs without position independence occupy, below 2 GiB.
 * AddressSanitizer's shadow begins just below that.
 */
enum { PLACE_STEP = 16 << 20 };
#define PLACE_FIRST UINT64_C(0x10000000)
#define PLACE_END UINT64_C(0x7fff7000)

/* So much memory of free pages is kept for the next modules. */
#define KEPT_MAX (UINT64_C(8) << 20)

/* What is known of a page besides its owner. */
struct page_state {
	uint8_t touched; /* it may hold something: to be zeroed before it is given out */
	uint8_t protection; /* enum kc_protection */
	bool given_up; /* it, or the guard behind it; open so far */
	bool lost; /* it can't be closed, and is never given out again */
	/* Of the first page of a run that is given up: the run, and the next one. */
	uint32_t count, next;
};

struct kc_page_book {
	struct kc_page_runs *free;
	uint32_t given_up; /* first page of the run that was given up last, or KC_NO_PAGE */
	uint64_t kept; /* bytes of pages that are free and touched */
	struct page_state state[];
};

static int reserve(struct kc_live_space *space)
{
	for (uint64_t at = PLACE_FIRST; at + space->size <= PLACE_END; at += PLACE_STEP) {
		void *wanted = (void *)(uintptr_t)at; /* NOLINT(performance-no-int-to-ptr) */
		void *got = mmap(wanted, space->size, PROT_NONE,
				 MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, space->fd, 0);

		if (got == wanted) {
			space->base = at;
			return 0;
		}
		if (got != MAP_FAILED)
			munmap(got, space->size); /* a host that doesn't know the flag */
		else if (errno != EEXIST)
			return -errno;
	}
	return -ENOMEM;
}

static int map(struct kc_live_space *space)
{
	void *writable;

	space->fd = memfd_create("kocoon", MFD_CLOEXEC);
	if (space->fd < 0)
		return -errno;
	if (ftruncate(space->fd, (off_t)space->size) < 0)
		return -errno;
	writable = mmap(NULL, space->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
			space->fd, 0);
	if (writable == MAP_FAILED)
		return -errno;
	space->writable = writable;
	return reserve(space);
}

static int make_books(struct kc_live_space *space)
{
	uint32_t pages = (uint32_t)(space->size / KC_PAGE_SIZE);

	space->book = calloc(1, sizeof(*space->book) + pages * sizeof(struct page_state));
	space->owners = calloc(pages, sizeof(space->owners[0]));
	if (!space->book || !space->owners)
		return -ENOMEM;
	space->book->given_up = KC_NO_PAGE;
	space->book->free = kc_page_runs_new(pages);
	return space->book->free ? 0 : -ENOMEM;
}

int kc_live_space_init(struct kc_live_space *space, uint64_t size, struct kocoon_report *report)
{
	int err;

	*space = (struct kc_live_space){ .size = kc_align(size, KC_PAGE_SIZE), .fd = -1 };
	pthread_mutex_init(&space->lock, NULL);
	err = size && size < PLACE_END ? map(space) : -ENOMEM;
	if (err)
		kc_finding(report, KOCOON_STAGE_KERNEL, err,
			   "no address space for modules: %llu bytes below 2 GiB",
			   (unsigned long long)space->size);
	else
		err = make_books(space);
	if (err)
		kc_live_space_deinit(space);
	return err;
}

void kc_live_space_deinit(struct kc_live_space *space)
{
	if (space->base)
		munmap((void *)(uintptr_t)space->base, /* NOLINT(performance-no-int-to-ptr) */
		       space->size);
	if (space->writable)
		munmap(space->writable, space->size);
	if (space->fd >= 0)
		close(space->fd);
	if (space->book)
		kc_page_runs_free(space->book->free);
	free(space->book);
	free(space->owners);
	pthread_mutex_destroy(&space->lock);
	*space = (struct kc_live_space){ .fd = -1 };
}

void kc_live_space_clear(struct kc_live_space *space, uint64_t address, uint64_t size)
{
	uint64_t first = (address - space->base) / KC_PAGE_SIZE;
	uint64_t count = kc_align(size, KC_PAGE_SIZE) / KC_PAGE_SIZE;

	/* Pages that nobody has used are zero as the host made them. */
	for (uint64_t i = first; i < first + count; i++) {
		struct page_state *state = &space->book->state[i];

		if (state->touched)
			memset(space->writable + i * KC_PAGE_SIZE, 0, KC_PAGE_SIZE);
		state->touched = true;
	}
}

/* Under the lock: from now on nobody else zeroes or gives back these pages. */
static void take_kept(struct kc_live_space *space, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++)
		if (space->book->state[i].touched)
			space->book->kept -= KC_PAGE_SIZE;
}

int kc_live_space_allocate(struct kc_live_space *space, uint64_t size, uint64_t *address_ret)
{
	uint64_t pages = kc_align(size, KC_PAGE_SIZE) / KC_PAGE_SIZE;
	uint32_t first;

	if (!pages || pages >= space->size / KC_PAGE_SIZE)
		return -ENOMEM;
	pthread_mutex_lock(&space->lock);
	/* One more, that stays inaccessible. */
	first = kc_page_runs_take(space->book->free, (uint32_t)pages + 1);
	if (first != KC_NO_PAGE)
		take_kept(space, first, (uint32_t)pages);
	pthread_mutex_unlock(&space->lock);
	if (first == KC_NO_PAGE)
		return -ENOMEM;
	*address_ret = space->base + (uint64_t)first * KC_PAGE_SIZE;
	return 0;
}

/* Gives the memory of pages back to the host; they read as zeros afterwards. */
static void drop(struct kc_live_space *space, uint32_t first, uint32_t count)
{
	if (fallocate(space->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)first * KC_PAGE_SIZE, (off_t)count * KC_PAGE_SIZE) < 0)
		return; /* it stays, and is zeroed when it is given out */
	for (uint32_t i = first; i < first + count; i++)
		space->book->state[i].touched = false;
}

static int set_protection(struct kc_live_space *space, uint64_t address, uint64_t size,
			  enum kc_protection protection)
{
	static const int host[] = {
		[KC_PROTECTION_NONE] = PROT_NONE,
		[KC_PROTECTION_READ] = PROT_READ,
		[KC_PROTECTION_WRITE] = PROT_READ | PROT_WRITE,
		[KC_PROTECTION_EXECUTE] = PROT_READ | PROT_EXEC,
	};
	void *place = (void *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr) */
	uint32_t first = (uint32_t)((address - space->base) / KC_PAGE_SIZE);

	if (mprotect(place, size, host[protection]) < 0)
		return -errno;
	for (uint64_t i = 0; i < size / KC_PAGE_SIZE; i++)
		space->book->state[first + i].protection = (uint8_t)protection;
	return 0;
}

int kc_live_space_protect(struct kc_live_space *space, uint64_t address, uint64_t size,
			  enum kc_protection protection)
{
	uint32_t first = (uint32_t)((address - space->base) / KC_PAGE_SIZE);

	size = kc_align(size, KC_PAGE_SIZE);
	for (uint64_t i = 0; protection == KC_PROTECTION_EXECUTE && i < size / KC_PAGE_SIZE; i++)
		if (space->book->state[first + i].protection == KC_PROTECTION_WRITE)
			return -EINVAL;
	return set_protection(space, address, size, protection);
}

/*
 * Where the host refuses to make pages inaccessible (it has no memory to split a mapping), they are
 * mapped anew over themselves, which needs none for a whole mapping.
 */
static bool make_inaccessible(struct kc_live_space *space, uint64_t address, uint64_t size)
{
	void *place = (void *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr) */
	void *mapped;

	if (set_protection(space, address, size, KC_PROTECTION_NONE) == 0)
		return true;
	mapped = mmap(place, size, PROT_NONE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, space->fd,
		      (off_t)(address - space->base));
	/* cppcheck-suppress memleak */ /* it lies in the space's own range */
	return mapped == place;
}

void kc_live_space_give_up(struct kc_live_space *space, uint64_t address, uint64_t size)
{
	uint32_t first = (uint32_t)((address - space->base) / KC_PAGE_SIZE);
	uint32_t count = (uint32_t)(kc_align(size, KC_PAGE_SIZE) / KC_PAGE_SIZE);
	struct page_state *state = space->book->state;

	kc_live_space_set_owner(space, address, size, NULL);
	pthread_mutex_lock(&space->lock);
	for (uint32_t i = first; i <= first + count; i++)
		state[i].given_up = true;
	state[first].count = count;
	state[first].next = space->book->given_up;
	space->book->given_up = first;
	pthread_mutex_unlock(&space->lock);
}

/* All pages around this one that are given up, at once. Under the lock. */
static void close_around(struct kc_live_space *space, uint32_t page)
{
	uint32_t pages = (uint32_t)(space->size / KC_PAGE_SIZE);
	struct page_state *state = space->book->state;
	uint32_t first = page, end = page;
	bool closed;

	while (first > 0 && state[first - 1].given_up)
		first--;
	while (end < pages && state[end].given_up)
		end++;
	closed = make_inaccessible(space, space->base + (uint64_t)first * KC_PAGE_SIZE,
				   (uint64_t)(end - first) * KC_PAGE_SIZE);
	for (uint32_t i = first; i < end; i++) {
		state[i].given_up = false;
		state[i].lost = !closed;
	}
}

/* Under the lock: the next ones may have it. */
static void give_back(struct kc_live_space *space, uint32_t first, uint32_t count)
{
	struct kc_page_book *book = space->book;

	if (book->state[first].lost)
		return;
	if (book->kept + (uint64_t)count * KC_PAGE_SIZE > KEPT_MAX)
		drop(space, first, count);
	for (uint32_t i = first; i < first + count; i++)
		book->kept += book->state[i].touched ? KC_PAGE_SIZE : 0;
	kc_page_runs_give(book->free, first, count + 1);
}

void kc_live_space_settle(struct kc_live_space *space)
{
	struct kc_page_book *book = space->book;
	uint32_t run;

	pthread_mutex_lock(&space->lock);
	for (run = book->given_up; run != KC_NO_PAGE; run = book->state[run].next)
		if (book->state[run].given_up)
			close_around(space, run);
	while ((run = book->given_up) != KC_NO_PAGE) {
		book->given_up = book->state[run].next;
		give_back(space, run, book->state[run].count);
	}
	pthread_mutex_unlock(&space->lock);
}

void kc_live_space_free(struct kc_live_space *space, uint64_t address, uint64_t size)
{
	kc_live_space_give_up(space, address, size);
	kc_live_space_settle(space);
}

uint64_t kc_live_space_used(struct kc_live_space *space)
{
	uint64_t used;

	pthread_mutex_lock(&space->lock);
	used = (uint64_t)kc_page_runs_used(space->book->free) * KC_PAGE_SIZE;
	pthread_mutex_unlock(&space->lock);
	return used;
}

void kc_live_space_set_owner(struct kc_live_space *space, uint64_t address, uint64_t size,
			     void *owner)
{
	uint64_t first = (address - space->base) / KC_PAGE_SIZE;
	uint64_t count = kc_align(size, KC_PAGE_SIZE) / KC_PAGE_SIZE;

	/* Release: who finds the owner sees what it consists of. */
	for (uint64_t i = first; i < first + count; i++)
		atomic_store_explicit(&space->owners[i], owner, memory_order_release);
}
