#include "command/live_table.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "command/live.h"
#include "command/table.h"

static enum style migration_style(enum store_migration_state state)
{
    switch (state) {
    case STORE_MIGRATION_PROPOSED:
    case STORE_MIGRATION_ORDERED:
    case STORE_MIGRATION_CANCELLED:
        return STYLE_PLAIN;
    case STORE_MIGRATION_CLAIMED:
    case STORE_MIGRATION_RUNNING:
        return STYLE_BOLD;
    case STORE_MIGRATION_DONE:
        return STYLE_GOOD;
    case STORE_MIGRATION_UNKNOWN:
        return STYLE_WARN;
    case STORE_MIGRATION_REFUSED:
    case STORE_MIGRATION_FAILED:
        return STYLE_BAD;
    }
    return STYLE_PLAIN;
}

static void cell_or_dash(struct table *t, bool known, int digits, double value)
{
    if (known)
        table_cell(t, STYLE_PLAIN, "%.*f", digits, value);
    else
        table_cell(t, STYLE_PLAIN, "-");
}

void live_table_migrations(const struct store_migration *migrations, size_t n)
{
    struct table *t = table_new(">ID|STATE|VM|FROM|TO|>AGE|>TOOK s|>MiB LEFT|>GAIN|>COST|REASON");
    for (size_t i = 0; i < n; i++) {
        const struct store_migration *m = &migrations[i];
        char age[16];
        double took_s = m->duration_s > 0 ? m->duration_s : (double)m->started_age_ms / 1000;
        table_cell(t, STYLE_DIM, "%" PRIu64, m->id);
        table_cell(t, migration_style(m->state), "%s", store_migration_state_name(m->state));
        table_cell(t, STYLE_BOLD, "%s", m->vm_name);
        table_cell(t, STYLE_PLAIN, "%s", m->move.from);
        table_cell(t, STYLE_PLAIN, "%s", m->move.to);
        table_cell(t, STYLE_PLAIN, "%s", live_age(m->created_age_ms, age));
        cell_or_dash(t, took_s > 0, 1, took_s);
        cell_or_dash(t, m->state == STORE_MIGRATION_RUNNING, 0, m->progress.remaining_mib);
        table_cell(t, STYLE_PLAIN, "%.1f", m->move.benefit_lost_vm_s);
        table_cell(t, STYLE_PLAIN, "%.1f", m->move.cost_lost_vm_s);
        table_cell(t, STYLE_PLAIN, "%s%s%s", m->move.reason ? m->move.reason : "", m->text ? "; " : "",
                   m->text ? m->text : "");
    }
    table_print_take(t, stdout);
}

static void print_detail(const char *detail, const char *word)
{
    while (*detail) {
        size_t length = strcspn(detail, "\n");
        bool wanted = !word || memmem(detail, length, word, strlen(word));
        if (wanted && length > 0)
            printf("              %.*s\n", (int)length, detail);
        detail += length + (detail[length] == '\n');
    }
}

void live_list_decisions(const struct store_decision *decisions, size_t n, bool details, const char *word)
{
    for (size_t i = 0; i < n; i++) {
        const struct store_decision *d = &decisions[i];
        char last[16], first[16];
        printf("  %7s ago  ", live_age(d->last_age_ms, last));
        printf("%s%s %s%s%s: %s", style_begin(stdout, STYLE_BOLD), store_loop_name(d->loop), d->verdict,
               style_end(stdout), d->acted ? "" : " (not acted)", d->reason);
        if (d->times > 1)
            printf(" %s(%u times in %s)%s", style_begin(stdout, STYLE_DIM), d->times,
                   live_age(d->first_age_ms - d->last_age_ms, first), style_end(stdout));
        putchar('\n');
        if (details && d->detail)
            print_detail(d->detail, word);
    }
}

void live_table_events(const struct store_event *events, size_t n)
{
    static const enum style styles[] = {STYLE_PLAIN, STYLE_WARN, STYLE_BAD};
    struct table *t = table_new("TIME|EVENT|HOST|VM|WHAT");
    for (size_t i = 0; i < n; i++) {
        const struct store_event *e = &events[i];
        time_t seconds = (time_t)(e->at.ms / 1000);
        struct tm tm;
        char when[32] = "?";
        if (localtime_r(&seconds, &tm))
            strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
        table_cell(t, STYLE_DIM, "%s", when);
        table_cell(t, (unsigned)e->severity < 3 ? styles[e->severity] : STYLE_PLAIN, "%s", e->kind);
        table_cell(t, STYLE_PLAIN, "%s", e->host ? e->host : "");
        table_cell(t, STYLE_BOLD, "%s", e->vm_name ? e->vm_name : "");
        table_cell(t, STYLE_PLAIN, "%s", e->text);
    }
    table_print_take(t, stdout);
}
