#!/usr/bin/env python3
"""The benchmarks, one after the other; each prints ratios or counts.

  run.py [--all] [--list] [NAME ...]

Without names those that take seconds; with --all every one. What needs something that is not here (peers, traces, KVM
guests) is skipped, with the reason.
"""
import argparse
import glob
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
PYTHON = "/usr/bin/python3"


def beside(variable, *pattern):
    if os.environ.get(variable):
        return os.environ[variable]
    found = sorted(glob.glob(os.path.join(ROOT, "..", "*", *pattern)))
    return found[0] if found else None


def needs_peers():
    return None if beside("BALLAST_PEERS", "peers") else "the peers' adapters are not here (BALLAST_PEERS)"


def needs_traces():
    return None if beside("BALLAST_TRACES", "traces", "open") else "the real traces are not here (BALLAST_TRACES)"


def needs_guests():
    if os.geteuid() != 0:
        return "needs root: it runs guests"
    return None if os.path.exists("/usr/bin/qemu-system-x86_64") else "needs QEMU and libvirt"


def program(name):
    return os.path.join(BUILD, "bench", *name)


# name, in the quick set, command, what it needs, one line
BENCHES = [
    ("rent", True, [program(("rent", "rent"))], needs_traces, "rent-or-buy against a prophet"),
    ("predict", True, [program(("predict", "predict"))], needs_traces, "forecasts: pinball loss and coverage"),
    ("optimum", True, [PYTHON, os.path.join(HERE, "plan_peers.py"), "--only", "optimum", "--seeds", "3"], needs_peers,
     "plans against the proven optimum, 3 seeds"),
    ("greedy", True, [PYTHON, os.path.join(HERE, "plan_peers.py"), "--only", "greedy"], needs_peers,
     "plans of 60,000 VMs: time, memory, growth"),
    ("replan", True, [program(("plan", "replan"))], lambda: None, "a second plan after 1 % of the demands changed"),
    ("store", True, [program(("store", "store-operations"))], lambda: None,
     "the store's operations, and reports of changed rows against full ones"),
    ("peers", False, [PYTHON, os.path.join(HERE, "plan_peers.py"), "--large"], needs_peers,
     "plans against hbal, optimum and greedy; half an hour"),
    ("agent", False, [PYTHON, os.path.join(HERE, "agent")], needs_guests, "what ballastd costs a host with 16 guests"),
    ("memory", False, [PYTHON, os.path.join(HERE, "memory")], needs_guests, "memory of real guests; an hour"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    known = [b[0] for b in BENCHES]
    unknown = [n for n in options.names if n not in known]
    if unknown:
        parser.error("no such bench: %s; there are %s" % (", ".join(unknown), ", ".join(known)))
    if options.list:
        for name, quick, _, _, what in BENCHES:
            print("%-10s %-6s %s" % (name, "quick" if quick else "--all", what))
        return 0
    failed = []
    for name, quick, command, needs, what in BENCHES:
        if options.names and name not in options.names or not options.names and not quick and not options.all:
            continue
        print("== %s: %s" % (name, what), flush=True)
        missing = needs()
        if missing:
            print("skipped: %s\n" % missing)
            continue
        started = time.monotonic()
        status = subprocess.run(command, check=False, cwd=ROOT).returncode
        print("== %s: %.0f s%s\n" % (name, time.monotonic() - started, ", FAILED (%d)" % status if status else ""), flush=True)
        failed += [name] if status else []
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
