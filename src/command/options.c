#include "command/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 48 // rows of one verb

static void *value_at(const struct option_row *row, void *values)
{
    return (char *)values + row->offset;
}

static void set_default(const struct option_row *row, void *values)
{
    void *value = value_at(row, values);
    switch (row->type) {
    case OPTION_TYPE_FLAG:
        *(bool *)value = false;
        break;
    case OPTION_TYPE_TEXT:
    case OPTION_TYPE_CHOICE:
        *(const char **)value = row->fallback_text;
        break;
    case OPTION_TYPE_NUMBER:
        *(double *)value = row->fallback;
        break;
    case OPTION_TYPE_INTEGER:
        *(int64_t *)value = (int64_t)row->fallback;
        break;
    case OPTION_TYPE_LIST:
        ((struct option_list *)value)->n = 0;
        break;
    }
}

static bool is_word_of(const char *words, const char *text)
{
    size_t length = strlen(text);
    for (const char *word = words; *word;) {
        size_t n = strcspn(word, "|");
        if (n == length && strncmp(word, text, n) == 0)
            return true;
        word += n + (word[n] == '|');
    }
    return false;
}

static int set_number(const struct option_row *row, const char *text, double *ret_number, struct error *err)
{
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || errno == ERANGE || !isfinite(number))
        return error_set(err, ERROR_INPUT, "--%s: \"%s\" is not a number", row->name, text);
    if (row->type == OPTION_TYPE_INTEGER && number != floor(number))
        return error_set(err, ERROR_INPUT, "--%s: \"%s\" is not a whole number", row->name, text);
    if (number < row->low || number > row->high)
        return error_set(err, ERROR_INPUT, "--%s: %s is out of range; it takes %.15g to %.15g", row->name,
                         text, row->low, row->high);
    *ret_number = number;
    return 0;
}

static int set_value(const struct option_row *row, void *values, const char *text, struct error *err)
{
    void *value = value_at(row, values);
    struct option_list *list = value;
    double number = 0;
    switch (row->type) {
    case OPTION_TYPE_FLAG:
        *(bool *)value = true;
        return 0;
    case OPTION_TYPE_TEXT:
        *(const char **)value = text;
        return 0;
    case OPTION_TYPE_CHOICE:
        if (!is_word_of(row->metavar, text))
            return error_set(err, ERROR_INPUT, "--%s: \"%s\" is not one of %s", row->name, text,
                             row->metavar);
        *(const char **)value = text;
        return 0;
    case OPTION_TYPE_NUMBER:
        return set_number(row, text, value, err);
    case OPTION_TYPE_INTEGER:
        if (set_number(row, text, &number, err) < 0)
            return -1;
        *(int64_t *)value = (int64_t)number;
        return 0;
    case OPTION_TYPE_LIST:
        if (list->n == OPTION_LIST_MAX)
            return error_set(err, ERROR_INPUT, "--%s: is given more than %d times", row->name,
                             OPTION_LIST_MAX);
        list->at[list->n++] = text;
        return 0;
    }
    return 0;
}

int options_parse(const struct option_row *rows, size_t n, int argc, char **argv, void *values,
                  char ***ret_words, int *ret_n_words, struct error *err)
{
    struct option known[OPTIONS_MAX + 1] = {0};
    if (n > OPTIONS_MAX)
        abort();
    for (size_t i = 0; i < n; i++) {
        set_default(&rows[i], values);
        known[i] = (struct option){
            .name = rows[i].name,
            .has_arg = rows[i].type == OPTION_TYPE_FLAG ? no_argument : required_argument,
        };
    }
    opterr = 0;
    optind = 0; // glibc: start anew
    int index, c;
    while ((c = getopt_long(argc, argv, ":", known, &index)) != -1) {
        if (c == ':')
            return error_set(err, ERROR_INPUT, "%s: a value is missing", argv[optind - 1]);
        if (c == '?')
            return error_set(err, ERROR_INPUT, "unknown option \"%s\"", argv[optind - 1]);
        if (set_value(&rows[index], values, optarg, err) < 0)
            return -1;
    }
    *ret_words = argv + optind;
    *ret_n_words = argc - optind;
    return 0;
}

static void print_default(const struct option_row *row, char *text, size_t size)
{
    bool number = row->type == OPTION_TYPE_NUMBER || row->type == OPTION_TYPE_INTEGER;
    text[0] = '\0';
    if (row->hide_default)
        return;
    if (number)
        snprintf(text, size, " (default %.15g)", row->fallback);
    else if (row->fallback_text)
        snprintf(text, size, " (default %s)", row->fallback_text);
}

void options_print_wrapped(FILE *out, int indent, const char *text)
{
    int column = indent;
    fprintf(out, "%*s", indent, "");
    while (*text) {
        size_t length = strcspn(text, " \n");
        if (column == indent) {
            fprintf(out, "%.*s", (int)length, text);
            column += (int)length;
        } else if (column + 1 + (int)length > 79) {
            fprintf(out, "\n%*s%.*s", indent, "", (int)length, text);
            column = indent + (int)length;
        } else {
            fprintf(out, " %.*s", (int)length, text);
            column += 1 + (int)length;
        }
        text += length;
        text += *text != '\0';
    }
    fputc('\n', out);
}

void options_print(const struct option_row *rows, size_t n, FILE *out)
{
    for (size_t i = 0; i < n; i++) {
        const struct option_row *row = &rows[i];
        char text[512], standard[96];
        fprintf(out, "  --%s%s%s\n", row->name, row->metavar ? " " : "", row->metavar ? row->metavar : "");
        print_default(row, standard, sizeof standard);
        snprintf(text, sizeof text, "%s%s%s", row->help,
                 row->type == OPTION_TYPE_LIST ? " (may be repeated)" : "", standard);
        options_print_wrapped(out, 8, text);
    }
}
