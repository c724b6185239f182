// Between the JSON reader's callbacks and the columns of a snapshot: one row an object of the input, and the
// tables that say which key is which figure. Private to the snapshot-json library.
#ifndef BALLAST_MODEL_SNAPSHOT_ROWS_H
#define BALLAST_MODEL_SNAPSHOT_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vector.h"
#include "model/snapshot.h"
#include "model/snapshot_json.h"

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
    size_t column;   // offset of the column in struct snapshot_hosts or snapshot_vms; SIZE_MAX: none
};

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

DEFINE_VECTOR(row_names, const char *);

// Which part of a names vector a list of a row is.
struct name_span {
    uint32_t start, n;
};

struct row {
    double number[ROW_FIELDS_MAX]; // by field number; booleans 0 or 1
    const char *text[4];           // FIELD_TEXT by field number (they stand first in each table)
    struct name_span names[3];     // FIELD_NAMES by field number
    uint32_t given;                // bit set of the fields that the object had
};

DEFINE_VECTOR(rows, struct row);

// All rows of an input. Texts live in arena.
struct snapshot_rows {
    struct arena *arena;
    struct rows list[3]; // by row_kind
    struct row_names names;
    struct wall taken_at;
    bool has_taken_at;
    snapshot_json_warn *warn;
    void *warn_context;
};

// Turns rows into a checked snapshot.
int snapshot_rows_convert(struct snapshot_rows *rows, struct snapshot **ret_snapshot, struct error *err);

#endif
