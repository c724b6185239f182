#!/usr/bin/python3
"""Consolidation on the PlanetLab days: four days, same-slot and late information, beside targets and peers.

    bench/planetlab.py [--ballast build/src/command/ballast] [--policy ballast]

Traces are looked for in BALLAST_TRACES, else in ../*/traces/open; peers' figures in BALLAST_PEERS, else in ../*/peers.
"""
import argparse
import csv
import glob
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DAYS = ("20110303", "20110306", "20110309", "20110325")
TARGET = {  # for 20110303: kWh, ESV x 1000, migrations, unmet %
    "same-slot": (135, 0.10, 2000, 0.05),
    "late": (143, 0.20, 1600, 0.28),
}
MOVES_PER_VM = 6
LINE = "{:<9} {:<10} {:>7} {:>9} {:>7} {:>7} {:>5} {:>8} {:>9} {:>7}"


def folder(variable, pattern):
    if os.environ.get(variable):
        return pathlib.Path(os.environ[variable])
    found = sorted(glob.glob(str(ROOT.parent / "*" / pattern)))
    return pathlib.Path(found[0]) if found else None


def simulate(ballast, trace, information, policy):
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as scenario:
        scenario.write(f"[scenario]\nbase = planetlab\n[policy]\ninformation = {information}\n")
        scenario.flush()
        command = [ballast, "simulate", "--trace", trace, "--scenario", scenario.name, "--policy", policy, "--json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peers(peers):
    table = peers / "results" / "cloudsim-planetlab-kept-open.csv" if peers else None
    if not table or not table.exists():
        print("\n(no peers' figures found)")
        return
    print(f"\npeers with every VM kept all day ({table.name}):")
    with open(table, newline="") as lines:
        for row in csv.reader(lines):
            print("  " + "  ".join(f"{cell:>12}" for cell in row))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ballast", default=str(ROOT / "build/src/command/ballast"))
    parser.add_argument("--policy", default="ballast")
    options = parser.parse_args()
    traces = folder("BALLAST_TRACES", "traces/open")
    if not traces:
        sys.exit("no traces: set BALLAST_TRACES to the folder that has planetlab-20110303.csv.xz")
    print(LINE.format("day", "knows", "kWh", "ESV 1e-3", "moves", "unmet%", "most", "back 1h", "score", "wall s"))
    for information, target in TARGET.items():
        for day in DAYS:
            trace = traces / f"planetlab-{day}.csv.xz"
            if not trace.exists():
                print(f"{day:<9} skipped: no {trace.name}")
                continue
            r = simulate(options.ballast, str(trace), information, options.policy)
            print(LINE.format(day, information, f"{r['energy_kwh']:.1f}", f"{r['esv'] * 1e3:.3f}", r["migrations"],
                              f"{r['unmet_pct']:.3f}", r["migrations_per_vm_max"], r["returns_1h"],
                              f"{r['score']:.6f}", f"{r['elapsed_s']:.2f}"), flush=True)
        print(LINE.format("target", "20110303", f"{target[0]}", f"{target[1]:.2f}", target[2], f"{target[3]:.2f}",
                          MOVES_PER_VM, 0, "", "2.00"))
    print_peers(folder("BALLAST_PEERS", "peers"))


if __name__ == "__main__":
    main()
