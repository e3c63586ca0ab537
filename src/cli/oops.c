// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/oops.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cli/text.h"

bool oops_is_fatal(const struct kocoon_oops *oops)
{
	return oops->number || oops->kind == KOCOON_OOPS_PANIC;
}

static bool is_hang(const struct kocoon_oops *oops)
{
	return oops->kind == KOCOON_OOPS_HANG || oops->kind == KOCOON_OOPS_SOFT_LOCKUP ||
	       oops->kind == KOCOON_OOPS_HUNG_TASK;
}

/* The first that killed, or else the first that says where it hangs. */
bool oops_find_worst(const struct kocoon_machine *machine, size_t *index_ret)
{
	bool (*const wanted[])(const struct kocoon_oops *oops) = { oops_is_fatal, is_hang };
	const struct kocoon_oops *oops;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		for (size_t index = 0; (oops = kocoon_machine_oops(machine, index)); index++)
			if (wanted[i](oops)) {
				*index_ret = index;
				return true;
			}
	return false;
}

static void put_source(const struct kocoon_machine *machine, const struct kocoon_place *place,
		       bool call, struct json_object *object)
{
	unsigned int line;
	char *file;

	if (kocoon_machine_source(machine, place, call, &file, &line))
		return;
	json_text(object, "file", file);
	json_number(object, "line", line);
	free(file);
}

static void put_place(const struct kocoon_place *place, struct json_object *object)
{
	json_text(object, "symbol", place->symbol);
	json_number(object, "offset", place->offset);
	json_number(object, "size", place->size);
	json_text(object, "module", place->module);
}

static void put_trace(const struct kocoon_machine *machine, const struct kocoon_oops *oops,
		      struct json_object *array)
{
	for (size_t i = 0; i < oops->trace_count; i++) {
		struct json_object *frame = json_make_object();

		put_place(&oops->trace[i], frame);
		json_flag(frame, "sure", oops->trace[i].sure);
		if (oops->trace[i].sure)
			put_source(machine, &oops->trace[i], true, frame);
		json_append(array, frame);
	}
}

static void put_linked(const struct kocoon_oops *oops, struct json_object *array)
{
	for (size_t i = 0; i < oops->linked_count; i++) {
		struct json_object *module = json_make_object();

		json_text(module, "name", oops->linked[i].name);
		json_text(module, "taints", oops->linked[i].taints);
		json_append(array, module);
	}
}

struct json_object *oops_make_json(const struct kocoon_machine *machine,
				   const struct kocoon_oops *oops)
{
	struct json_object *object = json_make_object(), *inner;

	json_text(object, "kind", kocoon_oops_kind_name(oops->kind));
	json_text(object, "what", oops->what);
	json_number(object, "number", oops->number);
	json_text(object, "task", oops->task);
	json_number(object, "pid", oops->pid);
	json_text(object, "tainted", oops->tainted);
	json_text(object, "file", oops->file);
	json_number(object, "line", oops->line);
	if (oops->at.symbol) {
		inner = json_new_object(object, "rip");
		put_place(&oops->at, inner);
		put_source(machine, &oops->at, false, inner);
	}
	json_text(object, "code", oops->code);
	inner = json_new_object(object, "registers");
	for (size_t i = 0; i < oops->register_count; i++)
		json_address(inner, oops->registers[i].name, oops->registers[i].value);
	put_trace(machine, oops, json_new_array(object, "trace"));
	put_linked(oops, json_new_array(object, "modules"));
	return object;
}

static char *place_text(const struct kocoon_place *place)
{
	if (!place->symbol)
		return cli_copy("");
	if (!place->size)
		return cli_format(" at %s", place->symbol);
	return cli_format(" at %s+0x%" PRIx64 "/0x%" PRIx64 "%s%s%s", place->symbol, place->offset,
			  place->size, place->module ? " [" : "",
			  place->module ? place->module : "", place->module ? "]" : "");
}

char *oops_make_text(const struct kocoon_machine *machine, const struct kocoon_oops *oops)
{
	char *place = place_text(&oops->at), *file = NULL, *text;
	unsigned int line = oops->line;

	if (oops->file)
		file = cli_copy(oops->file);
	else if (kocoon_machine_source(machine, &oops->at, false, &file, &line))
		file = NULL;
	if (file)
		text = cli_format("%s%s (%s:%u)", kocoon_oops_kind_name(oops->kind), place, file,
				  line);
	else
		text = cli_format("%s%s", kocoon_oops_kind_name(oops->kind), place);
	free(place);
	free(file);
	return text;
}
