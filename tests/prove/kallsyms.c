/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kernel/kallsyms.c: any table that is whole(), which kc_kallsyms_find() promises; names and tokens
 * of any content.
 *
 * Assumed: that symbols.c asks for indices below the table's count.
 *
 * prove: wp kc_kallsyms_entry read_entry kc_kallsyms_expand kc_kallsyms_measure find_entry
 * prove: wp kc_kallsyms_expand_sorted kc_kallsyms_compare lower_bound entry_named
 * prove: wp kc_kallsyms_lookup kc_kallsyms_lookup_nth
 * prove: wp-wraps kc_kallsyms_address
 */
#include "kernel/kallsyms.c"
