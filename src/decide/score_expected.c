// Each VM's demand has the standard deviation that the snapshot tells, sums have the tail and the correlation of loss.h,
// memory that is missing is valued by its curve. On a host whose CPU is short demands are seen only as far as they are
// served, so they are taken DEMAND_HEADROOM higher there. What a VM's own limit withholds is no demand (demand.h).
#include "decide/score_expected.h"

#include <math.h>

#include "decide/demand.h"
#include "decide/loss.h"

static struct loss_vm vm_of(const struct snapshot *s, uint32_t v, double cpu_factor)
{
    const struct snapshot_vms *vms = &s->vms;
    double cpu_most = fmin(vms->vcpus[v], vms->cpu_limit_cores[v]);
    double mem_most = fmin(vms->mem_mib[v] + vms->mem_overhead_mib[v], vms->mem_limit_mib[v]);
    return (struct loss_vm){
        .weight = vms->shares[v],
        .claim = {[LOSS_CPU] = {.demand = fmin(vms->cpu_demand_cores[v] * cpu_factor, cpu_most),
                                .sd = vms->cpu_sd_cores[v],
                                .most = cpu_most,
                                .reservation = vms->cpu_reservation_cores[v],
                                .shares = vms->cpu_shares[v],
                                .floor = LOSS_IDLE_PART * vms->vcpus[v]},
                  [LOSS_MEM] = {.demand = fmin(vms->mem_used_mib[v] + vms->mem_overhead_mib[v], mem_most),
                                .sd = vms->mem_sd_mib[v],
                                .most = mem_most,
                                .reservation = vms->mem_reservation_mib[v],
                                .shares = vms->mem_shares[v]}},
    };
}

double score_expected_host(const struct snapshot *s, uint32_t h, uint32_t n, const uint32_t *vm,
                           struct arena *scratch)
{
    double cpu = 0, mem = 0;
    bool certain = true;
    for (uint32_t i = 0; i < n; i++) {
        cpu += s->vms.cpu_demand_cores[vm[i]];
        mem += s->vms.mem_used_mib[vm[i]] + s->vms.mem_overhead_mib[vm[i]];
        certain = certain && s->vms.cpu_sd_cores[vm[i]] <= 0 && s->vms.mem_sd_mib[vm[i]] <= 0;
    }
    struct loss_capacity capacity = {
        {[LOSS_CPU] = s->hosts.cpu_cores[h], [LOSS_MEM] = snapshot_host_mem_mib(s, h)}};
    bool cpu_short = cpu > capacity.of[LOSS_CPU];
    if (n == 0 || (certain && !cpu_short && mem <= capacity.of[LOSS_MEM]))
        return 0;
    struct loss_vm *figures = arena_new_array(scratch, struct loss_vm, n);
    const struct loss_vm **list = arena_new_array(scratch, const struct loss_vm *, n);
    for (uint32_t i = 0; i < n; i++) {
        figures[i] = vm_of(s, vm[i], cpu_short ? 1 + DEMAND_HEADROOM : 1);
        list[i] = &figures[i];
    }
    return loss_host_rate(&capacity, n, list, NULL, arena_alloc(scratch, 1, loss_scratch_bytes(n)));
}
