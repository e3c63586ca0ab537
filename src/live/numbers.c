/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How texts become numbers: lib/kstrtox.c of the kernel, whose rules are not those of strtol().
 *
 * "0x" before hex digits is base 16, another leading 0 base 8, else 10. One sign may stand before
 * it, '-' only where the type has a sign; one newline may follow; nothing else may, blanks neither.
 * A number that is too large is -ERANGE even if something follows it.
 */
#include "live/param.h"

#include <errno.h>
#include <limits.h>

/* 16 and more: no digit. */
static unsigned int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (unsigned int)((c | 0x20) - 'a') + 10;
	return UINT_MAX;
}

static unsigned int take_base(const char **text)
{
	const char *s = *text;

	if (s[0] != '0')
		return 10;
	if ((s[1] | 0x20) != 'x' || digit_of(s[2]) >= 16)
		return 8;
	*text += 2;
	return 16;
}

/* _kstrtoull(): without a sign. */
static int parse_digits(const char *text, unsigned long long *value_ret)
{
	unsigned int base = take_base(&text);
	unsigned long long value = 0;
	const char *s = text;
	bool overflow = false;

	for (; digit_of(*s) < base; s++) {
		overflow |= __builtin_mul_overflow(value, base, &value);
		overflow |= __builtin_add_overflow(value, digit_of(*s), &value);
	}
	if (overflow)
		return -ERANGE;
	if (s == text)
		return -EINVAL;
	if (*s == '\n')
		s++;
	if (*s)
		return -EINVAL;
	*value_ret = value;
	return 0;
}

int kc_kstrtoull(const char *text, unsigned long long max, unsigned long long *value_ret)
{
	unsigned long long value;
	int err;

	if (!text)
		return -EINVAL;
	err = parse_digits(*text == '+' ? text + 1 : text, &value);
	if (err)
		return err;
	if (value > max)
		return -ERANGE;
	*value_ret = value;
	return 0;
}

int kc_kstrtoll(const char *text, long long min, long long max, long long *value_ret)
{
	bool negative = text && *text == '-';
	unsigned long long value;
	long long number;
	int err;

	if (negative)
		err = parse_digits(text + 1, &value);
	else
		err = kc_kstrtoull(text, LLONG_MAX, &value);
	if (err)
		return err;
	if (value > (unsigned long long)LLONG_MAX + 1)
		return -ERANGE;
	number = (long long)(negative ? -value : value);
	if (number < min || number > max)
		return -ERANGE;
	*value_ret = number;
	return 0;
}

/* 1, 0, or -EINVAL. */
static int bool_of(const char *text)
{
	switch (text[0]) {
	case 'y':
	case 'Y':
	case 't':
	case 'T':
	case '1':
		return 1;
	case 'n':
	case 'N':
	case 'f':
	case 'F':
	case '0':
		return 0;
	case 'o':
	case 'O':
		if (text[1] == 'n' || text[1] == 'N')
			return 1;
		return text[1] == 'f' || text[1] == 'F' ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

/* Only as much of the text is looked at as decides: "1x" and "yikes" are true. */
int kc_kstrtobool(const char *text, bool *value_ret)
{
	int value = text ? bool_of(text) : -EINVAL;

	if (value < 0)
		return value;
	*value_ret = value;
	return 0;
}
