/* proxy/options - see proxy/options.h */
#include "proxy/options.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>

#include "proxy/relay.h"
#include "proxy/table.h"

enum {
	RESERVE = 64,	 /* descriptors that are not for connections */
	SWEEP_MS = 1000, /* being late by that hurts no deadline */
};

/* As many as the limit of open files allows, with two files for each. */
static int most_connections(void)
{
	const int enough = 10000;
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 ||
	    files.rlim_cur >= RESERVE + 2 * (rlim_t)enough)
		return enough;
	if (files.rlim_cur < RESERVE + 2)
		return 1;
	return (int)(files.rlim_cur - RESERVE) / 2;
}

void proxy_defaults(struct proxy_options *options)
{
	*options = (struct proxy_options){
		.mode = PROXY_HTTP,
		.max_connections = most_connections(),
		/* a head is one packet; slow clients tie up memory */
		.head_timeout_ms = 10 * 1000,
		/* longer than browsers and load balancers keep theirs */
		.idle_timeout_ms = 75 * 1000,
		/* servers are near: a silent one is overloaded */
		.connect_timeout_ms = 3 * 1000,
		/* a long poll may well take some minutes */
		.response_timeout_ms = 300 * 1000,
		.stall_timeout_ms = 60 * 1000,
		/* a chat may be silent all night; TCP's keep-alive finds dead peers */
		.tunnel_timeout_ms = 0,
		.max_head = RELAY_BLOCK,
		.max_response_head = RELAY_BLOCK,
	};
}

/* Copies a name, which may be NULL. Returns false where it is too long. */
static bool copy_name(char *to, size_t size, const char *name)
{
	size_t len = name ? strlen(name) : 0;

	if (len >= size)
		return false;
	memset(to, 0, size);
	if (len)
		memcpy(to, name, len);
	return true;
}

int options_sweep_ms(const struct proxy_options *options)
{
	int times[] = {
		options->head_timeout_ms,     options->idle_timeout_ms,
		options->connect_timeout_ms,  options->stall_timeout_ms,
		options->response_timeout_ms, options->tunnel_timeout_ms,
	};
	int smallest = SWEEP_MS;
	size_t i;

	for (i = 0; i < sizeof times / sizeof times[0]; i++)
		if (times[i] && times[i] < smallest)
			smallest = times[i];
	return smallest;
}

/* Whether heads of so many bytes fit into the buffers and hold something. */
static bool is_head_size(int size)
{
	return size >= 512 && size <= RELAY_BLOCK;
}

static bool is_valid(const struct proxy_options *options)
{
	return options_sweep_ms(options) > 0 /* no time is negative */ &&
	       options->max_connections > 0 &&
	       options->max_connections < 1 << INDEX_BITS &&
	       is_head_size(options->max_head) &&
	       is_head_size(options->max_response_head) &&
	       options->max_body >= 0 && options->number >= 0 &&
	       options->number <= MAX_NUMBER;
}

int options_set(struct proxy_options *options, struct options_names *names,
		const struct proxy_options *from)
{
	if (!is_valid(from) ||
	    !copy_name(names->cookie, sizeof names->cookie, from->cookie) ||
	    !copy_name(names->field, sizeof names->field, from->field))
		return -EINVAL;
	*options = *from;
	options->cookie = names->cookie;
	options->field = names->field;
	return 0;
}

int options_change(struct proxy_options *options, struct options_names *names,
		   const struct proxy_options *from)
{
	struct proxy_options all = *from;
	struct options_names old = *names;

	all.mode = options->mode;
	all.number = options->number;
	all.cookie = old.cookie;
	return options_set(options, names, &all);
}
