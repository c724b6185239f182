// The push parser's callbacks. The input has a fixed shape, so the state is where in that shape we are:
// the top object, one of its three lists, a row of it, a list of names in the row. What is unknown is
// skipped by counting brackets.
#include "model/snapshot_rows.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <yajl/yajl_parse.h>

#include "base/text.h"

#define UNKNOWN_KEYS_MAX 64 // distinct unknown keys that are warned about
#define ROWS_MAX 10000000   // rows of one list; far beyond a cluster, within 32-bit numbers
#define NUMBER_BYTES_MAX 64 // digits of a number

enum where {
    AT_START,   // nothing read yet
    IN_TOP,     // in the top object
    IN_TOP_KEY, // after one of its keys
    IN_LIST,    // in hosts, vms or rules
    IN_ROW,     // in an object of the list
    IN_ROW_KEY, // after one of its keys
    IN_NAMES,   // in a list of names
    AT_END,
};

enum top_key { TOP_FORMAT, TOP_TAKEN_AT, TOP_HOSTS, TOP_VMS, TOP_RULES, TOP_KEYS };
static const char *const top_keys[] = {"format", "taken_at", "hosts", "vms", "rules"};

struct parser {
    struct snapshot_rows rows;
    enum where where;
    unsigned skip_depth; // > 0: inside a value that nobody wants
    bool skip_value;     // the next value belongs to an unknown key
    enum top_key top_key;
    unsigned top_given; // bit set
    const struct field_table *table;
    uint32_t field;
    struct row row;
    const char *unknown[UNKNOWN_KEYS_MAX];
    unsigned n_unknown;
    struct error *err;
    bool failed;
};

// The place of the value being read, as a JSON pointer.
static const char *place(const struct parser *p, char *buffer, size_t size)
{
    static const char *const no_place = "";
    switch (p->where) {
    case IN_TOP_KEY:
        snprintf(buffer, size, "/%s", top_keys[p->top_key]);
        return buffer;
    case IN_LIST:
    case IN_ROW:
        snprintf(buffer, size, "/%s/%zu", p->table->list, p->rows.list[p->table->kind].n);
        return buffer;
    case IN_ROW_KEY:
        snprintf(buffer, size, "/%s/%zu/%s", p->table->list, p->rows.list[p->table->kind].n,
                 p->table->field[p->field].key);
        return buffer;
    case IN_NAMES:
        snprintf(buffer, size, "/%s/%zu/%s/%u", p->table->list, p->rows.list[p->table->kind].n,
                 p->table->field[p->field].key, p->row.names[p->field].n);
        return buffer;
    case AT_START:
    case IN_TOP:
    case AT_END:
        break;
    }
    return no_place;
}

static int refuse(struct parser *p, const char *what)
{
    char where[128];
    const char *at = place(p, where, sizeof where);
    p->failed = true;
    error_set(p->err, ERROR_INPUT, "%s%s%s", at, *at ? ": " : "", what);
    return 0;
}

static int no_memory(struct parser *p)
{
    p->failed = true;
    error_set(p->err, ERROR_MEMORY, "no memory for the snapshot");
    return 0;
}

static const char *wanted(const struct parser *p)
{
    switch (p->where) {
    case AT_START:
        return "the file must hold one JSON object";
    case IN_TOP_KEY:
        return p->top_key <= TOP_TAKEN_AT ? "must be a string" : "must be a list";
    case IN_LIST:
        return "must be an object";
    case IN_NAMES:
        return "must be a name (a string)";
    case IN_ROW_KEY:
        switch (p->table->field[p->field].type) {
        case FIELD_NUMBER:
            return "must be a number";
        case FIELD_INTEGER:
            return "must be a whole number";
        case FIELD_TEXT:
            return "must be a string";
        case FIELD_BOOL:
            return "must be true or false";
        case FIELD_NAMES:
            return "must be a list of names";
        }
        break;
    case IN_TOP:
    case IN_ROW:
    case AT_END:
        break;
    }
    return "was not expected";
}

static int wrong_type(struct parser *p)
{
    return refuse(p, wanted(p));
}

// True when the value belongs to an unknown key and is passed over.
static bool skipped(struct parser *p)
{
    if (p->skip_depth > 0)
        return true;
    if (!p->skip_value)
        return false;
    p->skip_value = false;
    return true;
}

static void warn_unknown(struct parser *p, const char *pattern)
{
    for (unsigned i = 0; i < p->n_unknown; i++)
        if (strcmp(p->unknown[i], pattern) == 0)
            return;
    if (p->n_unknown == UNKNOWN_KEYS_MAX)
        return;
    p->unknown[p->n_unknown++] = pattern;
    if (p->rows.warn)
        p->rows.warn(p->rows.warn_context, arena_printf(p->rows.arena, "unknown key %s is ignored", pattern));
}

static bool key_is(const char *key, const unsigned char *text, size_t length)
{
    // the first byte settles most: this is asked for each key of each row
    return length > 0 && key[0] == (char)text[0] && strncmp(key, (const char *)text, length) == 0 &&
           key[length] == '\0';
}

static int on_top_key(struct parser *p, const unsigned char *text, size_t length)
{
    for (unsigned k = 0; k < TOP_KEYS; k++)
        if (key_is(top_keys[k], text, length)) {
            p->top_key = (enum top_key)k;
            p->where = IN_TOP_KEY;
            if (p->top_given & (1u << k))
                return refuse(p, "is given twice; leave one out");
            p->top_given |= 1u << k;
            return 1;
        }
    p->skip_value = true;
    warn_unknown(
        p, arena_printf(p->rows.arena, "\"%.*s\"", (int)(length > 80 ? 80 : length), (const char *)text));
    return 1;
}

static int on_row_key(struct parser *p, const unsigned char *text, size_t length)
{
    // keys mostly come in the order of the row before: look behind the last one first
    for (uint32_t i = 0; i < p->table->n; i++) {
        uint32_t f = (p->field + 1 + i) % p->table->n;
        if (!key_is(p->table->field[f].key, text, length))
            continue;
        p->field = f;
        p->where = IN_ROW_KEY;
        if (p->row.given & (UINT32_C(1) << f))
            return refuse(p, "is given twice; leave one out");
        p->row.given |= UINT32_C(1) << f;
        return 1;
    }
    p->skip_value = true;
    if (p->n_unknown < UNKNOWN_KEYS_MAX)
        warn_unknown(p, arena_printf(p->rows.arena, "\"%.*s\" in /%s", (int)(length > 80 ? 80 : length),
                                     (const char *)text, p->table->list));
    return 1;
}

static int on_key(void *context, const unsigned char *text, size_t length)
{
    struct parser *p = context;
    if (p->skip_depth > 0)
        return 1;
    return p->where == IN_TOP ? on_top_key(p, text, length) : on_row_key(p, text, length);
}

static int set_number(struct parser *p, double value)
{
    const struct field *field = &p->table->field[p->field];
    char what[96];
    if (!isfinite(value))
        return refuse(p, "must be a finite number");
    if (field->type == FIELD_INTEGER && (value != floor(value) || value > INT32_MAX))
        return refuse(p, "must be a whole number from 1 to 2147483647");
    if (value < field->low || (field->low_excluded && value <= field->low)) {
        snprintf(what, sizeof what, "must be %s %g, not %g", field->low_excluded ? "above" : "at least",
                 field->low, value);
        return refuse(p, what);
    }
    p->row.number[p->field] = value;
    p->where = IN_ROW;
    return 1;
}

static int on_number(void *context, const char *text, size_t length)
{
    struct parser *p = context;
    if (skipped(p))
        return 1;
    if (p->where != IN_ROW_KEY ||
        (p->table->field[p->field].type != FIELD_NUMBER && p->table->field[p->field].type != FIELD_INTEGER))
        return wrong_type(p);
    char digits[NUMBER_BYTES_MAX + 1];
    if (length > NUMBER_BYTES_MAX)
        return refuse(p, "is a number of too many digits; 17 are exact");
    memcpy(digits, text, length);
    digits[length] = '\0';
    return set_number(p, strtod(digits, NULL));
}

static int on_boolean(void *context, int value)
{
    struct parser *p = context;
    if (skipped(p))
        return 1;
    if (p->where != IN_ROW_KEY || p->table->field[p->field].type != FIELD_BOOL)
        return wrong_type(p);
    p->row.number[p->field] = value ? 1 : 0;
    p->where = IN_ROW;
    return 1;
}

static int on_null(void *context)
{
    struct parser *p = context;
    return skipped(p) ? 1 : wrong_type(p);
}

static int on_taken_at(struct parser *p, const char *text)
{
    struct tm parts = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (end && *end == '.')
        end += 1 + strspn(end + 1, "0123456789");
    if (!end || strcmp(end, "Z") != 0)
        return refuse(p, "must be a UTC time like 2026-11-23T10:00:00Z");
    p->rows.taken_at.ms = (int64_t)timegm(&parts) * 1000;
    p->rows.has_taken_at = true;
    return 1;
}

static int on_top_text(struct parser *p, const char *text)
{
    if (p->top_key > TOP_TAKEN_AT)
        return wrong_type(p);
    if (p->top_key == TOP_TAKEN_AT && !on_taken_at(p, text))
        return 0;
    if (p->top_key == TOP_FORMAT && strcmp(text, SNAPSHOT_JSON_FORMAT) != 0)
        return refuse(p, "must be \"" SNAPSHOT_JSON_FORMAT "\"");
    p->where = IN_TOP;
    return 1;
}

static int on_string(void *context, const unsigned char *bytes, size_t length)
{
    struct parser *p = context;
    if (skipped(p))
        return 1;
    if (memchr(bytes, 0, length))
        return refuse(p, "must not hold a zero character");
    bool wants_text = p->where == IN_ROW_KEY && p->table->field[p->field].type == FIELD_TEXT;
    if (p->where != IN_TOP_KEY && p->where != IN_NAMES && !wants_text)
        return wrong_type(p);
    const char *text = arena_strndup(p->rows.arena, (const char *)bytes, length);
    if (p->where == IN_TOP_KEY)
        return on_top_text(p, text);
    if (p->where == IN_NAMES) {
        if (row_names_push(&p->rows.names, text) < 0)
            return no_memory(p);
        p->row.names[p->field].n++;
        return 1;
    }
    p->row.text[p->field] = text;
    p->where = IN_ROW;
    return 1;
}

static void begin_row(struct parser *p)
{
    memset(&p->row, 0, sizeof p->row);
    for (uint32_t f = 0; f < p->table->n; f++)
        p->row.number[f] = p->table->field[f].fallback;
    p->field = p->table->n - 1;
    p->where = IN_ROW;
}

static int on_start_map(void *context)
{
    struct parser *p = context;
    if (skipped(p)) {
        p->skip_depth++;
        return 1;
    }
    if (p->where == AT_START) {
        p->where = IN_TOP;
        return 1;
    }
    if (p->where != IN_LIST)
        return wrong_type(p);
    begin_row(p);
    return 1;
}

static int end_row(struct parser *p)
{
    char what[96];
    for (uint32_t f = 0; f < p->table->n; f++)
        if (p->table->field[f].required && !(p->row.given & (UINT32_C(1) << f))) {
            snprintf(what, sizeof what, "\"%s\" is missing and must be given", p->table->field[f].key);
            return refuse(p, what);
        }
    struct rows *list = &p->rows.list[p->table->kind];
    if (list->n == ROWS_MAX)
        return refuse(p, "there are too many of them");
    if (rows_push(list, p->row) < 0)
        return no_memory(p);
    p->where = IN_LIST;
    return 1;
}

static int end_top(struct parser *p)
{
    static const enum top_key required[] = {TOP_FORMAT, TOP_HOSTS, TOP_VMS};
    char what[96];
    for (unsigned i = 0; i < sizeof required / sizeof *required; i++)
        if (!(p->top_given & (1u << required[i]))) {
            snprintf(what, sizeof what, "/%s: is missing and must be given", top_keys[required[i]]);
            return refuse(p, what);
        }
    p->where = AT_END;
    return 1;
}

static int on_end_map(void *context)
{
    struct parser *p = context;
    if (p->skip_depth > 0) {
        p->skip_depth--;
        return 1;
    }
    return p->where == IN_TOP ? end_top(p) : end_row(p);
}

static int on_start_array(void *context)
{
    static const struct field_table *const tables[] = {[TOP_HOSTS] = &snapshot_host_fields,
                                                       [TOP_VMS] = &snapshot_vm_fields,
                                                       [TOP_RULES] = &snapshot_rule_fields};
    struct parser *p = context;
    if (skipped(p)) {
        p->skip_depth++;
        return 1;
    }
    if (p->where == IN_TOP_KEY && p->top_key >= TOP_HOSTS) {
        p->table = tables[p->top_key];
        p->where = IN_LIST;
        return 1;
    }
    if (p->where != IN_ROW_KEY || p->table->field[p->field].type != FIELD_NAMES)
        return wrong_type(p);
    p->row.names[p->field].start = (uint32_t)p->rows.names.n;
    p->where = IN_NAMES;
    return 1;
}

static int on_end_array(void *context)
{
    struct parser *p = context;
    if (p->skip_depth > 0)
        p->skip_depth--;
    else
        p->where = p->where == IN_NAMES ? IN_ROW : IN_TOP;
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end_map,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end_array,
};

// What is not JSON: line and column of the byte at which the parser gave up, or of the end of a text that is
// cut off (is_cut): there all that was read is right, and the parser only says "premature EOF".
static void syntax_error(yajl_handle handle, const char *text, size_t size, bool is_cut, struct error *err)
{
    size_t at = is_cut ? size + 1 : yajl_get_bytes_consumed(handle), line = 1, column = 1;
    for (size_t i = 0; i + 1 < at && i < size; i++) { // the last byte read is the one that was wrong
        column = text[i] == '\n' ? 1 : column + 1;
        line += text[i] == '\n';
    }
    if (is_cut) {
        error_set(err, ERROR_INPUT,
                  "line %zu, column %zu: the file ends before its JSON object is complete; write it anew",
                  line, column);
        return;
    }
    unsigned char *said = yajl_get_error(handle, 0, NULL, 0);
    char *what = said ? (char *)said : NULL;
    if (what)
        what[strcspn(what, ".\n")] = '\0';
    error_set(err, ERROR_INPUT,
              "line %zu, column %zu: not JSON: %s; mend it there (texts in quotes, numbers finite)", line,
              column, what ? what : "parse error");
    yajl_free_error(handle, said);
}

static int parse(struct parser *p, const char *text, size_t size)
{
    yajl_handle handle = yajl_alloc(&callbacks, NULL, p);
    if (!handle) {
        no_memory(p);
        return -1;
    }
    yajl_status status = yajl_parse(handle, (const unsigned char *)text, size);
    bool is_all_read = status == yajl_status_ok;
    if (is_all_read)
        status = yajl_complete_parse(handle);
    if (status != yajl_status_ok && !p->failed)
        syntax_error(handle, text, size, is_all_read, p->err);
    if (status == yajl_status_ok && p->where != AT_END) {
        error_set(p->err, ERROR_INPUT,
                  "the file must hold one JSON object, and it ends before that is complete");
        status = yajl_status_error;
    }
    yajl_free(handle);
    return status == yajl_status_ok ? 0 : -1;
}

int snapshot_json_parse(const char *text, size_t size, snapshot_json_warn *warn, void *context,
                        struct snapshot **ret_snapshot, struct error *err)
{
    struct error ignored = {0};
    if (size == 0)
        return error_set(err, ERROR_INPUT, "the file is empty; it must hold one JSON object");
    struct parser p = {.rows.warn = warn, .rows.warn_context = context, .err = err ? err : &ignored};
    p.rows.arena = arena_new((size_t)256 * 1024);
    if (!p.rows.arena)
        return error_set(err, ERROR_MEMORY, "no memory for the snapshot");
    int failed = parse(&p, text, size);
    if (!failed)
        failed = snapshot_rows_convert(&p.rows, ret_snapshot, p.err);
    for (unsigned i = 0; i < 3; i++)
        rows_free(&p.rows.list[i]);
    row_names_free(&p.rows.names);
    arena_free(p.rows.arena);
    return failed ? -1 : 0;
}
