// Any bytes: the definition reader refuses them with a text, or gives facts whose texts are terminated and
// whose figures are in range; the readers of smaps, pressure and mounts stay within their bounds.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/metadata.h"
#include "host/overhead.h"
#include "host/proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

static void check_facts(const char *text, size_t size)
{
    struct error err = {0};
    struct host_facts facts;
    const struct facts_machine machine = {.mountinfo = text};
    if (facts_parse(text, size, &machine, &facts, &err) < 0) {
        require(err.kind == ERROR_INPUT && err.text[0] != '\0');
        return;
    }
    require(facts.known && facts.vcpus >= 1 && facts.vcpus <= 4096);
    require(strnlen(facts.cpu, sizeof facts.cpu) < sizeof facts.cpu);
    require(strnlen(facts.machine, sizeof facts.machine) < sizeof facts.machine);
    require(strnlen(facts.claim, sizeof facts.claim) < sizeof facts.claim);
    require(facts.wishes.shares >= 0 && isfinite(facts.wishes.mem_limit_mib));
    require(facts_same(&facts, &facts));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    require(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    check_facts(text, size);
    struct overhead_measure measure;
    overhead_parse_smaps(text, 131072, &measure);
    struct host_psi psi;
    proc_parse_psi(text, &psi);
    require(psi.some_avg10_pct >= 0 && psi.some_avg10_pct <= 100);
    char type[16];
    if (proc_mount_type(text, "/var/lib/a b/c", type, sizeof type) == 0)
        require(strnlen(type, sizeof type) < sizeof type);
    struct proc_task task;
    proc_parse_task(text, &task);
    proc_count_list(text);
    free(text);
    return 0;
}
