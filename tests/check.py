#!/usr/bin/python3
"""Build and run every test of the project, and say what passed.

Phases run one after the other and each prints its runner's own output; the last line of all is
    N passed, N failed, N skipped
over everything together. A linter or a fuzzer counts as one test. Exit status 1 when anything failed.

  check.py                all phases of `make check`
  check.py --long         the phases of `make check-long`
  check.py --only NAME    one phase (may be repeated); --list names them
"""
import argparse
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FUZZ_SECONDS = os.environ.get("FUZZ_SECONDS", "60")
MOST_REPEATED = 8  # more failures than that are no accident
PYTEST = ["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-ra"]


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def add(self, passed, failed, skipped, name):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        if failed:
            self.failures.append(name)


def run(command, env=None, quiet=False):
    """Run a command in the project's folder; its exit status, or 127 when it cannot be started."""
    print("$ " + " ".join(command), flush=True)
    try:
        return subprocess.run(command, cwd=ROOT, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL if quiet else None, check=False).returncode
    except OSError as e:
        print(e, flush=True)
        return 127


def count_junit(path):
    """(passed, failed, skipped) of a JUnit file; None when there is none."""
    try:
        cases = list(ET.parse(path).iter("testcase"))
    except (OSError, ET.ParseError):
        return None
    failed = sum(c.find("failure") is not None or c.find("error") is not None for c in cases)
    skipped = sum(c.find("skipped") is not None for c in cases)
    return len(cases) - failed - skipped, failed, skipped


def one(totals, name, status):
    """Count a command as one test."""
    totals.add(status == 0, status != 0, 0, name)


def by_junit(totals, name, status, path):
    counts = count_junit(path)
    if counts is None or sum(counts) == 0:
        print("%s: no test result was written" % name, flush=True)
        totals.add(0, 1, 0, name)
        return
    passed, failed, skipped = counts
    if status != 0 and failed == 0:  # the runner itself failed
        failed = 1
    totals.add(passed, failed, skipped, name)


def meson_tests(totals, name, folder, setup, env=None, suite="unit"):
    if not os.path.exists(os.path.join(ROOT, folder, "build.ninja")):
        if run(["meson", "setup", folder, *setup], env, quiet=True) != 0:
            return one(totals, name + ": meson setup", 1)
    if run(["ninja", "-C", folder, "--quiet"], env) != 0:
        return one(totals, name + ": build", 1)
    junit = os.path.join(ROOT, folder, "meson-logs", "testlog.junit.xml")
    if os.path.exists(junit):
        os.unlink(junit)
    status = run(["meson", "test", "-C", folder, "--suite", suite, "--no-rebuild", "--print-errorlogs",
                  "--timeout-multiplier", "4"], env)
    return by_junit(totals, name, status, junit)


def pytest(totals, name, arguments):
    junit = os.path.join(ROOT, "build", name + ".junit.xml")
    if os.path.exists(junit):
        os.unlink(junit)
    status = run([*PYTEST, "--junitxml=" + junit, *arguments])
    by_junit(totals, name, status, junit)


def failed_cases(path, folder):
    """Node ids of the failed tests of a JUnit file (family xunit1); [] when there is none."""
    try:
        cases = ET.parse(path).iter("testcase")
        return ["%s::%s" % (os.path.join(folder, os.path.basename(c.get("file"))), c.get("name")) for c in cases
                if c.find("failure") is not None or c.find("error") is not None]
    except (OSError, ET.ParseError, TypeError):
        return []


def pytest_twice(totals, name, folder, arguments):
    """As pytest, and what failed is run once more: emulated guests on a busy machine miss a bound now and then.

    Only what fails twice has failed. What passed the second time is named: it wants looking at.
    """
    junit = os.path.join(ROOT, "build", name + ".junit.xml")
    again = os.path.join(ROOT, "build", name + "-again.junit.xml")
    for path in (junit, again):
        if os.path.exists(path):
            os.unlink(path)
    family = ["-o", "junit_family=xunit1"]
    status = run([*PYTEST, *family, "--junitxml=" + junit, folder, *arguments])
    failed = failed_cases(junit, folder)
    if status != 1 or not failed or len(failed) > MOST_REPEATED:
        return by_junit(totals, name, status, junit)
    passed, n_failed, skipped = count_junit(junit)
    run([*PYTEST, *family, "--junitxml=" + again, *failed])
    still = failed_cases(again, folder)
    counts = count_junit(again)
    if counts is None or sum(counts) < len(set(failed)):  # not all of them ran
        still = failed
    for case in failed:
        if case not in still:
            print("unstable: %s failed at first and passed when repeated" % case, flush=True)
    n_still = n_failed if still is failed else len(still)
    return totals.add(passed + n_failed - n_still, n_still, skipped, name)


def unit(totals):
    """the programs and the unit tests, with gcc"""
    if run(["make", "--no-print-directory", "all"]) != 0:
        return one(totals, "build", 1)
    return meson_tests(totals, "unit", "build", [])


def house(totals):
    """the arrows between the rooms, the documents, the formats"""
    pytest(totals, "house", ["tests/house"])


def layout(totals):
    """clang-format"""
    one(totals, "layout", run(["make", "--no-print-directory", "format-check"]))


def asan(totals):
    """unit tests with clang, address and undefined-behaviour sanitizers"""
    meson_tests(totals, "asan", "build-asan",
                ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dbench=false"],
                {"CC": "clang", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"})


def tsan(totals):
    """the threaded rooms with the thread sanitizer"""
    meson_tests(totals, "tsan", "build-tsan", ["-Db_sanitize=thread", "-Db_lundef=false", "-Dbench=false"],
                {"CC": "clang", "TSAN_OPTIONS": "halt_on_error=1"}, suite="threads")


def tidy(totals):
    """clang-tidy"""
    one(totals, "clang-tidy", run(["sh", "tests/tidy.sh", "build"]))


def cppcheck(totals):
    """cppcheck"""
    one(totals, "cppcheck", run(["sh", "tests/cppcheck.sh"]))


def fuzz(totals):
    """each fuzzer for FUZZ_SECONDS"""
    junit = os.path.join(ROOT, "build", "fuzz.junit.xml")
    status = run(["/usr/bin/python3", "fuzz/run.py", "--seconds", FUZZ_SECONDS, "--junit", junit])
    by_junit(totals, "fuzz", status, junit)


def system(totals):
    """the whole system on the lab: real hosts, real guests"""
    pytest_twice(totals, "system", "tests/system", ["-m", "not long"])


def long(totals):
    """the tests that take an hour or more"""
    pytest(totals, "long", ["tests/system", "-m", "long"])


def nested(totals):
    """the lab in an emulated Debian 12: control groups of version 2, KVM, steal"""
    one(totals, "nested", run(["/usr/bin/python3", "lab/nested.py"]))


CHECK = [unit, asan, house, layout, cppcheck, tidy, tsan, fuzz, system]
LONG = [long, nested]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    phases = LONG if args.long else CHECK
    if args.list:
        for phase in CHECK + LONG:
            print("%-10s %s" % (phase.__name__, phase.__doc__))
        return 0
    known = {p.__name__: p for p in CHECK + LONG}
    unknown = [n for n in args.only if n not in known]
    if unknown:
        parser.error("no such phase: %s; --list names them" % ", ".join(unknown))
    if args.only:
        phases = [known[n] for n in args.only]
    totals = Totals()
    times = []
    for phase in phases:
        print("\n=== %s: %s" % (phase.__name__, phase.__doc__), flush=True)
        start = time.monotonic()
        before = (totals.passed, totals.failed, totals.skipped)
        phase(totals)
        times.append((phase.__name__, time.monotonic() - start,
                      *(b - a for a, b in zip(before, (totals.passed, totals.failed, totals.skipped)))))
    print("\n=== all phases")
    for name, seconds, passed, failed, skipped in times:
        print("%-10s %6.0f s  %d passed, %d failed, %d skipped" % (name, seconds, passed, failed, skipped))
    if totals.failures:
        print("failed: " + ", ".join(totals.failures))
    print("%d passed, %d failed, %d skipped" % (totals.passed, totals.failed, totals.skipped), flush=True)
    return 1 if totals.failed or totals.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
