/* lineage - see lineage.h */
#include "engine/core/lineage.h"

#include <errno.h>
#include <stdlib.h>

int lineage_add(struct lineage *lineage, int vmid, int parent)
{
	if (vmid >= lineage->n) {
		int n = vmid + 64, *parents;

		parents =
			realloc(lineage->parents, (size_t)n * sizeof *parents);
		if (!parents)
			return -ENOMEM;
		lineage->parents = parents;
		while (lineage->n < n)
			parents[lineage->n++] = -1;
	}
	lineage->parents[vmid] = parent;
	return 0;
}

int lineage_is_below(const struct lineage *lineage, int vmid, int ancestor)
{
	while (vmid >= 0 && vmid < lineage->n && vmid != ancestor)
		vmid = lineage->parents[vmid];
	return vmid == ancestor;
}

void lineage_free(struct lineage *lineage)
{
	free(lineage->parents);
	lineage->parents = NULL;
	lineage->n = 0;
}
