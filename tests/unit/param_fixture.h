/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module that is nothing but parameters: records and variables in ordinary memory, in a real
 * subsystem.
 */
#ifndef KC_TESTS_PARAM_FIXTURE_H
#define KC_TESTS_PARAM_FIXTURE_H

#include "live/param.h"

enum { RECORDS = 16 };

struct fixture {
	struct kocoon *kocoon;
	struct kocoon_loaded *module;
	size_t count;
	struct kc_kernel_param records[RECORDS];
	struct kc_param params[RECORDS];
	/* What the log said last, and how often at which level. */
	char said[4096];
	unsigned int levels[8];

	int i, bi, u, hw, n;
	char *us;
	bool b, inv;
	int arr[3];
	char s[8];
	struct kc_kparam_string string;
	struct kc_kparam_array array;

	/* Of threads, which can't fail a test themselves. */
	atomic_uint rounds, wrong;
	atomic_bool there;
};

/* What the library supplies under a name; as a struct kernel_param_ops; param_ops_TYPE. */
const struct kocoon_supply *supply_of(const char *name);
const struct kc_kernel_param_ops *ops_named(const char *name);
const struct kc_kernel_param_ops *ops_for(const char *type);
/* Its set function returns the value that it is given. */
extern const struct kc_kernel_param_ops returning_ops;

/* Without parameters. */
void make_fixture(struct fixture *fixture);
void free_fixture(struct fixture *fixture);
struct kc_param *add_param(struct fixture *fixture, const char *name,
			   const struct kc_kernel_param_ops *ops, void *arg);
/* With those of the module that a real kernel was asked with. */
void make_line(struct fixture *fixture);
void free_line(struct fixture *fixture);
int parse(struct fixture *fixture, const char *args, struct kocoon_report *report);

#endif
