/*
 * clone - the guest API in C
 *
 *	clone-example [CLONES]	asks for a ticket, and clones itself
 *	clone-example wait	waits until its engine has it cloned
 *	clone-example veto	does not agree to be cloned
 *
 *	cc clone.c -lgridcentric
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gridcentric/gc-guest.h>

static void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", what, gc_error_text(), strerror(errno));
	exit(EXIT_FAILURE);
}

/* Prints all domains. */
static void list(void)
{
	gc_domain_t domains[64];
	int i, n = gc_list_domains(domains, 64);

	if (n < 0)
		die("list");
	for (i = 0; i < n && i < 64; i++)
		printf("domain %d is process %d on %s\n", domains[i].vmid,
		       domains[i].pid, domains[i].host);
}

static int be_clone(void)
{
	printf("clone number %d\n", gc_vmid());
	return EXIT_SUCCESS;
}

/* The engine tells this process when to clone. */
static int wait_for_clones(void)
{
	int vmid;

	do
		vmid = gc_wait(-1);
	while (vmid == 0);
	if (vmid < 0)
		die("wait");
	return be_clone();
}

/* A reason for no clone, as an open transaction would be. */
static const char *disagree(void *arg)
{
	return arg;
}

int main(int argc, char **argv)
{
	int vetoes = argc > 1 && strcmp(argv[1], "veto") == 0;
	int clones = argc > 1 && !vetoes ? atoi(argv[1]) : 1, vmid;
	gc_ticket_info_t info;
	gc_uuid_t ticket;

	if (argc > 1 && strcmp(argv[1], "wait") == 0)
		return wait_for_clones();
	if (vetoes && gc_before_clone(disagree, "a transaction is open") < 0)
		die("veto");
	if (gc_request_ticket(clones, clones, 1, 1000, &ticket) < 0)
		die("no resources");
	if (gc_ticket_info(ticket, &info) < 0)
		die("ticket");
	printf("ticket is %s for %d clones\n",
	       gc_ticket_status_string(info.status), info.vms);
	vmid = gc_clone(ticket);
	if (vmid < 0)
		die("clone");
	if (vmid > 0)
		return be_clone();
	printf("still the master\n");
	list();
	while (gc_list_domains(NULL, 0) > 1)
		gc_wait(10); /* a clone has not ended yet */
	return EXIT_SUCCESS;
}
