#include "command/manual.h"

#include "command/verbs.h"

// Text with what scdoc would read as markup escaped.
static void print_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '_' || *text == '*' || *text == '\\' || *text == '`' || *text == '<' || *text == '[')
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void print_default(FILE *out, const struct option_row *row)
{
    if (row->hide_default)
        return;
    if (row->type == OPTION_TYPE_NUMBER || row->type == OPTION_TYPE_INTEGER)
        fprintf(out, " Default: %.15g; range: %.15g to %.15g.", row->fallback, row->low, row->high);
    else if (row->fallback_text) {
        fprintf(out, " Default: ");
        print_escaped(out, row->fallback_text);
        fputc('.', out);
    }
}

static void print_option(FILE *out, const struct option_row *row)
{
    fprintf(out, "*--%s*", row->name);
    if (row->metavar) {
        fputs(" _", out);
        for (const char *c = row->metavar; *c; c++)
            fputc(*c == '_' ? '-' : *c, out);
        fputc('_', out);
    }
    fputs("\n\t", out);
    print_escaped(out, row->help);
    fputc('.', out);
    print_default(out, row);
    if (row->type == OPTION_TYPE_LIST)
        fputs(" May be repeated.", out);
    fputs("\n\n", out);
}

static void print_verb(FILE *out, const struct verb *verb)
{
    fprintf(out, "## ballast %s%s", verb->name, verb->n_options ? " [OPTIONS]" : "");
    if (*verb->words)
        fprintf(out, " %s", verb->words);
    fputs("\n\n", out);
    print_escaped(out, verb->summary);
    fputs(".\n\n", out);
    if (verb->more) {
        print_escaped(out, verb->more);
        fputs("\n\n", out);
    }
    for (size_t i = 0; i < verb->n_options; i++)
        print_option(out, &verb->options[i]);
}

void manual_print(FILE *out)
{
    for (size_t i = 0; i < n_verbs; i++)
        print_verb(out, verbs[i]);
}
