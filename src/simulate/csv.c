#include "simulate/csv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct csv csv_begin(const char *file, const char *text, size_t size)
{
    return (struct csv){.file = file, .at = text, .end = text + size};
}

bool csv_next_line(struct csv *csv)
{
    while (csv->at < csv->end) {
        const char *start = csv->at;
        const char *newline = memchr(start, '\n', (size_t)(csv->end - start));
        const char *stop = newline ? newline : csv->end;
        csv->at = newline ? newline + 1 : csv->end;
        csv->line++;
        if (stop > start && stop[-1] == '\r')
            stop--;
        if (stop == start)
            continue;
        csv->field = start;
        csv->line_end = stop;
        return true;
    }
    return false;
}

void csv_fill_error(const struct csv *csv, struct error *err, const char *format, ...)
{
    char text[ERROR_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    error_fill(err, ERROR_INPUT, "%s:%u: %s", csv->file, csv->line, text);
}

int csv_text(struct csv *csv, const char *column, const char **ret_text, size_t *ret_length,
             struct error *err)
{
    if (!csv->field)
        return csv_error(csv, err, "the row ends before %s: give a value for every column of the header",
                         column);
    const char *comma = memchr(csv->field, ',', (size_t)(csv->line_end - csv->field));
    *ret_text = csv->field;
    *ret_length = (size_t)((comma ? comma : csv->line_end) - csv->field);
    csv->field = comma ? comma + 1 : NULL;
    return 0;
}

// Text for a message: cut, and without what a terminal would take for a command.
static const char *shown(const char *text, size_t length, char buffer[static 40])
{
    size_t n = 0;
    for (; n < length && n < 32; n++)
        buffer[n] = (unsigned char)text[n] < 32 || (unsigned char)text[n] > 126 ? '?' : text[n];
    if (n < length)
        n += (size_t)snprintf(buffer + n, 4, "...");
    buffer[n] = '\0';
    return buffer;
}

// Decimal without exponent, exact for the few digits that traces have; 15 digits at most keep it so.
static bool parse_decimal(const char *text, size_t length, double *ret_number)
{
    static const double power[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    size_t i = 0, digits = 0, decimals = 0;
    bool negative = false, point = false;
    uint64_t mantissa = 0;
    if (length > 0 && text[0] == '-') {
        negative = true;
        i++;
    }
    for (; i < length; i++) {
        if (text[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (text[i] < '0' || text[i] > '9')
            return false;
        if (digits == 15) {
            if (!point)
                return false;
            continue; // further decimals change nothing that counts
        }
        mantissa = mantissa * 10 + (uint64_t)(text[i] - '0');
        digits++;
        decimals += point;
    }
    if (digits == 0)
        return false;
    double value = (double)mantissa / power[decimals];
    *ret_number = negative ? -value : value;
    return true;
}

int csv_number(struct csv *csv, const char *column, double least, double most, double *ret_number,
               struct error *err)
{
    const char *text;
    size_t length;
    char buffer[40];
    double number;
    if (csv_text(csv, column, &text, &length, err) < 0)
        return -1;
    if (length == 0)
        return csv_error(csv, err, "%s is empty: fill the gap with the value before it, or leave the VM out",
                         column);
    if (!parse_decimal(text, length, &number))
        return csv_error(csv, err, "%s is \"%s\": a plain decimal number is needed", column,
                         shown(text, length, buffer));
    if (!(number >= least && number <= most))
        return csv_error(csv, err, "%s is %s: it must be from %g to %g", column, shown(text, length, buffer),
                         least, most);
    *ret_number = number;
    return 0;
}

int csv_integer(struct csv *csv, const char *column, uint32_t most, uint32_t *ret_number, struct error *err)
{
    double number;
    if (csv_number(csv, column, 0, most, &number, err) < 0)
        return -1;
    if (number != (double)(uint32_t)number)
        return csv_error(csv, err, "%s is %g: a whole number is needed", column, number);
    *ret_number = (uint32_t)number;
    return 0;
}

int csv_line_done(struct csv *csv, struct error *err)
{
    if (csv->field)
        return csv_error(csv, err, "the row has more values than the header has columns: remove them");
    return 0;
}
