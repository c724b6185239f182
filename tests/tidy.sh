#!/bin/sh
# clang-tidy over every source of the build folder $1 (checks: .clang-tidy), as many at a time as there are
# processors.
set -eu
build=${1:-build}
git ls-files 'src/*.c' 'tests/*.c' 'bench/*.c' | while read -r file; do
    # only what is compiled here: fuzzers and guest programs have other flags
    grep -q "$file\"" "$build/compile_commands.json" && echo "$file"
done | xargs -P "$(nproc)" -n 4 clang-tidy -p "$build" --quiet --warnings-as-errors='*' 2>/tmp/ballast-tidy.$$ ||
    { cat "/tmp/ballast-tidy.$$"; rm -f "/tmp/ballast-tidy.$$"; exit 1; }
rm -f "/tmp/ballast-tidy.$$"
