// Settings as text: the default file, the help, the manual page, all from the table.
#include <string.h>

#include "agent/settings.h"

void setting_describe_allowed(const struct setting *row, char *ret_text, size_t size)
{
    const char *space = *row->unit ? " " : "";
    switch (row->type) {
    case VALUE_INTEGER:
        snprintf(ret_text, size, "a whole number from %.0f to %.0f%s%s", row->min, row->max, space,
                 row->unit);
        return;
    case VALUE_DECIMAL:
        snprintf(ret_text, size, "a number from %g to %g%s%s", row->min, row->max, space, row->unit);
        return;
    case VALUE_SWITCH:
        snprintf(ret_text, size, "yes or no");
        return;
    case VALUE_TEXT:
        snprintf(ret_text, size, "a text of %.0f to %.0f bytes without control characters", row->min,
                 row->max);
        return;
    case VALUE_CHOICE: {
        size_t used = 0;
        ret_text[0] = '\0';
        for (size_t i = 0; row->choices[i] && used < size; i++) {
            const char *between = i == 0 ? "" : row->choices[i + 1] ? ", " : " or ";
            int n = snprintf(ret_text + used, size - used, "%s%s", between, row->choices[i]);
            used += n > 0 ? (size_t)n : 0;
        }
        return;
    }
    }
}

// Writes text in lines of at most width bytes, each after prefix.
static void write_wrapped(FILE *out, const char *text, const char *prefix, size_t width)
{
    while (*text) {
        size_t length = strlen(text);
        if (length > width) {
            length = width;
            while (length > 0 && text[length] != ' ')
                length--;
            if (length == 0)
                length = strcspn(text, " ");
        }
        fprintf(out, "%s%.*s\n", prefix, (int)length, text);
        text += length;
        text += strspn(text, " ");
    }
}

static void write_each(FILE *out, void (*section)(FILE *, const char *),
                       void (*row)(FILE *, const struct setting *, const char *allowed))
{
    size_t n;
    const struct setting *table = settings_table(&n);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(table[i].section, table[i - 1].section) != 0)
            section(out, table[i].section);
        char allowed[256];
        setting_describe_allowed(&table[i], allowed, sizeof allowed);
        row(out, &table[i], allowed);
    }
}

static void file_section(FILE *out, const char *name)
{
    fprintf(out, "\n[%s]\n", name);
}

static void file_row(FILE *out, const struct setting *row, const char *allowed)
{
    fputc('\n', out);
    write_wrapped(out, row->help, "# ", 100);
    fprintf(out, "# Allowed: %s.%s\n#%s = %s\n", allowed, row->reloadable ? "" : " Needs a restart.",
            row->name, row->initial);
}

void settings_write_default_file(FILE *out)
{
    fputs("# ballast.conf: settings of ballastd. Lines that are commented out show the defaults.\n"
          "# \"ballastd --check-config\" checks this file; SIGHUP makes ballastd read it again.\n",
          out);
    write_each(out, file_section, file_row);
}

static void help_section(FILE *out, const char *name)
{
    fprintf(out, "[%s]\n", name);
}

static void help_row(FILE *out, const struct setting *row, const char *allowed)
{
    fprintf(out, "  %s = %s\n", row->name, *row->initial ? row->initial : "(empty)");
    fprintf(out, "      %s%s\n", allowed, row->reloadable ? "" : "; needs a restart");
    write_wrapped(out, row->help, "      ", 90);
}

void settings_write_help(FILE *out)
{
    write_each(out, help_section, help_row);
}

static void manual_section(FILE *out, const char *name)
{
    fprintf(out, "\n## [%s]\n", name);
}

// scdoc takes an underscore for emphasis, so names are escaped.
static void write_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("_*\\#`[]<>", *text))
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void manual_row(FILE *out, const struct setting *row, const char *allowed)
{
    fputs("\n*", out);
    write_escaped(out, row->name);
    fputs("* = ", out);
    write_escaped(out, *row->initial ? row->initial : "(empty)");
    fputs("\n\t", out);
    write_escaped(out, row->help);
    fprintf(out, " Allowed: %s.%s\n", allowed, row->reloadable ? "" : " A change needs a restart.");
}

void settings_write_manual(FILE *out)
{
    write_each(out, manual_section, manual_row);
}
