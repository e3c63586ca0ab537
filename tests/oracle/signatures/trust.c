/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trust VMLINUZ OUT CERTIFICATE...
 *
 * Writes VMLINUZ's kernel to OUT, unpacked, so that it trusts the certificates (DER) instead of its
 * own: for asking the real kernel about signatures whose keys are ours. The list of certificates is
 * too long for its old place, so it takes the end of the names in the kernel's BTF, which no module
 * of the oracle needs, and the one instruction that loads the list's address is changed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/parts.h"

enum { CODE_LENGTH = 256, ROOM = 64 * 1024 };

struct patching {
	struct kc_buffer bytes; /* the unpacked kernel */
	struct kc_vmlinux vmlinux;
	struct kocoon_kernel *kernel;
};

static void die(const char *text)
{
	fprintf(stderr, "trust: %s\n", text);
	exit(2);
}

static uint64_t address_of(const struct patching *p, const char *name)
{
	uint64_t address;

	if (!kc_kernel_find_symbol(p->kernel, name, &address)) {
		fprintf(stderr, "trust: the kernel has no symbol %s\n", name);
		exit(2);
	}
	return address;
}

/* Bytes at an address, to be changed. */
static uint8_t *bytes_at(struct patching *p, uint64_t address, size_t len)
{
	struct kc_span span;

	if (!kc_vmlinux_bytes(&p->vmlinux, address, len, &span))
		die("an address is not in the kernel");
	return p->bytes.data + (span.data - p->bytes.data);
}

static void open_kernel(struct patching *p, const char *path)
{
	struct kc_buffer file = { 0 };
	struct kc_bzimage image;

	if (kocoon_kernel_open(path, NULL, NULL, &p->kernel) ||
	    kc_read_file(path, KC_KERNEL_IMAGE_MAX, &file, NULL) ||
	    kc_bzimage_open(kc_buffer_span(&file), NULL, &image) ||
	    kc_bzimage_unpack(&image, &p->bytes, NULL) ||
	    kc_vmlinux_open(kc_buffer_span(&p->bytes), NULL, &p->vmlinux))
		die("the kernel can't be opened");
	kc_buffer_deinit(&file);
}

/* The list's new place: the last bytes of .BTF but one, which ends its names. */
static uint64_t place_list(struct patching *p, const struct kc_buffer *list)
{
	uint64_t place = address_of(p, "__stop_BTF") - 1 - list->len;

	memcpy(bytes_at(p, place, list->len), list->data, list->len);
	return place;
}

static void change_address(struct patching *p, uint64_t from, uint64_t to)
{
	uint8_t *code = bytes_at(p, address_of(p, "load_system_certificate_list"), CODE_LENGTH);

	for (size_t i = 0; i + 4 <= CODE_LENGTH; i++)
		if (kc_load32(code + i) == (uint32_t)from) {
			kc_store32(code + i, (uint32_t)to);
			return;
		}
	die("the list's address is not in the code that loads it");
}

int main(int argc, char **argv)
{
	struct patching p = { 0 };
	struct kc_buffer list = { 0 }, certificate = { 0 };
	FILE *out;

	if (argc < 4)
		die("usage: trust VMLINUZ OUT CERTIFICATE...");
	for (int i = 3; i < argc; i++)
		if (kc_read_file(argv[i], ROOM, &certificate, NULL) ||
		    kc_buffer_append(&list, certificate.data, certificate.len))
			die("a certificate can't be read");
	open_kernel(&p, argv[1]);
	change_address(&p, address_of(&p, "system_certificate_list"), place_list(&p, &list));
	kc_store64(bytes_at(&p, address_of(&p, "system_certificate_list_size"), 8), list.len);
	out = fopen(argv[2], "wb");
	if (!out || fwrite(p.bytes.data, 1, p.bytes.len, out) != p.bytes.len || fclose(out))
		die("the output can't be written");
	kocoon_kernel_free(p.kernel);
	kc_buffer_deinit(&p.bytes);
	kc_buffer_deinit(&list);
	kc_buffer_deinit(&certificate);
	return 0;
}
