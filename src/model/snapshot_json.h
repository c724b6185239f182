// The snapshot's file form, "ballast-snapshot-1", in memory buffers. A library of its own beside model
// (it links with yajl), so that model and decide stay free of it.
//
// Reading is one pass of a push parser into rows, then one pass into columns: 60,000 VMs in well under a
// tenth of a second. Bad input is refused with the place as a JSON pointer (/vms/2/vcpus) or, where it is
// not JSON at all, a line; nothing is half read. Unknown keys are ignored with one warning for each key.
#ifndef BALLAST_MODEL_SNAPSHOT_JSON_H
#define BALLAST_MODEL_SNAPSHOT_JSON_H

#include <stddef.h>

#include "base/error.h"
#include "model/snapshot.h"

#define SNAPSHOT_JSON_FORMAT "ballast-snapshot-1"

// A snapshot of four thousand hosts and 60,000 VMs with every key written out takes about 40 MiB.
#define SNAPSHOT_JSON_MAX_BYTES ((size_t)1 << 30)

// Told of each warning (an unknown key, a demand that was cut), in the order of the input.
typedef void snapshot_json_warn(void *context, const char *text);

// Parses size bytes at text. *ret_snapshot holds every invariant of snapshot_check; free it with
// snapshot_free. warn may be NULL. Errors: ERROR_INPUT with place and cure, ERROR_MEMORY.
int snapshot_json_parse(const char *text, size_t size, snapshot_json_warn *warn, void *context,
                        struct snapshot **ret_snapshot, struct error *err);

// Writes the snapshot so that parsing it gives the same figures to the last bit; keys that hold their
// default are left out. *ret_text is terminated; free it.
int snapshot_json_format(const struct snapshot *snapshot, char **ret_text, size_t *ret_size,
                         struct error *err);

#endif
