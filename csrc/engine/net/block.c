/* block - see block.h */
#include "engine/net/block.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/unix_socket.h"

int block_claim(int block)
{
	char name[32];

	assert(block >= BLOCK_FIRST && block <= BLOCK_LAST);
	/* never change this name: engines of other versions know it */
	snprintf(name, sizeof name, "gridcentric/127.%d", block);
	return unix_socket_claim(name);
}

int block_claim_any(int *block)
{
	int claim = -EADDRINUSE;

	for (*block = BLOCK_FIRST; *block <= BLOCK_LAST; ++*block) {
		claim = block_claim(*block);
		if (claim != -EADDRINUSE)
			break;
	}
	return claim;
}

int block_is_claimed(int block)
{
	int claim = block_claim(block);

	if (claim < 0)
		return 1;
	close(claim);
	return 0;
}
