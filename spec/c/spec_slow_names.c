/*
 * spec_slow_names - to be preloaded: looking up the name "slow" takes until
 * descriptor $SLOW_NAMES_FD is at its end
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((visibility("default"))) int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
	    struct addrinfo **found)
{
	__typeof__(getaddrinfo) *real =
		(__typeof__(getaddrinfo) *)dlsym(RTLD_NEXT, "getaddrinfo");
	const char *fd = getenv("SLOW_NAMES_FD");
	char byte;

	if (!fd || !name || strcmp(name, "slow"))
		return real(name, service, hints, found);
	while (read(atoi(fd), &byte, 1) > 0)
		;
	return EAI_AGAIN;
}
