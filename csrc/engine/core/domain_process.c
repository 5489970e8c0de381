/* domain_process - which process a domain is: see domain.h */
#include <assert.h>
#include <errno.h>

#include "engine/core/client.h"
#include "engine/core/domain.h"

/* A master inside has to be a subreaper before the parent of a clone ends. */
static void warn_subreaper(const struct domain *domain)
{
	struct client *owner = domain->engine->owner;

	if (!owner || owner->role != ROLE_INSIDE || !domain->parent ||
	    domain->parent == owner->domain)
		return;
	wire_put(channel_out(&owner->channel), WIRE_ADOPT,
		 WIRE_INT(domain->process.pid));
	channel_send(&owner->channel);
}

int domain_watch(struct domain *domain, int pid)
{
	struct host *host = domain->host;
	struct err err;
	int code;

	assert(pid > 1 && !domain->process.pid);
	domain->process.exited = domain_on_exited;
	do
		code = host->ops->watch(host, &domain->process, pid);
	while (host_relieve(&domain->engine->hosts, code));
	if (code == -ESRCH) {
		/* it was reaped already: its status is on the way */
		domain->process.pid = pid;
		domain->process.has_ended = 1;
		domain_on_exited(&domain->process);
		return 0;
	}
	if (code) {
		err_set(&err, code, "domain %d", domain->vmid);
		domain_fail(domain, &err);
		return code;
	}
	warn_subreaper(domain);
	return 0;
}

void domain_claim_process(struct domain *domain, int pid,
			  const struct client *parent)
{
	struct host *host = domain->host;

	/* it is known already where HELLO came first */
	if (domain->process.pid || domain_of_pid(domain->engine, pid))
		return;
	if (domain_watch(domain, pid) || !domain->process.host ||
	    host->ops->parent_of(host, &domain->process) == parent->pid)
		return;
	host->ops->forget(&domain->process);
}

int domain_start(struct domain *domain, const struct process_spec *spec)
{
	assert(!domain->process.pid);
	domain->process.exited = domain_on_exited;
	return domain->host->ops->start(domain->host, &domain->process, spec);
}
