/* netlink - see netlink.h */
#include "netlink/netlink.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_SIZE 32768 /* bytes; the kernel's largest part of a dump */

int netlink_open(struct netlink *netlink, int protocol)
{
	int code;

	assert(!netlink->socket);
	netlink->serial = 0;
	netlink->socket =
		mnl_socket_open2(protocol, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!netlink->socket)
		return -errno;
	if (mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) == 0)
		return 0;
	code = -errno;
	netlink_close(netlink);
	return code;
}

void netlink_close(struct netlink *netlink)
{
	if (netlink->socket)
		mnl_socket_close(netlink->socket);
	netlink->socket = NULL;
}

struct nlmsghdr *netlink_begin(struct netlink_request *request, int type,
			       int flags)
{
	struct nlmsghdr *head;

	memset(request, 0, sizeof *request);
	head = mnl_nlmsg_put_header(request->buf);
	head->nlmsg_type = (uint16_t)type;
	head->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	return head;
}

/* The message that ends an answer: 0, or a negated errno, at its start. A dump
 * ends with NLMSG_DONE, which old kernels leave empty; all else, and a dump that
 * cannot begin, with NLMSG_ERROR. */
static int on_end(const struct nlmsghdr *head, void *arg)
{
	int error = head->nlmsg_type == NLMSG_DONE ? 0 : -EPROTO;

	if (mnl_nlmsg_get_payload_len(head) >= sizeof error)
		memcpy(&error, mnl_nlmsg_get_payload(head), sizeof error);
	if (error >= 0)
		return MNL_CB_STOP;
	errno = -error;
	return MNL_CB_ERROR;
}

/* Something was lost. */
static int on_overrun(const struct nlmsghdr *head, void *arg)
{
	errno = ENOBUFS;
	return MNL_CB_ERROR;
}

/* Receives up to the message that ends the answer. */
static int receive_answer(struct netlink *netlink, mnl_cb_t each, void *arg)
{
	/* an entry that is not set ignores the message */
	mnl_cb_t control[] = { [NLMSG_ERROR] = on_end,
			       [NLMSG_DONE] = on_end,
			       [NLMSG_OVERRUN] = on_overrun };
	_Alignas(struct nlmsghdr) char answer[ANSWER_SIZE];
	int code = MNL_CB_OK;
	ssize_t n;

	while (code > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(netlink->socket, answer, sizeof answer);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -EPROTO : -errno;
		code = mnl_cb_run2(answer, (size_t)n, netlink->serial,
				   mnl_socket_get_portid(netlink->socket), each,
				   arg, control, MNL_ARRAY_SIZE(control));
	}
	return code < 0 ? -errno : 0;
}

/* Drops the rest of an answer, which would be taken for the next one's. */
static void drop_rest(struct netlink *netlink)
{
	int sock = mnl_socket_get_fd(netlink->socket);
	char answer[ANSWER_SIZE];

	while (recv(sock, answer, sizeof answer, MSG_DONTWAIT) >= 0 ||
	       errno == EINTR || errno == ENOBUFS)
		;
}

static int ask(struct netlink *netlink, struct nlmsghdr *head, mnl_cb_t each,
	       void *arg)
{
	ssize_t n;
	int code;

	assert(netlink->socket);
	assert(head->nlmsg_len <= sizeof(struct netlink_request));
	head->nlmsg_seq = ++netlink->serial;
	do
		n = mnl_socket_sendto(netlink->socket, head, head->nlmsg_len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	code = receive_answer(netlink, each, arg);
	if (code)
		drop_rest(netlink);
	return code;
}

int netlink_run(struct netlink *netlink, struct nlmsghdr *head)
{
	head->nlmsg_flags |= NLM_F_ACK;
	return ask(netlink, head, NULL, NULL);
}

int netlink_dump(struct netlink *netlink, struct nlmsghdr *head, mnl_cb_t each,
		 void *arg)
{
	assert(each);
	head->nlmsg_flags |= NLM_F_DUMP;
	return ask(netlink, head, each, arg);
}
