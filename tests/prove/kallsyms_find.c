/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kernel/kallsyms_find.c: areas of any length, any bytes (4 GiB and more are refused); what is
 * found is whole(). That each loop ends is proved too.
 *
 * Assumed: that the copy which try_index() makes of what search_at() has found is as whole.
 *
 * prove: wp spend ascends tokens_fit find_tokens names_fit note_names find_names
 * prove: wp count_markers find_markers
 * prove: wp addresses_ascend try_offsets try_absolute find_addresses
 * prove: wp names_ascend try_by_name search_at kc_kallsyms_find
 */
#include "kernel/kallsyms_find.c"
