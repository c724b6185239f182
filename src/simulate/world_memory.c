// Memory of a host's guests.
//
// A guest needs mem_used. Its balloon leaves it mem_current; what it needs beyond is in its own swap. The pages it
// has touched are resident (mem_actual): what it uses, and page cache, with which a Linux guest fills whatever its
// balloon leaves it (world_fill_caches). They shrink only when the balloon takes them, for a guest that frees memory
// or has no more use for cached pages cannot tell the host.
//
// When the resident sets do not fit the host, the host swaps, and not knowing the guests it takes any pages: that is
// what Waldspurger ("Memory Resource Management in VMware ESX Server", OSDI 2002, section 3) balloons to avoid. A part
// x = 1 - capacity / resident of all pages is away; so is that part of the used ones of every guest. It stays so, however
// used pages come back: guests take the pages that they used least lately for the next of their cache, which are the
// very pages that the host has swapped (double paging, the same section), and each that returns drives another one out.
// With swap_blind = no the host knows what guests use, and swaps the rest first, at no loss; used ones after that, divided
// by shares. No host knows that. One that sees which pages are accessed, as Linux does, lies between the two.
#include <math.h>

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

void world_fill_caches(struct world *w)
{
    double mib = w->scenario->cache_mib_s * w->scenario->slot_s;
    for (uint32_t v = 0; v < w->n_vms; v++)
        if (w->vm_host[v] != VIEW_NONE && w->host_power[w->vm_host[v]] == HOST_ON)
            w->mem_actual[v] = least(fmax(w->mem_actual[v], w->mem_used[v]) + mib, w->mem_current[v]);
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
    if (resident > capacity && w->scenario->swap_blind) {
        kept = w->grant_mem;
        for (uint32_t i = 0; i < vms->n; i++) {
            uint32_t v = vms->vm[i];
            kept[i] =
                (least(w->mem_used[v], w->mem_current[v]) + w->vm_overhead_mib[v]) * capacity / resident;
        }
    } else if (wanted > capacity) {
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
