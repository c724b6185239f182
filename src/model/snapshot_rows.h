// Between the JSON reader's callbacks and the columns of a snapshot: one row an object of the input. Private to the snapshot-json library.
#ifndef BALLAST_MODEL_SNAPSHOT_ROWS_H
#define BALLAST_MODEL_SNAPSHOT_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/vector.h"
#include "model/snapshot_fields.h"
#include "model/snapshot_json.h"

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
