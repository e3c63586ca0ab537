/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The firmware's tables: ACPI as of a machine without devices, hardware-reduced (no fixed
 * registers, no interrupt of its own), with an empty namespace. Drivers for ACPI devices can
 * register, and find none.
 */
#include <string.h>

#include "kernel/parts.h"
#include "machine/machine.h"

/* Physical addresses. */
enum {
	AREA = 0xf0000,
	RSDP = AREA,
	XSDT = AREA + 0x40,
	FADT = AREA + 0x80,
	DSDT = AREA + 0x200,
	AREA_END = AREA + KC_MACHINE_PAGE,
};

/* Sizes of what there is, by the ACPI specification 6.0, and offsets in it. */
enum {
	RSDP_SIZE = 36,
	RSDP_FIRST_SIZE = 20, /* which the first checksum is of */
	RSDP_CHECKSUM = 8,
	RSDP_OEM = 9,
	RSDP_REVISION = 15,
	RSDP_LENGTH = 20,
	RSDP_XSDT = 24,
	RSDP_SECOND_CHECKSUM = 32,
	TABLE_LENGTH = 4,
	TABLE_REVISION = 8,
	TABLE_CHECKSUM = 9,
	TABLE_OEM = 10,
	TABLE_OEM_TABLE = 16,
	TABLE_SIZE = 36,
	FADT_BOOT_FLAGS = 109,
	FADT_FLAGS = 112,
	FADT_DSDT = 140,
	FADT_SIZE = 276,
};

enum {
	REVISION = 2,
	FADT_REVISION = 6,
	NO_VGA_NO_RTC = 1 << 2 | 1 << 5,
	WBINVD_WORKS = 1 << 0,
	REDUCED_HARDWARE = 1 << 20,
};

static uint8_t *at(uint64_t physical)
{
	return kc_pointer(KC_RAM_BASE + physical);
}

/* Makes the sum of all bytes 0. */
static void set_checksum(uint8_t *table, size_t len, size_t offset)
{
	uint8_t sum = 0;

	table[offset] = 0;
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + table[i]);
	table[offset] = (uint8_t)-sum;
}

static void begin_table(uint64_t physical, const char *signature, uint32_t len, uint8_t revision)
{
	uint8_t *table = at(physical);

	memset(table, 0, len);
	memcpy(table, signature, 4);
	kc_store32(table + TABLE_LENGTH, len);
	table[TABLE_REVISION] = revision;
	memcpy(table + TABLE_OEM, "KOCOON", 6);
	memcpy(table + TABLE_OEM_TABLE, "KOCOON  ", 8);
}

static void end_table(uint64_t physical)
{
	uint8_t *table = at(physical);

	set_checksum(table, kc_load32(table + TABLE_LENGTH), TABLE_CHECKSUM);
}

static void add_tables(void)
{
	begin_table(XSDT, "XSDT", TABLE_SIZE + sizeof(uint64_t), 1);
	kc_store64(at(XSDT) + TABLE_SIZE, FADT);
	end_table(XSDT);
	begin_table(FADT, "FACP", FADT_SIZE, FADT_REVISION);
	at(FADT)[FADT_BOOT_FLAGS] = NO_VGA_NO_RTC;
	kc_store32(at(FADT) + FADT_FLAGS, WBINVD_WORKS | REDUCED_HARDWARE);
	kc_store64(at(FADT) + FADT_DSDT, DSDT);
	end_table(FADT);
	begin_table(DSDT, "DSDT", TABLE_SIZE, REVISION);
	end_table(DSDT);
}

void kc_firmware_init(void)
{
	uint8_t *rsdp = at(RSDP);

	memset(rsdp, 0, RSDP_SIZE);
	memcpy(rsdp, "RSD PTR ", 8);
	memcpy(rsdp + RSDP_OEM, "KOCOON", 6);
	rsdp[RSDP_REVISION] = REVISION;
	kc_store32(rsdp + RSDP_LENGTH, RSDP_SIZE);
	kc_store64(rsdp + RSDP_XSDT, XSDT);
	set_checksum(rsdp, RSDP_FIRST_SIZE, RSDP_CHECKSUM);
	set_checksum(rsdp, RSDP_SIZE, RSDP_SECOND_CHECKSUM);
	add_tables();
	kc_store64(
		kc_pointer(kc_needed("boot_params") + kc_offset("boot_params", "acpi_rsdp_addr")),
		RSDP);
	kc_call(kc_needed("memblock_reserve"), AREA, AREA_END - AREA, 0, 0);
	kc_call(kc_needed("acpi_boot_table_init"), 0, 0, 0, 0);
	kc_call(kc_needed("acpi_table_init_complete"), 0, 0, 0, 0);
	kc_call(kc_needed("acpi_boot_init"), 0, 0, 0, 0);
}
