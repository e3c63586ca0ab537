/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of a signed module, taken apart: see trailer.h. Consumes an image, produces spans. */
#include "module/trailer.h"

#include <errno.h>

static const char marker[] = "~Module signature appended~\n";

/* struct module_signature, which stands before the marker. */
enum {
	TRAILER_LENGTH = 12,
	TRAILER_ID_TYPE = 2,
	TRAILER_SIGNATURE_LENGTH = 8, /* big-endian, 32 bits */
	ID_TYPE_PKCS7 = 2,

	MARKER_LENGTH = sizeof(marker) - 1,
};

bool kc_trailer_marked(struct kc_span image, struct kc_span *rest_ret)
{
	struct kc_span rest;

	if (image.len <= MARKER_LENGTH)
		return false;
	rest = kc_span(image.data, image.len - MARKER_LENGTH);
	if (memcmp(rest.data + rest.len, marker, MARKER_LENGTH) != 0)
		return false;
	*rest_ret = rest;
	return true;
}

/*@ requires \valid_read(place + (0 .. 3));
    assigns \nothing; */
static uint32_t load_big_endian(const uint8_t *place)
{
	return place[0] * 0x1000000u + place[1] * 0x10000u + place[2] * 0x100u + place[3];
}

/* Whether all is 0 before the length, but for the type. */
/*@ requires \valid_read(trailer + (0 .. TRAILER_LENGTH - 1));
    assigns \nothing; */
static bool zeros(const uint8_t *trailer)
{
	/*@ loop invariant 0 <= i <= TRAILER_SIGNATURE_LENGTH;
	    loop assigns i;
	    loop variant TRAILER_SIGNATURE_LENGTH - i; */
	for (int i = 0; i < TRAILER_SIGNATURE_LENGTH; i++)
		if (i != TRAILER_ID_TYPE && trailer[i])
			return false;
	return true;
}

/*@ requires err > 0 && \valid(what_ret);
    assigns *what_ret \from what;
    assigns \result \from err;
    ensures \result < 0; */
static int refuse(int err, const char *what, const char **what_ret)
{
	*what_ret = what;
	return -err;
}

int kc_trailer_split(struct kc_span image, struct kc_span *module_ret, struct kc_span *message_ret,
		     const char **what_ret)
{
	const uint8_t *trailer;
	size_t rest, len;

	if (image.len <= TRAILER_LENGTH)
		return refuse(EBADMSG, "the file is too short for a signature", what_ret);
	rest = image.len - TRAILER_LENGTH;
	trailer = image.data + rest;
	len = load_big_endian(trailer + TRAILER_SIGNATURE_LENGTH);
	if (len >= rest)
		return refuse(EBADMSG, "the signature is longer than the file", what_ret);
	if (trailer[TRAILER_ID_TYPE] != ID_TYPE_PKCS7)
		return refuse(ENOPKG, "the signature is not of type PKCS#7", what_ret);
	if (!zeros(trailer))
		return refuse(EBADMSG,
			      "the signature's trailer has numbers where there must be zeros",
			      what_ret);
	*module_ret = kc_span(image.data, rest - len);
	*message_ret = kc_span(image.data + (rest - len), len);
	return 0;
}
