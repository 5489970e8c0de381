/*
 * heap - a priority queue of nodes that are part of their owners
 *
 * A pairing heap: insertion takes constant time, removal O(log n) amortized,
 * and neither needs memory, so that neither can fail.
 */
#ifndef GC_BASE_HEAP_H
#define GC_BASE_HEAP_H

struct heap_node {
	struct heap_node *child; /* the first one */
	struct heap_node *next;	 /* sibling */
	struct heap_node *prev;	 /* sibling; of a first child its parent;
				  * NULL: the root, or in no heap */
};

/* Zeroed except for `before`. */
struct heap {
	struct heap_node *root; /* the first of all; NULL: empty */
	/* Whether a comes before b. For two different nodes exactly one of
	 * before(a, b) and before(b, a) must be true. */
	int (*before)(const struct heap_node *a, const struct heap_node *b);
};

/* Inserts a node that is in no heap. */
void heap_insert(struct heap *heap, struct heap_node *node);

/* Removes a node of this heap. */
void heap_remove(struct heap *heap, struct heap_node *node);

#endif
