#include "decide/report.h"

#include <math.h>
#include <stdlib.h>

// The figures in a row, so that each rule is written once.
enum figure { CPU_DEMAND, MEM_USED, MEM_CURRENT, MEM_ACTUAL, CPU_UNMET, MEM_UNMET, N_FIGURES };

static double figure_of(const struct report_figures *f, enum figure which)
{
    switch (which) {
    case CPU_DEMAND:
        return f->cpu_demand_cores;
    case MEM_USED:
        return f->mem_used_mib;
    case MEM_CURRENT:
        return f->mem_current_mib;
    case MEM_ACTUAL:
        return f->mem_actual_mib;
    case CPU_UNMET:
        return f->cpu_unmet_cores;
    case MEM_UNMET:
        return f->mem_unmet_mib;
    case N_FIGURES:
        break;
    }
    return 0;
}

static bool is_cpu(enum figure which)
{
    return which == CPU_DEMAND || which == CPU_UNMET;
}

struct report_thresholds report_thresholds_default(void)
{
    return (struct report_thresholds){
        .cpu_absolute_cores = 0.1,
        .mem_absolute_mib = 32,
        .relative = 0.1,
        .drift = 0.02,
        .refresh_ms = 300000,
    };
}

static bool out_of_band(const struct report_thresholds *t, const struct report_figures *now,
                        const struct report_figures *reported)
{
    if (now->flags != reported->flags)
        return true;
    for (enum figure f = 0; f < N_FIGURES; f++) {
        double a = figure_of(now, f), b = figure_of(reported, f);
        double absolute = is_cpu(f) ? t->cpu_absolute_cores : t->mem_absolute_mib;
        if (fabs(a - b) > absolute && fabs(a - b) > t->relative * fmax(fabs(a), fabs(b)))
            return true;
    }
    return false;
}

static int by_value_descending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a < b) - (a > b);
}

// Marks, largest first, the VMs that make the unreported sum of one figure drift, until half of the bound is
// left; half, so that the next small step does not report again. Equal contributions are marked together,
// which keeps the choice independent of the order of the VMs.
static bool mark_drift(const struct report_vm *vms, size_t n, enum figure f, double bound, uint32_t *mark,
                       double *scratch)
{
    double drift = 0;
    for (size_t i = 0; i < n; i++)
        if (!mark[i])
            drift += figure_of(&vms[i].now, f) - figure_of(&vms[i].reported, f);
    if (fabs(drift) <= bound)
        return false;
    double sign = drift > 0 ? 1 : -1;
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        double part = sign * (figure_of(&vms[i].now, f) - figure_of(&vms[i].reported, f));
        if (!mark[i] && part > 0)
            scratch[m++] = part;
    }
    qsort(scratch, m, sizeof *scratch, by_value_descending);
    double left = fabs(drift), cut = 0;
    for (size_t k = 0; k < m && left > bound / 2; k++) {
        cut = scratch[k];
        left -= cut;
    }
    for (size_t i = 0; i < n; i++)
        if (!mark[i] && cut > 0 && sign * (figure_of(&vms[i].now, f) - figure_of(&vms[i].reported, f)) >= cut)
            mark[i] = 1;
    return cut > 0;
}

size_t report_select(const struct report_thresholds *thresholds, const struct report_vm *vms, size_t n,
                     double capacity_cores, double capacity_mib, struct mono now, uint32_t *ret_index,
                     double *scratch)
{
    uint32_t *mark = ret_index; // marks first; compacted to indices at the end, which never overtakes
    for (size_t i = 0; i < n; i++)
        mark[i] = !vms[i].known || now.ms - vms[i].reported_at.ms >= thresholds->refresh_ms ||
                  out_of_band(thresholds, &vms[i].now, &vms[i].reported);
    // Again while anything was marked: a VM chosen for one figure may have balanced others in another.
    for (bool again = true; again;) {
        again = false;
        for (enum figure f = 0; f < N_FIGURES; f++)
            if (mark_drift(vms, n, f, thresholds->drift * (is_cpu(f) ? capacity_cores : capacity_mib), mark,
                           scratch))
                again = true;
    }
    size_t chosen = 0;
    for (size_t i = 0; i < n; i++)
        if (mark[i])
            ret_index[chosen++] = (uint32_t)i;
    return chosen;
}

bool report_host_changed(const struct report_thresholds *thresholds, const struct report_figures *now,
                         const struct report_figures *reported, double capacity_cores, double capacity_mib)
{
    if (now->flags != reported->flags)
        return true;
    for (enum figure f = 0; f < N_FIGURES; f++) {
        double bound = thresholds->drift * (is_cpu(f) ? capacity_cores : capacity_mib);
        if (fabs(figure_of(now, f) - figure_of(reported, f)) > bound)
            return true;
    }
    return false;
}
