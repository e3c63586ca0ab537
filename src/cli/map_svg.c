// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A module's memory as a picture. On top one bar of all regions to one scale; below it a column a
 * region, each to a scale of its own that it names, with the sections as blocks and their names
 * beside them. What is freed after init is hatched.
 */
#include "cli/map.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	MARGIN = 28,
	COLUMN_WIDTH = 340,
	BLOCK_WIDTH = 76,
	LABEL_OFFSET = 22, /* from the block to its name: room for the leader */
	BAR_TOP = 92,
	BAR_HEIGHT = 34,
	LEGEND_TOP = 158,
	COLUMN_TOP = 196,
	BLOCKS_TOP = 266,
	MIN_HEIGHT = 420,
	LABEL_PITCH = 15,
	MAX_LABELS = 200, /* a region; its largest sections have them */
	MAX_NAME = 24,
	MIN_WIDTH = 900,
	KIB = 1024,
	MIB = 1024 * KIB,
};

/* A section in a column. */
struct block {
	const struct kocoon_section *section;
	bool labelled;
	double label_y;
};

struct column {
	const struct kocoon_region *region;
	struct block *blocks; /* owned */
	size_t count;
	size_t labels;
};

struct picture {
	const struct map *map;
	FILE *file;
	struct column columns[KOCOON_REGION_COUNT];
	size_t column_count;
	double width;
	double height; /* of the columns' blocks */
};

static const char *const fills[KOCOON_REGION_COUNT] = {
	[KOCOON_REGION_TEXT] = "#8fb8de",	 [KOCOON_REGION_DATA] = "#f2b880",
	[KOCOON_REGION_RODATA] = "#a9d3a1",	 [KOCOON_REGION_RO_AFTER_INIT] = "#d9c777",
	[KOCOON_REGION_INIT_TEXT] = "#8fb8de",	 [KOCOON_REGION_INIT_DATA] = "#f2b880",
	[KOCOON_REGION_INIT_RODATA] = "#a9d3a1",
};

/* Cleaned, and with the characters of XML's own syntax written as entities. */
static void put_escaped(FILE *file, const char *text)
{
	char *clean = text_clean(text);

	for (const char *c = clean; *c; c++) {
		switch (*c) {
		case '&':
			fputs("&amp;", file);
			break;
		case '<':
			fputs("&lt;", file);
			break;
		case '>':
			fputs("&gt;", file);
			break;
		case '"':
			fputs("&quot;", file);
			break;
		default:
			putc(*c, file);
		}
	}
	free(clean);
}

/* A name in full, or its beginning and an ellipsis. */
static void put_name(FILE *file, const char *name)
{
	char *clean = text_clean(name);

	if (text_columns(clean) <= MAX_NAME) {
		put_escaped(file, name);
	} else {
		size_t end = 0;

		for (int columns = 0; columns < MAX_NAME - 1; columns++) {
			do
				end++;
			while (((unsigned char)clean[end] & 0xc0) == 0x80);
		}
		clean[end] = '\0';
		put_escaped(file, clean);
		fputs("\xe2\x80\xa6", file);
	}
	free(clean);
}

static void put_size(FILE *file, uint64_t size)
{
	if (size < KIB)
		fprintf(file, "%" PRIu64 " B", size);
	else if (size < MIB)
		fprintf(file, "%.1f KiB", (double)size / KIB);
	else
		fprintf(file, "%.2f MiB", (double)size / MIB);
}

static void put_rectangle(FILE *file, double x, double y, double width, double height,
			  const char *fill, const char *stroke)
{
	fprintf(file,
		"<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\" "
		"stroke=\"%s\" stroke-width=\"0.6\">",
		x, y, width, height, fill, stroke);
}

static void put_hatch(FILE *file, double x, double y, double width, double height)
{
	put_rectangle(file, x, y, width, height, "url(#init)", "none");
	fputs("</rect>\n", file);
}

static void put_text(FILE *file, double x, double y, const char *style)
{
	fprintf(file, "<text x=\"%.2f\" y=\"%.2f\" class=\"%s\">", x, y, style);
}

static void end_text(FILE *file)
{
	fputs("</text>\n", file);
}

static int compare_sizes(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return left < right ? 1 : left > right ? -1 : 0;
}

/* Names go to the largest sections, where there are too many. */
static void choose_labels(struct column *column)
{
	uint64_t *sizes = cli_grow(NULL, column->count + 1, sizeof(*sizes));

	for (size_t i = 0; i < column->count; i++)
		sizes[i] = column->blocks[i].section->size;
	qsort(sizes, column->count, sizeof(*sizes), compare_sizes);
	uint64_t smallest = column->count > MAX_LABELS ? sizes[MAX_LABELS - 1] : 0;
	free(sizes);
	for (size_t i = 0; i < column->count && column->labels < MAX_LABELS; i++) {
		column->blocks[i].labelled = column->blocks[i].section->size >= smallest;
		column->labels += column->blocks[i].labelled;
	}
}

static void gather_column(const struct map *map, size_t index, struct column *column)
{
	const struct kocoon_section *section;
	size_t capacity = 0;

	column->region = map->regions[index];
	for (size_t i = 0; (section = kocoon_module_section(map->module, i)); i++) {
		if (section->region != column->region->kind)
			continue;
		if (column->count == capacity) {
			capacity = capacity ? 2 * capacity : 32;
			column->blocks =
				cli_grow(column->blocks, capacity, sizeof(*column->blocks));
		}
		column->blocks[column->count++] = (struct block){ .section = section };
	}
	choose_labels(column);
}

static void gather(const struct map *map, struct text *out, struct picture *picture)
{
	*picture = (struct picture){ .map = map, .file = out->file, .height = MIN_HEIGHT };
	picture->width = (double)map->region_count * COLUMN_WIDTH + 2 * MARGIN;
	if (picture->width < MIN_WIDTH)
		picture->width = MIN_WIDTH;
	for (size_t i = 0; i < map->region_count; i++) {
		struct column *column = &picture->columns[picture->column_count++];

		gather_column(map, i, column);
		if ((double)(column->labels + 1) * LABEL_PITCH > picture->height)
			picture->height = (double)(column->labels + 1) * LABEL_PITCH;
	}
}

static void put_head(const struct picture *picture)
{
	FILE *file = picture->file;
	double height = BLOCKS_TOP + picture->height + MARGIN;

	fprintf(file,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
		"viewBox=\"0 0 %.0f %.0f\">\n",
		picture->width, height, picture->width, height);
	fputs("<style>text{font-family:sans-serif;fill:#222}.t{font-size:20px;font-weight:bold}"
	      ".h{font-size:14px;font-weight:bold}.n{font-size:12px}.s{font-size:11px;fill:#666}"
	      ".m{font-family:monospace;font-size:11px}</style>\n"
	      "<defs><pattern id=\"init\" width=\"7\" height=\"7\" patternTransform=\"rotate(45)\" "
	      "patternUnits=\"userSpaceOnUse\"><line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"7\" "
	      "stroke=\"#444\" stroke-opacity=\"0.45\" stroke-width=\"1.4\"/></pattern></defs>\n"
	      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
	      file);
}

static void put_title(const struct picture *picture)
{
	const struct map *map = picture->map;
	FILE *file = picture->file;

	put_text(file, MARGIN, 42, "t");
	put_escaped(file, map->verdict->module);
	end_text(file);
	put_text(file, MARGIN, 66, "n");
	put_size(file, map->size);
	fprintf(file, " in %zu regions, ", map->region_count);
	put_size(file, map->freed_size);
	fputs(" of it freed after init; kernel ", file);
	put_escaped(file, map->kernel);
	end_text(file);
}

static void put_bar(const struct picture *picture)
{
	const struct map *map = picture->map;
	double scale = (picture->width - 2 * MARGIN) / (double)(map->size ? map->size : 1);
	double x = MARGIN;

	for (size_t i = 0; i < map->region_count; i++) {
		const struct kocoon_region *region = map->regions[i];
		const char *name = kocoon_region_name(region->kind);
		double width = (double)region->size * scale;

		put_rectangle(picture->file, x, BAR_TOP, width, BAR_HEIGHT, fills[region->kind],
			      "#444");
		fprintf(picture->file, "<title>%s</title></rect>\n", name);
		if (region->freed_after_init)
			put_hatch(picture->file, x, BAR_TOP, width, BAR_HEIGHT);
		/* Names where they fit; the columns have them all. */
		if (width > 8.0 * (double)strlen(name)) {
			put_text(picture->file, x + 5, BAR_TOP + BAR_HEIGHT + 16, "n");
			fputs(name, picture->file);
			end_text(picture->file);
		}
		x += width;
	}
}

static double put_legend_entry(FILE *file, double x, const char *fill, bool hatched,
			       const char *words)
{
	put_rectangle(file, x, LEGEND_TOP, 16, 12, fill, "#444");
	fputs("</rect>\n", file);
	if (hatched)
		put_hatch(file, x, LEGEND_TOP, 16, 12);
	put_text(file, x + 22, LEGEND_TOP + 10, "n");
	fputs(words, file);
	end_text(file);
	return x + 40 + 6.6 * (double)strlen(words);
}

static void put_legend(const struct picture *picture)
{
	static const struct {
		const char *fill;
		const char *words;
	} entries[] = {
		{ "#8fb8de", "code" },		 { "#f2b880", "writable data" },
		{ "#a9d3a1", "read-only data" }, { "#d9c777", "read-only after init" },
		{ "#e6e6e6", "padding" },	 { "#ffffff", "unused" },
	};
	double x = MARGIN;

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		x = put_legend_entry(picture->file, x, entries[i].fill, false, entries[i].words);
	put_legend_entry(picture->file, x, "#ffffff", true, "freed after init");
}

static void put_column_head(const struct picture *picture, const struct column *column, double x)
{
	const struct kocoon_region *region = column->region;
	FILE *file = picture->file;

	put_text(file, x, COLUMN_TOP + 12, "h");
	fprintf(file, "%s  %s", kocoon_region_name(region->kind), region->permissions);
	end_text(file);
	put_text(file, x, COLUMN_TOP + 28, "m");
	fprintf(file, "0x%" PRIx64, region->address);
	end_text(file);
	put_text(file, x, COLUMN_TOP + 44, "n");
	put_size(file, region->size);
	fputs(", ", file);
	put_size(file, region->used);
	fputs(" used", file);
	end_text(file);
	put_text(file, x, COLUMN_TOP + 60, "s");
	fprintf(file, "1 pixel = %.0f bytes", (double)region->size / picture->height);
	if (column->labels < column->count)
		fprintf(file, "; %zu small sections unnamed", column->count - column->labels);
	end_text(file);
}

static void put_block(FILE *file, const struct kocoon_section *section, double x, double y,
		      double height, const char *fill)
{
	put_rectangle(file, x, y, BLOCK_WIDTH, height, fill, "#444");
	fputs("<title>", file);
	put_escaped(file, section->name);
	fprintf(file,
		": 0x%" PRIx64 ", offset 0x%" PRIx64 ", %" PRIu64 " bytes, aligned to %" PRIu64
		"</title></rect>\n",
		section->address, section->offset, section->size, section->align);
}

/* Names stand beside their blocks, moved apart where blocks are lower than a line of text. */
static void place_labels(struct column *column, double scale, double bottom)
{
	double next = BLOCKS_TOP;

	for (size_t i = 0; i < column->count; i++) {
		struct block *block = &column->blocks[i];
		double middle = (double)block->section->offset + (double)block->section->size / 2;

		if (!block->labelled)
			continue;
		block->label_y = BLOCKS_TOP + middle * scale;
		if (block->label_y < next)
			block->label_y = next;
		next = block->label_y + LABEL_PITCH;
	}
	for (size_t i = column->count; i-- > 0;) {
		struct block *block = &column->blocks[i];

		if (!block->labelled)
			continue;
		if (block->label_y > bottom)
			block->label_y = bottom;
		bottom = block->label_y - LABEL_PITCH;
	}
}

static void put_label(FILE *file, const struct block *block, double x, double scale)
{
	const struct kocoon_section *section = block->section;
	double middle = (double)section->offset + (double)section->size / 2;
	double right = x + BLOCK_WIDTH;

	fprintf(file,
		"<path d=\"M%.2f %.2fl5 0L%.2f %.2fl4 0\" stroke=\"#999\" stroke-width=\"0.7\" "
		"fill=\"none\"/>\n",
		right, BLOCKS_TOP + middle * scale, right + LABEL_OFFSET - 6, block->label_y);
	put_text(file, right + LABEL_OFFSET, block->label_y + 4, "m");
	put_name(file, section->name);
	fputs("<tspan fill=\"#666\" dx=\"8\">", file);
	put_size(file, section->size);
	fputs("</tspan>", file);
	end_text(file);
}

static void put_column(const struct picture *picture, struct column *column, double x)
{
	const struct kocoon_region *region = column->region;
	FILE *file = picture->file;
	double scale = picture->height / (double)(region->size ? region->size : 1);

	put_column_head(picture, column, x);
	put_rectangle(file, x, BLOCKS_TOP, BLOCK_WIDTH, picture->height, "#ffffff", "#444");
	fputs("</rect>\n", file);
	for (size_t i = 0; i < column->count; i++) {
		const struct kocoon_section *section = column->blocks[i].section;
		double y = BLOCKS_TOP + (double)section->offset * scale;
		double padding = (double)section->padding * scale;

		if (section->padding) {
			put_rectangle(file, x, y - padding, BLOCK_WIDTH, padding, "#e6e6e6",
				      "none");
			fputs("</rect>\n", file);
		}
		put_block(file, section, x, y, (double)section->size * scale, fills[region->kind]);
	}
	if (region->freed_after_init)
		put_hatch(file, x, BLOCKS_TOP, BLOCK_WIDTH, (double)region->used * scale);
	place_labels(column, scale, BLOCKS_TOP + picture->height);
	for (size_t i = 0; i < column->count; i++) {
		if (column->blocks[i].labelled)
			put_label(file, &column->blocks[i], x, scale);
	}
}

void map_svg(const struct map *map, struct text *out)
{
	struct picture picture;

	gather(map, out, &picture);
	put_head(&picture);
	put_title(&picture);
	put_bar(&picture);
	put_legend(&picture);
	for (size_t i = 0; i < picture.column_count; i++) {
		put_column(&picture, &picture.columns[i], MARGIN + (double)i * COLUMN_WIDTH);
		free(picture.columns[i].blocks);
	}
	fputs("</svg>\n", out->file);
}
