/* fork/start - starts the program: see fork.h */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/core/domain.h"
#include "engine/fork/fork.h"

#define MAX_ARGS    1000 /* of a program */
#define CHANNEL_FD  3	 /* where the program finds its channel ... */
#define LIFELINE_FD 4	 /* ... and its lifeline */

struct order {
	int port;
	char dir[PATH_MAX];
	char *argv[MAX_ARGS + 1]; /* the last one NULL */
	int nargs;
};

static void free_order(struct order *order)
{
	while (order->nargs > 0)
		free(order->argv[--order->nargs]);
}

static int parse_order(struct wire_msg *msg, struct order *order,
		       struct err *err)
{
	order->nargs = 0;
	order->port = (int)wire_int(msg);
	if (wire_copy(msg, order->dir, sizeof order->dir))
		return err_set(err, -ENAMETOOLONG, "start: directory");
	while (wire_more(msg)) {
		struct wire_str s = wire_str(msg);

		if (order->nargs == MAX_ARGS)
			return err_say(err, -E2BIG,
				       "start: more than %d arguments",
				       MAX_ARGS);
		order->argv[order->nargs] = strndup(s.p, s.len);
		if (!order->argv[order->nargs])
			return err_set(err, -ENOMEM, "start");
		order->nargs++;
	}
	order->argv[order->nargs] = NULL;
	if (order->nargs == 0)
		return err_say(err, -EINVAL, "no program to start");
	return 0;
}

/* The environment tells the program where its channel is. */
static void set_environment(const struct domain *domain, int port)
{
	char text[128];

	snprintf(text, sizeof text, "%d:%d:%d:%s", CHANNEL_FD, LIFELINE_FD,
		 port, domain->token);
	setenv("GRIDCENTRIC_CHANNEL", text, 1);
	snprintf(text, sizeof text, "%d", port);
	if (port)
		setenv("PORT", text, 1);
}

static int start_process(struct domain *domain, const struct order *order,
			 int channel)
{
	struct host *host = domain->host;
	int code, lifeline = host->ops->open_lifeline(host);
	struct process_spec spec = { .file = order->argv[0],
				     .argv = order->argv,
				     .dir = order->dir,
				     .nfds = 2,
				     .fds = { { channel, CHANNEL_FD },
					      { lifeline, LIFELINE_FD } } };

	if (lifeline < 0)
		return lifeline;
	set_environment(domain, order->port);
	code = domain_start(domain, &spec);
	unsetenv("GRIDCENTRIC_CHANNEL");
	close(lifeline);
	return code;
}

static int start_domain(struct engine *engine, const struct order *order,
			struct err *err)
{
	struct domain *domain = domain_new(engine, 0, NULL, err);
	int channel = -1, code;

	if (!domain)
		return err->code;
	engine->program_port = order->port;
	code = domain_open_channel(domain, &channel, err);
	if (!code) {
		code = start_process(domain, order, channel);
		close(channel);
		if (code)
			err_set(err, code, "%s", order->argv[0]);
	}
	if (code)
		domain_fail(domain, err);
	return code;
}

int fork_start_program(struct backend *b, struct wire_msg *msg, struct err *err)
{
	struct order order;
	int code = parse_order(msg, &order, err);

	if (!code)
		code = start_domain(b->engine, &order, err);
	free_order(&order);
	return code;
}
