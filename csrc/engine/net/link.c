/* link - see link.h */
#include "engine/net/link.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

int link_open(struct netlink *netlink)
{
	return netlink_open(netlink, NETLINK_ROUTE);
}

/* ---- changing ----------------------------------------------------------- */

/* Starts a request about the device with an index, 0: a new one. */
static struct nlmsghdr *begin(struct netlink_request *request, int type,
			      int flags, int index, struct ifinfomsg **info)
{
	struct nlmsghdr *head = netlink_begin(request, type, flags);

	*info = mnl_nlmsg_put_extra_header(head, sizeof **info);
	(*info)->ifi_index = index;
	return head;
}

int link_add_bridge(struct netlink *netlink, const char *name,
		    const unsigned char mac[6])
{
	struct netlink_request request;
	struct ifinfomsg *info;
	struct nlmsghdr *head = begin(&request, RTM_NEWLINK,
				      NLM_F_CREATE | NLM_F_EXCL, 0, &info);
	struct nlattr *kind;

	assert(strlen(name) < IFNAMSIZ);
	mnl_attr_put_strz(head, IFLA_IFNAME, name);
	mnl_attr_put(head, IFLA_ADDRESS, 6, mac);
	kind = mnl_attr_nest_start(head, IFLA_LINKINFO);
	mnl_attr_put_strz(head, IFLA_INFO_KIND, "bridge");
	mnl_attr_nest_end(head, kind);
	return netlink_run(netlink, head);
}

int link_set_up(struct netlink *netlink, int index, int master)
{
	struct netlink_request request;
	struct ifinfomsg *info;
	struct nlmsghdr *head = begin(&request, RTM_NEWLINK, 0, index, &info);

	assert(index > 0 && master >= 0);
	info->ifi_flags = info->ifi_change = IFF_UP;
	if (master)
		mnl_attr_put_u32(head, IFLA_MASTER, (uint32_t)master);
	return netlink_run(netlink, head);
}

int link_add_address(struct netlink *netlink, int index, uint32_t ip, int len)
{
	struct netlink_request request;
	struct nlmsghdr *head =
		netlink_begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *address =
		mnl_nlmsg_put_extra_header(head, sizeof *address);
	uint32_t hosts;

	assert(index > 0 && len > 0 && len <= 32);
	hosts = (uint32_t)((1ull << (32 - len)) - 1);
	address->ifa_family = AF_INET;
	address->ifa_prefixlen = (uint8_t)len;
	address->ifa_index = (uint32_t)index;
	mnl_attr_put_u32(head, IFA_LOCAL, htonl(ip));
	mnl_attr_put_u32(head, IFA_ADDRESS, htonl(ip));
	mnl_attr_put_u32(head, IFA_BROADCAST, htonl(ip | hosts));
	return netlink_run(netlink, head);
}

int link_delete(struct netlink *netlink, int index)
{
	struct netlink_request request;
	struct ifinfomsg *info;

	assert(index > 0); /* 0 would leave it to the attributes */
	return netlink_run(netlink,
			   begin(&request, RTM_DELLINK, 0, index, &info));
}

/* ---- the list ----------------------------------------------------------- */

struct listing {
	void (*each)(const struct link *, void *);
	void *arg;
};

/* Copies an attribute that is a text, which need not end with a NUL. */
static void copy_text(char *to, size_t size, const struct nlattr *attr)
{
	snprintf(to, size, "%.*s", (int)mnl_attr_get_payload_len(attr),
		 mnl_attr_get_str(attr));
}

static void read_kind(struct link *link, const struct nlattr *info)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, info)
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			copy_text(link->kind, sizeof link->kind, attr);
}

static void read_attribute(struct link *link, const struct nlattr *attr)
{
	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME: copy_text(link->name, sizeof link->name, attr); break;
	case IFLA_LINKINFO: read_kind(link, attr); break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == sizeof link->mac)
			memcpy(link->mac, mnl_attr_get_payload(attr),
			       sizeof link->mac);
	}
}

static int on_link(const struct nlmsghdr *head, void *arg)
{
	const struct listing *listing = arg;
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(head);
	const struct nlattr *attr;
	struct link link = { 0 };

	if (head->nlmsg_type != RTM_NEWLINK ||
	    mnl_nlmsg_get_payload_len(head) < sizeof *info)
		return MNL_CB_OK;
	link.index = info->ifi_index;
	mnl_attr_for_each(attr, head, sizeof *info)
		read_attribute(&link, attr);
	listing->each(&link, listing->arg);
	return MNL_CB_OK;
}

int link_list(struct netlink *netlink,
	      void (*each)(const struct link *, void *), void *arg)
{
	struct listing listing = { each, arg };
	struct netlink_request request;
	struct ifinfomsg *info;

	return netlink_dump(netlink, begin(&request, RTM_GETLINK, 0, 0, &info),
			    on_link, &listing);
}
