// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * JSON output. See json.h.
 */
#include "cli/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A copy with a replacement character for each byte that is not part of valid UTF-8. */
static char *valid_utf8(const char *bytes)
{
	static const char replacement[] = "\xef\xbf\xbd";
	char *valid = cli_grow(NULL, strlen(bytes) + 1, 3);
	char *to = valid;

	while (*bytes) {
		uint32_t character = 0;
		size_t length = text_decode(bytes, &character);

		if (length) {
			to = mempcpy(to, bytes, length);
			bytes += length;
		} else {
			to = mempcpy(to, replacement, 3);
			bytes++;
		}
	}
	*to = '\0';
	return valid;
}

static struct json_object *made(struct json_object *object)
{
	if (!object)
		cli_out_of_memory();
	return object;
}

struct json_object *json_make_object(void)
{
	return made(json_object_new_object());
}

struct json_object *json_make_array(void)
{
	return made(json_object_new_array());
}

struct json_object *json_make_text(const char *text)
{
	if (!text)
		return NULL;
	char *valid = valid_utf8(text);
	struct json_object *value = made(json_object_new_string(valid));

	free(valid);
	return value;
}

static void add(struct json_object *object, const char *key, struct json_object *value)
{
	char *valid = valid_utf8(key);

	if (json_object_object_add(object, valid, value) != 0)
		cli_out_of_memory();
	free(valid);
}

void json_text(struct json_object *object, const char *key, const char *text)
{
	add(object, key, json_make_text(text));
}

void json_number(struct json_object *object, const char *key, uint64_t number)
{
	add(object, key, made(json_object_new_uint64(number)));
}

void json_seconds(struct json_object *object, const char *key, double seconds)
{
	char digits[64];

	snprintf(digits, sizeof(digits), "%.3f", seconds);
	add(object, key, made(json_object_new_double_s(seconds, digits)));
}

void json_flag(struct json_object *object, const char *key, bool flag)
{
	add(object, key, made(json_object_new_boolean(flag)));
}

void json_address(struct json_object *object, const char *key, uint64_t address)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "0x%" PRIx64, address);
	json_text(object, key, digits);
}

void json_known_address(struct json_object *object, const char *key, uint64_t address)
{
	if (address)
		json_address(object, key, address);
	else
		json_text(object, key, NULL);
}

struct json_object *json_new_object(struct json_object *object, const char *key)
{
	struct json_object *member = json_make_object();

	add(object, key, member);
	return member;
}

struct json_object *json_new_array(struct json_object *object, const char *key)
{
	struct json_object *member = json_make_array();

	add(object, key, member);
	return member;
}

struct json_object *json_member_array(struct json_object *object, const char *key)
{
	char *valid = valid_utf8(key);
	struct json_object *member = NULL;

	if (!json_object_object_get_ex(object, valid, &member))
		member = json_new_array(object, key);
	free(valid);
	return member;
}

void json_append(struct json_object *array, struct json_object *value)
{
	if (json_object_array_add(array, value) != 0)
		cli_out_of_memory();
}

void json_print(struct text *text, struct json_object *object)
{
	const char *line = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (line)
		fputs(line, text->file);
	else
		cli_out_of_memory();
	text_end_line(text);
	json_object_put(object);
}
