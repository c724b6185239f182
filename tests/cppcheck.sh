#!/bin/sh
# cppcheck over every source; each suppression has its reason beside it.
set -eu
exec cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --language=c -j "$(nproc)" \
    --enable=warning,performance,portability -I src -D_GNU_SOURCE '-DBALLAST_VERSION="x"' \
    --suppress=missingIncludeSystem \
    --suppress=unknownMacro \
    --suppress=normalCheckLevelMaxBranches \
    $(git ls-files 'src/*.c' 'bench/*.c')
