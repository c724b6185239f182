// Any bytes: the snapshot reader refuses them with a text, or gives a snapshot that holds every invariant
// and that is written and read again unchanged.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/snapshot_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct snapshot *first = NULL, *second = NULL;
    if (snapshot_json_parse((const char *)data, size, NULL, NULL, &first, &err) < 0) {
        require(err.kind == ERROR_INPUT && err.text[0] != '\0');
        return 0;
    }
    char *text, *again;
    size_t text_size, again_size;
    require(snapshot_check(first, &err) == 0);
    require(snapshot_json_format(first, &text, &text_size, &err) == 0);
    require(snapshot_json_parse(text, text_size, NULL, NULL, &second, &err) == 0);
    require(snapshot_json_format(second, &again, &again_size, &err) == 0);
    require(text_size == again_size && memcmp(text, again, text_size) == 0);
    free(text);
    free(again);
    snapshot_free(first);
    snapshot_free(second);
    return 0;
}
