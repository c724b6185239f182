#include "command/load.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "decide/rules.h"
#include "model/snapshot_json.h"

static void warn(void *context, const char *text)
{
    const char *path = context;
    fprintf(stderr, "ballast: %s: warning: %s\n", path, text);
}

int load_snapshot(const char *path, struct snapshot **ret_snapshot, struct error *err)
{
    __attribute__((cleanup(cleanup_free))) char *text = NULL;
    size_t size;
    if (file_read_input(path, SNAPSHOT_JSON_MAX_BYTES, &text, &size, err) < 0)
        return -1;
    union {
        const char *in;
        void *out;
    } context = {.in = path};
    struct snapshot *snapshot = NULL;
    if (snapshot_json_parse(text, size, warn, context.out, &snapshot, err) < 0)
        return error_context(err, "%s", path);
    if (rules_check(snapshot, snapshot->arena, err) < 0) {
        snapshot_free(snapshot);
        return error_context(err, "%s", path);
    }
    *ret_snapshot = snapshot;
    return 0;
}
