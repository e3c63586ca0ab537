/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a line of arguments is split: next_arg() of lib/cmdline.c, parameq() of kernel/params.c.
 *
 * Consumes a line that may be written to; produces names and values in it.
 */
#include "live/param.h"

/* isspace() of the kernel, whose characters are Latin-1: 0xa0 is a blank too. */
static bool is_space(char c)
{
	unsigned char byte = (unsigned char)c;

	return byte == ' ' || (byte >= '\t' && byte <= '\r') || byte == 0xa0;
}

char *kc_skip_spaces(char *text)
{
	while (is_space(*text))
		text++;
	return text;
}

/* Where the argument ends; `equals_ret`: its first '=' that is not its first character, or 0. */
static size_t measure(const char *args, bool in_quote, size_t *equals_ret)
{
	size_t equals = 0, i;

	for (i = 0; args[i] && (in_quote || !is_space(args[i])); i++) {
		if (!equals && args[i] == '=')
			equals = i;
		if (args[i] == '"')
			in_quote = !in_quote;
	}
	*equals_ret = equals;
	return i;
}

char *kc_next_arg(char *args, char **name_ret, char **value_ret)
{
	bool quoted = *args == '"';
	char *value = NULL;
	size_t equals, end;

	if (quoted)
		args++;
	end = measure(args, quoted, &equals);
	if (equals) {
		args[equals] = 0;
		value = args + equals + 1;
		if (*value == '"') {
			value++;
			if (args[end - 1] == '"')
				args[end - 1] = 0;
		}
	}
	if (quoted && end > 0 && args[end - 1] == '"')
		args[end - 1] = 0;
	*name_ret = args;
	*value_ret = value;
	if (!args[end])
		return args + end;
	args[end] = 0;
	return kc_skip_spaces(args + end + 1);
}

static char dash_to_underscore(char c)
{
	return c == '-' ? '_' : c;
}

bool kc_parameq(const char *a, const char *b)
{
	while (*a && dash_to_underscore(*a) == dash_to_underscore(*b))
		a++, b++;
	return dash_to_underscore(*a) == dash_to_underscore(*b);
}
