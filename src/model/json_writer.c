#include "model/json_writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "base/text.h"

struct json_writer {
    yajl_gen gen;
    yajl_gen_status failed; // the first failure, or yajl_gen_status_ok
};

struct json_writer *json_writer_new(bool indent)
{
    struct json_writer *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->gen = yajl_gen_alloc(NULL);
    if (!w->gen) {
        free(w);
        return NULL;
    }
    yajl_gen_config(w->gen, yajl_gen_beautify, (int)indent);
    yajl_gen_config(w->gen, yajl_gen_indent_string, "  ");
    return w;
}

struct json_writer *json_writer_free(struct json_writer *w)
{
    if (!w)
        return NULL;
    yajl_gen_free(w->gen);
    free(w);
    return NULL;
}

static void note(struct json_writer *w, yajl_gen_status status)
{
    if (w->failed == yajl_gen_status_ok && status != yajl_gen_generation_complete)
        w->failed = status;
}

void json_object_begin(struct json_writer *w)
{
    note(w, yajl_gen_map_open(w->gen));
}

void json_object_end(struct json_writer *w)
{
    note(w, yajl_gen_map_close(w->gen));
}

void json_array_begin(struct json_writer *w)
{
    note(w, yajl_gen_array_open(w->gen));
}

void json_array_end(struct json_writer *w)
{
    note(w, yajl_gen_array_close(w->gen));
}

static void put_string(struct json_writer *w, const char *text, size_t length)
{
    note(w, yajl_gen_string(w->gen, (const unsigned char *)text, length));
}

void json_key(struct json_writer *w, const char *key)
{
    put_string(w, key, strlen(key));
}

void json_string(struct json_writer *w, const char *value)
{
    if (!value) {
        note(w, yajl_gen_null(w->gen));
        return;
    }
    size_t length = strlen(value);
    if (text_valid_utf8(value, length)) {
        put_string(w, value, length);
        return;
    }
    char *safe = strdup(value);
    if (!safe) {
        note(w, yajl_gen_in_error_state);
        return;
    }
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)safe[i] >= 0x80)
            safe[i] = '?';
    put_string(w, safe, length);
    free(safe);
}

static void put_number(struct json_writer *w, const char *digits)
{
    note(w, yajl_gen_number(w->gen, digits, strlen(digits)));
}

void json_number(struct json_writer *w, double value)
{
    if (!isfinite(value)) {
        note(w, yajl_gen_null(w->gen));
        return;
    }
    char digits[32];
    snprintf(digits, sizeof digits, "%.6g", value == 0 ? 0.0 : value); // no "-0"
    put_number(w, digits);
}

void json_exact(struct json_writer *w, double value)
{
    if (!isfinite(value)) {
        note(w, yajl_gen_null(w->gen));
        return;
    }
    char digits[32];
    for (int precision = 6; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    put_number(w, digits);
}

void json_integer(struct json_writer *w, int64_t value)
{
    note(w, yajl_gen_integer(w->gen, value));
}

void json_bool(struct json_writer *w, bool value)
{
    note(w, yajl_gen_bool(w->gen, value));
}

void json_key_string(struct json_writer *w, const char *key, const char *value)
{
    json_key(w, key);
    json_string(w, value);
}

void json_key_number(struct json_writer *w, const char *key, double value)
{
    json_key(w, key);
    json_number(w, value);
}

void json_key_exact(struct json_writer *w, const char *key, double value)
{
    json_key(w, key);
    json_exact(w, value);
}

void json_key_integer(struct json_writer *w, const char *key, int64_t value)
{
    json_key(w, key);
    json_integer(w, value);
}

void json_key_bool(struct json_writer *w, const char *key, bool value)
{
    json_key(w, key);
    json_bool(w, value);
}

void json_key_object(struct json_writer *w, const char *key)
{
    json_key(w, key);
    json_object_begin(w);
}

void json_key_array(struct json_writer *w, const char *key)
{
    json_key(w, key);
    json_array_begin(w);
}

const char *json_writer_text(struct json_writer *w, size_t *ret_size, struct error *err)
{
    const unsigned char *text = NULL;
    size_t size = 0;
    if (w->failed == yajl_gen_status_ok)
        w->failed = yajl_gen_get_buf(w->gen, &text, &size);
    if (w->failed != yajl_gen_status_ok) {
        error_set(err, ERROR_FAILED, "write JSON: generator status %d", (int)w->failed);
        return NULL;
    }
    if (ret_size)
        *ret_size = size;
    return (const char *)text;
}
