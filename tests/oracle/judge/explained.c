/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The differences that have a reason: a file of lines CATEGORY, PLACE, VALUE, REASON, tabs between;
 * the first three are patterns of fnmatch(3). A line that begins with # is a comment.
 */
#include "judge.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

const char *judge_value_name(enum judge_value value)
{
	static const char *const names[] = { "zero", "inside", "kernel", "other" };

	return names[value];
}

static bool take_fields(char *line, char *fields_ret[4])
{
	for (int i = 0; i < 4; i++) {
		do
			fields_ret[i] = strsep(&line, "\t");
		while (fields_ret[i] && !*fields_ret[i]);
		if (!fields_ret[i])
			return false;
	}
	return !line;
}

static int add(struct judge_explanations *explanations, char *const fields[4])
{
	struct judge_explanation *list =
		reallocarray(explanations->list, explanations->count + 1, sizeof(*list));
	struct judge_explanation *new;

	if (!list)
		return -ENOMEM;
	explanations->list = list;
	new = &list[explanations->count++];
	*new = (struct judge_explanation){
		strdup(fields[0]), strdup(fields[1]), strdup(fields[2]), strdup(fields[3]), 0, 0, 0
	};
	return new->category &&new->place &&new->value &&new->reason ? 0 : -ENOMEM;
}

int judge_explanations_read(const char *path, struct judge_explanations *explanations_ret)
{
	struct judge_explanations explanations = { 0 };
	FILE *file = fopen(path, "re");
	char *line = NULL, *fields[4];
	size_t size = 0;
	int err = file ? 0 : -errno;

	for (unsigned int number = 1; !err && getline(&line, &size, file) > 0; number++) {
		line[strcspn(line, "\n")] = 0;
		if (!*line || *line == '#')
			continue;
		if (take_fields(line, fields)) {
			err = add(&explanations, fields);
		} else {
			fprintf(stderr, "judge: %s:%u: not CATEGORY, PLACE, VALUE, REASON\n", path,
				number);
			err = -EBADMSG;
		}
	}
	free(line);
	if (file)
		fclose(file);
	if (err)
		judge_explanations_free(&explanations);
	else
		*explanations_ret = explanations;
	return err;
}

void judge_explanations_free(struct judge_explanations *explanations)
{
	for (size_t i = 0; i < explanations->count; i++) {
		free(explanations->list[i].category);
		free(explanations->list[i].place);
		free(explanations->list[i].value);
		free(explanations->list[i].reason);
	}
	free(explanations->list);
	*explanations = (struct judge_explanations){ 0 };
}

struct judge_explanation *judge_explain(const struct judge_explanations *explanations,
					const struct judge_difference *difference)
{
	for (size_t i = 0; i < explanations->count; i++) {
		struct judge_explanation *explanation = &explanations->list[i];

		if (!fnmatch(explanation->category, judge_category_name(difference->category), 0) &&
		    !fnmatch(explanation->place, difference->place, 0) &&
		    !fnmatch(explanation->value, judge_value_name(difference->value), 0))
			return explanation;
	}
	return NULL;
}
