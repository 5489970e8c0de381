/* connections - see connections.h */
#include "agent/connections.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Neither listeners nor what is no connection any more: a busy server has
 * thousands in TIME_WAIT, which no program waits for. */
#define STATES                                                              \
	(1u << TCP_ESTABLISHED | 1u << TCP_SYN_SENT | 1u << TCP_SYN_RECV |  \
	 1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2 | 1u << TCP_CLOSE_WAIT | \
	 1u << TCP_LAST_ACK | 1u << TCP_CLOSING)

/* Connections, as the kernel names them. */
struct list {
	struct inet_diag_req_v2 *items;
	size_t n, cap;
};

static int is_loopback(const struct inet_diag_msg *msg)
{
	const uint32_t *ip = msg->id.idiag_src;
	const struct in6_addr *ip6 = (const struct in6_addr *)ip;

	if (msg->idiag_family == AF_INET)
		return ntohl(ip[0]) >> 24 == IN_LOOPBACKNET;
	if (IN6_IS_ADDR_V4MAPPED(ip6))
		return ntohl(ip[3]) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(ip6);
}

static int add(struct list *list, const struct inet_diag_msg *msg)
{
	struct inet_diag_req_v2 *item;

	if (is_loopback(msg))
		return 0;
	if (list->n == list->cap) {
		size_t cap = list->cap ? 2 * list->cap : 64;

		item = realloc(list->items, cap * sizeof *item);
		if (!item)
			return -ENOMEM;
		list->items = item;
		list->cap = cap;
	}
	assert(list->n < list->cap);
	item = &list->items[list->n++];
	memset(item, 0, sizeof *item);
	item->sdiag_family = msg->idiag_family;
	item->sdiag_protocol = IPPROTO_TCP;
	item->id = msg->id;
	return 0;
}

static int on_connection(const struct nlmsghdr *head, void *arg)
{
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(head);
	int code = 0;

	if (mnl_nlmsg_get_payload_len(head) >= sizeof *msg)
		code = add(arg, msg);
	errno = -code;
	return code ? MNL_CB_ERROR : MNL_CB_OK;
}

/* Lists the connections of both families at once, by the old request, which
 * knows no families: the kernel goes through its table once. */
static int list_connections(struct netlink *diag, struct list *list)
{
	struct netlink_request request;
	struct nlmsghdr *head = netlink_begin(&request, TCPDIAG_GETSOCK, 0);
	struct inet_diag_req *body =
		mnl_nlmsg_put_extra_header(head, sizeof *body);

	body->idiag_family = AF_INET;
	body->idiag_states = STATES;
	return netlink_dump(diag, head, on_connection, list);
}

static int destroy(struct netlink *diag,
		   const struct inet_diag_req_v2 *connection)
{
	struct netlink_request request;
	struct nlmsghdr *head = netlink_begin(&request, SOCK_DESTROY, 0);
	int code;

	memcpy(mnl_nlmsg_put_extra_header(head, sizeof *connection), connection,
	       sizeof *connection);
	code = netlink_run(diag, head);
	return code == -ENOENT ? 0 : code; /* it has ended by itself */
}

static int explain_dump(struct err *err, int code)
{
	if (code == -ENOENT || code == -EOPNOTSUPP)
		return err_say(err, code,
			       "connections: the kernel's module tcp_diag is "
			       "missing");
	return err_set(err, code, "connections");
}

static int explain_destroy(struct err *err, int code)
{
	if (code == -EOPNOTSUPP)
		return err_say(err, code,
			       "connections: the kernel has no "
			       "INET_DIAG_DESTROY");
	return err_set(err, code, "connections");
}

int connections_open(struct netlink *diag, struct err *err)
{
	struct list list = { 0 };
	int code = netlink_open(diag, NETLINK_SOCK_DIAG);

	if (code)
		return err_set(err, code, "connections");
	code = list_connections(diag, &list);
	free(list.items);
	if (!code)
		return 0;
	netlink_close(diag);
	return explain_dump(err, code);
}

int connections_destroy(struct netlink *diag, struct err *err)
{
	struct list list = { 0 };
	int code = list_connections(diag, &list);
	size_t i;

	if (code) {
		free(list.items);
		return explain_dump(err, code);
	}
	for (i = 0; i < list.n && !code; i++)
		code = destroy(diag, &list.items[i]);
	free(list.items);
	return code ? explain_destroy(err, code) : (int)list.n;
}

/* ---- listeners --------------------------------------------------------- */

/* Whether an address of the kernel's tables is a loopback address. It is in
 * hexadecimal, in words of the host's byte order. */
static int is_loopback_text(const char *hex)
{
	static const char v4mapped[] = "0000000000000000FFFF0000";

	if (strlen(hex) == 32 && !strncmp(hex, v4mapped, 24))
		hex += 24;
	if (strlen(hex) == 8) /* the last byte is the first of the address */
		return strcmp(hex + 6, "7F") == 0;
	return strcmp(hex, "00000000000000000000000001000000") == 0;
}

/* A listener. */
struct listener {
	char hex[33]; /* its address, as is_loopback_text() takes it */
	unsigned port;
	unsigned long inode;
};

typedef void on_listener(void *owner, const struct listener *listener);

/* Calls found for each listener on the port, 0: any, in a table of the
 * kernel. */
static void scan_table(const char *table, unsigned port, on_listener *found,
		       void *owner)
{
	FILE *file = fopen(table, "re");
	struct listener listener;
	unsigned state;
	char line[512];

	while (file && fgets(line, sizeof line, file))
		if (sscanf(line,
			   " %*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x "
			   "%*x:%*x %*x %*u %*d %lu",
			   listener.hex, &listener.port, &state,
			   &listener.inode) == 4 &&
		    state == TCP_LISTEN && (!port || listener.port == port))
			found(owner, &listener);
	if (file)
		fclose(file);
}

static void scan_tables(int port, on_listener *found, void *owner)
{
	scan_table("/proc/self/net/tcp", (unsigned)port, found, owner);
	scan_table("/proc/self/net/tcp6", (unsigned)port, found, owner);
}

struct best {
	enum listening listening;
	unsigned port;
};

static void keep_best(void *owner, const struct listener *listener)
{
	struct best *best = owner;
	enum listening listening = is_loopback_text(listener->hex)
					   ? LISTENING_LOOPBACK
					   : LISTENING;

	if (listening <= best->listening)
		return;
	best->listening = listening;
	best->port = listener->port;
}

enum listening connections_listening(int *port)
{
	struct best best = { .listening = LISTENING_NOWHERE };

	scan_tables(*port, keep_best, &best);
	if (!*port)
		*port = (int)best.port;
	return best.listening;
}

struct inodes {
	unsigned long *items;
	int n, max;
};

static void add_inode(void *owner, const struct listener *listener)
{
	struct inodes *inodes = owner;

	if (inodes->n < inodes->max)
		inodes->items[inodes->n++] = listener->inode;
}

int connections_listeners(int port, unsigned long *inodes, int max)
{
	struct inodes list = { .items = inodes, .max = max };

	scan_tables(port, add_inode, &list);
	return list.n;
}
