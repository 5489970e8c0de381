/*
 * echo_client - how long a server keeps its client waiting
 *
 *	echo_client IP PORT INTERVAL_US
 *
 * Sends the time each INTERVAL_US to a server that sends it back. When the
 * server stalls, what was to be sent meanwhile counts from when it was due.
 * Each byte on stdin makes it write "gap NS", the longest wait since the last
 * one, as soon as all that was sent has come back.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct client {
	int sock, timer;
	int64_t interval_ns, due_ns; /* when the next is to be sent */
	int64_t longest_ns;
	int outstanding; /* sent, not come back */
	int asked;	 /* for the longest, not told yet */
	size_t have;	 /* bytes of the next stamp */
	char stamp[sizeof(int64_t)];
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static int open_socket(const char *ip, int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	addr.sin_port = htons((uint16_t)port);
	inet_pton(AF_INET, ip, &addr.sin_addr);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
		return -1;
	return fd;
}

static int open_timer(const struct client *c)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec when = { { 0, c->interval_ns },
				   { c->due_ns / 1000000000,
				     c->due_ns % 1000000000 } };

	timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL);
	return fd;
}

/* Sends what has become due; nothing while somebody waits for the result. */
static int on_timer(struct client *c)
{
	uint64_t times;

	if (read(c->timer, &times, sizeof times) < 0)
		return 0;
	for (; times > 0; times--, c->due_ns += c->interval_ns) {
		if (c->asked)
			continue;
		if (write(c->sock, &c->due_ns, sizeof c->due_ns) !=
		    sizeof c->due_ns)
			return -1;
		c->outstanding++;
	}
	return 0;
}

static int on_echo(struct client *c)
{
	ssize_t n =
		read(c->sock, c->stamp + c->have, sizeof c->stamp - c->have);
	int64_t sent, took;

	if (n <= 0)
		return -1;
	c->have += (size_t)n;
	if (c->have < sizeof c->stamp)
		return 0;
	memcpy(&sent, c->stamp, sizeof sent);
	took = now_ns() - sent;
	if (took > c->longest_ns)
		c->longest_ns = took;
	c->have = 0;
	c->outstanding--;
	return 0;
}

static void answer(struct client *c)
{
	dprintf(STDOUT_FILENO, "gap %lld\n", (long long)c->longest_ns);
	c->longest_ns = 0;
	c->asked = 0;
}

int main(int argc, char **argv)
{
	struct client c = { 0 };
	struct pollfd fds[3] = { { .events = POLLIN },
				 { .events = POLLIN },
				 { .events = POLLIN } };
	char byte;

	if (argc != 4) {
		fprintf(stderr, "usage: echo_client IP PORT INTERVAL_US\n");
		return 2;
	}
	prctl(PR_SET_TIMERSLACK, 1);
	c.interval_ns = atoi(argv[3]) * 1000;
	c.sock = open_socket(argv[1], atoi(argv[2]));
	if (c.sock < 0) {
		perror("echo_client");
		return 1;
	}
	c.due_ns = now_ns() + c.interval_ns;
	c.timer = open_timer(&c);
	fds[0].fd = c.sock;
	fds[1].fd = c.timer;
	fds[2].fd = STDIN_FILENO;
	dprintf(STDOUT_FILENO, "connected\n");
	while (poll(fds, 3, -1) > 0) {
		if (fds[0].revents && on_echo(&c) < 0)
			return 1;
		if (fds[1].revents && on_timer(&c) < 0)
			return 1;
		if (fds[2].revents) {
			if (read(STDIN_FILENO, &byte, 1) != 1)
				return 0;
			c.asked = 1;
		}
		if (c.asked && c.outstanding == 0)
			answer(&c);
	}
	return 1;
}
