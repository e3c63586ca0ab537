/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/*
 * Network devices by netlink: a dummy and a pair of veth, whose modules the kernel asks for itself,
 * and a frame from one end of the pair to the other.
 */
#include "modules.h"
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/if_link.h>
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/netlink.h>
#include <net/sock.h>

#define SAY(format, ...) pr_info("works_net: " format "\n", ##__VA_ARGS__)

enum { ROOM = 1024, ETHERTYPE = 0x88b5 /* of local experiments */ };

/* ---- netlink, as a program would ---- */

static struct socket *link;

/* Sends the message, and takes the answer: 0 or an errno. */
static int ask(struct sk_buff *message, struct nlmsghdr *header)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct msghdr to = { .msg_name = &kernel, .msg_namelen = sizeof(kernel) }, from = { 0 };
	struct kvec vector = { .iov_base = message->data };
	u8 answer[ROOM];
	int len;

	nlmsg_end(message, header);
	vector.iov_len = message->len;
	len = kernel_sendmsg(link, &to, &vector, 1, message->len);
	nlmsg_free(message);
	if (len < 0)
		return len;
	vector = (struct kvec){ answer, sizeof(answer) };
	len = kernel_recvmsg(link, &from, &vector, 1, sizeof(answer), 0);
	if (len < (int)NLMSG_LENGTH(sizeof(struct nlmsgerr)) ||
	    ((struct nlmsghdr *)answer)->nlmsg_type != NLMSG_ERROR)
		return len < 0 ? len : -EPROTO;
	return ((struct nlmsgerr *)nlmsg_data((struct nlmsghdr *)answer))->error;
}

static struct sk_buff *begin(int type, int flags, int flags_of_link, const char *name,
			     struct nlmsghdr **header_ret)
{
	struct sk_buff *message = nlmsg_new(ROOM, GFP_KERNEL | __GFP_NOFAIL);
	struct ifinfomsg *info;

	*header_ret =
		nlmsg_put(message, 0, 1, type, sizeof(*info), flags | NLM_F_REQUEST | NLM_F_ACK);
	info = nlmsg_data(*header_ret);
	*info = (struct ifinfomsg){ .ifi_flags = flags_of_link, .ifi_change = flags_of_link };
	nla_put_string(message, IFLA_IFNAME, name);
	return message;
}

static int make(const char *kind, const char *name, const char *peer)
{
	struct nlmsghdr *header;
	struct sk_buff *message =
		begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, IFF_UP, name, &header);
	struct nlattr *info = nla_nest_start(message, IFLA_LINKINFO), *data, *of_peer;

	nla_put_string(message, IFLA_INFO_KIND, kind);
	if (peer) {
		data = nla_nest_start(message, IFLA_INFO_DATA);
		of_peer = nla_nest_start(message, VETH_INFO_PEER);
		*(struct ifinfomsg *)skb_put_zero(message, sizeof(struct ifinfomsg)) =
			(struct ifinfomsg){ 0 };
		nla_put_string(message, IFLA_IFNAME, peer);
		nla_nest_end(message, of_peer);
		nla_nest_end(message, data);
	}
	nla_nest_end(message, info);
	return ask(message, header);
}

static int change(int type, int flags_of_link, const char *name)
{
	struct nlmsghdr *header;
	struct sk_buff *message = begin(type, 0, flags_of_link, name, &header);

	return ask(message, header);
}

/* ---- a frame ---- */

static DECLARE_COMPLETION(arrived);

static int take_frame(struct sk_buff *frame, struct net_device *device, struct packet_type *type,
		      struct net_device *original)
{
	char text[32] = "";

	skb_copy_bits(frame, 0, text, min_t(unsigned int, frame->len, sizeof(text) - 1));
	SAY("a frame on %s: %s", device->name, text);
	kfree_skb(frame);
	complete(&arrived);
	return 0;
}

static struct packet_type frames = { .type = htons(ETHERTYPE), .func = take_frame };

static void send_frame(const char *name, const char *text)
{
	struct net_device *device = dev_get_by_name(&init_net, name);
	struct sk_buff *frame = alloc_skb(256, GFP_KERNEL | __GFP_NOFAIL);

	if (!device) {
		SAY("no device %s", name);
		kfree_skb(frame);
		return;
	}
	skb_reserve(frame, 64);
	skb_put_data(frame, text, strlen(text) + 1);
	frame->dev = device;
	frame->protocol = htons(ETHERTYPE);
	skb_reset_network_header(frame);
	dev_hard_header(frame, device, ETHERTYPE, NULL, device->dev_addr, frame->len);
	/* Up to a second passes before a device that has come up may send. */
	msleep(1500);
	SAY("sent: %d", dev_queue_xmit(frame));
	SAY("arrived: %d", wait_for_completion_timeout(&arrived, HZ) > 0);
	dev_put(device);
}

static void say_device(const char *name)
{
	struct net_device *device = dev_get_by_name(&init_net, name);

	SAY("%s: %s", name, !device ? "none" : netif_carrier_ok(device) ? "up" : "down");
	dev_put(device);
}

static int __init works_net_init(void)
{
	int err = sock_create_kern(&init_net, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, &link);

	if (err)
		return err;
	SAY("dummy: %d", make("dummy", "kc0", NULL));
	SAY("again: %d", make("dummy", "kc0", NULL));
	SAY("of no kind: %d", make("nothing", "kc9", NULL));
	say_device("kc0");
	SAY("a pair: %d", make("veth", "kc1", "kc2"));
	SAY("its other end: %d", change(RTM_NEWLINK, IFF_UP, "kc2"));
	say_device("kc1");
	say_device("kc2");
	dev_add_pack(&frames);
	send_frame("kc1", "over the wire");
	dev_remove_pack(&frames);
	SAY("deleted: %d", change(RTM_DELLINK, 0, "kc1"));
	say_device("kc2");
	SAY("deleted: %d", change(RTM_DELLINK, 0, "kc0"));
	say_device("kc0");
	sock_release(link);
	return 0;
}

static void __exit works_net_exit(void)
{
}

module_init(works_net_init);
module_exit(works_net_exit);
MODULE_DESCRIPTION("Devices by netlink");
MODULE_LICENSE("GPL");
