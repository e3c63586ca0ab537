/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON output through json-c. Strings may hold any bytes: what is not UTF-8 becomes U+FFFD, so
 * that every line printed is valid JSON. Addresses are strings ("0xffffffffc0000000"), since JSON's
 * readers keep 53 bits of a number.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <json-c/json.h>

#include "cli/text.h"

struct json_object *json_make_object(void);
struct json_object *json_make_array(void);
/* NULL becomes JSON's null. */
struct json_object *json_make_text(const char *text);

/* Add a member to an object; `key` may hold any bytes as well. */
void json_text(struct json_object *object, const char *key, const char *text);
void json_number(struct json_object *object, const char *key, uint64_t number);
void json_seconds(struct json_object *object, const char *key, double seconds);
void json_flag(struct json_object *object, const char *key, bool flag);
/* 0 becomes null: not known. */
void json_known_address(struct json_object *object, const char *key, uint64_t address);
void json_address(struct json_object *object, const char *key, uint64_t address);
/* A new member that is an object or an array; it belongs to `object`. */
struct json_object *json_new_object(struct json_object *object, const char *key);
struct json_object *json_new_array(struct json_object *object, const char *key);
/* The array of this name: the one that is there, or a new one. */
struct json_object *json_member_array(struct json_object *object, const char *key);
void json_append(struct json_object *array, struct json_object *value);

/* One line; frees the object. */
void json_print(struct text *text, struct json_object *object);

#endif
