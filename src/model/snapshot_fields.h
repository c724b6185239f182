// The keys of a snapshot's objects: type, range, default and column of each. Reader, writer and snapshot_check go by
// these tables. Private to the room.
#ifndef BALLAST_MODEL_SNAPSHOT_FIELDS_H
#define BALLAST_MODEL_SNAPSHOT_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/snapshot.h"

enum row_kind { ROW_HOST, ROW_VM, ROW_RULE };

enum field_type {
    FIELD_NUMBER,  // any finite number
    FIELD_INTEGER, // whole, 1 to 2^31
    FIELD_TEXT,
    FIELD_BOOL,
    FIELD_NAMES, // list of names
};

struct field {
    const char *key;
    enum field_type type;
    bool required;
    double low; // numbers: least value
    bool low_excluded;
    double fallback; // numbers and booleans: value when absent; NAN: depends on another key
    size_t column;   // offset of the column in struct snapshot_hosts or snapshot_vms; FIELD_NO_COLUMN
};

#define FIELD_NO_COLUMN SIZE_MAX
#define ROW_FIELDS_MAX 28

struct field_table {
    enum row_kind kind;
    const char *list; // the key of the array of these rows
    uint32_t n;
    const struct field *field;
};

extern const struct field_table snapshot_host_fields, snapshot_vm_fields, snapshot_rule_fields;

// Field numbers that the conversion asks for by name.
enum { HOST_NAME, HOST_STATE, HOST_ZONE, HOST_FIRST_FIGURE };
enum {
    VM_NAME,
    VM_HOST,
    VM_CANNOT_RUN_ON,
    VM_MOVABLE,
    VM_VCPUS,
    VM_SHARES,
    VM_CPU_SHARES,
    VM_MEM_SHARES,
    VM_FIRST_FIGURE
};
enum { RULE_TYPE, RULE_VMS, RULE_HOSTS, RULE_SCOPE, RULE_STRICT };

#endif
