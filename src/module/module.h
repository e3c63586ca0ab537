/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module to be looked at: what kocoon_module_load() made, with the lists that its accessors walk.
 */
#ifndef KC_MODULE_MODULE_H
#define KC_MODULE_MODULE_H

#include "module/session.h"

struct kocoon_module {
	struct kc_session session; /* its entry 0 is the module, and has kept its job and verdict */
	struct kocoon_module_options options;
	struct kc_cpu cpu; /* that options.cpu names */
	struct kocoon_region regions[KOCOON_REGION_COUNT];
	size_t region_count;
	struct kocoon_section *sections; /* owned */
	size_t section_count;
	struct kocoon_import *imports; /* owned; as many as the load's */
	struct kocoon_relocation_count relocations[KC_RELOCATION_TYPES];
	size_t relocation_count;
	char *modinfo_text; /* owned */
	struct kc_modinfo {
		const char *tag;
		const char *value;
	} * modinfo; /* owned */
	size_t modinfo_count;
};

#endif
