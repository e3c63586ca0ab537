/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the program that writes the seeds. */
#ifndef KC_TESTS_SEEDS_H
#define KC_TESTS_SEEDS_H

#include "fuzz.h"
#include "kernel/parts.h"

/*
 * Writes OUT/TARGET/NAME; blanks and the like in the name become '_'. What fails ends the program.
 */
void save(const char *target, const char *name, const void *data, size_t len);
/* The same with a byte before the data: what many targets take their settings from. */
void save_behind(const char *target, const char *name, uint8_t first, const void *data, size_t len);

/* ---- seeds_built.c */

/* Kernels, symbol tables, streams and messages by the builders of the unit tests. */
void save_built(void);
/* A stock kernel cut down to the beginnings of the sections that something is looked for in. */
void save_stock_kernel(const struct kocoon_kernel *kernel);

/* ---- seeds_machine.c */

void save_machine(void);

/* ---- findings.c */

void save_findings(void);

#endif
