// Reading and writing settings by the table. inih splits lines into section, name and value; the reader
// function beside it counts lines, since inih's handler is not told them.
#include "agent/settings.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

struct parser {
    const char *path;
    const char *data;
    size_t size;
    size_t position;
    int line;                 // the line that inih is working on
    int seen[128];            // line on which each row of the table was set, 0: not yet
    struct settings settings; // being built
    settings_problem_fn *problem;
    void *problem_context;
    struct error *err;
    size_t problems;
};

static void report(struct parser *p, const char *what)
{
    struct error problem;
    error_set(&problem, ERROR_INPUT, "%s:%d: %s", p->path, p->line, what);
    if (p->problems++ == 0 && p->err)
        *p->err = problem;
    if (p->problem)
        p->problem(p->problem_context, problem.text);
}

// Writes value into the row's field; false when it is not one of those allowed.
static bool set_value(const struct setting *row, struct settings *s, const char *value)
{
    void *field = (char *)s + row->offset;
    char *end;
    errno = 0;
    switch (row->type) {
    case VALUE_INTEGER: {
        long long n = strtoll(value, &end, 10);
        if (end == value || *end || errno || (double)n < row->min || (double)n > row->max)
            return false;
        *(int64_t *)field = n;
        return true;
    }
    case VALUE_DECIMAL: {
        double x = strtod(value, &end);
        if (end == value || *end || !isfinite(x) || x < row->min || x > row->max)
            return false;
        *(double *)field = x;
        return true;
    }
    case VALUE_SWITCH:
        if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
            return false;
        *(bool *)field = value[0] == 'y';
        return true;
    case VALUE_CHOICE:
        for (size_t i = 0; row->choices[i]; i++)
            if (strcmp(value, row->choices[i]) == 0) {
                *(int64_t *)field = (int64_t)i;
                return true;
            }
        return false;
    case VALUE_TEXT: {
        size_t length = strlen(value);
        if ((double)length < row->min || (double)length > row->max || (length > 0 && !text_valid_name(value)))
            return false;
        memcpy(field, value, length + 1);
        return true;
    }
    }
    return false;
}

// fgets for inih, from memory. A line that does not fit is reported, and its rest skipped.
static char *next_line(char *buffer, int room, void *stream)
{
    struct parser *p = stream;
    if (p->position >= p->size)
        return NULL;
    p->line++;
    const char *start = p->data + p->position;
    const char *newline = memchr(start, '\n', p->size - p->position);
    size_t length = newline ? (size_t)(newline - start) + 1 : p->size - p->position;
    p->position += length;
    if (length >= (size_t)room) {
        char text[64];
        snprintf(text, sizeof text, "line is longer than the %d bytes that are read", room - 1);
        report(p, text);
        buffer[0] = '\0';
        return buffer;
    }
    memcpy(buffer, start, length);
    buffer[length] = '\0';
    // A leading blank would make inih join the line to the value before it.
    size_t blanks = strspn(buffer, " \t");
    memmove(buffer, buffer + blanks, length - blanks + 1);
    return buffer;
}

static int handle(void *context, const char *section, const char *name, const char *value)
{
    struct parser *p = context;
    size_t n;
    const struct setting *table = settings_table(&n);
    char text[ERROR_TEXT_SIZE];
    for (size_t i = 0; i < n; i++) {
        if (strcmp(section, table[i].section) != 0 || strcmp(name, table[i].name) != 0)
            continue;
        if (p->seen[i]) {
            snprintf(text, sizeof text, "[%s] %s: already set on line %d; keep one of the two", section, name,
                     p->seen[i]);
            report(p, text);
            return 1;
        }
        p->seen[i] = p->line;
        if (set_value(&table[i], &p->settings, value))
            return 1;
        char allowed[256];
        setting_describe_allowed(&table[i], allowed, sizeof allowed);
        snprintf(text, sizeof text, "[%s] %s: \"%.60s\" is not allowed; give %s", section, name, value,
                 allowed);
        report(p, text);
        return 1;
    }
    snprintf(text, sizeof text, "[%.60s] %.60s: no such setting; \"ballastd --help-settings\" lists them",
             section, name);
    report(p, text);
    return 1;
}

void settings_defaults(struct settings *ret_settings)
{
    size_t n;
    const struct setting *table = settings_table(&n);
    memset(ret_settings, 0, sizeof *ret_settings);
    for (size_t i = 0; i < n; i++)
        if (!set_value(&table[i], ret_settings, table[i].initial))
            abort(); // a table whose own default is out of range; the unit test would not let it pass
}

// A problem of a value that is possible by itself, at the line that has it.
static void report_value(struct parser *p, const char *section, const char *name, const char *what)
{
    size_t n;
    const struct setting *table = settings_table(&n);
    char text[ERROR_TEXT_SIZE];
    for (size_t i = 0; i < n; i++)
        if (strcmp(section, table[i].section) == 0 && strcmp(name, table[i].name) == 0 && p->seen[i])
            p->line = p->seen[i];
    snprintf(text, sizeof text, "[%s] %s: %s", section, name, what);
    report(p, text);
}

// What rows by themselves cannot check.
static void check_together(struct parser *p)
{
    const struct settings *s = &p->settings;
    const char *percent = strchr(s->address, '%');
    if (percent && (percent[1] != 's' || strchr(percent + 1, '%')))
        report_value(p, "migration", "address", "the only % may be one %s, where the host's name goes");
    if (*s->cgroup && s->cgroup[0] != '/')
        report_value(p, "host", "cgroup", "give a whole path, such as /sys/fs/cgroup/machine.slice");
    if (strpbrk(s->zone, ": "))
        report_value(p, "host", "zone", "give one word without colons, or no rule can name it");
    if (s->period_pressure_ms > s->period_calm_ms)
        report_value(p, "agent", "period_pressure_ms", "must not be above period_calm_ms");
    if (s->claim_s < 2 * s->period_pressure_ms / 1000)
        report_value(p, "migration", "claim_s",
                     "must be at least two samples long, or claims expire between them");
}

int settings_parse(const char *path, const char *data, size_t size, struct settings *ret_settings,
                   settings_problem_fn *problem, void *problem_context, struct error *err)
{
    struct parser p = {.path = path,
                       .data = data,
                       .size = size,
                       .problem = problem,
                       .problem_context = problem_context,
                       .err = err};
    settings_defaults(&p.settings);
    if (memchr(data, '\0', size)) {
        report(&p, "contains a zero byte; this is no text file");
        return -1;
    }
    int bad_line = ini_parse_stream(next_line, &p, handle, &p);
    if (bad_line > 0) {
        p.line = bad_line;
        report(&p, "neither a [section] nor NAME = VALUE nor a comment that begins with ;  or #");
    } else if (bad_line < 0) {
        return error_set(err, ERROR_MEMORY, "%s: no memory", path);
    }
    check_together(&p);
    if (p.problems > 0)
        return -1;
    *ret_settings = p.settings;
    return 0;
}

int settings_read(const char *path, struct settings *ret_settings, settings_problem_fn *problem,
                  void *problem_context, struct error *err)
{
    __attribute__((cleanup(cleanup_free))) char *data = NULL;
    size_t size;
    if (file_read(path, SETTINGS_FILE_MAX_BYTES, &data, &size, err) < 0)
        return -1;
    return settings_parse(path, data, size, ret_settings, problem, problem_context, err);
}

void settings_host_address(const struct settings *s, const char *host_name, char *ret_uri, size_t size)
{
    const char *mark = strstr(s->address, "%s");
    if (!mark)
        snprintf(ret_uri, size, "%s", s->address);
    else
        snprintf(ret_uri, size, "%.*s%s%s", (int)(mark - s->address), s->address, host_name, mark + 2);
}

static size_t field_size(const struct setting *row)
{
    switch (row->type) {
    case VALUE_INTEGER:
    case VALUE_CHOICE:
        return sizeof(int64_t);
    case VALUE_DECIMAL:
        return sizeof(double);
    case VALUE_SWITCH:
        return sizeof(bool);
    case VALUE_TEXT:
        return SETTINGS_TEXT_SIZE;
    }
    return 0;
}

static bool same_value(const struct setting *row, const struct settings *a, const struct settings *b)
{
    const char *x = (const char *)a + row->offset, *y = (const char *)b + row->offset;
    return row->type == VALUE_TEXT ? strcmp(x, y) == 0 : memcmp(x, y, field_size(row)) == 0;
}

size_t settings_reload(struct settings *current, const struct settings *next, settings_problem_fn *problem,
                       void *problem_context)
{
    size_t n, kept = 0;
    const struct setting *table = settings_table(&n);
    for (size_t i = 0; i < n; i++) {
        if (same_value(&table[i], current, next))
            continue;
        if (table[i].reloadable) {
            memcpy((char *)current + table[i].offset, (const char *)next + table[i].offset,
                   field_size(&table[i]));
            continue;
        }
        char text[ERROR_TEXT_SIZE];
        snprintf(text, sizeof text,
                 "[%s] %s: changes at the next start of ballastd; the old value stays in force",
                 table[i].section, table[i].name);
        if (problem)
            problem(problem_context, text);
        kept++;
    }
    return kept;
}
