/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Libraries of the kernel's: RAID 6 recovers what is lost, zstd and lz4 give back what they got. */
#include "modules.h"
#include <linux/lz4.h>
#include <linux/raid/pq.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/zstd.h>

#define SAY(format, ...) pr_info("works_lib: " format "\n", ##__VA_ARGS__)

enum { DISKS = 8, BYTES = 1 << 16 };

static u32 state = 1;

static void fill(u8 *bytes, size_t len, u32 mask)
{
	for (size_t i = 0; i < len; i++) {
		state = state * 1664525 + 1013904223;
		bytes[i] = state >> 24 & mask;
	}
}

/* ---- RAID 6: the last two disks are P and Q ---- */

/* Loses two disks, and says whether both come back. */
static bool survives(void **disks, void **kept, int a, int b)
{
	fill(disks[a], PAGE_SIZE, 0xff);
	fill(disks[b], PAGE_SIZE, 0xff);
	if (b == DISKS - 2)
		raid6_datap_recov(DISKS, PAGE_SIZE, a, disks);
	else
		raid6_2data_recov(DISKS, PAGE_SIZE, a, b, disks);
	return !memcmp(disks[a], kept[a], PAGE_SIZE) && !memcmp(disks[b], kept[b], PAGE_SIZE);
}

static int recover(void)
{
	void *disks[DISKS], *kept[DISKS];
	int pairs = 0, right = 0;

	for (int i = 0; i < DISKS; i++) {
		disks[i] = (void *)__get_free_page(GFP_KERNEL | __GFP_NOFAIL);
		fill(disks[i], PAGE_SIZE, 0xff);
	}
	raid6_call.gen_syndrome(DISKS, PAGE_SIZE, disks);
	for (int i = 0; i < DISKS; i++)
		kept[i] = kmemdup(disks[i], PAGE_SIZE, GFP_KERNEL | __GFP_NOFAIL);
	for (int a = 0; a < DISKS - 2; a++)
		for (int b = a + 1; b < DISKS - 1; b++, pairs++)
			right += survives(disks, kept, a, b);
	SAY("raid6: %d of %d pairs of lost disks recovered", right, pairs);
	for (int i = 0; i < DISKS; i++) {
		free_page((unsigned long)disks[i]);
		kfree(kept[i]);
	}
	return 0;
}

/* ---- compression ---- */

static size_t by_zstd(const u8 *from, u8 *packed, u8 *to)
{
	zstd_parameters parameters = zstd_get_params(3, BYTES);
	size_t need = zstd_cctx_workspace_bound(&parameters.cParams);
	size_t need_back = zstd_dctx_workspace_bound(), len, back = 0;
	void *room = vmalloc(need), *room_back = vmalloc(need_back);
	zstd_cctx *context = room ? zstd_init_cctx(room, need) : NULL;
	zstd_dctx *context_back = room_back ? zstd_init_dctx(room_back, need_back) : NULL;

	if (context && context_back) {
		len = zstd_compress_cctx(context, packed, 2 * BYTES, from, BYTES, &parameters);
		if (!zstd_is_error(len))
			back = zstd_decompress_dctx(context_back, to, BYTES, packed, len);
		SAY("zstd: smaller %d", len < BYTES);
	}
	vfree(room);
	vfree(room_back);
	return back;
}

static size_t by_lz4(const u8 *from, u8 *packed, u8 *to)
{
	void *room = vmalloc(LZ4_MEM_COMPRESS);
	int len = room ? LZ4_compress_default(from, packed, BYTES, 2 * BYTES, room) : 0;

	vfree(room);
	SAY("lz4: smaller %d", len > 0 && len < BYTES);
	return LZ4_decompress_safe(packed, to, len, BYTES);
}

static int round_trip(const char *name, size_t (*way)(const u8 *, u8 *, u8 *))
{
	u8 *from = vmalloc(BYTES), *packed = vmalloc(2 * BYTES), *to = vzalloc(BYTES);
	size_t len;

	if (from && packed && to) {
		fill(from, BYTES, 7);
		memset(from + BYTES / 3, 'z', BYTES / 3);
		len = way(from, packed, to);
		SAY("%s: %zu bytes back, %s", name, len,
		    len == BYTES && !memcmp(from, to, BYTES) ? "the same" : "others");
	}
	vfree(from);
	vfree(packed);
	vfree(to);
	return 0;
}

static int __init works_lib_init(void)
{
	recover();
	round_trip("zstd", by_zstd);
	round_trip("lz4", by_lz4);
	return 0;
}

static void __exit works_lib_exit(void)
{
}

module_init(works_lib_init);
module_exit(works_lib_exit);
MODULE_DESCRIPTION("RAID 6, zstd, lz4");
MODULE_LICENSE("GPL");
