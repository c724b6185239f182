// Any bytes: the reader of ballast.conf refuses them with a text and writes nothing, or gives settings.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings settings, before;
    memset(&before, 0x5a, sizeof before);
    settings = before;
    struct error err = {0};
    if (settings_parse("fuzz", (const char *)data, size, &settings, NULL, NULL, &err) < 0 &&
        (err.text[0] == '\0' || memcmp(&settings, &before, sizeof settings) != 0))
        abort();
    return 0;
}
