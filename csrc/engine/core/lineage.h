/*
 * lineage - which domain was cloned from which, including those that have ended
 *
 * A program in a VM sees and ends its own descendants only.
 */
#ifndef GC_ENGINE_CORE_LINEAGE_H
#define GC_ENGINE_CORE_LINEAGE_H

struct lineage {
	int *parents; /* by vmid; -1: none */
	int n;
};

/* Adds vmid as a clone of parent. Returns 0 or -ENOMEM. */
int lineage_add(struct lineage *lineage, int vmid, int parent);

/* Whether vmid is ancestor itself or a descendant of it. */
int lineage_is_below(const struct lineage *lineage, int vmid, int ancestor);

void lineage_free(struct lineage *lineage);

#endif
