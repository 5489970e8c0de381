/* host - see host.h */
#include "engine/core/host.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int host_open(struct host *host, struct host_list *hosts,
	      const struct host_ops *ops, const char *name, struct loop *loop,
	      struct err *err)
{
	int code;

	assert(!host_find(hosts, name));
	memset(host, 0, sizeof *host);
	snprintf(host->name, sizeof host->name, "%s", name);
	host->loop = loop;
	code = ops->open(host, err);
	if (code)
		return code;
	host->ops = ops;
	LIST_INSERT_HEAD(hosts, host, link);
	return 0;
}

void host_close(struct host *host)
{
	if (!host->ops)
		return;
	LIST_REMOVE(host, link);
	host->ops->close(host);
	host->ops = NULL;
}

struct host *host_find(const struct host_list *hosts, const char *name)
{
	struct host *host;

	LIST_FOREACH(host, hosts, link)
		if (strcmp(host->name, name) == 0)
			return host;
	return NULL;
}

int host_relieve(const struct host_list *hosts, int code)
{
	struct host *host;
	int n = 0;

	if (code != -EMFILE && code != -ENFILE)
		return 0;
	LIST_FOREACH(host, hosts, link)
		n += host->ops->relieve(host);
	return n > 0;
}

void host_kill(struct host_process *process, int signal)
{
	if (process->host && !process->has_ended)
		process->host->ops->kill(process, signal);
}
