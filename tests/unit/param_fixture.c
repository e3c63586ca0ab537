/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "param_fixture.h"

static void hear(void *context, enum kocoon_log_level level, const char *text)
{
	struct fixture *fixture = context;

	fixture->levels[level]++;
	snprintf(fixture->said, sizeof(fixture->said), "%s", text);
}

const struct kocoon_supply *supply_of(const char *name)
{
	struct kc_own_exports own = kc_own_param_functions();

	for (size_t i = 0; i < own.count; i++) {
		if (strcmp(own.supplies[i].name, name) == 0)
			return &own.supplies[i];
	}
	fail_msg("nothing supplies %s", name);
	return NULL;
}

const struct kc_kernel_param_ops *ops_named(const char *name)
{
	const struct kocoon_supply *supply = supply_of(name);

	assert_int_equal(supply->size, sizeof(struct kc_kernel_param_ops));
	return supply->address;
}

const struct kc_kernel_param_ops *ops_for(const char *type)
{
	char name[64];

	snprintf(name, sizeof(name), "param_ops_%s", type);
	return ops_named(name);
}

struct kc_param *add_param(struct fixture *fixture, const char *name,
			   const struct kc_kernel_param_ops *ops, void *arg)
{
	struct kc_kernel_param *record = &fixture->records[fixture->count];
	struct kc_param *param = &fixture->params[fixture->count++];

	assert_in_range(fixture->count, 1, RECORDS);
	*record = (struct kc_kernel_param){ .name = name, .ops = ops, .perm = 0644, .level = -1 };
	record->arg = arg;
	*param = (struct kc_param){ .name = name, .perm = 0644, .level = -1 };
	param->record = (uintptr_t)record;
	param->ops = (uintptr_t)ops;
	param->arg = (uintptr_t)arg;
	fixture->module->param_count = fixture->count;
	return param;
}

void make_fixture(struct fixture *fixture)
{
	struct kocoon_policy policy = { .size = sizeof(policy) };
	struct kocoon_options options = { .size = sizeof(options), .policy = &policy };

	memset(fixture, 0, sizeof(*fixture));
	options.hooks.context = fixture;
	options.hooks.log = hear;
	assert_int_equal(kocoon_new(NULL, &options, NULL, &fixture->kocoon), 0);
	fixture->module = calloc(1, sizeof(*fixture->module));
	assert_non_null(fixture->module);
	fixture->module->kocoon = fixture->kocoon;
	strcpy(fixture->module->name, "line");
	fixture->module->params = fixture->params;
	pthread_mutex_init(&fixture->module->param_lock, NULL);
}

void free_fixture(struct fixture *fixture)
{
	pthread_mutex_destroy(&fixture->module->param_lock);
	free(fixture->module->args);
	free(fixture->module);
	kocoon_free(fixture->kocoon);
}

static int returns_its_value(const char *value, const struct kc_kernel_param *param)
{
	(void)param;
	return (int)strtol(value, NULL, 0);
}

const struct kc_kernel_param_ops returning_ops = { .set = returns_its_value };

/* The parameters of the module that the kernel was asked with. */
void make_line(struct fixture *fixture)
{
	make_fixture(fixture);
	fixture->i = -1;
	fixture->n = -1;
	fixture->us = (char *)(uintptr_t) "none";
	strcpy(fixture->s, "old");
	fixture->string = (struct kc_kparam_string){ sizeof(fixture->s), fixture->s };
	fixture->array = (struct kc_kparam_array){ 3, sizeof(int), (unsigned int *)&fixture->n,
						   ops_for("int"), fixture->arr };
	add_param(fixture, "i", ops_for("int"), &fixture->i);
	add_param(fixture, "under_score", ops_for("charp"), &fixture->us);
	add_param(fixture, "b", ops_for("bool"), &fixture->b);
	add_param(fixture, "inv", ops_for("invbool"), &fixture->inv);
	add_param(fixture, "bi", ops_for("bint"), &fixture->bi);
	add_param(fixture, "arr", ops_named("param_array_ops"), &fixture->array);
	add_param(fixture, "s", ops_for("string"), &fixture->string);
	add_param(fixture, "u", ops_for("int"), &fixture->u)->flags = KC_PARAM_FL_UNSAFE;
	add_param(fixture, "hw", ops_for("int"), &fixture->hw)->flags = KC_PARAM_FL_HWPARAM;
	add_param(fixture, "ret", &returning_ops, NULL);
}

void free_line(struct fixture *fixture)
{
	if (strcmp(fixture->us, "none") != 0) {
		kocoon_enter(fixture->kocoon);
		kc_param_free_charp(&fixture->us);
		kocoon_leave(fixture->kocoon);
	}
	free_fixture(fixture);
}

int parse(struct fixture *fixture, const char *args, struct kocoon_report *report)
{
	free(fixture->module->args);
	fixture->module->args = strdup(args);
	assert_non_null(fixture->module->args);
	return kc_parse_args(fixture->module, report);
}
