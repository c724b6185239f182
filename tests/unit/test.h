// What every unit test includes: cmocka with the headers that it wants before it.
#ifndef BALLAST_TESTS_UNIT_TEST_H
#define BALLAST_TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#endif
