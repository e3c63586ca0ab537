/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * BTF of a module: split BTF, whose type ids and string offsets go on where the kernel's own BTF
 * ends. The kernel parses it in a notifier at MODULE_STATE_COMING (btf_module_notify(),
 * btf_parse_module() of kernel/bpf/btf.c) and refuses the module if that fails, unless it was
 * configured to let mismatches pass.
 *
 * Checked here, in that order: header, string section, each type's own record, each type's
 * references. All -EINVAL but for an unknown version or kind. Differs from Linux: rules about the
 * sense of a type (sizes of integers, order of struct members, cycles) are not checked.
 */
#include "module/load.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/btf.h>

#include <bpf/btf.h>

/* linux/btf.h of Debian 12 ends at BTF_KIND_ENUM64. */
enum { LAST_KIND = BTF_KIND_ENUM64 };

struct split_btf {
	struct kc_span bytes;
	struct btf_header header;
	struct kc_span types;
	struct kc_span strings;
	uint32_t base_types; /* of the kernel, void included */
	uint32_t base_strings; /* bytes */
	uint32_t type_count; /* of the module */
	const char *what; /* is wrong */
	uint64_t found;
};

static int wrong(struct split_btf *btf, int err, const char *what, uint64_t found)
{
	btf->what = what;
	btf->found = found;
	return err;
}

static int check_header(struct split_btf *btf)
{
	const struct btf_header *header = &btf->header;
	struct kc_span body;

	if (btf->bytes.len < offsetof(struct btf_header, type_off))
		return wrong(btf, -EINVAL, "the header is cut short", btf->bytes.len);
	memcpy(&btf->header, btf->bytes.data,
	       btf->bytes.len < sizeof(btf->header) ? btf->bytes.len : sizeof(btf->header));
	if (header->hdr_len > btf->bytes.len || header->hdr_len < sizeof(*header))
		return wrong(btf, -EINVAL, "wrong header length", header->hdr_len);
	if (header->magic != BTF_MAGIC)
		return wrong(btf, -EINVAL, "wrong magic", header->magic);
	if (header->version != BTF_VERSION)
		return wrong(btf, -EOPNOTSUPP, "unknown version", header->version);
	if (header->flags)
		return wrong(btf, -EOPNOTSUPP, "unknown flags", header->flags);
	body = kc_span(btf->bytes.data + header->hdr_len, btf->bytes.len - header->hdr_len);
	if (header->type_off % 4 || header->type_len % 4)
		return wrong(btf, -EINVAL, "unaligned type section", header->type_off);
	if (!kc_span_sub(body, header->type_off, header->type_len, &btf->types))
		return wrong(btf, -EINVAL, "the type section is out of bounds", header->type_off);
	if (!kc_span_sub(body, header->str_off, header->str_len, &btf->strings))
		return wrong(btf, -EINVAL, "the string section is out of bounds", header->str_off);
	if ((uint64_t)header->type_len + header->str_len != body.len)
		return wrong(btf, -EINVAL, "gaps, overlaps or trailing bytes between the sections",
			     body.len);
	return 0;
}

static int check_strings(struct split_btf *btf)
{
	if (btf->strings.len && btf->strings.data[btf->strings.len - 1])
		return wrong(btf, -EINVAL, "the string section doesn't end in a NUL",
			     btf->strings.data[btf->strings.len - 1]);
	return 0;
}

/* Bytes behind struct btf_type; UINT64_MAX: no such kind. */
static uint64_t extra_bytes(uint32_t kind, uint32_t vlen)
{
	switch (kind) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return sizeof(uint32_t);
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
	case BTF_KIND_ENUM64:
		return (uint64_t)vlen * sizeof(struct btf_member);
	case BTF_KIND_ENUM:
	case BTF_KIND_FUNC_PROTO:
		return (uint64_t)vlen * sizeof(struct btf_enum);
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG:
		return 0;
	default:
		return UINT64_MAX;
	}
}

static bool refers_to_type(uint32_t kind)
{
	switch (kind) {
	case BTF_KIND_PTR:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FUNC_PROTO:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
	case BTF_KIND_TYPE_TAG:
		return true;
	default:
		return false;
	}
}

/*
 * Kinds whose trailing records hold a name and a type each: where in a record, and how large a
 * record is.
 */
static bool record_shape(uint32_t kind, uint32_t *size_ret, uint32_t *type_ret)
{
	switch (kind) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		*size_ret = sizeof(struct btf_member);
		*type_ret = offsetof(struct btf_member, type);
		return true;
	case BTF_KIND_FUNC_PROTO:
		*size_ret = sizeof(struct btf_param);
		*type_ret = offsetof(struct btf_param, type);
		return true;
	default:
		return false;
	}
}

static bool valid_name(const struct split_btf *btf, uint32_t offset)
{
	return offset < btf->base_strings || offset - btf->base_strings < btf->strings.len;
}

static bool valid_type(const struct split_btf *btf, uint32_t id)
{
	return id < btf->base_types || id - btf->base_types < btf->type_count;
}

static int check_record(struct split_btf *btf, const struct btf_type *type, const uint8_t *extra)
{
	uint32_t kind = BTF_INFO_KIND(type->info);
	uint32_t size;
	uint32_t type_field;

	if (!valid_name(btf, type->name_off))
		return wrong(btf, -EINVAL, "a name is outside of the strings", type->name_off);
	if (refers_to_type(kind) && !valid_type(btf, type->type))
		return wrong(btf, -EINVAL, "a type refers to one that does not exist", type->type);
	if (!record_shape(kind, &size, &type_field))
		return 0;
	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++) {
		uint32_t name = kc_load32(extra + (size_t)i * size);
		uint32_t id = kc_load32(extra + (size_t)i * size + type_field);

		if (!valid_name(btf, name))
			return wrong(btf, -EINVAL, "a member's name is outside of the strings",
				     name);
		if (!valid_type(btf, id))
			return wrong(btf, -EINVAL, "a member is of a type that does not exist", id);
	}
	return 0;
}

/* Walks the types; `check` false: counts them and checks that each is whole. */
static int walk_types(struct split_btf *btf, bool check)
{
	uint32_t count = 0;

	for (uint64_t at = 0; at < btf->types.len; count++) {
		struct btf_type type;
		uint64_t extra;
		int err;

		if (btf->types.len - at < sizeof(type))
			return wrong(btf, -EINVAL, "the last type is cut short", at);
		memcpy(&type, btf->types.data + at, sizeof(type));
		at += sizeof(type);
		extra = extra_bytes(BTF_INFO_KIND(type.info), BTF_INFO_VLEN(type.info));
		if (extra == UINT64_MAX)
			return wrong(btf, -EINVAL, "unknown kind of type",
				     BTF_INFO_KIND(type.info));
		if (!kc_span_contains(btf->types, at, extra))
			return wrong(btf, -EINVAL, "a type's records are cut short", at);
		err = check ? check_record(btf, &type, btf->types.data + at) : 0;
		if (err)
			return err;
		at += extra;
	}
	btf->type_count = count;
	return 0;
}

static int parse(struct split_btf *btf)
{
	int err = check_header(btf);

	if (!err)
		err = check_strings(btf);
	if (!err)
		err = walk_types(btf, false);
	if (!err)
		err = walk_types(btf, true);
	return err;
}

static uint32_t base_strings(const struct kc_load *load)
{
	struct kc_span bytes = kc_kernel_btf_bytes(load->kernel);
	struct btf_header header;

	if (bytes.len < sizeof(header))
		return 0;
	memcpy(&header, bytes.data, sizeof(header));
	return header.str_len;
}

int kc_check_btf(struct kc_load *load)
{
	const struct btf *kernel =
		load->behaviour->btf_modules ? kc_kernel_btf(load->kernel) : NULL;
	uint32_t section = kc_find_any_sec(load, ".BTF");
	struct split_btf btf = { 0 };
	int err;

	if (!kernel || !section || !load->sections[section].file.len)
		return 0;
	btf.bytes = load->sections[section].file;
	/* With a base of its own, ids count from that one, and are mapped to the kernel's later. */
	if (kc_find_any_sec(load, ".BTF.base"))
		return 0;
	btf.base_types = btf__type_cnt(kernel);
	btf.base_strings = base_strings(load);
	err = parse(&btf);
	if (!err)
		return 0;
	if (load->behaviour->btf_mismatch_allowed)
		err = 0;
	kc_finding(load->report, KOCOON_STAGE_BTF, err, "%s module BTF: %s",
		   err ? "failed to validate" : "the kernel will ignore the", btf.what);
	kc_found(load->report, "%#" PRIx64, btf.found);
	kc_hint(load->report,
		"the module's BTF was made against another vmlinux: rebuild it against "
		"this one, or strip it (objcopy -R .BTF)");
	return err;
}
