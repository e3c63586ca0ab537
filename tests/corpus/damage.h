/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kinds of damage, one function each; the members of the case that it uses are named beside. */
#ifndef CORPUS_DAMAGE_H
#define CORPUS_DAMAGE_H

#include "cases.h"

/* Offsets in a file (`at`): negative ones count from its end. */
corpus_damage set_byte; /* at, value */
corpus_damage flip_byte; /* at, value: the bits to change */
corpus_damage truncate_file; /* at: the new length */
corpus_damage halve_file;
corpus_damage empty_file;
corpus_damage append_bytes; /* text */
corpus_damage append_zeros; /* value: how many */
corpus_damage pad_to_page; /* zeros up to a multiple of 4096 bytes */

/* Header and section table. `text` is a section: a name, or "#symtab", "#strtab", "#shstrtab",
 * "#0". */
corpus_damage set_ehdr; /* at, width, value */
corpus_damage set_shdr; /* text, at, width, value */
corpus_damage add_shdr; /* text, at, width, value: to be added */
corpus_damage section_end_plus; /* text, value: so many bytes behind the end of the file */
corpus_damage offset_near_overflow; /* text */
corpus_damage table_at_end; /* e_shoff is the file's length */
corpus_damage table_unaligned; /* the section table moves to an odd offset */
corpus_damage table_before_sections; /* and the file is cut by `value` bytes */
corpus_damage cut_in_table; /* the file ends in the middle of the section table */
corpus_damage cut_before_table;
corpus_damage names_are; /* e_shstrndx points to the section `text` */
corpus_damage unterminate_names;
corpus_damage name_out_of_range; /* text: the section whose sh_name it is */

corpus_damage add_section; /* text: name; value: flags; at: type; width: bytes */
corpus_damage add_two_sections; /* the same; more: name of the second */
corpus_damage
	add_nobits; /* text: name; value: flags; at: size; its offset is outside of the file */
corpus_damage rename_section; /* text, more */
corpus_damage copy_section; /* text: a second section of this name with the same bytes */
corpus_damage grow_section; /* text, value: zero bytes more */
corpus_damage set_in_section; /* text, at, width, value */
corpus_damage second_symtab;

corpus_damage set_module_name; /* text, in struct module */
corpus_damage set_module_name_both; /* text, in struct module and in .modinfo */
corpus_damage struct_name_only; /* text; .modinfo has no name */

/* .modinfo and __versions */
corpus_damage drop_modinfo; /* text: tag */
corpus_damage add_modinfo; /* text: tag=value */
corpus_damage replace_modinfo; /* text: tag, more: value */
corpus_damage vermagic_release; /* text: another release */
corpus_damage vermagic_without; /* text: a word of it */
corpus_damage vermagic_cut; /* without its last character */
corpus_damage vermagic_release_unversioned; /* text; and there is no __versions */
corpus_damage wrong_crc; /* text: symbol; at: which bit of its CRC */
corpus_damage drop_version; /* text: symbol */
corpus_damage wrong_crc_first; /* text: an entry with another CRC before the right one */

/* symbols and exports */
corpus_damage add_symbol; /* text: name; at: binding; value: section index */
corpus_damage add_symbol_of; /* text: name; more: section */
corpus_damage add_symbol_behind_count; /* text: section index is e_shnum */
corpus_damage wrong_crc_and_unknown; /* text: whose CRC; more: the unknown symbol */
corpus_damage unknown_and_wrong_crc; /* the same, the other way round in the symbol table */
corpus_damage add_two_symbols; /* text, more: undefined ones, in that order */
corpus_damage add_two_symbols_weak; /* the second is weak */
corpus_damage rename_export; /* text, more: of equal length */
corpus_damage wrong_export_crc; /* text: the section of CRCs */

/* relocations: of the first one of type `at` in the section `text` */
corpus_damage set_relocation_type; /* value: the new type */
corpus_damage set_relocation_addend; /* value; more: "32S": and its type */
corpus_damage relocation_target_nonzero;

/* signatures */
corpus_damage set_trailer; /* at: offset in the trailer, value */
corpus_damage set_signature_len; /* value */
corpus_damage add_signature_len; /* value */
corpus_damage flip_in_signature; /* at: from its start, or its end; value */
corpus_damage flip_near; /* text: bytes of the message; at: offset from them; value */
corpus_damage spoil_digest_name; /* value: last byte of the digest's OID; at: which of the OIDs */
corpus_damage cut_signature; /* value: bytes cut from the end of the PKCS#7 message */
corpus_damage lengthen_signature; /* value: zero bytes behind the message */
corpus_damage signature_of; /* text: of this stock module */
corpus_damage repeat_signature;

/* Signs with a key that no kernel knows; `value`: enum corpus_signing. */
enum corpus_signing {
	SIGN_ATTRIBUTES = 1,
	SIGN_CERTIFICATE = 2, /* the certificate is inside */
	SIGN_EMBEDDED = 4, /* the module is inside too */
	SIGN_KEY_ID = 8, /* the signer is named by key identifier */
	SIGN_EC = 16, /* ECDSA instead of RSA */
};
corpus_damage sign; /* value; text: digest */

/* compression */
corpus_damage pack_xz; /* value: enum corpus_packing */
enum corpus_packing {
	XZ_NO_CHECK = 1,
	XZ_CRC64 = 2,
	XZ_SHA256 = 4,
	XZ_X86 = 8,
	XZ_DELTA = 16,
	XZ_ARM = 32,
	XZ_TWICE = 64, /* two streams */
	XZ_BLOCKS = 128,
};
corpus_damage append_packed; /* text */

/* The path of a stock module of the kernel that the corpus is built for; ends the program where
 * there is none. */
void corpus_stock_path(const char *module, char path[4096]);

#endif
