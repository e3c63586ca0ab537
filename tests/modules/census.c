/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/*
 * Counts what there is in a kernel, for two counts to be compared: tasks, entries of sysfs, objects
 * of slab caches, areas of vmalloc space. What is only cached is given up before, and what was put
 * off has its time.
 */
#include "modules.h"
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/jhash.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#define SAY(format, ...) pr_info("census: " format "\n", ##__VA_ARGS__)

static unsigned int rest = 100;
module_param(rest, uint, 0444);
MODULE_PARM_DESC(rest, "Milliseconds for what was put off");

static int write_text(const char *path, const char *text)
{
	struct file *file = filp_open(path, O_WRONLY, 0);
	loff_t at = 0;
	ssize_t len;

	if (IS_ERR(file))
		return PTR_ERR(file);
	len = kernel_write(file, text, strlen(text), &at);
	filp_close(file, NULL);
	return len < 0 ? len : 0;
}

/* ---- folders ---- */

struct name {
	struct list_head list;
	char text[];
};

struct reading {
	struct dir_context context;
	struct list_head folders; /* below */
	unsigned int count, mark; /* of all entries: their sum, whatever the order */
};

static bool take_entry(struct dir_context *context, const char *text, int len, loff_t at, u64 inode,
		       unsigned int type)
{
	struct reading *reading = container_of(context, struct reading, context);
	struct name *name;

	if (text[0] == '.')
		return true;
	reading->count++;
	reading->mark += jhash(text, len, 0);
	if (type != DT_DIR)
		return true;
	name = kmalloc(sizeof(*name) + len + 1, GFP_KERNEL | __GFP_NOFAIL);
	memcpy(name->text, text, len);
	name->text[len] = 0;
	list_add_tail(&name->list, &reading->folders);
	return true;
}

static void read_folder(const char *path, struct reading *reading)
{
	struct file *file = filp_open(path, O_RDONLY | O_DIRECTORY, 0);

	if (IS_ERR(file))
		return;
	iterate_dir(file, &reading->context);
	filp_close(file, NULL);
}

/* Down to a depth, each folder on a line of its own; what is deeper counts for the one above. */
static void count_folder(const char *path, int depth, unsigned int *count, unsigned int *mark)
{
	struct reading reading = { .context.actor = take_entry };
	struct name *name, *next;

	INIT_LIST_HEAD(&reading.folders);
	read_folder(path, &reading);
	list_for_each_entry_safe(name, next, &reading.folders, list)
	{
		char *below = kasprintf(GFP_KERNEL | __GFP_NOFAIL, "%s/%s", path, name->text);

		count_folder(below, depth - 1, &reading.count, &reading.mark);
		kfree(below);
		kfree(name);
	}
	if (depth > 0) {
		SAY("sysfs %s %u %08x", path, reading.count, reading.mark);
	} else {
		*count += reading.count;
		*mark += reading.mark;
	}
}

/* The first line of a file, or nothing. */
static void read_line(const char *path, char *line, size_t size)
{
	struct file *file = filp_open(path, O_RDONLY, 0);
	loff_t at = 0;
	ssize_t len = IS_ERR(file) ? 0 : kernel_read(file, line, size - 1, &at);

	line[len > 0 ? len : 0] = 0;
	line[strcspn(line, " \n")] = 0;
	if (!IS_ERR(file))
		filp_close(file, NULL);
}

/* Objects in use, once what caches keep for themselves is given up. */
static void say_caches(void)
{
	struct reading reading = { .context.actor = take_entry };
	struct name *name, *next;
	char file[128], line[32];

	INIT_LIST_HEAD(&reading.folders);
	read_folder("/sys/kernel/slab", &reading);
	list_for_each_entry(name, &reading.folders, list)
	{
		snprintf(file, sizeof(file), "/sys/kernel/slab/%s/shrink", name->text);
		write_text(file, "1");
	}
	list_for_each_entry_safe(name, next, &reading.folders, list)
	{
		snprintf(file, sizeof(file), "/sys/kernel/slab/%s/objects", name->text);
		read_line(file, line, sizeof(line));
		SAY("slab %s %s", name->text, line);
		kfree(name);
	}
}

/* ---- lines of files ---- */

static void say_lines(const char *path, void (*say)(char *line))
{
	struct file *file = filp_open(path, O_RDONLY, 0);
	char *bytes = kmalloc(PAGE_SIZE, GFP_KERNEL | __GFP_NOFAIL);
	size_t have = 0;
	loff_t at = 0;
	ssize_t len;

	while (!IS_ERR(file) &&
	       (len = kernel_read(file, bytes + have, PAGE_SIZE - 1 - have, &at)) > 0) {
		char *line = bytes, *end;

		have += len;
		bytes[have] = 0;
		for (; (end = strchr(line, '\n')); line = end + 1) {
			*end = 0;
			say(line);
		}
		have -= line - bytes;
		memmove(bytes, line, have);
	}
	if (!IS_ERR(file))
		filp_close(file, NULL);
	kfree(bytes);
}

/* ADDRESSES BYTES CALLER+... ... */
static void say_area(char *line)
{
	char *bytes, *caller;

	strsep(&line, " ");
	bytes = line ? skip_spaces(line) : "";
	caller = strchr(bytes, ' ');
	if (!caller)
		return;
	*caller++ = 0;
	caller[strcspn(caller, "+/ ")] = 0;
	SAY("vmalloc %s %s", caller, bytes);
}

static void say_tasks(void)
{
	struct task_struct *task;

	rcu_read_lock();
	for_each_process(task) SAY("task %s", task->comm);
	rcu_read_unlock();
}

static int __init census_init(void)
{
	unsigned int count = 0, mark = 0;

	rcu_barrier();
	msleep(rest);
	count_folder("/sys", 3, &count, &mark);
	write_text("/proc/sys/vm/drop_caches", "3");
	rcu_barrier();
	msleep(rest);
	say_tasks();
	say_lines("/proc/vmallocinfo", say_area);
	say_caches();
	return 0;
}

static void __exit census_exit(void)
{
}

module_init(census_init);
module_exit(census_exit);
MODULE_DESCRIPTION("Counts what there is");
MODULE_LICENSE("GPL");
