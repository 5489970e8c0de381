/* heap - see heap.h */
#include "base/heap.h"

#include <assert.h>
#include <stddef.h>

/* Joins two heaps, either of which may be empty, and returns the new root. */
static struct heap_node *merge(const struct heap *heap, struct heap_node *a,
			       struct heap_node *b)
{
	struct heap_node *first, *other;

	if (!a || !b)
		return a ? a : b;
	assert(!a->prev && !a->next && !b->prev && !b->next);
	first = heap->before(b, a) ? b : a;
	other = first == a ? b : a;
	other->next = first->child;
	if (other->next)
		other->next->prev = other;
	other->prev = first;
	first->child = other;
	return first;
}

/*
 * Joins siblings, the first of which is given, to one heap: first in pairs
 * from left to right, then the pairs from right to left, which is what makes
 * removal O(log n) amortized. Without recursion: there can be thousands.
 */
static struct heap_node *merge_siblings(const struct heap *heap,
					struct heap_node *node)
{
	struct heap_node *pairs = NULL, *root = NULL, *rest, *second, *pair;

	for (; node; node = rest) {
		second = node->next;
		rest = second ? second->next : NULL;
		node->next = node->prev = NULL;
		if (second)
			second->next = second->prev = NULL;
		pair = merge(heap, node, second);
		pair->next = pairs; /* a stack */
		pairs = pair;
	}
	while ((pair = pairs)) {
		pairs = pair->next;
		pair->next = NULL;
		root = merge(heap, root, pair);
	}
	return root;
}

void heap_insert(struct heap *heap, struct heap_node *node)
{
	assert(!node->child && !node->next && !node->prev);
	assert(node != heap->root);
	heap->root = merge(heap, heap->root, node);
}

/* Cuts a node that is not the root out of the list of its siblings. */
static void cut(struct heap_node *node)
{
	assert(node->prev);
	if (node->prev->child == node)
		node->prev->child = node->next;
	else
		node->prev->next = node->next;
	if (node->next)
		node->next->prev = node->prev;
	node->next = node->prev = NULL;
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	struct heap_node *below = node->child;

	node->child = NULL;
	if (node == heap->root) {
		assert(!node->prev && !node->next);
		heap->root = merge_siblings(heap, below);
	} else {
		cut(node);
		heap->root =
			merge(heap, heap->root, merge_siblings(heap, below));
	}
	assert(!heap->root || !heap->root->prev);
}
