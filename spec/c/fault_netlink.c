/*
 * fault_netlink - preloaded into a program, spoils the kernel's answers over
 * netlink, for specs
 *
 *	SPEC_NETLINK_FAULT=done		a dump ends with an error (ENOBUFS)
 *	SPEC_NETLINK_FAULT=changed	the list has changed during the dump
 *	SPEC_NETLINK_FAULT=changed:2	the same, for the first two dumps
 *	SPEC_NETLINK_FAULT=overrun	something was lost
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Whether a message of the dump with this number is to be spoilt so. */
static int is_wanted(const char *kind, uint32_t dump)
{
	static uint32_t last;
	static int used;
	const char *given = getenv("SPEC_NETLINK_FAULT");
	size_t len = strlen(kind);

	if (!given || strncmp(given, kind, len) != 0)
		return 0;
	if (dump != last)
		used++;
	last = dump;
	return given[len] != ':' || used <= atoi(given + len + 1);
}

static void spoil(struct nlmsghdr *head)
{
	int error = -ENOBUFS;

	if (head->nlmsg_flags & NLM_F_MULTI &&
	    is_wanted("changed", head->nlmsg_seq))
		head->nlmsg_flags |= NLM_F_DUMP_INTR;
	if (head->nlmsg_type != NLMSG_DONE)
		return;
	if (is_wanted("done", head->nlmsg_seq))
		memcpy(NLMSG_DATA(head), &error, sizeof error);
	if (is_wanted("overrun", head->nlmsg_seq))
		head->nlmsg_type = NLMSG_OVERRUN;
}

__attribute__((visibility("default"))) ssize_t
recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t (*real)(int, struct msghdr *, int) =
		(ssize_t(*)(int, struct msghdr *, int))dlsym(RTLD_NEXT,
							     "recvmsg");
	ssize_t n = real(fd, msg, flags);
	const struct sockaddr *from = msg->msg_name;
	struct nlmsghdr *head;
	int left; /* signed: the last message may end short of its padding */

	if (n <= 0 || flags & MSG_PEEK || !from ||
	    from->sa_family != AF_NETLINK)
		return n;
	head = msg->msg_iov[0].iov_base;
	for (left = (int)n; NLMSG_OK(head, left); head = NLMSG_NEXT(head, left))
		spoil(head);
	return n;
}
