// Memory of a host's guests.
//
// A guest needs mem_used. Its balloon leaves it mem_current; what it needs beyond is in its own swap. The pages it
// has touched are resident (mem_actual): they grow with what it uses, and shrink only when the balloon takes
// them, for a guest that frees memory cannot tell the host. When the resident sets do not fit the host, the host
// swaps: first pages that their guest does not use any more, which costs nobody anything, then used ones, and what
// is left is divided by shares.
#include "decide/score.h"
#include "simulate/world_private.h"

static double least(double a, double b)
{
    return a < b ? a : b;
}

// Follows the guest: resident set and swap for what it needs now.
static void follow(struct world *w, uint32_t v)
{
    double fits = least(w->mem_used[v], w->mem_current[v]);
    if (w->mem_actual[v] < fits)
        w->mem_actual[v] = fits;
    if (w->mem_actual[v] > w->mem_current[v])
        w->mem_actual[v] = w->mem_current[v];
    double swap = w->mem_used[v] - fits;
    if (swap > w->guest_swap[v])
        w->totals.guest_swapped_mib += swap - w->guest_swap[v];
    w->guest_swap[v] = swap;
}

void world_divide_memory(struct world *w, uint32_t h, struct host_rates *r)
{
    const struct view_list *vms = &w->host_vms[h];
    if (!w->scenario->memory_constrains) {
        for (uint32_t i = 0; i < vms->n; i++) {
            uint32_t v = vms->vm[i];
            w->s_mem[v] = 1;
            r->mem_used_mib += w->mem_used[v];
        }
        return;
    }
    double resident = 0, wanted = 0, capacity = w->host_mem_mib[h];
    for (uint32_t i = 0; i < vms->n; i++) {
        uint32_t v = vms->vm[i];
        follow(w, v);
        resident += w->mem_actual[v] + w->vm_overhead_mib[v];
        wanted += least(w->mem_used[v], w->mem_current[v]) + w->vm_overhead_mib[v];
        r->mem_used_mib += w->mem_used[v];
        r->balloon_mib += w->vm_mem_mib[v] - w->mem_current[v];
        r->swap_mib += w->guest_swap[v];
    }
    if (resident > capacity)
        r->swap_mib += resident - capacity;
    double *kept = NULL; // of each VM, when the host swaps what is used
    if (wanted > capacity) {
        for (uint32_t i = 0; i < vms->n; i++) {
            uint32_t v = vms->vm[i];
            double want = least(w->mem_used[v], w->mem_current[v]) + w->vm_overhead_mib[v];
            w->claim[i] = (struct entitlement_claim){want, 0, want, w->vm_shares[v]};
        }
        kept = w->grant_mem;
        entitlement_divide(capacity, vms->n, w->claim, kept, w->scratch);
    }
    for (uint32_t i = 0; i < vms->n; i++) {
        uint32_t v = vms->vm[i];
        double needs = w->mem_used[v] + w->vm_overhead_mib[v];
        double has = kept ? kept[i] : least(w->mem_used[v], w->mem_current[v]) + w->vm_overhead_mib[v];
        w->s_mem[v] = score_mem_satisfaction(needs, has);
        r->mem_short_mib += needs > has ? needs - has : 0;
    }
}
