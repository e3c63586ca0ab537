/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Looks for a device where there is none: all ones, and what is written is lost. */
#include "modules.h"
#include <linux/io.h>

#define SAY(format, ...) pr_info("works_device: " format "\n", ##__VA_ARGS__)

enum { PHYSICAL = 0xfc000000, SIZE = 0x3000, PORT = 0x2e8 };

static int __init works_device_init(void)
{
	void __iomem *device = ioremap(PHYSICAL, SIZE);
	u8 bytes[64] = { 1, 2, 3 };

	if (!device)
		return -ENOMEM;
	SAY("read: %x %x %x %llx", readb(device), readw(device + 6), readl(device + 0x1ffc),
	    readq(device + 0x2ff8));
	writeb(1, device);
	writew(2, device + 2);
	writel(3, device + 0x1004);
	writeq(4, device + 8);
	memset_io(device + 0xfc0, 0, 0x80);
	memcpy_toio(device + 16, bytes, sizeof(bytes));
	SAY("behind writes: %x %x %llx", readl(device), readl(device + 0x1004), readq(device + 8));
	memcpy_fromio(bytes, device, sizeof(bytes));
	SAY("copied: %x %x", bytes[0], bytes[63]);
	iounmap(device);
	outb(1, PORT);
	SAY("ports: %x %x %x", inb(PORT), inw(PORT), inl(PORT));
	return 0;
}

static void __exit works_device_exit(void)
{
}

module_init(works_device_init);
module_exit(works_device_exit);
MODULE_DESCRIPTION("Looks for a device");
MODULE_LICENSE("GPL");
