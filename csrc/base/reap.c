/* reap - see reap.h */
#include "base/reap.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

int reap_pidfd(int pidfd, int *status)
{
	siginfo_t info;

	memset(&info, 0, sizeof info);
	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0)
		return -errno;
	if (!info.si_pid)
		return 0;
	if (info.si_code == CLD_EXITED)
		*status = W_EXITCODE(info.si_status, 0);
	else
		*status = info.si_status |
			  (info.si_code == CLD_DUMPED ? WCOREFLAG : 0);
	return 1;
}
