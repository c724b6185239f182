// Facts from a domain's XML, the administrator's wishes and the owner in its metadata included. Pure: text
// in, facts out; what the machine has to add comes by struct facts_machine.
#ifndef BALLAST_HOST_METADATA_H
#define BALLAST_HOST_METADATA_H

#include "base/error.h"
#include "host/facts.h"

// A definition larger than this is refused: libvirt's own limit for a string is 4 MiB.
#define FACTS_XML_MAX_BYTES (4u * 1024 * 1024)

// What this machine tells about the paths in a definition; members may be NULL.
struct facts_machine {
    const char *mountinfo;                       // text of /proc/self/mountinfo: which disks are local
    uint64_t (*allocated_kib)(const char *path); // size of a local disk; HOST_UNKNOWN when not readable
};

// Reads the XML of a live domain. On an error ret_facts is untouched. Network is never touched and no
// external entity loaded. O(length).
int facts_parse(const char *xml, size_t length, const struct facts_machine *machine,
                struct host_facts *ret_facts, struct error *err);

// Whether two readings say the same; the balloon's size, which moves by itself, apart.
bool facts_same(const struct host_facts *a, const struct host_facts *b);

// Reads one attribute of our element <vm>; text as "name" and "value". 0, or -1 with wishes->problem set.
int wishes_set(struct host_wishes *wishes, const char *name, const char *value);

// Nothing wished.
struct host_wishes wishes_none(void);

#endif
