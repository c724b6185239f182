// What a second plan costs after 1 % of the demands changed, against the first, in CPU time of one process.
//
//   replan [SNAPSHOT ...]   without files: clusters of its own, 1,000 x 15,000 and 4,000 x 60,000
//
// The first plan is plan_make on the cluster as it comes. Its moves are carried out, 1 % of the VMs get other demands,
// and both planners plan again: one that remembers (planner.h) and one that does not. That is repeated, and the median
// of the rounds is told. Both must find the same moves, else it says so and fails.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/random.h"
#include "decide/planner.h"
#include "model/snapshot_json.h"

#define ROUNDS 9
#define FIRSTS 5

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

// Hosts of 32 cores and 128 GiB, VMs of 1 to 8 vCPUs wherever chance puts them: two thirds of the cores are wanted, so
// one host in ten is overloaded.
static struct snapshot *own_cluster(uint32_t hosts, uint32_t vms)
{
    struct snapshot *s = snapshot_new(hosts, vms, 0);
    if (!s)
        return NULL;
    struct random r = random_seed(1);
    s->zone_name = arena_new_array(s->arena, const char *, hosts);
    s->n_zones = hosts;
    for (uint32_t h = 0; h < hosts; h++) {
        s->hosts.name[h] = s->zone_name[h] = arena_printf(s->arena, "h%u", h);
        s->hosts.zone[h] = h;
        s->hosts.cpu_cores[h] = 32;
        s->hosts.mem_mib[h] = 131072;
    }
    for (uint32_t v = 0; v < vms; v++) {
        s->vms.name[v] = arena_printf(s->arena, "v%u", v);
        s->vms.vcpus[v] = 1u << random_below(&r, 4);
        double mem = 2048.0 * s->vms.vcpus[v];
        s->vms.mem_mib[v] = s->vms.mem_current_mib[v] = s->vms.mem_limit_mib[v] = mem;
        s->vms.mem_used_mib[v] = s->vms.mem_actual_mib[v] = mem * (0.3 + 0.6 * random_unit(&r));
        s->vms.cpu_limit_cores[v] = s->vms.vcpus[v];
        s->vms.cpu_demand_cores[v] = s->vms.vcpus[v] * 0.76 * random_unit(&r);
        s->vms.host[v] = (uint32_t)random_below(&r, hosts);
    }
    return s;
}

static void change_demands(struct snapshot *s, struct random *r)
{
    for (uint32_t i = 0; i < s->vms.n / 100; i++) {
        uint32_t v = (uint32_t)random_below(r, s->vms.n);
        s->vms.cpu_demand_cores[v] = s->vms.vcpus[v] * 0.76 * random_unit(r);
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *value, size_t n)
{
    qsort(value, n, sizeof *value, ascending);
    return value[n / 2];
}

static double first_plans(const struct snapshot *s, const struct plan_settings *settings, struct arena *arena,
                          struct plan *ret)
{
    double ms[FIRSTS];
    for (int i = 0; i < FIRSTS; i++) {
        arena_reset(arena);
        double begun = cpu_ms();
        plan_make(s, settings, arena, ret);
        ms[i] = cpu_ms() - begun;
    }
    return median(ms, FIRSTS);
}

static int compare(const struct snapshot *given, enum plan_goal goal)
{
    struct snapshot *s = snapshot_copy(given);
    struct planner *planner = planner_new();
    struct arena *arena = arena_new(0), *fresh_arena = arena_new(0);
    if (!s || !planner || !arena || !fresh_arena) {
        fprintf(stderr, "replan: out of memory\n");
        return -1;
    }
    struct plan_settings settings = plan_settings_default();
    settings.goal = goal;
    struct plan first, plan, fresh;
    double first_ms = first_plans(s, &settings, fresh_arena, &first);
    uint32_t first_moves = first.n_moves, moves = 0;
    planner_make(planner, s, &settings, arena, &plan);

    struct random r = random_seed(2);
    double kept_ms[ROUNDS], fresh_ms[ROUNDS];
    int differ = 0;
    for (int round = 0; round < ROUNDS; round++) {
        memcpy(s->vms.host, plan.vm_host, s->vms.n * sizeof *s->vms.host);
        change_demands(s, &r);
        arena_reset(arena);
        arena_reset(fresh_arena);
        double begun = cpu_ms();
        planner_make(planner, s, &settings, arena, &plan);
        double kept = cpu_ms();
        plan_make(s, &settings, fresh_arena, &fresh);
        kept_ms[round] = kept - begun;
        fresh_ms[round] = cpu_ms() - kept;
        differ |= memcmp(plan.vm_host, fresh.vm_host, s->vms.n * sizeof *plan.vm_host) != 0;
        moves += plan.n_moves;
    }
    double kept = median(kept_ms, ROUNDS), anew = median(fresh_ms, ROUNDS);
    printf("%5ux%-6u %-8s %8.2f ms %6u %8.2f ms %8.2f ms %6u %8.3f %8.3f%s\n", s->hosts.n, s->vms.n,
           goal == PLAN_BALANCE ? "balance" : "relieve", first_ms, first_moves, anew, kept, moves / ROUNDS,
           anew / first_ms, kept / first_ms, differ ? "  THE PLANS DIFFER" : "");
    planner_free(planner);
    arena_free(arena);
    arena_free(fresh_arena);
    snapshot_free(s);
    return differ ? -1 : 0;
}

static int compare_goals(struct snapshot *s)
{
    int result = compare(s, PLAN_RELIEVE) | compare(s, PLAN_BALANCE);
    snapshot_free(s);
    return result;
}

static int compare_file(const char *path)
{
    struct error err = {0};
    char *text = NULL;
    size_t size = 0;
    struct snapshot *s = NULL;
    int result = file_read(path, SNAPSHOT_JSON_MAX_BYTES, &text, &size, &err);
    if (result == 0)
        result = snapshot_json_parse(text, size, NULL, NULL, &s, &err);
    free(text);
    if (result < 0) {
        fprintf(stderr, "replan: %s: %s\n", path, err.text);
        return -1;
    }
    return compare_goals(s);
}

int main(int argc, char **argv)
{
    printf("cluster      goal      first plan  moves  second: anew        kept  moves   anew/1st kept/1st\n");
    if (argc < 2)
        return compare_goals(own_cluster(1000, 15000)) | compare_goals(own_cluster(4000, 60000)) ? 1 : 0;
    int result = 0;
    for (int i = 1; i < argc; i++)
        result |= compare_file(argv[i]);
    return result ? 1 : 0;
}
