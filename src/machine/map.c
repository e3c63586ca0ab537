/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/mman.h>

#include "machine/machine.h"

int kc_map_at(uint64_t address, uint64_t size, int protection, int flags, int file, uint64_t offset)
{
	const void *at = mmap(kc_pointer(address), size, protection, flags | MAP_NORESERVE, file,
			      (off_t)offset);

	/* cppcheck-suppress memleak */ /* it belongs to the address */
	return at == MAP_FAILED ? -errno : 0;
}

void *kc_map_new(size_t size)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK;
	/* cppcheck-suppress invalidFunctionArg */ /* -1 goes with MAP_ANONYMOUS */
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);

	/* cppcheck-suppress memleak */ /* nor is MAP_FAILED anybody's */
	return at == MAP_FAILED ? NULL : at;
}
