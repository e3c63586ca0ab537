/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Thousands of symbols and exports, large tables of every kind of protection. */
#include "modules.h"

/* clang-format off */
#define TEN(what, number)                                                               \
	what(number##0) what(number##1) what(number##2) what(number##3) what(number##4) \
		what(number##5) what(number##6) what(number##7) what(number##8) what(number##9)
#define HUNDRED(what, number)                                                               \
	TEN(what, number##0)                                                                \
	TEN(what, number##1)                                                                \
	TEN(what, number##2) TEN(what, number##3) TEN(what, number##4) TEN(what, number##5) \
		TEN(what, number##6) TEN(what, number##7) TEN(what, number##8)              \
			TEN(what, number##9)
#define THOUSAND(what)                                                                       \
	HUNDRED(what, 0)                                                                     \
	HUNDRED(what, 1)                                                                     \
	HUNDRED(what, 2) HUNDRED(what, 3) HUNDRED(what, 4) HUNDRED(what, 5) HUNDRED(what, 6) \
		HUNDRED(what, 7) HUNDRED(what, 8) HUNDRED(what, 9)
/* clang-format on */

/* 1##number: a number that begins with 0 would be octal. */
#define FUNCTION(number)                        \
	int large_function_##number(int value); \
	int large_function_##number(int value)  \
	{                                       \
		return value + 1##number;       \
	}
#define VARIABLE(number) int large_variable_##number = 1##number;
#define EXPORT(number) EXPORT_SYMBOL_GPL(large_variable_##number);
#define ENTRY(number) &large_variable_##number,

/* clang-format off */
THOUSAND(FUNCTION)
THOUSAND(VARIABLE)
HUNDRED(EXPORT, 5)

static int *const large_pointers[] = { THOUSAND(ENTRY) };
static int *large_sealed[] __ro_after_init = { THOUSAND(ENTRY) };
/* clang-format on */
static const char large_rodata[200000] = { 1, 2, 3 };
static char large_data[100000] = { 1 };
static char large_bss[300000];

int large_sum(void)
{
	int sum = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(large_pointers); i++)
		sum += *large_pointers[i] + *large_sealed[i];
	return sum + large_rodata[2] + large_data[0] + large_bss[sizeof(large_bss) - 1];
}

static int __init large_init(void)
{
	large_sealed[0] = &large_variable_001;
	large_bss[sizeof(large_bss) - 1] = 5;
	pr_info("large: %d\n", large_sum());
	return 0;
}

static void __exit large_exit(void)
{
}

module_init(large_init);
module_exit(large_exit);
MODULE_DESCRIPTION("Large tables");
MODULE_LICENSE("GPL");
