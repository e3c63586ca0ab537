/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What stands behind a signed module: the message, struct module_signature, the marker. Pure:
 * mod_check_sig() of kernel/module_signature.c, and the cuts around it.
 */
#ifndef KC_MODULE_TRAILER_H
#define KC_MODULE_TRAILER_H

#include "base/span.h"

/* Whether an image ends in the marker, with something before it; what is before it. */
/*@ requires readable(image) && \valid(rest_ret);
    assigns *rest_ret;
    ensures \result ==> readable(*rest_ret) && 0 < rest_ret->len < image.len; */
KC_MUST_CHECK bool kc_trailer_marked(struct kc_span image, struct kc_span *rest_ret);

/*
 * Takes an image without its marker apart: the module's own bytes and the message. 0, -EBADMSG, or
 * -ENOPKG where it is no PKCS#7 message; what is wrong, in words, then.
 */
/*@ requires readable(image) && \valid(module_ret) && \valid(message_ret) && \valid(what_ret);
    requires \separated(module_ret, message_ret, what_ret);
    assigns *module_ret \from image;
    assigns *message_ret \from image;
    assigns *what_ret \from \nothing;
    assigns \result \from image.len, image.data[0 .. image.len - 1];
    ensures \result == 0 ==> readable(*module_ret) && readable(*message_ret);
    ensures \result == 0 ==> module_ret->len + message_ret->len < image.len; */
KC_MUST_CHECK int kc_trailer_split(struct kc_span image, struct kc_span *module_ret,
				   struct kc_span *message_ret, const char **what_ret);

#endif
