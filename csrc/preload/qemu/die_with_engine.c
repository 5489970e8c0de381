/*
 * die_with_engine - preloaded into QEMU: ends it if the engine has ended before
 * the death signal was set
 *
 * setpriv asks the kernel for a death signal and then starts QEMU. If the engine
 * is killed just before that, the signal never comes; but the process has
 * another parent by then.
 */
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void check_parent(void)
{
	const char *engine = getenv("GRIDCENTRIC_ENGINE_PID");

	if (engine && getppid() != atoi(engine))
		_exit(127);
}
