// A migration's figures from libvirt's job parameters.
#include <string.h>

#include "host/libvirt_internal.h"

static uint64_t param(virTypedParameterPtr params, int n, const char *name, uint64_t divisor)
{
    unsigned long long value = 0;
    if (virTypedParamsGetULLong(params, n, name, &value) == 1)
        return value / divisor;
    return HOST_UNKNOWN;
}

void lv_progress_read(virTypedParameterPtr params, int n, struct host_progress *ret)
{
    ret->elapsed_ms = param(params, n, VIR_DOMAIN_JOB_TIME_ELAPSED, 1);
    ret->total_kib = param(params, n, VIR_DOMAIN_JOB_MEMORY_TOTAL, 1024);
    ret->processed_kib = param(params, n, VIR_DOMAIN_JOB_MEMORY_PROCESSED, 1024);
    ret->remaining_kib = param(params, n, VIR_DOMAIN_JOB_MEMORY_REMAINING, 1024);
    ret->bandwidth_kib_s = param(params, n, VIR_DOMAIN_JOB_MEMORY_BPS, 1024);
    ret->round = param(params, n, VIR_DOMAIN_JOB_MEMORY_ITERATION, 1);
    ret->expected_downtime_ms = HOST_UNKNOWN;
    ret->downtime_ms = param(params, n, VIR_DOMAIN_JOB_DOWNTIME, 1);
    // pages a second, of a size that is told beside it
    uint64_t pages_s = param(params, n, VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE, 1);
    uint64_t page_bytes = param(params, n, VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE, 1);
    bool rate = host_known(pages_s) && host_known(page_bytes) && pages_s < UINT64_C(1) << 40;
    ret->dirty_rate_kib_s = rate && page_bytes <= 1 << 30 ? pages_s * page_bytes / 1024 : HOST_UNKNOWN;
}

void lv_progress_unknown(struct host_progress *ret)
{
    lv_progress_read(NULL, 0, ret);
}
