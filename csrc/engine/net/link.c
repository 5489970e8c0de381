/* link - see link.h */
#include "engine/net/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 32768 /* bytes of a datagram; what the kernel fills */

struct request {
	struct nlmsghdr head;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg address;
		char room[256]; /* that, then attributes */
	} body;
};

int link_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_ROUTE);

	return fd < 0 ? -errno : fd;
}

/* ---- requests ----------------------------------------------------------- */

static void begin(struct request *request, int type, int flags, size_t len)
{
	memset(request, 0, sizeof *request);
	request->head.nlmsg_type = (uint16_t)type;
	request->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	request->head.nlmsg_len = (uint32_t)NLMSG_LENGTH(len);
}

/* Adds an attribute; all that are put into one request fit. */
static struct rtattr *put(struct request *request, int type, const void *data,
			  size_t len)
{
	struct nlmsghdr *head = &request->head;
	struct rtattr *attr =
		(void *)((char *)head + NLMSG_ALIGN(head->nlmsg_len));

	attr->rta_type = (uint16_t)type;
	attr->rta_len = (uint16_t)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(attr), data, len);
	head->nlmsg_len =
		NLMSG_ALIGN(head->nlmsg_len) + RTA_ALIGN(attr->rta_len);
	return attr;
}

/* Ends an attribute that holds all those put after it. */
static void end_nest(struct request *request, struct rtattr *outer)
{
	outer->rta_len = (uint16_t)((char *)&request->head +
				    request->head.nlmsg_len - (char *)outer);
}

static ssize_t receive(int netlink, void *buf, size_t len)
{
	ssize_t n;

	do
		n = recv(netlink, buf, len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int transmit(int netlink, struct request *request)
{
	ssize_t n;

	do
		n = send(netlink, &request->head, request->head.nlmsg_len, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Has a request carried out. Returns what the kernel answers. */
static int run(int netlink, struct request *request)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr body;
		char room[1024]; /* the request, and the kernel's words */
	} answer;
	ssize_t n;
	int err;

	request->head.nlmsg_flags |= NLM_F_ACK;
	err = transmit(netlink, request);
	if (err)
		return err;
	n = receive(netlink, &answer, sizeof answer);
	if (n < 0)
		return (int)n;
	if ((size_t)n < NLMSG_LENGTH(sizeof answer.body.error) ||
	    answer.head.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return answer.body.error;
}

int link_add_bridge(int netlink, const char *name, const unsigned char mac[6])
{
	struct request request;
	struct rtattr *info;

	begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
	      sizeof request.body.link);
	put(&request, IFLA_IFNAME, name, strlen(name) + 1);
	put(&request, IFLA_ADDRESS, mac, 6);
	info = put(&request, IFLA_LINKINFO, NULL, 0);
	put(&request, IFLA_INFO_KIND, "bridge", sizeof "bridge");
	end_nest(&request, info);
	return run(netlink, &request);
}

int link_set_up(int netlink, int index, int master)
{
	struct request request;
	uint32_t to = (uint32_t)master;

	begin(&request, RTM_NEWLINK, 0, sizeof request.body.link);
	request.body.link.ifi_index = index;
	request.body.link.ifi_flags = request.body.link.ifi_change = IFF_UP;
	if (master)
		put(&request, IFLA_MASTER, &to, sizeof to);
	return run(netlink, &request);
}

int link_add_address(int netlink, int index, uint32_t ip, int len)
{
	struct request request;
	uint32_t local = htonl(ip);
	uint32_t broadcast = htonl(ip | (uint32_t)((1ull << (32 - len)) - 1));

	begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
	      sizeof request.body.address);
	request.body.address.ifa_family = AF_INET;
	request.body.address.ifa_prefixlen = (uint8_t)len;
	request.body.address.ifa_index = (uint32_t)index;
	put(&request, IFA_LOCAL, &local, sizeof local);
	put(&request, IFA_ADDRESS, &local, sizeof local);
	put(&request, IFA_BROADCAST, &broadcast, sizeof broadcast);
	return run(netlink, &request);
}

int link_delete(int netlink, int index)
{
	struct request request;

	begin(&request, RTM_DELLINK, 0, sizeof request.body.link);
	request.body.link.ifi_index = index;
	return run(netlink, &request);
}

/* ---- the list ----------------------------------------------------------- */

static void copy_text(char *to, size_t size, const struct rtattr *attr)
{
	snprintf(to, size, "%.*s", (int)RTA_PAYLOAD(attr),
		 (const char *)RTA_DATA(attr));
}

static void read_kind(struct link *link, struct rtattr *info)
{
	struct rtattr *attr = RTA_DATA(info);
	int left = (int)RTA_PAYLOAD(info);

	for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left))
		if (attr->rta_type == IFLA_INFO_KIND)
			copy_text(link->kind, sizeof link->kind, attr);
}

static void read_link(struct link *link, struct nlmsghdr *head)
{
	struct ifinfomsg *info = NLMSG_DATA(head);
	struct rtattr *attr = IFLA_RTA(info);
	int left = (int)IFLA_PAYLOAD(head);

	memset(link, 0, sizeof *link);
	link->index = info->ifi_index;
	for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left)) {
		if (attr->rta_type == IFLA_IFNAME)
			copy_text(link->name, sizeof link->name, attr);
		else if (attr->rta_type == IFLA_LINKINFO)
			read_kind(link, attr);
		else if (attr->rta_type == IFLA_ADDRESS &&
			 RTA_PAYLOAD(attr) == sizeof link->mac)
			memcpy(link->mac, RTA_DATA(attr), sizeof link->mac);
	}
}

/* Reads one datagram of the list. Returns 1 when more follows, 0 at the end,
 * or a negated errno; sets *changed when the list is not of one moment. */
static int read_some(int netlink, void (*each)(const struct link *, void *),
		     void *arg, int *changed)
{
	union {
		struct nlmsghdr head;
		char bytes[ANSWER_MAX];
	} answer;
	struct nlmsghdr *head = &answer.head;
	struct link link;
	ssize_t left = receive(netlink, &answer, sizeof answer);

	if (left < 0)
		return (int)left;
	for (; NLMSG_OK(head, (size_t)left); head = NLMSG_NEXT(head, left)) {
		if (head->nlmsg_flags & NLM_F_DUMP_INTR)
			*changed = 1;
		if (head->nlmsg_type == NLMSG_DONE)
			return 0;
		if (head->nlmsg_type == NLMSG_ERROR)
			return ((struct nlmsgerr *)NLMSG_DATA(head))->error;
		if (head->nlmsg_type != RTM_NEWLINK)
			continue;
		read_link(&link, head);
		each(&link, arg);
	}
	return 1;
}

int link_list(int netlink, void (*each)(const struct link *, void *), void *arg)
{
	struct request request;
	int code, changed = 0;

	begin(&request, RTM_GETLINK, NLM_F_DUMP, sizeof request.body.link);
	code = transmit(netlink, &request);
	if (code)
		return code;
	while ((code = read_some(netlink, each, arg, &changed)) > 0)
		;
	return !code && changed ? -EINTR : code;
}
