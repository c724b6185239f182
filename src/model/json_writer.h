// Writing JSON for programs: a thin layer over yajl's generator that keeps to the project's number format.
//
// Calls nest as JSON does. An error (out of memory, a string that is not UTF-8, wrong nesting) is
// remembered and comes out at json_writer_text; nothing has to be checked on the way.
#ifndef BALLAST_MODEL_JSON_WRITER_H
#define BALLAST_MODEL_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct json_writer;

// indent: line breaks and two spaces a level. NULL when out of memory.
struct json_writer *json_writer_new(bool indent);
struct json_writer *json_writer_free(struct json_writer *w); // takes NULL, returns NULL

void json_object_begin(struct json_writer *w);
void json_object_end(struct json_writer *w);
void json_array_begin(struct json_writer *w);
void json_array_end(struct json_writer *w);
void json_key(struct json_writer *w, const char *key);

void json_string(struct json_writer *w, const char *value); // NULL: null; bytes that are not UTF-8 become '?'
void json_number(struct json_writer *w, double value);      // six significant digits; not finite: null
void json_exact(struct json_writer *w, double value);       // the shortest digits that read back the same
void json_integer(struct json_writer *w, int64_t value);
void json_bool(struct json_writer *w, bool value);

// Shorthands for a key with its value.
void json_key_string(struct json_writer *w, const char *key, const char *value);
void json_key_number(struct json_writer *w, const char *key, double value);
void json_key_exact(struct json_writer *w, const char *key, double value);
void json_key_integer(struct json_writer *w, const char *key, int64_t value);
void json_key_bool(struct json_writer *w, const char *key, bool value);
void json_key_object(struct json_writer *w, const char *key); // begins an object
void json_key_array(struct json_writer *w, const char *key);  // begins an array

// The text so far, owned by the writer, terminated; NULL with err filled when something went wrong.
const char *json_writer_text(struct json_writer *w, size_t *ret_size, struct error *err);

#endif
