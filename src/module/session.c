/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many modules against one kernel: see session.h, which also has the locking. */
#include "module/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PARKED_LIMIT = 128 << 20 };
/*
 * Where dependencies go while one module is placed by the user: behind the room that one may take.
 */
enum { DEPENDS_OFFSET = 256 << 20 };

/* A worker's own. */
struct worker {
	struct kc_session *session;
	struct kc_unpacker unpacker;
};

/* ---- entries and jobs ---- */

int kc_session_init(struct kc_session *session, const struct kocoon_kernel *kernel,
		    const struct kocoon_tree *tree, const struct kocoon_policy *policy)
{
	const struct kc_arch *arch = kc_arch_find(kocoon_kernel_arch(kernel));
	size_t tree_count = tree && tree->count ? tree->count : 1;

	*session = (struct kc_session){ .kernel = kernel, .tree = tree, .kept = -1 };
	if (policy)
		memcpy(&session->policy, policy,
		       policy->size < sizeof(*policy) ? policy->size : sizeof(*policy));
	session->all_included = !tree;
	session->base = session->policy.base ? session->policy.base : arch ? arch->module_base : 0;
	session->next_address = session->base;
	session->included = calloc(tree_count, sizeof(*session->included));
	if (!session->included || kc_index_init(&session->claim_index, 1024) ||
	    kc_index_init(&session->name_index, tree_count)) {
		kc_index_deinit(&session->claim_index);
		free(session->included);
		return -ENOMEM;
	}
	pthread_mutex_init(&session->mutex, NULL);
	pthread_cond_init(&session->changed, NULL);
	return 0;
}

static void free_entry(struct kc_entry *entry)
{
	free(entry->path);
	free(entry->name);
	free(entry->real_name);
	free(entry->exports);
	free(entry->export_names);
	kc_job_free(entry->job);
	kc_verdict_free(entry->verdict);
	free(entry);
}

void kc_session_deinit(struct kc_session *session)
{
	for (uint32_t i = 0; i < session->count; i++)
		free_entry(session->entries[i]);
	for (uint32_t i = 0; i < session->claim_count; i++)
		free(session->claims[i].name);
	while (session->spare) {
		struct kc_job *job = session->spare;

		session->spare = job->next;
		kc_job_free(job);
	}
	free(session->entries);
	free(session->claims);
	free(session->included);
	for (int i = 0; i <= KC_ENTRY_DONE; i++)
		free(session->lists[i].numbers);
	kc_index_deinit(&session->claim_index);
	kc_index_deinit(&session->name_index);
	kc_tree_symbols_free(session->symbols);
	pthread_mutex_destroy(&session->mutex);
	pthread_cond_destroy(&session->changed);
}

/* Every list has room for every entry, so that changing a state can't fail. */
static int grow_lists(struct kc_session *session, uint32_t capacity)
{
	static const enum kc_entry_state listed[] = { KC_ENTRY_WAITING, KC_ENTRY_READY };

	for (size_t i = 0; i < KC_ARRAY_SIZE(listed); i++) {
		struct kc_entry_list *list = &session->lists[listed[i]];
		uint32_t *numbers = reallocarray(list->numbers, capacity, sizeof(*numbers));

		if (!numbers)
			return -ENOMEM;
		list->numbers = numbers;
	}
	return 0;
}

static int add_entry(struct kc_session *session, const char *path, bool selected)
{
	struct kc_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return -ENOMEM;
	*entry = (struct kc_entry){ .selected = selected, .wait = KC_WAIT_NOTHING };
	entry->path = strdup(path);
	entry->name = kc_tree_module_name(path);
	if (session->count == session->capacity) {
		uint32_t capacity = session->capacity ? session->capacity * 2 : 64;
		struct kc_entry **entries =
			reallocarray(session->entries, capacity, sizeof(struct kc_entry *));

		if (entries)
			session->entries = entries;
		if (entries && grow_lists(session, capacity) == 0)
			session->capacity = capacity;
	}
	if (!entry->path || !entry->name || session->count == session->capacity) {
		free_entry(entry);
		return -ENOMEM;
	}
	session->entries[session->count++] = entry;
	return 0;
}

/* A module given by path stands for the tree's module of the same name. */
int kc_session_add(struct kc_session *session, const char *path)
{
	char *name = kc_tree_module_name(path);
	uint32_t in_tree =
		session->tree && name ? kc_tree_find(session->tree, name) : KC_INDEX_NONE;

	if (in_tree != KC_INDEX_NONE)
		session->included[in_tree] = true;
	free(name);
	return name ? add_entry(session, path, true) : -ENOMEM;
}

static int include(struct kc_session *session, uint32_t module, bool selected)
{
	const struct kocoon_tree *tree = session->tree;

	if (session->included[module])
		return 0;
	session->included[module] = true;
	return add_entry(session, tree->modules[module].path, selected);
}

/* A module of the tree, dependencies first. */
static int include_with_depends(struct kc_session *session, uint32_t module)
{
	const struct kc_tree_module *from = &session->tree->modules[module];
	int err = 0;

	/* With its own, or on its way: in a chain, all of it would be looked at from each. */
	if (session->included[module])
		return 0;
	for (uint32_t i = from->depend_count; i-- > 0 && !err;)
		err = include(session, from->depends[i], false);
	return err ? err : include(session, module, false);
}

int kc_session_add_depends(struct kc_session *session)
{
	const struct kocoon_tree *tree = session->tree;
	uint32_t given = session->count;
	int err = 0;

	for (uint32_t i = 0; tree && i < given && !err; i++) {
		uint32_t module = kc_tree_find(tree, session->entries[i]->name);

		for (uint32_t d = 0; module != KC_INDEX_NONE && !err; d++) {
			if (d >= tree->modules[module].depend_count)
				break;
			err = include_with_depends(session, tree->modules[module].depends[d]);
		}
	}
	return err;
}

int kc_session_add_tree(struct kc_session *session)
{
	uint32_t *order;
	int err;

	if (!session->tree)
		return 0;
	order = calloc(session->tree->count ? session->tree->count : 1, sizeof(*order));
	err = order ? kc_tree_order(session->tree, order) : -ENOMEM;
	for (uint32_t i = 0; i < session->tree->count && !err; i++)
		err = include(session, order[i], true);
	session->all_included = true;
	free(order);
	return err;
}

void kc_job_free(struct kc_job *job)
{
	if (!job)
		return;
	if (job->loading)
		kc_load_deinit(&job->load);
	kc_report_deinit(&job->report);
	kc_buffer_deinit(&job->load.memory.buffer);
	kc_buffer_deinit(&job->file);
	kc_buffer_deinit(&job->image);
	free(job->overrides);
	free(job);
}

static struct kc_job *take_job(struct kc_session *session)
{
	struct kc_job *job = session->spare;

	if (!job)
		return calloc(1, sizeof(*job));
	session->spare = job->next;
	return job;
}

/* Buffers are kept for the next module; the rest is given back. */
static void release_job(struct kc_session *session, struct kc_job *job)
{
	struct kc_buffer memory = job->load.memory.buffer;

	job->load.memory.buffer = (struct kc_buffer){ 0 };
	if (job->loading)
		kc_load_deinit(&job->load);
	kc_report_deinit(&job->report);
	free(job->overrides);
	*job = (struct kc_job){ .file = job->file, .image = job->image, .next = session->spare };
	job->load.memory.buffer = memory;
	session->spare = job;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* ---- callbacks of a load ---- */

struct view {
	struct kc_session *session;
	uint32_t self;
};

static bool module_exists(void *context, const char *name)
{
	struct view *view = context;
	struct kc_session *session = view->session;
	uint32_t hash = kc_hash(name);
	uint32_t cursor = 0;
	uint32_t other;
	bool exists = false;

	pthread_mutex_lock(&session->mutex);
	while (!exists &&
	       (other = kc_index_next(&session->name_index, hash, &cursor)) != KC_INDEX_NONE)
		exists = other != view->self && session->entries[other]->accepted &&
			 strcmp(session->entries[other]->real_name, name) == 0;
	pthread_mutex_unlock(&session->mutex);
	return exists;
}

static const char *module_exports(void *context, const char *name, uint32_t hash)
{
	struct view *view = context;
	struct kc_session *session = view->session;
	const char *owner = kc_kernel_find_export(session->kernel, name, hash) ? "" : NULL;
	uint32_t cursor = 0;
	struct kc_claim *claim;

	pthread_mutex_lock(&session->mutex);
	while (!owner && (claim = kc_session_next_claim(session, name, hash, &cursor)))
		if (claim->entry != view->self && claim->export)
			owner = session->entries[claim->entry]->real_name;
	pthread_mutex_unlock(&session->mutex);
	return owner;
}

/* ---- one entry ---- */

/* Reads, decompresses and prepares. Without the mutex. */
static void prepare(struct worker *worker, uint32_t number, struct kc_job *job)
{
	struct kc_session *session = worker->session;
	const struct kc_entry *entry = session->entries[number];
	struct kc_buffer memory = job->load.memory.buffer;
	struct kc_load *load = &job->load;
	enum kocoon_stage stage = KOCOON_STAGE_READ;
	int err;

	kc_load_init(load, session->kernel, &session->policy, &job->report);
	load->memory.buffer = memory;
	load->cpu = (int)number == session->kept ? session->cpu : NULL;
	job->loading = true;
	err = kc_read_file(entry->path, KC_MODULE_IMAGE_MAX, &job->file, &job->report);
	if (!err && !job->file.len)
		err = kc_finding(&job->report, stage, -EINVAL, "the file is empty");
	if (!err && session->policy.compressed_file) {
		stage = KOCOON_STAGE_DECOMPRESS;
		err = kc_module_check_compressed(&load->behaviour->decompressor,
						 kc_buffer_span(&job->file), &job->report);
	}
	if (!err) {
		stage = KOCOON_STAGE_DECOMPRESS;
		err = kc_module_decompress(&load->behaviour->decompressor,
					   kc_buffer_span(&job->file), &worker->unpacker,
					   &job->image, &job->report, &job->format, &job->bytes);
	}
	if (err) {
		load->err = err;
		load->stage = stage;
		load->stopped = true;
		return;
	}
	kc_load_prepare(load, job->bytes);
}

/* Addresses that imports are to have instead of the providers'. */
static int override_imports(struct kc_session *session, struct kc_job *job)
{
	const struct kocoon_module_options *options = session->options;
	struct kc_load *load = &job->load;

	if (!options || !options->override_count)
		return 0;
	job->overrides =
		calloc(load->import_count ? load->import_count : 1, sizeof(*job->overrides));
	if (!job->overrides)
		return -ENOMEM;
	for (size_t i = 0; i < load->import_count; i++) {
		struct kc_import *import = &load->imports[i];

		for (size_t o = 0; import->export && o < options->override_count; o++) {
			if (strcmp(options->overrides[o].name, import->name) != 0)
				continue;
			job->overrides[i] = *import->export;
			job->overrides[i].address = options->overrides[o].address;
			import->export = &job->overrides[i];
		}
	}
	return 0;
}

/* Under the mutex: addresses are handed out one module after the other. */
static void place(struct kc_session *session, uint32_t number, struct kc_load *load)
{
	const struct kocoon_module_options *options = session->options;

	if ((int)number != session->kept) {
		session->next_address = kc_layout_place(load, session->next_address);
		/*
		 * Nothing is loaded for real: where a large tree outgrows the room, addresses are
		 * used again.
		 */
		if (session->next_address - session->base > load->arch->module_space / 4 * 3)
			session->next_address = session->base;
		return;
	}
	load->percpu_address = options ? options->percpu : 0;
	if (!options || !options->region_bases) {
		kc_layout_place(load, options && options->base ? options->base : session->base);
		return;
	}
	for (int i = 0; i < KOCOON_REGION_COUNT; i++)
		load->memory.regions[i].address = options->region_bases[i];
}

/* The exports outlive the load that they stand in: one block for all names. */
static int copy_exports(struct kc_entry *entry, const struct kc_load *load)
{
	size_t size = 1;
	char *next;

	for (size_t i = 0; i < load->export_count; i++)
		size += strlen(load->exports[i].name) + 1 +
			(load->exports[i].ns ? strlen(load->exports[i].ns) + 1 : 0);
	entry->exports =
		calloc(load->export_count ? load->export_count : 1, sizeof(*entry->exports));
	next = entry->export_names = malloc(size);
	if (!entry->exports || !next)
		return -ENOMEM;
	for (size_t i = 0; i < load->export_count; i++) {
		entry->exports[i] = load->exports[i];
		entry->exports[i].name = next;
		next = stpcpy(next, load->exports[i].name) + 1;
		if (!load->exports[i].ns)
			continue;
		entry->exports[i].ns = next;
		next = stpcpy(next, load->exports[i].ns) + 1;
	}
	entry->export_count = load->export_count;
	return 0;
}

/* Verdicts go out in the order of the entries, one at a time, without the mutex. */
static void deliver(struct kc_session *session)
{
	if (session->delivering)
		return;
	session->delivering = true;
	while (!session->result && session->next_verdict < session->count) {
		struct kc_entry *entry = session->entries[session->next_verdict];
		int err = 0;

		if (entry->state != KC_ENTRY_DONE)
			break;
		session->next_verdict++;
		if (!entry->selected || !session->verdict_fn || !entry->verdict)
			continue;
		pthread_mutex_unlock(&session->mutex);
		err = session->verdict_fn(&entry->verdict->public, session->context);
		kc_verdict_free(entry->verdict);
		entry->verdict = NULL;
		pthread_mutex_lock(&session->mutex);
		if (err && !session->result)
			session->result = err;
	}
	session->delivering = false;
}

/* Under the mutex. */
static void settle(struct kc_session *session, uint32_t number, struct kc_verdict *verdict, int err)
{
	struct kc_entry *entry = session->entries[number];

	kc_session_set_state(session, number, KC_ENTRY_DONE);
	entry->accepted = !err && entry->job->load.err == 0;
	entry->taints = entry->job->load.taints;
	entry->verdict = verdict;
	if (entry->accepted)
		err = kc_session_publish(session, number);
	if (err && !session->result)
		session->result = err;
	if ((int)number != session->kept) {
		release_job(session, entry->job);
		entry->job = NULL;
	}
	session->running--;
	kc_session_wake(session, (int)number);
	deliver(session);
}

/* Without the mutex. */
static void finish(struct kc_session *session, uint32_t number)
{
	struct kc_entry *entry = session->entries[number];
	struct kc_job *job = entry->job;
	struct view view = { session, number };
	struct kc_neighbours neighbours = { .context = &view,
					    .exported = module_exports,
					    .exists = module_exists };
	uint64_t start = now();
	struct kc_verdict *verdict = NULL;
	int err = 0;

	kc_load_finish(&job->load, &neighbours);
	if (job->load.err == 0)
		err = copy_exports(entry, &job->load);
	job->nsec += now() - start;
	if (entry->selected) {
		verdict = kc_verdict_new(entry, job);
		if (!verdict)
			err = -ENOMEM;
	}
	pthread_mutex_lock(&session->mutex);
	settle(session, number, verdict, err);
}

/* Under the mutex: keeps the load for later, or drops it where too much is kept already. */
static void park(struct kc_session *session, uint32_t number, int wait)
{
	struct kc_entry *entry = session->entries[number];
	size_t size = entry->job->image.capacity + entry->job->file.capacity;

	kc_session_wait(session, number, wait);
	session->running--;
	pthread_cond_broadcast(&session->changed);
	if (session->parked + size > PARKED_LIMIT) {
		release_job(session, entry->job);
		entry->job = NULL;
		return;
	}
	session->parked += size;
}

static void unpark(struct kc_session *session, const struct kc_entry *entry)
{
	if (entry->job)
		session->parked -= entry->job->image.capacity + entry->job->file.capacity;
}

static int prepare_entry(struct worker *worker, struct kc_entry *entry, uint32_t number)
{
	struct kc_session *session = worker->session;
	struct kc_job *job = take_job(session);
	uint64_t start = now();

	if (!job)
		return -ENOMEM;
	pthread_mutex_unlock(&session->mutex);
	prepare(worker, number, job);
	job->nsec += now() - start;
	pthread_mutex_lock(&session->mutex);
	entry->job = job;
	return kc_session_claim(session, number);
}

/* Under the mutex, which is given up where the work is. */
static void run_entry(struct worker *worker, uint32_t number)
{
	struct kc_session *session = worker->session;
	struct kc_entry *entry = session->entries[number];
	int wait;
	int err = 0;

	if (entry->state == KC_ENTRY_READY)
		unpark(session, entry);
	kc_session_set_state(session, number, KC_ENTRY_RUNNING);
	session->running++;
	if (!entry->job)
		err = prepare_entry(worker, entry, number);
	if (err) {
		session->result = session->result ? session->result : err;
		session->running--;
		return;
	}
	wait = kc_session_find_wait(session, number, &entry->job->load);
	if (wait != KC_WAIT_NOTHING) {
		park(session, number, wait);
		return;
	}
	if (!entry->job->load.stopped)
		place(session, number, &entry->job->load);
	if ((int)number == session->kept && override_imports(session, entry->job))
		session->result = -ENOMEM;
	pthread_mutex_unlock(&session->mutex);
	finish(session, number);
}

/* ---- workers ---- */

/*
 * An entry that may run: the first one that was woken, else the next new one. KC_INDEX_NONE: none.
 */
static uint32_t pick(struct kc_session *session)
{
	const struct kc_entry_list *ready = &session->lists[KC_ENTRY_READY];

	if (ready->count)
		return ready->numbers[0];
	return session->next_new < session->count ? session->next_new++ : KC_INDEX_NONE;
}

/* Modules of the tree that, by the hint, export what a waiting entry lacks. */
static int include_by_symbol(struct kc_session *session, const struct kc_entry *entry)
{
	const struct kc_load *load = &entry->job->load;
	int err = 0;

	for (size_t i = 0; i < load->import_count && !err; i++) {
		const struct kc_import *import = &load->imports[i];
		uint32_t module = KC_INDEX_NONE;

		if (import->provider == KC_PROVIDER_NONE)
			module = kc_tree_symbol(session->symbols, import->name, import->hash);
		if (module != KC_INDEX_NONE)
			err = include_with_depends(session, module);
	}
	return err;
}

static int include_more(struct kc_session *session)
{
	uint32_t before = session->count;
	int err = 0;

	if (!session->symbols_tried)
		session->symbols = kc_tree_symbols_open(session->tree);
	session->symbols_tried = true;
	for (uint32_t i = 0; session->symbols && i < before && !err; i++) {
		struct kc_entry *entry = session->entries[i];

		if (entry->state != KC_ENTRY_WAITING || !entry->job || entry->hinted)
			continue;
		entry->hinted = true;
		err = include_by_symbol(session, entry);
	}
	if (err || session->count > before)
		return err;
	for (uint32_t i = 0; i < session->tree->count && !err; i++)
		err = include(session, i, false);
	session->all_included = true;
	return err;
}

/*
 * Nothing runs, nothing can be started, but something waits. Either more of the tree has to be
 * looked at; or nobody exports a symbol; or modules depend on each other in a circle, and none of
 * them will ever be loaded.
 */
static void resolve_stall(struct kc_session *session)
{
	const struct kc_entry_list *waiting = &session->lists[KC_ENTRY_WAITING];
	bool waits_for_claims = false;
	int err = 0;

	for (uint32_t i = 0; i < waiting->count; i++)
		waits_for_claims |=
			session->entries[waiting->numbers[i]]->wait == KC_WAIT_ALL_CLAIMS;
	if (!waits_for_claims)
		session->last_resort = true;
	else if (!session->all_included)
		err = include_more(session);
	else
		session->claims_complete = true;
	if (err && !session->result)
		session->result = err;
	if (session->last_resort || session->claims_complete)
		kc_session_wake_all(session);
	pthread_cond_broadcast(&session->changed);
}

static void *work(void *context)
{
	struct worker worker = { .session = context };
	struct kc_session *session = context;

	pthread_mutex_lock(&session->mutex);
	while (!session->result) {
		uint32_t number = pick(session);

		if (number != KC_INDEX_NONE) {
			run_entry(&worker, number);
		} else if (session->running) {
			pthread_cond_wait(&session->changed, &session->mutex);
		} else if (session->lists[KC_ENTRY_WAITING].count) {
			resolve_stall(session);
		} else {
			break;
		}
	}
	pthread_cond_broadcast(&session->changed);
	pthread_mutex_unlock(&session->mutex);
	kc_unpacker_deinit(&worker.unpacker);
	return NULL;
}

static unsigned int thread_count(const struct kc_session *session)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int wanted = session->policy.threads;

	if (!wanted)
		wanted = processors > 0 ? (unsigned int)processors : 1;
	if (session->all_included && wanted > session->count)
		wanted = session->count;
	return wanted > 64 ? 64 : wanted;
}

int kc_session_run(struct kc_session *session)
{
	pthread_t threads[64];
	unsigned int wanted = thread_count(session);
	unsigned int started = 0;

	if (session->kept >= 0)
		session->next_address += DEPENDS_OFFSET;
	while (started + 1 < wanted && pthread_create(&threads[started], NULL, work, session) == 0)
		started++;
	work(session);
	while (started > 0)
		pthread_join(threads[--started], NULL);
	return session->result;
}

int kocoon_check(const struct kocoon_kernel *kernel, const struct kocoon_tree *tree,
		 const struct kocoon_policy *policy, const char *const *paths, size_t count,
		 kocoon_verdict_fn *verdict_fn, void *context)
{
	struct kc_session session;
	int err = kc_session_init(&session, kernel, tree, policy);

	if (err)
		return err;
	session.verdict_fn = verdict_fn;
	session.context = context;
	for (size_t i = 0; i < count && !err; i++)
		err = kc_session_add(&session, paths[i]);
	if (!err)
		err = count ? kc_session_add_depends(&session) : kc_session_add_tree(&session);
	if (!err)
		err = kc_session_run(&session);
	kc_session_deinit(&session);
	return err;
}
