/*
 * netlink - requests to the kernel over netlink, on libmnl
 *
 *	struct netlink_request request;
 *	struct nlmsghdr *head;
 *
 *	netlink_open(&netlink, NETLINK_ROUTE);
 *	head = netlink_begin(&request, RTM_GETLINK, 0);
 *	... mnl_nlmsg_put_extra_header(head, ...), mnl_attr_put(head, ...) ...
 *	netlink_dump(&netlink, head, on_link, arg);
 *	netlink_close(&netlink);
 *
 * libmnl builds messages and takes them apart. It ends a dump at NLMSG_DONE
 * without a look at the error that this message can carry; here the error
 * counts, so that a list is whole or the dump fails.
 *
 * Nothing waits: the kernel carries out a request while it is sent, and its
 * answer is there at once. Functions return 0 or a negated errno.
 */
#ifndef GC_NETLINK_NETLINK_H
#define GC_NETLINK_NETLINK_H

#include <libmnl/libmnl.h>
#include <stdint.h>

/* A socket; zeroed while it is closed. */
struct netlink {
	struct mnl_socket *socket;
	uint32_t serial; /* of the last request: answers carry it */
};

struct netlink_request {
	_Alignas(struct nlmsghdr) char buf[512];
};

/* protocol: NETLINK_ROUTE and the like. */
int netlink_open(struct netlink *netlink, int protocol);

/* Harmless on a closed one. */
void netlink_close(struct netlink *netlink);

/* Starts a message in request's buffer. flags: those beside NLM_F_REQUEST. */
struct nlmsghdr *netlink_begin(struct netlink_request *request, int type,
			       int flags);

/* Has the kernel carry out a request; returns how it went. */
int netlink_run(struct netlink *netlink, struct nlmsghdr *head);

/*
 * Calls each(message, arg) for all that the request asks for. `each` returns
 * MNL_CB_OK, or MNL_CB_ERROR with errno set, which ends the dump. Where this
 * fails, some may be missing; -EINTR: because they changed meanwhile, so that
 * it can be tried again.
 */
int netlink_dump(struct netlink *netlink, struct nlmsghdr *head, mnl_cb_t each,
		 void *arg);

#endif
