// Files that may be compressed: plain, .gz (zlib) and .xz (liblzma), told apart by their first bytes.
#ifndef BALLAST_SIMULATE_UNPACK_H
#define BALLAST_SIMULATE_UNPACK_H

#include <stddef.h>

#include "base/error.h"

// Unpacks data of at most max_bytes of content; plain data is copied. *ret_text has a zero byte behind it
// that *ret_size does not count; free it. Damaged, cut off and larger content are ERROR_INPUT; file is for
// messages.
int unpack(const char *file, const void *data, size_t size, size_t max_bytes, char **ret_text,
           size_t *ret_size, struct error *err);

#endif
