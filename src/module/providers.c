/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who provides which symbol in a session: claims, made when an entry was prepared, and exports,
 * known once it was accepted. All under the session's mutex.
 */
#include <errno.h>
#include <stdlib.h>

#include "module/session.h"

static struct kc_claim *find_claim(const struct kc_session *session, const char *name,
				   uint32_t hash, uint32_t entry)
{
	uint32_t cursor = 0;
	struct kc_claim *claim;

	while ((claim = kc_session_next_claim(session, name, hash, &cursor)))
		if (claim->entry == entry)
			return claim;
	return NULL;
}

/* An entry claims a name once. */
static int add_claim(struct kc_session *session, const char *name, uint32_t entry)
{
	uint32_t hash = kc_hash(name);
	struct kc_claim *claim;

	if (find_claim(session, name, hash, entry))
		return 0;

	if (session->claim_count == session->claim_capacity) {
		uint32_t capacity = session->claim_capacity ? session->claim_capacity * 2 : 1024;
		struct kc_claim *claims = reallocarray(session->claims, capacity, sizeof(*claims));

		if (!claims)
			return -ENOMEM;
		session->claims = claims;
		session->claim_capacity = capacity;
	}
	claim = &session->claims[session->claim_count];
	*claim = (struct kc_claim){ .name = strdup(name), .entry = entry };
	if (!claim->name)
		return -ENOMEM;
	return kc_index_add(&session->claim_index, hash, session->claim_count++);
}

struct kc_claim *kc_session_next_claim(const struct kc_session *session, const char *name,
				       uint32_t hash, uint32_t *cursor)
{
	uint32_t found;

	while ((found = kc_index_next(&session->claim_index, hash, cursor)) != KC_INDEX_NONE)
		if (strcmp(session->claims[found].name, name) == 0)
			return &session->claims[found];
	return NULL;
}

struct claiming {
	struct kc_session *session;
	uint32_t entry;
};

static int claim_name(void *context, const char *name)
{
	struct claiming *claiming = context;

	return add_claim(claiming->session, name, claiming->entry);
}

/* Lists are heaps: the lowest number is first, so that it is found at once, however many wait. */
static void put(struct kc_session *session, struct kc_entry_list *list, uint32_t slot,
		uint32_t number)
{
	list->numbers[slot] = number;
	session->entries[number]->slot = slot;
}

static void move_up(struct kc_session *session, struct kc_entry_list *list, uint32_t slot)
{
	uint32_t number = list->numbers[slot];

	for (uint32_t parent; slot && list->numbers[parent = (slot - 1) / 2] > number;
	     slot = parent)
		put(session, list, slot, list->numbers[parent]);
	put(session, list, slot, number);
}

static void move_down(struct kc_session *session, struct kc_entry_list *list, uint32_t slot)
{
	uint32_t number = list->numbers[slot];

	for (uint32_t child; (child = 2 * slot + 1) < list->count; slot = child) {
		if (child + 1 < list->count && list->numbers[child + 1] < list->numbers[child])
			child++;
		if (list->numbers[child] > number)
			break;
		put(session, list, slot, list->numbers[child]);
	}
	put(session, list, slot, number);
}

static void take_out(struct kc_session *session, struct kc_entry_list *list, uint32_t slot)
{
	uint32_t last = list->numbers[--list->count];

	if (slot == list->count)
		return;
	put(session, list, slot, last);
	move_up(session, list, slot);
	move_down(session, list, session->entries[last]->slot);
}

void kc_session_set_state(struct kc_session *session, uint32_t number, enum kc_entry_state state)
{
	struct kc_entry *entry = session->entries[number];
	struct kc_entry_list *from = &session->lists[entry->state];
	struct kc_entry_list *to = &session->lists[state];

	if (from->numbers)
		take_out(session, from, entry->slot);
	entry->state = state;
	if (to->numbers) {
		to->numbers[to->count] = number;
		move_up(session, to, to->count++);
	}
}

/* Who waits for what. */
static struct kc_entry **waiters(struct kc_session *session, int wait)
{
	switch (wait) {
	case KC_WAIT_ALL_CLAIMS:
		return &session->wait_all_claims;
	case KC_WAIT_EARLIER_CLAIMS:
		return &session->wait_earlier_claims;
	default:
		return &session->entries[wait]->waiters;
	}
}

void kc_session_wait(struct kc_session *session, uint32_t number, int wait)
{
	struct kc_entry *entry = session->entries[number];
	struct kc_entry **first = waiters(session, wait);

	kc_session_set_state(session, number, KC_ENTRY_WAITING);
	entry->wait = wait;
	entry->number = number;
	entry->next_waiter = *first;
	*first = entry;
}

void kc_session_wake(struct kc_session *session, int wait)
{
	struct kc_entry **first = waiters(session, wait);

	for (struct kc_entry *entry = *first; entry; entry = entry->next_waiter)
		kc_session_set_state(session, entry->number, KC_ENTRY_READY);
	*first = NULL;
	pthread_cond_broadcast(&session->changed);
}

void kc_session_wake_all(struct kc_session *session)
{
	const struct kc_entry_list *waiting = &session->lists[KC_ENTRY_WAITING];

	while (waiting->count)
		kc_session_wake(session, session->entries[waiting->numbers[0]]->wait);
}

/* Those that no earlier entry is missing for any more; the others would only wait again. */
static void wake_behind_claims(struct kc_session *session)
{
	struct kc_entry *entry = session->wait_earlier_claims;

	session->wait_earlier_claims = NULL;
	while (entry) {
		struct kc_entry *next = entry->next_waiter;

		if (entry->number <= session->claimed_prefix) {
			kc_session_set_state(session, entry->number, KC_ENTRY_READY);
		} else {
			entry->next_waiter = session->wait_earlier_claims;
			session->wait_earlier_claims = entry;
		}
		entry = next;
	}
	pthread_cond_broadcast(&session->changed);
}

/* Once for each entry: it is known what it may export. */
int kc_session_claim(struct kc_session *session, uint32_t number)
{
	struct kc_entry *entry = session->entries[number];
	struct claiming claiming = { session, number };
	uint32_t before = session->claimed_prefix;
	int err = 0;

	if (entry->claimed)
		return 0;
	entry->claimed = true;
	if (*entry->job->load.struct_name) {
		entry->real_name = strdup(entry->job->load.struct_name);
		err = entry->real_name ? kc_index_add(&session->name_index,
						      kc_hash(entry->real_name), number)
				       : -ENOMEM;
	}
	if (!err && !entry->job->load.stopped)
		err = kc_claimed_exports(&entry->job->load, claim_name, &claiming);
	session->claimed_count++;
	while (session->claimed_prefix < session->count &&
	       session->entries[session->claimed_prefix]->claimed)
		session->claimed_prefix++;
	if (session->claimed_prefix != before)
		wake_behind_claims(session);
	if (session->claimed_count == session->count)
		kc_session_wake(session, KC_WAIT_ALL_CLAIMS);
	return err;
}

static void bind(struct kc_session *session, struct kc_import *import, const struct kc_claim *claim)
{
	const struct kc_entry *provider = session->entries[claim->entry];

	import->provider = (int)claim->entry;
	import->provider_name = provider->real_name;
	import->provider_taints = provider->taints;
	import->export = claim->export;
	import->candidate = NULL;
}

/* Looks for a provider among the modules. What has to be waited for, or KC_WAIT_NOTHING. */
static int bind_import(struct kc_session *session, uint32_t self, struct kc_import *import)
{
	uint32_t cursor = 0;
	struct kc_claim *claim;

	while ((claim = kc_session_next_claim(session, import->name, import->hash, &cursor))) {
		const struct kc_entry *provider = session->entries[claim->entry];

		if (claim->entry == self)
			continue;
		if (provider->state != KC_ENTRY_DONE && !session->last_resort)
			return (int)claim->entry;
		if (provider->state == KC_ENTRY_DONE && provider->accepted && claim->export) {
			bind(session, import, claim);
			return KC_WAIT_NOTHING;
		}
		import->candidate = provider->name;
	}
	if (!session->last_resort && !session->claims_complete &&
	    (session->claimed_count < session->count || !session->all_included))
		return KC_WAIT_ALL_CLAIMS;
	return KC_WAIT_NOTHING;
}

static int bind_imports(struct kc_session *session, uint32_t self, struct kc_load *load)
{
	for (; load->imports_decided < load->import_count; load->imports_decided++) {
		struct kc_import *import = &load->imports[load->imports_decided];
		int wait;

		if (import->provider != KC_PROVIDER_NONE)
			continue;
		wait = bind_import(session, self, import);
		if (wait != KC_WAIT_NOTHING)
			return wait;
	}
	return KC_WAIT_NOTHING;
}

struct rivalry {
	struct kc_session *session;
	uint32_t self;
	int wait;
};

/* An earlier module that may export the same has to be decided first. */
static int find_rival(void *context, const char *name)
{
	struct rivalry *rivalry = context;
	struct kc_session *session = rivalry->session;
	uint32_t cursor = 0;
	struct kc_claim *claim;

	while (rivalry->wait == KC_WAIT_NOTHING &&
	       (claim = kc_session_next_claim(session, name, kc_hash(name), &cursor)))
		if (claim->entry < rivalry->self &&
		    session->entries[claim->entry]->state != KC_ENTRY_DONE)
			rivalry->wait = (int)claim->entry;
	return rivalry->wait != KC_WAIT_NOTHING;
}

/* An earlier module of the same name has to be decided first. */
static int find_namesake(const struct kc_session *session, uint32_t self)
{
	const char *name = session->entries[self]->real_name;
	uint32_t hash = name ? kc_hash(name) : 0;
	uint32_t cursor = 0;
	uint32_t other;

	while (name &&
	       (other = kc_index_next(&session->name_index, hash, &cursor)) != KC_INDEX_NONE)
		if (other < self && session->entries[other]->state != KC_ENTRY_DONE &&
		    strcmp(session->entries[other]->real_name, name) == 0)
			return (int)other;
	return KC_WAIT_NOTHING;
}

int kc_session_find_wait(struct kc_session *session, uint32_t self, struct kc_load *load)
{
	struct rivalry rivalry = { session, self, KC_WAIT_NOTHING };

	if (!session->last_resort && !load->rivals_decided) {
		if (self > session->claimed_prefix)
			return KC_WAIT_EARLIER_CLAIMS;
		rivalry.wait = find_namesake(session, self);
		if (rivalry.wait == KC_WAIT_NOTHING && !load->stopped)
			kc_claimed_exports(load, find_rival, &rivalry);
		if (rivalry.wait != KC_WAIT_NOTHING)
			return rivalry.wait;
		load->rivals_decided = true;
	}
	return load->stopped ? KC_WAIT_NOTHING : bind_imports(session, self, load);
}

/* Under the mutex: the exports of an accepted module can be bound to from now on. */
int kc_session_publish(struct kc_session *session, uint32_t number)
{
	struct kc_entry *entry = session->entries[number];

	for (size_t i = 0; i < entry->export_count; i++) {
		const struct kocoon_export *export = &entry->exports[i];
		uint32_t hash = kc_hash(export->name);
		struct kc_claim *claim = find_claim(session, export->name, hash, number);
		int err;

		if (!claim) {
			err = add_claim(session, export->name, number);
			if (err)
				return err;
			claim = &session->claims[session->claim_count - 1];
		}
		if (!claim->export)
			claim->export = export;
	}
	return 0;
}
