// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * kocoon info: the fields of modinfo in its order and layout, then what the pipeline found out.
 */
#include <ctype.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/findings.h"
#include "cli/imports.h"
#include "cli/info.h"

/* One parameter, from a parm= and a parmtype= entry. The texts lie in the module. */
struct parameter {
	const char *name;
	size_t name_length;
	const char *description; /* or NULL */
	const char *type; /* or NULL */
	struct parameter *next; /* owned */
};

struct parameters {
	struct parameter *last; /* owned; the one that appeared last, and then backwards */
	void *by_name; /* a tree of <search.h>; owned */
};

void info_label(struct text *out, const char *name)
{
	text_put(out, "%s:%*s", name, INFO_COLUMN - 1 - (int)strnlen(name, INFO_COLUMN - 1), "");
}

/* Values of several lines go on in the column of the values: they can't look like a field. */
static void print_value(struct text *out, const char *value)
{
	for (;;) {
		size_t length = strcspn(value, "\n");

		text_put(out, "%.*s", (int)length, value);
		if (!value[length])
			break;
		value += length + 1;
		fprintf(out->file, "\n%*s", INFO_COLUMN, "");
	}
	text_end_line(out);
}

static void print_field(struct text *out, const char *name, const char *value)
{
	info_label(out, name);
	print_value(out, value);
}

static int compare_parameters(const void *a, const void *b)
{
	const struct parameter *left = a;
	const struct parameter *right = b;

	if (left->name_length != right->name_length)
		return left->name_length < right->name_length ? -1 : 1;
	return memcmp(left->name, right->name, left->name_length);
}

static struct parameter *find_parameter(struct parameters *parameters, const char *name,
					size_t length)
{
	struct parameter wanted = { .name = name, .name_length = length };
	struct parameter **found = tfind(&wanted, &parameters->by_name, compare_parameters);

	if (found)
		return *found;
	struct parameter *added = cli_grow(NULL, 1, sizeof(*added));
	*added = wanted;
	added->next = parameters->last;
	parameters->last = added;
	if (!tsearch(added, &parameters->by_name, compare_parameters))
		cli_out_of_memory();
	return added;
}

static void do_not_free(void *parameter)
{
	(void)parameter;
}

static void parameters_deinit(struct parameters *parameters)
{
	struct parameter *parameter = parameters->last;

	tdestroy(parameters->by_name, do_not_free);
	while (parameter) {
		struct parameter *next = parameter->next;

		free(parameter);
		parameter = next;
	}
}

/* `tag` is parm or parmtype: whether it was taken. */
static bool take_parameter(struct parameters *parameters, const char *tag, const char *value)
{
	bool is_type = !strcmp(tag, "parmtype");
	const char *colon = strchr(value, ':');

	if ((!is_type && strcmp(tag, "parm") != 0) || !colon)
		return false;
	struct parameter *parameter = find_parameter(parameters, value, (size_t)(colon - value));
	if (is_type)
		parameter->type = colon + 1;
	else
		parameter->description = colon + 1;
	return true;
}

/* The last one first: modinfo's order. */
static void print_parameters(struct text *out, const struct parameters *parameters)
{
	const struct parameter *parameter = parameters->last;

	for (; parameter; parameter = parameter->next) {
		const char *description = parameter->description;
		const char *type = parameter->type;
		char *value =
			cli_format("%.*s:%s%s%s%s", (int)parameter->name_length, parameter->name,
				   description ? description : "", description && type ? " (" : "",
				   type ? type : "", description && type ? ")" : "");

		print_field(out, "parm", value);
		free(value);
	}
}

/* "0a1b" as "0A:1B": modinfo's form. */
static void print_key(struct text *out, const char *hex)
{
	info_label(out, "sig_key");
	for (size_t i = 0; hex[i]; i++)
		text_put(out, "%s%c", i && i % 2 == 0 ? ":" : "", toupper((unsigned char)hex[i]));
	text_end_line(out);
}

static void print_signature(struct text *out, const struct kocoon_signature *signature)
{
	if (signature->state != KOCOON_SIGNATURE_NONE)
		print_field(out, "sig_id", "PKCS#7");
	if (signature->signer)
		print_field(out, "signer", signature->signer);
	if (signature->key_id)
		print_key(out, signature->key_id);
	if (signature->hash)
		print_field(out, "sig_hashalgo", signature->hash);
	print_field(out, "sig_state", signature_words(signature));
}

static void print_modinfo(struct text *out, const struct kocoon_module *module)
{
	struct parameters parameters = { 0 };
	const char *tag;
	const char *value;

	print_field(out, "filename", kocoon_module_verdict(module)->path);
	for (size_t i = 0; kocoon_module_modinfo(module, i, &tag, &value); i++) {
		if (!take_parameter(&parameters, tag, value))
			print_field(out, tag, value);
	}
	print_signature(out, &kocoon_module_verdict(module)->signature);
	print_parameters(out, &parameters);
	parameters_deinit(&parameters);
}

static void print_abi(struct text *out, const struct kocoon_module *module)
{
	struct kocoon_abi abi;

	kocoon_module_abi(module, &abi);
	info_label(out, "abi");
	text_put(out, "struct module of %" PRIu64 " bytes", abi.module_size_found);
	if (!abi.module_size_wanted)
		text_line(out, "; the kernel's own size is not known");
	else if (abi.module_size_wanted == abi.module_size_found)
		text_line(out, ", as this kernel's");
	else
		text_line(out, "; this kernel's has %" PRIu64, abi.module_size_wanted);
	info_label(out, "size");
	text_line(out, "%" PRIu64 " bytes in the file (%s), %" PRIu64 " unpacked", abi.file_size,
		  abi.compression ? abi.compression : "none", abi.image_size);
}

static void print_relocations(struct text *out, const struct kocoon_module *module)
{
	const struct kocoon_relocation_count *count;

	info_label(out, "relocations");
	text_put(out, "%" PRIu64, kocoon_module_verdict(module)->relocations);
	for (size_t i = 0; (count = kocoon_module_relocations(module, i)); i++)
		text_put(out, "%s%" PRIu64 " %s", i ? ", " : ": ", count->count, count->type);
	text_end_line(out);
}

static void print_verdict(struct text *out, const struct kocoon_verdict *verdict,
			  const char *kernel)
{
	char taints[32];

	kocoon_taint_letters(verdict->taints, taints);
	if (*taints)
		print_field(out, "taints", taints);
	info_label(out, "verdict");
	if (verdict->err)
		text_line(out, "REJECTED by %s: %s: %s: %s", kernel,
			  kocoon_errno_name(verdict->err), kocoon_stage_name(verdict->stage),
			  verdict->reason ? verdict->reason : "");
	else
		text_line(out, "accepted by %s", kernel);
}

static void print_text(struct cli *cli, const struct kocoon_module *module)
{
	struct text *out = &cli->out;

	print_modinfo(out, module);
	print_abi(out, module);
	imports_print(out, module, cli->options.verbose);
	exports_print(out, module, cli->options.verbose);
	print_relocations(out, module);
	print_verdict(out, kocoon_module_verdict(module), cli_kernel_name(cli));
}

/* Each tag has an array: many stand in a module more than once. */
static void modinfo_json(struct json_object *line, const struct kocoon_module *module)
{
	struct json_object *object = json_new_object(line, "modinfo");
	const char *tag;
	const char *value;

	for (size_t i = 0; kocoon_module_modinfo(module, i, &tag, &value); i++)
		json_append(json_member_array(object, tag), json_make_text(value));
}

static void abi_json(struct json_object *line, const struct kocoon_module *module)
{
	struct json_object *object = json_new_object(line, "abi");
	struct kocoon_abi abi;

	kocoon_module_abi(module, &abi);
	json_number(object, "module_size_wanted", abi.module_size_wanted);
	json_number(object, "module_size_found", abi.module_size_found);
	json_number(object, "image_size", abi.image_size);
	json_number(object, "file_size", abi.file_size);
	json_text(object, "compression", abi.compression);
}

static void relocations_json(struct json_object *line, const struct kocoon_module *module)
{
	struct json_object *object = json_new_object(line, "relocations");
	const struct kocoon_relocation_count *count;

	for (size_t i = 0; (count = kocoon_module_relocations(module, i)); i++)
		json_number(object, count->type, count->count);
}

static void print_json(struct cli *cli, const struct kocoon_module *module)
{
	const struct kocoon_verdict *verdict = kocoon_module_verdict(module);
	struct json_object *line = json_make_object();
	char taints[32];

	kocoon_taint_letters(verdict->taints, taints);
	json_text(line, "module", verdict->module);
	json_text(line, "path", verdict->path);
	json_text(line, "kernel", kocoon_kernel_release(cli->kernel));
	json_text(line, "verdict", verdict->err ? "reject" : "accept");
	json_text(line, "errno", kocoon_errno_name(verdict->err));
	json_text(line, "stage", verdict->err ? kocoon_stage_name(verdict->stage) : NULL);
	json_text(line, "reason", verdict->reason);
	modinfo_json(line, module);
	signature_json(line, "signature", &verdict->signature);
	json_text(line, "taints", taints);
	abi_json(line, module);
	imports_json(line, module);
	exports_json(line, module);
	relocations_json(line, module);
	json_print(&cli->out, line);
}

static int show(struct cli *cli, const char *argument, bool first)
{
	struct kocoon_module *module = NULL;
	int status = cli_load_module(cli, argument, NULL, &module);

	if (status)
		return status;
	if (cli->options.json) {
		print_json(cli, module);
	} else {
		if (!first)
			text_end_line(&cli->out);
		print_text(cli, module);
	}
	status = kocoon_module_verdict(module)->err ? CLI_REFUSED : CLI_OK;
	kocoon_module_free(module);
	return status;
}

int cmd_info(struct cli *cli)
{
	int status = cli_open_kernel(cli);

	if (!status)
		status = cli_open_tree(cli, false);
	if (status)
		return status;
	for (size_t i = 0; i < cli->options.argument_count && text_healthy(&cli->out); i++) {
		int shown = show(cli, cli->options.arguments[i], !i);

		status = shown > status ? shown : status;
	}
	return status;
}
