/* check - see check.h */
#include "engine/check.h"

#ifdef GC_CHECK

#include <assert.h>

#include "engine/core/client.h"
#include "engine/core/domain.h"
#include "engine/core/job.h"
#include "engine/core/ticket.h"

static void check_clients(const struct engine *engine)
{
	const struct client *client;
	int owners = 0;

	LIST_FOREACH(client, &engine->clients, link) {
		assert(client->engine == engine);
		assert(channel_is_open(&client->channel));
		assert(client->may_be);
		assert(client->role == CLIENT_UNKNOWN ||
		       client->may_be & CLIENT_MAY_BE(client->role));
		assert(!client->domain || client->domain->client == client);
		assert(!client->watches || client->role == ROLE_AGENT);
		assert(!client->number || client->role == ROLE_CONTROL);
		owners += client == engine->owner;
	}
	assert(owners == (engine->owner != NULL));
}

static void check_domains(const struct engine *engine)
{
	const struct domain *domain;
	int i, vmid = -1, listed = 0, indexed = 0;

	assert(TAILQ_EMPTY(&engine->ended));
	TAILQ_FOREACH(domain, &engine->domains, link) {
		assert(domain->engine == engine);
		assert(domain->vmid > vmid &&
		       domain->vmid <= engine->last_vmid);
		vmid = domain->vmid;
		listed++;
		domain_check(domain);
	}
	for (i = 0; i < engine->nby_vmid; i++)
		indexed += engine->by_vmid[i] != NULL;
	assert(listed == indexed);
}

/* What the clients of a ticket see of it, and what its domains and jobs do. */
static void check_tickets(const struct engine *engine)
{
	const struct ticket *ticket;
	const struct domain *domain;
	const struct job *job;
	int refs = 0;

	LIST_FOREACH(ticket, &engine->tickets, link) {
		assert(ticket->engine == engine);
		ticket_check(ticket);
		refs += ticket->refs;
	}
	TAILQ_FOREACH(domain, &engine->domains, link)
		refs -= domain->ticket != NULL;
	TAILQ_FOREACH(job, &engine->jobs, link)
		refs--;
	assert(refs == 0);
}

void engine_check(const struct engine *engine)
{
	const struct host *host;
	const struct job *job;

	check_clients(engine);
	check_domains(engine);
	check_tickets(engine);
	TAILQ_FOREACH(job, &engine->jobs, link) {
		assert(job->engine == engine);
		job_check(job);
	}
	LIST_FOREACH(host, &engine->hosts, link)
		host->ops->check(host);
}

#endif
