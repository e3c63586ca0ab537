/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verdicts: what became known of a module, copied out of its load. */
#include <stdlib.h>

#include "module/session.h"

const char *kocoon_region_name(enum kocoon_region_kind kind)
{
	static const char *const names[] = { "text",	      "data",	   "rodata",
					     "ro_after_init", "init_text", "init_data",
					     "init_rodata" };

	return (size_t)kind < KC_ARRAY_SIZE(names) ? names[kind] : "unknown";
}

void kc_verdict_free(struct kc_verdict *verdict)
{
	if (!verdict)
		return;
	kc_report_deinit(&verdict->report);
	kc_signature_deinit(&verdict->signature);
	free(verdict->module);
	free(verdict->depends);
	free(verdict);
}

static bool is_seen(const struct kc_index *seen, uint32_t hash, uint32_t provider)
{
	uint32_t cursor = 0;
	uint32_t found;

	while ((found = kc_index_next(seen, hash, &cursor)) != KC_INDEX_NONE)
		if (found == provider)
			return true;
	return false;
}

/* The modules whose symbols it uses, each once, in order of first use. */
static int list_depends(const struct kc_load *load, const char **depends, size_t *count_ret)
{
	struct kc_index seen;
	size_t count = 0;
	int err = kc_index_init(&seen, 16);

	for (size_t i = 0; !err && i < load->import_count; i++) {
		const struct kc_import *import = &load->imports[i];
		uint32_t provider = (uint32_t)import->provider;
		uint32_t hash = kc_hash_bytes(&provider, sizeof(provider));

		if (import->provider < 0 || import->state != KOCOON_IMPORT_OK ||
		    is_seen(&seen, hash, provider))
			continue;
		depends[count++] = import->provider_name;
		err = kc_index_add(&seen, hash, provider);
	}
	kc_index_deinit(&seen);
	*count_ret = count;
	return err;
}

static size_t count_foreign(const struct kc_load *load)
{
	size_t count = 0;

	for (size_t i = 0; i < load->import_count; i++)
		count += load->imports[i].provider >= 0;
	return count;
}

/*
 * The finding that decided: the first of the deciding stage with that errno, else the first that
 * refuses.
 */
static const char *find_reason(const struct kc_verdict *verdict)
{
	const struct kocoon_report *report = &verdict->report;

	for (int exact = 1; exact >= 0; exact--)
		for (size_t i = 0; i < report->count; i++) {
			const struct kocoon_finding *finding = &report->findings[i];

			if (exact ? finding->err == verdict->public.err &&
					    finding->stage == verdict->public.stage
				  : finding->err < 0)
				return finding->what;
		}
	return NULL;
}

struct kc_verdict *kc_verdict_new(const struct kc_entry *entry, struct kc_job *job)
{
	struct kc_verdict *verdict = calloc(1, sizeof(*verdict));
	struct kc_load *load = &job->load;
	size_t foreign = count_foreign(load);
	size_t depend_count = 0;

	if (!verdict)
		return NULL;
	verdict->module = strdup(*load->struct_name ? load->struct_name : entry->name);
	verdict->depends = calloc(foreign ? foreign : 1, sizeof(*verdict->depends));
	if (!verdict->module || !verdict->depends ||
	    (foreign && list_depends(load, verdict->depends, &depend_count))) {
		kc_verdict_free(verdict);
		return NULL;
	}
	kc_report_move(&verdict->report, &job->report);
	verdict->signature = load->signature;
	load->signature = (struct kc_signature){ 0 };
	verdict->public = (struct kocoon_verdict){
		.module = verdict->module,
		.path = entry->path,
		.err = load->err,
		.stage = load->stage,
		.report = &verdict->report,
		.signature = { verdict->signature.state, verdict->signature.signer,
			       verdict->signature.key_id, verdict->signature.hash },
		.taints = load->taints,
		.depends = verdict->depends,
		.depend_count = depend_count,
		.relocations = load->relocations,
		.usec = job->nsec / 1000,
	};
	for (int i = 0; i < KOCOON_REGION_COUNT; i++)
		verdict->public.region_sizes[i] = load->memory.regions[i].size;
	verdict->public.reason = find_reason(verdict);
	return verdict;
}
