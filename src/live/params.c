/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parameters of modules: kernel/params.c, and what load_module() does with its answers.
 *
 * Consumes the records of __param, a module's argument string, and texts that are written later;
 * produces calls of the parameters' set and get functions. Those are module code, or functions of
 * param_ops.c, and get the address of the module's own record.
 */
#include "live/param.h"

#include <errno.h>
#include <stdlib.h>

/* ---- records ---- */

static int refuse_record(struct kocoon_report *report, uint64_t index, const char *name,
			 const char *what, uint64_t address)
{
	/* Differs from Linux: it would follow the pointer. */
	kc_finding(report, KOCOON_STAGE_PARAMETERS, -ENOEXEC,
		   "parameter record %" PRIu64 " (%s): its %s lies nowhere", index, name, what);
	kc_found(report, "address %#" PRIx64, address);
	return -ENOEXEC;
}

static int read_record(const struct kocoon_loaded *module, const uint8_t *bytes, uint64_t index,
		       struct kocoon_report *report, struct kc_param *param_ret)
{
	struct kc_kernel_param record;
	struct kc_param param = { 0 };

	memcpy(&record, bytes, sizeof(record));
	param.name = kc_module_string(module, (uintptr_t)record.name);
	if (!param.name)
		return refuse_record(report, index, "?", "name", (uintptr_t)record.name);
	param.ops = (uintptr_t)record.ops;
	/* The module's, another module's, or supplied. */
	if (!kc_module_bytes(module, param.ops, sizeof(struct kc_kernel_param_ops)))
		return refuse_record(report, index, param.name, "set of functions", param.ops);
	param.arg = (uintptr_t)record.arg;
	param.perm = record.perm;
	param.level = record.level;
	param.flags = record.flags;
	*param_ret = param;
	return 0;
}

int kc_params_find(struct kocoon_loaded *module, uint64_t address, uint64_t count,
		   struct kocoon_report *report)
{
	const uint8_t *bytes = NULL;
	struct kc_param *params;
	int err = 0;

	if (!count)
		return 0;
	if (count <= UINT64_MAX / KC_PARAM_RECORD)
		bytes = kc_module_bytes(module, address, count * KC_PARAM_RECORD);
	/* Differs from Linux: it would read on behind the section. */
	if (!bytes)
		return kc_finding(report, KOCOON_STAGE_PARAMETERS, -ENOEXEC,
				  "%" PRIu64 " parameter records at %#" PRIx64
				  " are not in the module's memory",
				  count, address);
	params = calloc(count, sizeof(*params));
	if (!params)
		return kc_finding(report, KOCOON_STAGE_PARAMETERS, -ENOMEM, "out of memory");
	for (uint64_t i = 0; i < count && !err; i++) {
		err = read_record(module, bytes + i * KC_PARAM_RECORD, i, report, &params[i]);
		params[i].record = address + i * KC_PARAM_RECORD;
	}
	if (err) {
		free(params);
		return err;
	}
	module->params = params;
	module->param_count = count;
	return 0;
}

const struct kc_param *kc_params_lookup(const struct kocoon_loaded *module, const char *name)
{
	for (size_t i = 0; i < module->param_count; i++) {
		if (kc_parameq(name, module->params[i].name))
			return &module->params[i];
	}
	return NULL;
}

/* ---- the parameter lock, for module code ---- */

static struct kocoon_loaded *module_of(void *this_module)
{
	struct kocoon *kocoon = kc_current();
	struct kocoon_loaded *module = NULL;

	kc_rcu_read_lock();
	if (kocoon && this_module)
		module = kc_loaded_at(kocoon, (uintptr_t)this_module);
	kc_rcu_read_unlock();
	return module; /* whose code is calling */
}

/* Differs from Linux: NULL, the lock of what is built in, locks nothing: nothing is built in. */
KOCOON_CALLED_BY_MODULE void kc_kernel_param_lock(void *this_module)
{
	struct kocoon_loaded *module = module_of(this_module);

	if (module)
		pthread_mutex_lock(&module->param_lock);
}

KOCOON_CALLED_BY_MODULE void kc_kernel_param_unlock(void *this_module)
{
	struct kocoon_loaded *module = module_of(this_module);

	if (module)
		pthread_mutex_unlock(&module->param_lock);
}

/* ---- setting and reading ---- */

static const struct kc_kernel_param_ops *ops_of(const struct kc_param *param)
{
	return (const struct kc_kernel_param_ops *)(uintptr_t)param->ops;
}

static const struct kc_kernel_param *record_of(const struct kc_param *param)
{
	return (const struct kc_kernel_param *)(uintptr_t)param->record;
}

/*
 * In this order: who waits in module code for the lock has a CPU already, and whoever has the lock
 * needs none any more.
 */
static void enter_and_lock(struct kocoon_loaded *module)
{
	kocoon_enter(module->kocoon);
	pthread_mutex_lock(&module->param_lock);
}

static void unlock_and_leave(struct kocoon_loaded *module)
{
	pthread_mutex_unlock(&module->param_lock);
	kocoon_leave(module->kocoon);
}

/* param_check_unsafe(): false: locked down. */
static bool may_set(struct kocoon_loaded *module, const struct kc_param *param)
{
	struct kocoon *kocoon = module->kocoon;

	if (param->flags & KC_PARAM_FL_HWPARAM && kocoon->policy.lockdown) {
		kc_log(kocoon, KOCOON_LOG_NOTICE,
		       "Lockdown: %s: parameter %s configures hardware; that is restricted",
		       module->name, param->name);
		return false;
	}
	if (param->flags & KC_PARAM_FL_UNSAFE) {
		kc_log(kocoon, KOCOON_LOG_NOTICE,
		       "%s: setting the dangerous parameter %s taints the kernel", module->name,
		       param->name);
		kocoon_add_taint(kocoon, KC_TAINT_USER);
	}
	return true;
}

static int set_param(struct kocoon_loaded *module, const struct kc_param *param, char *value)
{
	int err = -EPERM;

	enter_and_lock(module);
	if (may_set(module, param))
		err = ops_of(param)->set(value, record_of(param));
	unlock_and_leave(module);
	return err;
}

int kc_param_show(struct kocoon_loaded *module, const struct kc_param *param, char **text_ret,
		  size_t *len_ret)
{
	char *page;
	int len;

	if (!ops_of(param)->get)
		return -EPERM;
	page = calloc(1, KC_PAGE_SIZE);
	if (!page)
		return -ENOMEM;
	enter_and_lock(module);
	len = ops_of(param)->get(page, record_of(param));
	unlock_and_leave(module);
	if (len < 0) {
		free(page);
		return len;
	}
	/* sysfs_kf_seq_show() cuts there, with a warning. */
	if (len >= (int)KC_PAGE_SIZE)
		len = KC_PAGE_SIZE - 1;
	page[len] = 0;
	*text_ret = page;
	*len_ret = (size_t)len;
	return 0;
}

int kc_param_store(struct kocoon_loaded *module, const struct kc_param *param, const char *text,
		   size_t len)
{
	char *copy;
	int err;

	if (!ops_of(param)->set)
		return -EPERM;
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, len);
	copy[len] = 0;
	err = set_param(module, param, copy);
	free(copy);
	return err;
}

int kocoon_get_parameter(struct kocoon *kocoon, const char *module, const char *name,
			 char **text_ret)
{
	struct kocoon_loaded *loaded = kc_sysfs_find_active(kocoon, module);
	const struct kc_param *param;
	int err = -ENOENT;
	size_t len;

	if (!loaded)
		return -ENOENT;
	param = kc_params_lookup(loaded, name);
	if (param)
		err = kc_param_show(loaded, param, text_ret, &len);
	kc_sysfs_put_active(loaded);
	return err;
}

int kocoon_set_parameter(struct kocoon *kocoon, const char *module, const char *name,
			 const char *value)
{
	struct kocoon_loaded *loaded = kc_sysfs_find_active(kocoon, module);
	const struct kc_param *param;
	int err = -ENOENT;

	if (!loaded)
		return -ENOENT;
	param = kc_params_lookup(loaded, name);
	if (param)
		err = kc_param_store(loaded, param, value, strlen(value));
	kc_sysfs_put_active(loaded);
	return err;
}

/* ---- the argument string: what there is to say goes to the report, and with it to the log ---- */

/* ddebug_dyndbg_module_param_cb(): also with something and a dot before it. */
static bool is_dyndbg(const char *name)
{
	const char *dot = strchr(name, '.');

	return strcmp(dot ? dot + 1 : name, "dyndbg") == 0;
}

/* A value that is none asks for it. */
static void request_async_probe(struct kocoon_loaded *module, const char *value)
{
	uint32_t offset = module->members.offset[KC_MEMBER_ASYNC_PROBE_REQUESTED];

	if (kc_kstrtobool(value, &module->async_probe))
		module->async_probe = true;
	if (module->this_module_bytes && offset != KC_NO_MEMBER)
		module->this_module_bytes[offset] = module->async_probe;
}

/* unknown_module_param_cb(): never an error. */
static void take_unknown(struct kocoon_loaded *module, const char *name, const char *value,
			 struct kocoon_report *report)
{
	if (strcmp(name, "async_probe") == 0) {
		request_async_probe(module, value);
		return;
	}
	if (is_dyndbg(name)) {
		kc_log(module->kocoon, KOCOON_LOG_INFO, "%s: %s ignored: there is no dynamic debug",
		       module->name, name);
		return;
	}
	kc_finding(report, KOCOON_STAGE_PARAMETERS, 0, "unknown parameter '%s' is ignored", name);
}

/* parse_one() */
static int set_one(struct kocoon_loaded *module, const char *name, char *value,
		   struct kocoon_report *report)
{
	const struct kc_param *param = kc_params_lookup(module, name);
	int err;

	if (!param) {
		take_unknown(module, name, value, report);
		return 0;
	}
	if (!value && !(ops_of(param)->flags & KC_PARAM_OPS_FL_NOARG))
		return -EINVAL;
	/* Differs from Linux: it would call the missing function. */
	if (!ops_of(param)->set)
		return -EPERM;
	err = set_param(module, param, value);
	/* Differs from Linux: it would take what is over 0 for the rest of the line. */
	return err > 0 ? -EINVAL : err;
}

static void report_one(struct kocoon_report *report, const char *name, const char *value, int err)
{
	const char *what = "is not valid";

	if (err == -ENOENT)
		what = "is for a parameter that is unknown";
	else if (err == -ENOSPC)
		what = "is too large";
	kc_finding(report, KOCOON_STAGE_PARAMETERS, err, "parameter %s: '%s' %s", name,
		   value ? value : "", what);
	if (!value)
		kc_hint(report, "give it a value: %s=VALUE", name);
}

int kc_parse_args(struct kocoon_loaded *module, struct kocoon_report *report)
{
	char *rest = module->args ? kc_skip_spaces(module->args) : NULL;
	int err = 0;

	while (rest && *rest) {
		char *name, *value;
		int one;

		rest = kc_next_arg(rest, &name, &value);
		if (!value && strcmp(name, "--") == 0) {
			if (!err)
				kc_finding(report, KOCOON_STAGE_PARAMETERS, 0,
					   "parameters '%s' behind '--' are ignored", rest);
			break;
		}
		/* The last error is the answer, but those behind an error are set as well. */
		one = set_one(module, name, value, report);
		if (one) {
			report_one(report, name, value, one);
			err = one;
		}
	}
	return err;
}

void kc_params_destroy(struct kocoon_loaded *module)
{
	if (module->param_count)
		kocoon_enter(module->kocoon);
	for (size_t i = 0; i < module->param_count; i++) {
		const struct kc_param *param = &module->params[i];

		if (ops_of(param)->free)
			ops_of(param)->free((void *)(uintptr_t)param->arg);
	}
	if (module->param_count)
		kocoon_leave(module->kocoon);
	free(module->params);
	module->params = NULL;
	module->param_count = 0;
}
