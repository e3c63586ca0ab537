/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An editor for module files: a stock module goes in, one with a deliberate defect comes out.
 *
 * The input is a stock module of Debian's and is trusted: sections, symbols and tables are where
 * they should be, and what a damage asks for and does not find ends the program with a message. A
 * pointer into the file is valid until the next call that adds to it.
 */
#ifndef CORPUS_EDIT_H
#define CORPUS_EDIT_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edit {
	uint8_t *data; /* owned */
	size_t len;
	size_t signature; /* where the appended signature begins; `len` where there is none */
	const char *what; /* the case, for messages */
};

/* Ends the program: the stock module is not as the damage expects. */
void edit_fail(const struct edit *edit, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/* Reads a .ko or .ko.xz. */
struct edit edit_open(const char *path, const char *what);
void edit_close(struct edit *edit);
void edit_strip_signature(struct edit *edit);
/* Puts other bytes in the place of the whole file. */
void edit_set(struct edit *edit, const void *data, size_t len);
void edit_truncate(struct edit *edit, size_t len);
/* Adds at the end, aligned to 16; the offset. `data` may be NULL: zeros. */
size_t edit_append(struct edit *edit, const void *data, size_t len);
/* The same, right behind what is there. */
void edit_append_exactly(struct edit *edit, const void *data, size_t len);

Elf64_Ehdr *edit_ehdr(struct edit *edit);
Elf64_Shdr *edit_shdr(struct edit *edit, unsigned int index);
/* 0: there is none. */
unsigned int edit_find(struct edit *edit, const char *section);
unsigned int edit_index(struct edit *edit, const char *section);
Elf64_Shdr *edit_section(struct edit *edit, const char *section);
uint8_t *edit_bytes(struct edit *edit, const char *section);
/* Moves a section's contents to the end of the file with room for `extra` zero bytes behind them,
 * and counts those in. */
Elf64_Shdr *edit_grow(struct edit *edit, unsigned int index, size_t extra);
/* A new section behind all others; its index. */
unsigned int edit_add_section(struct edit *edit, const char *name, uint32_t type, uint64_t flags,
			      const void *data, size_t len);
void edit_rename_section(struct edit *edit, const char *section, const char *name);

unsigned int edit_symtab(struct edit *edit);
/* Adds a symbol behind all others; its index. */
unsigned int edit_add_symbol(struct edit *edit, const char *name, unsigned char bind,
			     uint16_t section, uint64_t value);
const char *edit_symbol_name(struct edit *edit, const Elf64_Sym *symbol);

/* "tag=value" in .modinfo: the value, or NULL. */
char *edit_modinfo(struct edit *edit, const char *tag);
void edit_add_modinfo(struct edit *edit, const char *text);
/* Makes it the tag of nothing that is known. */
void edit_drop_modinfo(struct edit *edit, const char *tag);
/* Another value for a tag; the new pair stands behind the others. */
void edit_replace_modinfo(struct edit *edit, const char *tag, const char *value);

/* Entries of __versions: 64 bytes each. */
struct edit_version {
	uint64_t crc;
	char name[56];
};

struct edit_version *edit_version(struct edit *edit, const char *symbol);
/* Removes one entry, keeping the others in order. */
void edit_drop_version(struct edit *edit, const char *symbol);

#endif
