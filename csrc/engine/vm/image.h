/*
 * engine/vm/image - the file that a virtual machine boots from
 *
 * Either what `gcscale image build` makes by default, a tar of a description,
 * a kernel and an initramfs, in this order, or a disk that boots by itself
 * (qcow2, with all that belongs to it in the one file). See gcscale(1).
 */
#ifndef GC_ENGINE_VM_IMAGE_H
#define GC_ENGINE_VM_IMAGE_H

#include <stdint.h>

#include "base/err.h"

struct vm_image {
	int kernel, initrd; /* files without names; -1: none */
	int disk;	    /* the qcow2 file, to read; -1: none */
	int64_t disk_size;  /* of what is in it, bytes */
};

/* Opens it, and takes a copy of its parts. Returns 0 or a negative code,
 * -GC_EIMAGE for what is no image; then nothing is held. */
int vm_image_open(struct vm_image *image, const char *path, struct err *err);
void vm_image_close(struct vm_image *image);

#endif
