/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/* Parameters of each kind, lines of the log, and what sysfs and proc say of the module. */
#include "modules.h"
#include <linux/fs.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>

#define SAY(format, ...) pr_info("behave_text: " format "\n", ##__VA_ARGS__)

static bool boolean;
module_param(boolean, bool, 0644);
static bool inverted;
module_param(inverted, invbool, 0644);
static int number = -3;
module_param(number, int, 0644);
static unsigned char byte = 200;
module_param(byte, byte, 0444);
static unsigned long long large;
module_param(large, ullong, 0444);
static char *text = "unset";
module_param(text, charp, 0644);
static char copied[8] = "copied";
module_param_string(copied, copied, sizeof(copied), 0644);
static int list[4], list_count;
module_param_array(list, int, &list_count, 0644);
static int hidden = 5;
module_param_named(other_name, hidden, hexint, 0400);
static int dangerous;
module_param_unsafe(dangerous, int, 0644);

static int set_twice(const char *value, const struct kernel_param *param)
{
	int err = param_set_int(value, param);

	SAY("set to %s: %d", value ? value : "(null)", err);
	if (!err)
		*(int *)param->arg *= 2;
	return err;
}

static const struct kernel_param_ops twice_ops = { .set = set_twice, .get = param_get_int };
static int twice;
module_param_cb(twice, &twice_ops, &twice, 0644);

static void say_file(const char *path)
{
	struct file *file = filp_open(path, O_RDONLY, 0);
	char bytes[256] = "";
	loff_t at = 0;
	ssize_t len;

	if (IS_ERR(file)) {
		SAY("%s: %ld", path, PTR_ERR(file));
		return;
	}
	len = kernel_read(file, bytes, sizeof(bytes) - 1, &at);
	bytes[len > 0 ? strcspn(bytes, "\n") : 0] = 0;
	SAY("%s: %zd %s, mode %o", path, len, bytes, file_inode(file)->i_mode);
	filp_close(file, NULL);
}

static void write_file(const char *path, const char *bytes)
{
	struct file *file = filp_open(path, O_WRONLY, 0);
	loff_t at = 0;

	if (IS_ERR(file)) {
		SAY("%s: %ld", path, PTR_ERR(file));
		return;
	}
	SAY("%s < %s: %zd", path, bytes, kernel_write(file, bytes, strlen(bytes), &at));
	filp_close(file, NULL);
}

#define PARAMETER(name) "/sys/module/behave_text/parameters/" name

static void say_parameters(void)
{
	static const char *const names[] = {
		PARAMETER("boolean"), PARAMETER("inverted"), PARAMETER("number"),
		PARAMETER("byte"),    PARAMETER("large"),    PARAMETER("text"),
		PARAMETER("copied"),  PARAMETER("list"),     PARAMETER("other_name"),
		PARAMETER("twice"),   PARAMETER("nothing"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		say_file(names[i]);
	write_file(PARAMETER("number"), "0x10\n");
	write_file(PARAMETER("number"), "many\n");
	write_file(PARAMETER("boolean"), "y\n");
	write_file(PARAMETER("text"), "another text\n");
	write_file(PARAMETER("copied"), "too long for it\n");
	write_file(PARAMETER("list"), "4,3,2,1\n");
	write_file(PARAMETER("list"), "4,3,2,1,0\n");
	write_file(PARAMETER("twice"), "8\n");
	write_file(PARAMETER("dangerous"), "1\n");
	SAY("%d %d %s %s %d of %d %d %d %d, %d", number, boolean, text, copied, list_count, list[0],
	    list[1], list[2], list[3], twice);
}

static void say_self(void)
{
	static const char *const names[] = {
		"/sys/module/behave_text/refcnt", "/sys/module/behave_text/initstate",
		"/sys/module/behave_text/taint",  "/sys/module/behave_text/coresize",
		"/sys/module/behave_text/uevent", "/proc/sys/kernel/modules_disabled",
		"/proc/sys/kernel/modprobe",	  "/proc/sys/kernel/tainted",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		say_file(names[i]);
	SAY("%s, %d users, tainted %d %d", THIS_MODULE->name, module_refcount(THIS_MODULE),
	    test_taint(TAINT_OOT_MODULE), test_taint(TAINT_WARN));
}

static void say_lines(void)
{
	static const u8 bytes[20] = { 1, 2, 3, 0xfe, 'a', 'b' };
	char *long_line = kmalloc(1200, GFP_KERNEL);

	pr_emerg("behave_text: emerg\n");
	pr_err("behave_text: err\n");
	pr_warn("behave_text: warn\n");
	pr_notice("behave_text: notice\n");
	pr_debug("behave_text: debug, which is off\n");
	printk("behave_text: of the default level\n");
	pr_info("behave_text: two");
	pr_cont(" pieces\n");
	pr_info("behave_text: two\nlines\n");
	pr_info("behave_text: a tab\tand \x01 and \xff and \\\n");
	for (int i = 0; i < 3; i++)
		pr_info_once("behave_text: once\n");
	print_hex_dump(KERN_INFO, "behave_text: ", DUMP_PREFIX_OFFSET, 16, 1, bytes, sizeof(bytes),
		       true);
	SAY("%ps %pS", say_lines, (char *)say_self + 1);
	SAY("%pI4 %pM %*ph %*pbl %pUb", bytes, bytes, 4, bytes, 16, bytes, bytes);
	SAY("%d %u %lx %#o %5d|%-5d|%05d %c %s %.2s %%", -1, -1u, -1l, 8, 42, 42, 42, 'x', "s",
	    "long");
	if (!long_line)
		return;
	memset(long_line, 'x', 1199);
	long_line[1199] = 0;
	SAY("%s", long_line);
	kfree(long_line);
}

static int __init behave_text_init(void)
{
	SAY("%d %d %d %u %llu %s %s %d of %d %d %d %d, %d %d", boolean, inverted, number, byte,
	    large, text, copied, list_count, list[0], list[1], list[2], list[3], hidden, twice);
	say_parameters();
	say_self();
	say_lines();
	return 0;
}

static void __exit behave_text_exit(void)
{
	SAY("gone");
}

module_init(behave_text_init);
module_exit(behave_text_exit);
MODULE_DESCRIPTION("Parameters and texts");
MODULE_LICENSE("GPL");
MODULE_VERSION("1.2");
