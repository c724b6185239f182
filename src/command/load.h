// Reading what verbs are given: a snapshot by its file name.
#ifndef BALLAST_COMMAND_LOAD_H
#define BALLAST_COMMAND_LOAD_H

#include "base/cleanup.h"
#include "base/error.h"
#include "model/snapshot.h"

DEFINE_CLEANUP(struct snapshot *, snapshot_free);

// Reads and checks the snapshot in the file path ("-": standard input). Warnings go to standard error with
// the file's name. Contradictory strict rules are an error. Errors: ERROR_INPUT for anything wrong with the
// file's content or a file that is not there. Free the snapshot with snapshot_free.
int load_snapshot(const char *path, struct snapshot **ret_snapshot, struct error *err);

#endif
