/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * module/trailer.c: images of any length, any bytes.
 *
 * prove: wp kc_trailer_marked load_big_endian zeros refuse kc_trailer_split
 */
#include "module/trailer.c"
