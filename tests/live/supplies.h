/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the modules of tests/modules import beyond what libkocoon brings along: _printk(), msleep(),
 * strcmp(), sysfs_emit(), __warn_printk(). And how a test finds the modules.
 *
 * What modules say is kept line by line for all subsystems of the process; any thread may ask.
 */
#ifndef KC_TESTS_LIVE_SUPPLIES_H
#define KC_TESTS_LIVE_SUPPLIES_H

#include <kocoon/live.h>

const struct kocoon_supply *live_supplies(size_t *count_ret);

/* A subsystem with these supplies; options may be NULL, and their supplies don't count. NULL: it
 * could not be made. */
struct kocoon *live_new(const struct kocoon_kernel *kernel, const struct kocoon_options *options);
/* The kernel that the modules are built for. NULL: it is not there. */
struct kocoon_kernel *live_kernel(void);

/* ---- what modules have said ---- */
/* Without the level that it begins with and without the end of line. */
bool live_said(const char *line);
/* How many lines begin with it. */
size_t live_said_count(const char *beginning);
void live_forget(void);

/* ---- the modules ---- */
/* "hello" to the path of hello.ko, in a buffer that lives until the thread's next call. */
const char *live_path(const char *module);
/* kocoon_finit_module() on it. args may be NULL. */
int live_load(struct kocoon *kocoon, const char *module, const char *args);
int live_load_flags(struct kocoon *kocoon, const char *module, const char *args, int flags,
		    struct kocoon_report *report);
/* A copy of the file, malloc()ed; NULL: it can't be read. */
unsigned char *live_image(const char *module, size_t *len_ret);
/* Gives the module in a copy another name, of at most 55 bytes. */
bool live_rename(unsigned char *image, size_t len, const char *name);

/* ---- calling what modules have ---- */
/* Address of a function or variable by its name "module:symbol"; none ends the program. */
uint64_t live_symbol(struct kocoon *kocoon, const char *name);
/* Calls a function of up to two numbers or pointers with the thread inside of the subsystem. */
long live_call(struct kocoon *kocoon, const char *name, uint64_t first, uint64_t second);
/* The same of one that returns int. */
int live_call_int(struct kocoon *kocoon, const char *name, uint64_t first, uint64_t second);

#endif
