"""The arrows between the rooms, proved from the symbol tables of what was built and from the includes."""
import os
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BALLAST_BUILD", "build"))

# library -> the rooms that it may use
ARROWS = {
    "base/libballast-plain.a": [],
    "base/libballast-system.a": ["base/libballast-plain.a"],
    "model/libballast-model.a": ["base/libballast-plain.a"],
    "model/libballast-model-json.a": ["base/libballast-plain.a", "base/libballast-system.a",
                                      "model/libballast-model.a"],
    "decide/libballast-decide.a": ["base/libballast-plain.a", "model/libballast-model.a"],
    "host/libballast-host.a": ["base/libballast-plain.a", "base/libballast-system.a", "model/libballast-model.a"],
    "store/libballast-store.a": ["base/libballast-plain.a", "base/libballast-system.a",
                                 "model/libballast-model.a"],
    "simulate/libballast-simulate.a": ["base/libballast-plain.a", "base/libballast-system.a",
                                       "model/libballast-model.a", "decide/libballast-decide.a"],
}

# All that the decisions may ask of the C library: memory, text in memory, sorting, mathematics.
# Nothing that reads a clock, a file, the environment, a random source, or makes a thread.
PURE = set("""
    malloc calloc realloc free abort __assert_fail __stack_chk_fail
    memcpy memmove memset memcmp memchr strlen strnlen strcmp strncmp strchr strrchr strcpy strncpy strcat
    __memcpy_chk __memset_chk __memmove_chk __strcpy_chk __strcat_chk __snprintf_chk __vsnprintf_chk
    snprintf vsnprintf qsort bsearch _GLOBAL_OFFSET_TABLE_
    fabs fmin fmax floor ceil round lround llround trunc rint lrint sqrt exp exp2 expm1 log log2 log10 log1p pow
    sin cos tan atan atan2 tgamma lgamma erf erfc fmod hypot cbrt ldexp frexp modf copysign nextafter
    fminf fmaxf floorf ceilf sqrtf expf logf powf fabsf roundf
    __isnan __isinf __finite __popcountdi2 __umodti3 __udivti3
""".split())

LIBRARY_HEADERS = {  # header -> the only rooms that may include it
    r"libvirt/": {"host"},
    r"sqlite3\.h": {"store"},
    r"libpq-fe\.h": {"store"},
    r"microhttpd\.h": {"web"},
    r"curl/": {"openstack"},
    r"libxml/": {"host"},
    r"curses\.h|ncurses": {"command"},
    r"yajl/": {"model"},
}

SQL = re.compile(r'"[^"\n]*\b(SELECT .* FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM|CREATE TABLE|BEGIN IMMEDIATE)\b')


def symbols(path, *flags):
    out = subprocess.run(["nm", *flags, path], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1] for line in out.splitlines() if len(line.split()) >= 2 and not line.endswith(":")}


def library(name):
    path = os.path.join(BUILD, "src", name)
    if not os.path.exists(path):
        pytest.fail("%s was not built" % name)
    return path


def defined(name):
    return symbols(library(name), "--defined-only", "--extern-only")


def undefined(name):
    return symbols(library(name), "--undefined-only")


@pytest.mark.parametrize("name", sorted(ARROWS))
def test_a_room_uses_only_the_rooms_above_it(name):
    owner = {s: other for other in ARROWS for s in defined(other)}
    allowed = {name, *ARROWS[name]}
    wrong = {s: owner[s] for s in undefined(name) if s in owner and owner[s] not in allowed}
    assert not wrong


def test_decisions_ask_nothing_of_the_machine():
    inside = defined("decide/libballast-decide.a") | defined("model/libballast-model.a") | \
        defined("base/libballast-plain.a")
    outside = {s for s in undefined("decide/libballast-decide.a") if not s.startswith(("__asan", "__ubsan", "__tsan"))}
    assert outside - inside - PURE == set()


def test_decisions_keep_no_state_of_their_own():
    """No writable data: neither globals nor static variables."""
    out = subprocess.run(["nm", library("decide/libballast-decide.a")], check=True, capture_output=True,
                         text=True).stdout
    writable = [line for line in out.splitlines() if re.search(r" [dDbBC] ", line)
                and ".rel.ro" not in line]
    # tables of pointers to constants are placed in .data.rel.ro, which nm shows as d as well: tell them apart
    sections = subprocess.run(["objdump", "-t", library("decide/libballast-decide.a")], check=True,
                              capture_output=True, text=True).stdout
    constant = {line.split()[-1] for line in sections.splitlines() if ".data.rel.ro" in line}
    assert [line for line in writable if line.split()[-1] not in constant] == []


def sources():
    out = subprocess.run(["git", "ls-files", "src"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [p for p in out.split() if p.endswith((".c", ".h"))]


def test_library_headers_stay_in_their_rooms():
    wrong = []
    for path in sources():
        room = path.split("/")[1]
        for line in open(os.path.join(ROOT, path), encoding="utf-8"):
            if not line.startswith("#include"):
                continue
            for header, rooms in LIBRARY_HEADERS.items():
                if re.search(r"[<\"](%s)" % header, line) and room not in rooms:
                    wrong.append("%s: %s" % (path, line.strip()))
    assert wrong == []


def test_sql_stays_in_the_store():
    wrong = [path for path in sources() if path.split("/")[1] != "store"
             and SQL.search(open(os.path.join(ROOT, path), encoding="utf-8").read())]
    assert wrong == []


def test_includes_follow_the_arrows():
    may = {"base": {"base"}, "model": {"base", "model"}, "decide": {"base", "model", "decide"},
           "host": {"base", "model", "host"}, "store": {"base", "model", "store"},
           "simulate": {"base", "model", "decide", "simulate"}}
    wrong = []
    for path in sources():
        room = path.split("/")[1]
        for line in open(os.path.join(ROOT, path), encoding="utf-8"):
            found = re.match(r'#include "(\w+)/', line)
            if found and room in may and found.group(1) not in may[room]:
                wrong.append("%s: %s" % (path, line.strip()))
    assert wrong == []


def test_every_room_has_a_readme():
    rooms = {p.split("/")[1] for p in sources()}
    assert [r for r in sorted(rooms) if not os.path.exists(os.path.join(ROOT, "src", r, "README.md"))] == []
