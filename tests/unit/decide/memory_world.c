#include "memory_world.h"

#include "../test.h"

#include <math.h>
#include <string.h>

#define TICK_S 0.05
#define FILL_MIB_S 75.0 // of one guest; two cores' worth when several do
#define FILL_ALL_MIB_S 150.0
#define INFLATE_MIB_S 150.0
#define DEFLATE_MIB_S 350.0
#define SWAP_MIB_S 20.0
#define COMPRESSED 0.5
#define WATERMARK 4.0 // what the guest's kernel keeps free

double world_seconds(const struct world *w)
{
    return (double)w->ms / 1000.0;
}

double world_guest_need(const struct world_guest *g)
{
    return g->base + g->held - g->swapped * (1 - COMPRESSED);
}

static double free_of(const struct world_guest *g)
{
    return fmax(0, g->current - world_guest_need(g));
}

double world_available(const struct world *w)
{
    double sum = w->used_by_host + w->deferred;
    for (size_t i = 0; i < w->n; i++)
        if (!w->guest[i].dead)
            sum += w->guest[i].touched + w->guest[i].overhead;
    return w->total + w->swap - sum;
}

void world_begin(struct world *w, double total, size_t n, bool managed)
{
    bool verbose = w->verbose;
    *w = (struct world){
        .total = total, .used_by_host = 30, .n = n, .managed = managed, .noise = 2, .verbose = verbose};
    w->random = random_seed(7);
    for (size_t i = 0; i < n; i++) {
        w->guest[i] = (struct world_guest){
            .maxmem = 256,
            .base = 68,
            .shares = 1000,
            .autodeflate = true,
            .swap_size = 128,
            .current = 256,
            .target = 256,
            .touched = 95,
            .overhead = 48,
            .statistics_ms = -(int64_t)(i * 230 % 1000),
            .usable = 180,
            .unused = 178,
        };
    }
    if (managed)
        w->manager = memory_manager_new(n, NULL);
    world_mark(w);
}

void world_end(struct world *w)
{
    w->manager = memory_manager_free(w->manager);
}

void world_mark(struct world *w)
{
    w->lowest_available = world_available(w);
    for (size_t i = 0; i < w->n; i++) {
        w->guest[i].lowest = w->guest[i].current;
        w->guest[i].moved = 0;
        w->guest[i].first_shrink_s = w->guest[i].first_growth_s = w->guest[i].satisfied_at_s = -1;
    }
}

// More pages in use: some of the free ones had backing already.
static void touch(struct world_guest *g, double amount)
{
    double loose = g->current - world_guest_need(g);
    double untouched = fmax(0, g->current - g->touched);
    if (loose > 0)
        g->touched += amount * fmin(1, untouched / loose);
    g->touched = fmin(fmax(g->touched, fmin(world_guest_need(g) + amount, g->current)), g->current);
}

// Makes room by swapping; returns how much memory it freed.
static double swap_out(struct world_guest *g, double wanted)
{
    double most = fmin(SWAP_MIB_S * TICK_S, fmin(g->swap_size - g->swapped, g->held - g->swapped));
    double out = fmax(0, fmin(wanted / (1 - COMPRESSED), most));
    g->swapped += out;
    g->swap_out += out;
    return out * (1 - COMPRESSED);
}

static void program_tick(struct world *w, struct world_guest *g)
{
    if (g->held > g->want) {
        double left = g->want;
        g->swapped = fmin(g->swapped, left);
        g->held = left;
    }
    double step = fmin(g->want - g->held, w->fill_mib_s * TICK_S);
    if (step > 0) {
        double lack = step + WATERMARK - free_of(g);
        if (lack > 0)
            swap_out(g, lack);
        double can = fmin(step, fmax(0, free_of(g) - WATERMARK / 2));
        if (can < step / 10 && g->swapped >= fmin(g->swap_size, g->held) - 0.01) {
            if (g->autodeflate && g->current < g->maxmem)
                g->current = fmin(g->maxmem, g->current + 1);
            else if (g->current < g->maxmem) {
                g->ooms++; // killed by our balloon
                if (w->verbose)
                    printf("# %7.2f OOM g%d current %.0f held %.0f want %.0f\n", world_seconds(w),
                           (int)(g - w->guest) + 1, g->current, g->held, g->want);
                g->held = g->swapped = g->want = 0;
                return;
            }
        }
        touch(g, can);
        g->held += can;
    }
    if (g->held >= g->want && g->satisfied_at_s < 0)
        g->satisfied_at_s = world_seconds(w);
    // Rewriting meets a swapped page as often as there are such: in, and another out. With room it comes back.
    if (g->rewrite_mib_s > 0 && g->held > 0 && g->swapped > 0) {
        double in = fmin(g->swapped, g->rewrite_mib_s * TICK_S * g->swapped / g->held);
        g->swap_in += in;
        double fits = fmax(0, free_of(g) - WATERMARK);
        double stays = fmin(in, fits / (1 - COMPRESSED));
        touch(g, stays * (1 - COMPRESSED));
        g->swapped -= stays;
        g->swap_out += in - stays;
    }
}

static void balloon_tick(struct world *w, struct world_guest *g)
{
    if (g->stuck || g->no_driver || w->ms < g->obeys_ms)
        return;
    double before = g->current;
    if (g->target > g->current) {
        g->current = fmin(g->target, g->current + DEFLATE_MIB_S * TICK_S);
    } else if (g->target < g->current) {
        double step = fmin(g->current - g->target, INFLATE_MIB_S * TICK_S);
        double loose = free_of(g);
        if (step > loose - WATERMARK)
            swap_out(g, step - (loose - WATERMARK));
        step = fmin(step, fmax(0, free_of(g) - WATERMARK / 2));
        loose = free_of(g);
        double touched_free = fmax(0, g->touched - world_guest_need(g));
        g->touched -= loose > 0 ? step * touched_free / loose : 0;
        double touched = g->touched + (loose > 0 ? step * touched_free / loose : 0);
        g->current -= step;
        g->touched = fmin(g->touched, g->current);
        if (w->huge_pages)
            w->deferred += touched - g->touched;
    }
    g->moved += fabs(g->current - before);
    if (g->current < before - 0.5 && g->first_shrink_s < 0)
        g->first_shrink_s = world_seconds(w);
    if (g->current > before + 0.5 && g->first_growth_s < 0)
        g->first_growth_s = world_seconds(w);
    g->lowest = fmin(g->lowest, g->current);
}

static void statistics_tick(struct world *w, struct world_guest *g)
{
    if (w->ms - g->statistics_ms < 1000)
        return;
    g->statistics_ms = w->ms;
    g->unused = free_of(g);
    g->usable = fmax(0, free_of(g) - WATERMARK);
    g->swap_in_told = g->swap_in;
    g->swap_out_told = g->swap_out;
    if (g->lies) {
        g->unused = g->usable = 0;
        g->swap_in_told += (double)w->ms / 100;
    }
}

static uint64_t kib(double mib)
{
    return (uint64_t)fmax(0, mib * 1024);
}

static void manage(struct world *w)
{
    size_t n = 0;
    size_t row[WORLD_MOST];
    for (size_t i = 0; i < w->n; i++) {
        const struct world_guest *g = &w->guest[i];
        if (g->dead)
            continue;
        row[n] = i;
        w->vm[n++] = (struct memory_vm_input){
            .id = 1000 - i,
            .maxmem_kib = kib(g->maxmem),
            .currentmem_kib = kib(g->current),
            .resident_kib = kib(g->touched + g->overhead),
            .overhead_kib = kib(46),
            .has_statistics = !g->no_driver,
            .statistics_age_ms = w->ms - g->statistics_ms,
            .unused_kib = kib(g->unused),
            .usable_kib = kib(g->usable),
            .swap_in_kib = kib(g->swap_in_told),
            .swap_out_kib = kib(g->swap_out_told),
            .shares = g->shares,
            .reservation_kib = kib(g->reservation),
            .obstacle = g->no_driver ? MEMORY_OBSTACLE_NO_DRIVER : MEMORY_OBSTACLE_NONE,
            .guest_swap = g->tells_swap,
            .autodeflate = g->autodeflate,
            .free_page_reporting = g->free_page_reporting,
            .excluded = g->excluded,
            .running = !g->seen_stopped,
            .hanging = g->seen_stopped,
            .call_pending = g->stopped && g->target < 0,
        };
    }
    double available = world_available(w) + w->deferred_told + w->noise * (random_unit(&w->random) - 0.5) * 2;
    struct memory_input in = {
        .host = {.total_kib = kib(w->total),
                 .available_kib = kib(available - w->swap),
                 .swap_total_kib = kib(w->swap),
                 .swap_free_kib = kib(w->swap)},
        .n_vms = n,
        .vms = w->vm,
    };
    memory_manager_step(w->manager, &in, (struct mono){100000 + w->ms}, &w->out);
    w->steps++;
    w->commands += (unsigned)w->out.n_actions;
    for (size_t k = 0; k < w->out.n_actions; k++) {
        const struct memory_action *a = &w->out.actions[k];
        struct world_guest *g = &w->guest[row[a->vm]];
        if (g->target == g->current)
            g->obeys_ms = w->ms + w->answer_ms;
        g->target = (double)a->to_kib / 1024;
        if (w->verbose) {
            char text[200];
            printf("# %7.2f g%zu %s\n", world_seconds(w), row[a->vm] + 1,
                   memory_reason_text(&a->reason, text, sizeof text));
        }
    }
    for (size_t k = 0; k < w->out.n_events; k++) {
        w->events[w->out.events[k].kind]++;
        if (w->verbose)
            printf("# %7.2f event %s %zd %lu\n", world_seconds(w), memory_event_name(w->out.events[k].kind),
                   (ssize_t)w->out.events[k].vm, (unsigned long)w->out.events[k].figure);
    }
    if (w->check)
        w->check(w);
}

static void host_oom(struct world *w)
{
    size_t worst = 0;
    for (size_t i = 0; i < w->n; i++)
        if (!w->guest[i].dead && (w->guest[worst].dead || w->guest[i].touched > w->guest[worst].touched))
            worst = i;
    w->guest[worst].dead = true;
    w->host_ooms++;
}

static void tick(struct world *w)
{
    w->ms += (int64_t)(TICK_S * 1000);
    bool news = false;
    size_t filling = 0;
    for (size_t i = 0; i < w->n; i++)
        filling += !w->guest[i].dead && w->guest[i].held < w->guest[i].want;
    w->fill_mib_s = fmin(FILL_MIB_S, FILL_ALL_MIB_S / fmax(1, (double)filling));
    for (size_t i = 0; i < w->n; i++) {
        struct world_guest *g = &w->guest[i];
        if (g->dead || g->stopped)
            continue;
        program_tick(w, g);
        balloon_tick(w, g);
        int64_t before = g->statistics_ms;
        if (!g->no_driver)
            statistics_tick(w, g);
        news = news || (before != g->statistics_ms && w->out.urgent);
        if (g->free_page_reporting)
            g->touched = fmax(world_guest_need(g), g->touched - 50 * TICK_S);
        g->overhead += TICK_S / 240; // QEMU grows by 1 MiB in four minutes
        if (g->overhead > 54)
            g->overhead = 54;
    }
    w->lowest_available = fmin(w->lowest_available, world_available(w));
    if (world_available(w) < 0)
        w->deferred = w->deferred_told = 0; // the kernel splits huge pages
    if (w->ms % 2000 == 0)
        w->deferred_told = w->deferred;
    if (world_available(w) < 0)
        host_oom(w);
    if (w->managed && (w->ms >= w->next_step_ms || news)) {
        manage(w);
        int64_t wait = w->out.next_step_ms;
        w->next_step_ms = w->ms + wait;
    }
}

void world_run(struct world *w, double seconds)
{
    int64_t end = w->ms + (int64_t)(seconds * 1000);
    while (w->ms < end)
        tick(w);
}

void world_want(struct world *w, double mib)
{
    for (size_t i = 0; i < w->n; i++)
        w->guest[i].want = mib;
}

void world_contend(struct world *w, double step)
{
    world_begin(w, 1100, 4, true);
    world_run(w, 15);
    for (double want = step; want < 170; want += step) {
        world_want(w, want);
        world_run(w, 5);
    }
    world_want(w, 170);
    for (size_t i = 0; i < 4; i++)
        w->guest[i].rewrite_mib_s = 2;
}

void world_nobody_was_killed(const struct world *w)
{
    assert_int_equal(w->host_ooms, 0);
    for (size_t i = 0; i < w->n; i++)
        assert_int_equal(w->guest[i].ooms, 0);
}
