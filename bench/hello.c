/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The code of tests/modules/hello.c as a shared object: what dlopen() is measured with. */
extern int _printk(const char *format, ...);

__attribute__((constructor)) static void hello_init(void)
{
	_printk("\0016hello: here\n");
}

__attribute__((destructor)) static void hello_exit(void)
{
	_printk("\0016hello: gone\n");
}
