// The part of ballast(1) that the verbs' tables make: one section a verb, in scdoc's notation.
#ifndef BALLAST_COMMAND_MANUAL_H
#define BALLAST_COMMAND_MANUAL_H

#include <stdio.h>

void manual_print(FILE *out);

#endif
