#include "command/score_print.h"

#include <stddef.h>
#include <stdlib.h>

#include "command/table.h"
#include "command/verbs.h"

// One figure of a score: its key in the JSON object, its words for a person.
struct figure {
    const char *key;
    const char *title;
    size_t offset;
    bool count;
};

#define FIGURE(field, title_)                                                                                \
    {                                                                                                        \
#field, title_, offsetof(struct score, field), false                                                 \
    }
#define COUNT(field, title_)                                                                                 \
    {                                                                                                        \
#field, title_, offsetof(struct score, field), true                                                  \
    }

static const struct figure figures[] = {
    FIGURE(score, "score"),
    FIGURE(lost_vm_s_per_s, "lost VM-seconds per second"),
    FIGURE(expected_lost_vm_s_per_s, "  expected, with uncertainty"),
    COUNT(hosts_overloaded, "hosts overloaded"),
    COUNT(hosts_used, "hosts used"),
    FIGURE(cpu_sd, "CPU load, standard deviation"),
    FIGURE(mem_sd, "memory load, standard deviation"),
    FIGURE(cpu_max, "CPU load, highest"),
    FIGURE(mem_max, "memory load, highest"),
    FIGURE(s_min, "satisfaction, lowest"),
    FIGURE(s_p1, "satisfaction, 1st percentile"),
};

#define N_FIGURES (sizeof figures / sizeof *figures)

static double value_of(const struct score *score, const struct figure *figure)
{
    const char *at = (const char *)score + figure->offset;
    return figure->count ? *(const uint32_t *)(const void *)at : *(const double *)(const void *)at;
}

void score_put_keys(struct json_writer *w, const struct score *score)
{
    for (size_t i = 0; i < N_FIGURES; i++)
        json_key_number(w, figures[i].key, value_of(score, &figures[i]));
}

void score_print_table(FILE *out, const char *const *titles, const struct score *scores, unsigned n)
{
    struct table *t = table_new("");
    for (unsigned c = 0; c < n; c++)
        table_column(t, titles[c], ALIGN_RIGHT);
    for (size_t i = 0; i < N_FIGURES; i++) {
        table_cell(t, STYLE_PLAIN, "%s", figures[i].title);
        for (unsigned c = 0; c < n; c++)
            table_cell(t, STYLE_PLAIN, figures[i].count ? "%.0f" : "%.4f", value_of(&scores[c], &figures[i]));
    }
    table_print_take(t, out);
}

struct json_writer *json_print_begin(const char *format)
{
    struct json_writer *w = json_writer_new(true);
    if (!w) {
        fputs("ballast: no memory for JSON\n", stderr);
        abort();
    }
    json_object_begin(w);
    json_key_string(w, "format", format);
    return w;
}

int json_print_end(struct json_writer *w, struct error *err)
{
    json_object_end(w);
    const char *text = json_writer_text(w, NULL, err);
    if (text)
        puts(text);
    json_writer_free(w);
    return text ? EXIT_DONE : -1;
}
