/*
 * image - the file that a virtual machine boots from
 *
 * It is either a tar with a description, a kernel and an initramfs, in this
 * order, as `gcscale image build` makes it by default, or a disk that boots by
 * itself: one qcow2 file without a backing file. See gcscale(1).
 */
#ifndef GC_ENGINE_VM_IMAGE_H
#define GC_ENGINE_VM_IMAGE_H

#include <stdint.h>

#include "base/err.h"

struct vm_image {
	int kernel, initrd; /* files without names; -1: none */
	int disk;	    /* the qcow2 file, to read; -1: none */
	int64_t disk_size;  /* of the virtual disk, bytes */
};

/* Opens an image and copies its parts. Returns 0 or a negative code, -GC_EIMAGE
 * if the file is no image: nothing is held then. */
int vm_image_open(struct vm_image *image, const char *path, struct err *err);

/* Closes what is open. Harmless when nothing is. */
void vm_image_close(struct vm_image *image);

#endif
