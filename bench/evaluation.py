#!/usr/bin/env python3
"""Every figure and plot of docs/evaluation.md, measured anew.

  evaluation.py [--ballast build/src/command/ballast] [--only NAME,...] [--jobs N] [--list]

Writes docs/evaluation.md and docs/evaluation/*.svg; with --only the named sections of it, the others stay as they are. Real traces are looked for in the folder
BALLAST_TRACES, else in ../*/traces/open beside the project; where there are none, their sections say so. Equal code and
traces give equal files. The sections of real guests show what bench/shortage.py and bench/cache_keep.py measured.
"""
import argparse
import concurrent.futures
import csv
import glob
import json
import os
import random
import subprocess
import sys
import tempfile
import time

import lab_figures
import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "ballast", "svg.fonttype": "path", "font.size": 10,
                            "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
                            "grid.alpha": 0.25, "legend.frameon": False})
import matplotlib.pyplot as plt  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PLOTS = os.path.join(ROOT, "docs", "evaluation")
SECTIONS = []
COLOR = {"none": "#888888", "ballast": "#0b5fa5", "ballast-immediate": "#48a0dc", "ballast-longterm": "#0c8f6f",
         "drs": "#d9730d", "sandpiper": "#b03060", "lr-mmt": "#7a5195"}
MARK = {"none": "x", "ballast": "o", "ballast-immediate": "^", "ballast-longterm": "v", "drs": "s", "sandpiper": "D",
        "lr-mmt": "P"}


def section(title):
    def keep(function):
        SECTIONS.append((function.__name__, title, function))
        return function
    return keep


def traces_folder():
    if os.environ.get("BALLAST_TRACES"):
        return os.environ["BALLAST_TRACES"]
    found = sorted(glob.glob(os.path.join(ROOT, "..", "*", "traces", "open")))
    return found[0] if found else None


class Lab:
    """Runs simulations, several at a time; equal ones once."""

    def __init__(self, ballast, folder, jobs):
        self.ballast, self.folder = ballast, folder
        self.pool = concurrent.futures.ThreadPoolExecutor(jobs)
        self.done, self.traces = {}, {}

    def generated(self, vms, hours, seed=1):
        key = "g%dx%gs%d" % (vms, hours, seed)
        if key not in self.traces:
            base = os.path.join(self.folder, key)
            subprocess.run([self.ballast, "generate", "--vms", str(vms), "--hours", str(hours), "--seed", str(seed),
                            "--output", base], check=True, stdout=subprocess.DEVNULL)
            self.traces[key] = base + ".vms.csv"
        return self.traces[key]

    def run(self, trace, policy, base="bitbrains", hours=0, information=None, vms=False, timeline=False, **knobs):
        """A future of the result. knobs: section_key = value; hosts = number of hosts as the base has them."""
        lines = ["[scenario]", "base = " + base, "name = %s" % base]
        if "hosts" in knobs:
            lines += ["[host]", "count = %d" % knobs.pop("hosts")]
        for key, value in sorted(knobs.items()):
            part, _, name = key.partition("_")
            lines += ["[%s]" % part, "%s = %s" % (name, value)]
        text = "\n".join(lines) + "\n"
        key = (trace, policy, hours, information, vms, timeline, text)
        if key not in self.done:
            self.done[key] = self.pool.submit(self.simulate, len(self.done), *key)
        return self.done[key]

    def simulate(self, number, trace, policy, hours, information, vms, timeline, text):
        path = os.path.join(self.folder, "run%d" % number)
        with open(path + ".ini", "w", encoding="utf-8") as file:
            file.write(text)
        command = [self.ballast, "simulate", "--trace", trace, "--scenario", path + ".ini", "--policy", policy, "--json"]
        command += ["--hours", str(hours)] if hours else []
        command += ["--information", information] if information else []
        command += ["--vms", path + ".vms.csv"] if vms else []
        command += ["--timeline", path + ".csv"] if timeline else []
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        result = json.loads(done.stdout)
        for name, suffix, wanted in (("per_vm", ".vms.csv", vms), ("per_slot", ".csv", timeline)):
            if wanted:
                with open(path + suffix, encoding="utf-8") as file:
                    result[name] = list(csv.DictReader(file))
        return result


def number(value):
    """Short and the same everywhere: three or four significant digits."""
    if isinstance(value, str):
        return value
    if value == 0:
        return "0"
    if isinstance(value, int) or abs(value) >= 1000:
        return "{:,.0f}".format(value)
    return "%.3g" % value


def table(head, rows):
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    out += ["| " + " | ".join(number(v) for v in row) + " |" for row in rows]
    return "\n".join(out) + "\n"


def plot(name, caption, draw, size=(7.2, 3.6), columns=1):
    figure, axes = plt.subplots(1, columns, figsize=size, layout="constrained")
    draw(axes)
    os.makedirs(PLOTS, exist_ok=True)
    figure.savefig(os.path.join(PLOTS, name + ".svg"), metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return "\n![%s](evaluation/%s.svg)\n" % (caption, name)


def outcome(r):
    return [r["score"] if r["score"] < 0.9995 else "%.6f" % r["score"], r["lost_to_contention_vm_s"],
            r["lost_to_migration_vm_s"], r["migrations"], r["migrations_per_vm_max"], r["returns_1h"]]


OUTCOME = ["score", "lost to contention, VM-s", "to migration", "migrations", "most of one VM", "back within 1 h"]
LOADS = [28, 12, 8, 6, 5]
ALL = ["none", "ballast", "ballast-immediate", "ballast-longterm", "drs", "sandpiper"]
LOAD_HOURS = 12
SMALL = {"host_cores": 8, "host_mem_mib": 65536}  # half a host, so that half the VMs fill as many


@section("Decentralised, centralised, or both")
def loops(lab):
    trace = lab.generated(200, 24)
    runs = {(n, p): lab.run(trace, p, hours=LOAD_HOURS, hosts=n, timeline=True, **SMALL) for n in LOADS for p in ALL}
    runs = {k: f.result() for k, f in runs.items()}
    load = {n: max(float(s["cpu_demand_cores"]) for s in runs[n, "none"]["per_slot"]) / (8 * n) for n in LOADS}

    def draw(a):
        for p in ALL:
            a.plot([100 * load[n] for n in LOADS], [max(runs[n, p]["lost_vm_s"], 0.5) for n in LOADS],
                   color=COLOR[p], marker=MARK[p], label=p)
        a.set(xlabel="highest demand of the cluster in the half day, % of its cores", ylabel="lost VM-seconds",
              yscale="log")
        a.axvline(100, color="#999999", linewidth=1, linestyle=":")
        a.legend(ncols=2, fontsize=8)

    text = ("200 generated VMs, %d hours, on fewer and fewer hosts of 8 cores and 64 GiB: from a cluster with room to "
            "one that is overloaded as a whole. Peak is the highest demand of a slot in percent of all cores. "
            "`ballast-immediate` is the decentralised half alone (a loop on each host, every 10 s while something is "
            "wrong there), `ballast-longterm` the central one alone (a plan every 300 s), `ballast` both.\n\n" % LOAD_HOURS)
    rows = [[n, "%.0f %%" % (100 * load[n]), p, *outcome(runs[n, p]), runs[n, p]["mem_short_mib_h"]]
            for n in LOADS for p in ALL]
    text += table(["hosts", "peak", "policy", *OUTCOME, "memory short, MiB-h"], rows)
    best = {n: min(ALL[1:], key=lambda p: runs[n, p]["lost_vm_s"]) for n in LOADS}
    text += "\nLeast loss of all: " + ", ".join("%d hosts: `%s`" % (n, best[n]) for n in LOADS) + ".\n"
    bad = [(n, p) for n in LOADS for p in ALL if runs[n, p]["mem_short_mib_h"] > 0]
    if bad:
        text += ("\nMemory was short under %s, where other policies left none short: plans that relieve the CPU fill "
                 "memory up to its bound.\n" % ", ".join("`%s` on %d hosts" % (p, n) for n, p in bad))
    return text + plot("loops", "loss against load, by policy", draw)


def seconds_trace(lab, vms, hours, seed):
    """VMs of 4 vCPUs whose demand changes by the second: low, with bursts of 5 s to an hour, short ones most often."""
    name = os.path.join(lab.folder, "seconds")
    r = random.Random(seed)
    end = int(hours * 3600)
    if not os.path.exists(name + ".vms.csv"):
        with open(name + ".usage.csv", "w", encoding="utf-8") as file:
            file.write("vm,interval,cpu_pct,mem_mb\n")
            for v in range(vms):
                t, busy, low, gap = 0, False, r.uniform(5, 25), r.uniform(60, 900)
                while t < end:
                    level = min(100.0, low * r.uniform(0.7, 1.3)) if not busy else r.uniform(70, 100)
                    file.write("v%d,%d,%.1f,%d\n" % (v, t, level, 1500))
                    t += int(min(3600, 5 * r.paretovariate(0.7))) if busy else int(r.expovariate(1 / gap)) + 10
                    busy = not busy
        with open(name + ".vms.csv", "w", encoding="utf-8") as file:
            file.write("vm,vcpus,cap_mhz,mem_mb,first,last\n")
            for v in range(vms):
                file.write("v%d,4,10400,4096,0,%d\n" % (v, end - 1))
    return name + ".vms.csv"


SECONDS_HOSTS, SECONDS_HOURS = 5, 2
PERIODS = [10, 30, 60, 120, 300, 600, 1800]


@section("Is five minutes too long?")
def period(lab):
    trace = seconds_trace(lab, 48, SECONDS_HOURS, 7)
    base = {"hosts": SECONDS_HOSTS, "world_slot_s": 1}
    runs = {}
    for s in PERIODS:
        runs["ballast-longterm", s] = lab.run(trace, "ballast-longterm", policy_longterm_s=s, **base)
        runs["drs", s] = lab.run(trace, "drs", policy_longterm_s=s, **base)
        runs["ballast-immediate", s] = lab.run(trace, "ballast-immediate", policy_sample_s=s, **base)
    fixed = {p: lab.run(trace, p, **base) for p in ("none", "ballast")}
    runs = {k: f.result() for k, f in runs.items()}
    fixed = {k: f.result() for k, f in fixed.items()}
    names = ["ballast-longterm", "drs", "ballast-immediate"]
    label = {"ballast-longterm": "plan every ... (ballast-longterm)", "drs": "drs every ...",
             "ballast-immediate": "rent-or-buy, looking every ..."}

    def draw(axes):
        for a, key, what in ((axes[0], "lost_vm_s", "lost VM-seconds in all"),
                             (axes[1], "lost_to_migration_vm_s", "of these, to migration")):
            for p in names:
                a.plot(PERIODS, [runs[p, s][key] for s in PERIODS], color=COLOR[p], marker=MARK[p], label=label[p])
            a.axhline(fixed["ballast"][key], color=COLOR["ballast"], linestyle="--", label="ballast (10 s and 300 s)")
            if key == "lost_vm_s":
                a.axhline(fixed["none"][key], color=COLOR["none"], linestyle=":", label="nothing done")
            a.set(xscale="log", xlabel="period, s", ylabel=what, ylim=(0, None))
            a.set_xticks(PERIODS, [str(s) for s in PERIODS], fontsize=8)
            a.minorticks_off()
        axes[0].legend(fontsize=7)

    rows = [["`%s`" % p, s, runs[p, s]["lost_vm_s"], runs[p, s]["lost_to_contention_vm_s"],
             runs[p, s]["lost_to_migration_vm_s"], runs[p, s]["migrations"], runs[p, s]["returns_1h"]]
            for p in names for s in PERIODS]
    rows += [["`%s`" % p, "-", f["lost_vm_s"], f["lost_to_contention_vm_s"], f["lost_to_migration_vm_s"],
              f["migrations"], f["returns_1h"]] for p, f in fixed.items()]
    text = ("48 VMs of 4 vCPUs on %d hosts of 16 cores for two hours, demand by the second: bursts to 70 to 100 %% that last 5 s "
            "to an hour (Pareto, exponent 0.7), 1 to 15 minutes apart on average, each VM in its own measure. The trace is made up by this script, the "
            "simulator runs it with `slot_s = 1`. The period is that of the central plan, of `drs`, or of the hosts' own "
            "loops; migrations are paid for as everywhere.\n\n" % SECONDS_HOSTS)
    text += table(["policy", "period, s", "lost, VM-s", "to contention", "to migration", "migrations", "back within 1 h"], rows)
    for p in names:
        best = min(PERIODS, key=lambda s: runs[p, s]["lost_vm_s"])
        text += ("\n`%s` loses least with %d s; with 300 s it loses %.2f times that, with 1800 s %.2f times.\n"
                 % (p, best, runs[p, 300]["lost_vm_s"] / max(runs[p, best]["lost_vm_s"], 1),
                    runs[p, 1800]["lost_vm_s"] / max(runs[p, best]["lost_vm_s"], 1)))
    return text + plot("period", "loss against the period of decisions", draw, size=(8.4, 3.6), columns=2)


@section("The price of earlier migrations")
def penalty(lab):
    trace = lab.generated(200, 24)
    second = seconds_trace(lab, 48, SECONDS_HOURS, 7)
    shapes = [("none", "no"), ("linear", "no"), ("quadratic", "no"), ("exponential", "no"), ("none", "yes"),
              ("quadratic", "yes")]
    runs = [(s, b, lab.run(trace, "ballast", hours=LOAD_HOURS, hosts=6, **SMALL, policy_penalty=s, policy_bars=b),
             lab.run(second, "ballast", hosts=SECONDS_HOSTS, world_slot_s=1, policy_penalty=s, policy_bars=b)) for s, b in shapes]
    rows = []
    for s, b, slow, fast in runs:
        for name, r in (("generated, 6 hosts", slow.result()), ("by the second", fast.result())):
            rows.append([s, b, name, r["lost_vm_s"], r["migrations"], r["migrations_per_vm_max"], r["returns_1h"]])
    rows.sort(key=lambda row: row[2])
    return ("A chain is one VM that moves again and again, ping-pong a return within the hour. With n the count of a VM's "
            "migrations, halved every hour, the price of the next is multiplied by 1 + n² (`quadratic`, what ballastd "
            "does), 1 + n, 2ⁿ or 1. The bars are apart from that: no return to a host within 65 minutes, no more than 6 "
            "migrations a day; the last row of each trace is ballastd as it is. Without bars the long-term balancer's own "
            "limit of 6 a day still holds.\n\n"
            + table(["shape", "bars", "trace", "lost, VM-s", "migrations", "most of one VM", "back within 1 h"], rows))


@section("What threshold reporting saves and costs")
def reports(lab):
    trace = lab.generated(200, 24)
    second = seconds_trace(lab, 48, SECONDS_HOURS, 7)
    parts = [0, 0.5, 1, 2, 4]
    runs = [(p, lab.run(trace, "ballast", hours=LOAD_HOURS, hosts=6, **SMALL, policy_report_part=p),
             lab.run(second, "ballast", hosts=SECONDS_HOSTS, world_slot_s=1, policy_report_part=p)) for p in parts]
    rows = []
    for p, slow, fast in runs:
        for name, r in (("generated, 6 hosts", slow.result()), ("by the second", fast.result())):
            rows.append([p, name, r["rows_sampled"], r["rows_reported"],
                         "%.1f %%" % (100 * r["rows_reported"] / r["rows_sampled"]), r["lost_vm_s"], r["migrations"]])
    rows.sort(key=lambda row: row[1])
    return ("A VM's row is written when a figure of it changed by more than a threshold (0.1 cores and 10 %, 32 MiB and 10 %), "
            "when the sum of its host drifted by 2 %, or after 300 s. `part` multiplies all thresholds but the 300 s: at 0 "
            "every change is told at once. The generated trace changes once in 300 s and every row is renewed then anyway, so it "
            "can show only what staleness within a slot does; the trace by the second shows both.\n\n"
            + table(["part", "trace", "measured rows", "written", "", "lost, VM-s", "migrations"], rows))


@section("What prediction brings")
def prediction(lab):
    trace = lab.generated(200, 24)
    second = seconds_trace(lab, 48, SECONDS_HOURS, 7)
    folder = traces_folder()
    cases = [("generated, 6 hosts", trace, {"hosts": 6, "hours": LOAD_HOURS, **SMALL}),
             ("by the second", second, {"hosts": SECONDS_HOSTS, "world_slot_s": 1})]
    if folder:
        cases.append(("planetlab 20110303", os.path.join(folder, "planetlab-20110303.csv.xz"), {"base": "planetlab"}))
    runs = [(name, h, lab.run(t, "ballast", policy_history=h, **dict(k))) for name, t, k in cases for h in ("yes", "no")]
    rows = []
    for name, h, f in runs:
        r = f.result()
        rows.append([name, h, r["lost_vm_s"], r["migrations"], r["returns_1h"], r["energy_kwh"]])
    text = ("`history = no` leaves the loops the present demand of each VM and the prior of `loss.h`, nothing of the last "
            "hour. How good the forecasts are by themselves (pinball loss and coverage against the last value and mean + "
            "z sigma) `bench/predict` prints.\n\n")
    by = {(row[0], row[1]): row for row in rows}
    text += "Loss with history / without: " + ", ".join(
        "%s %.2f" % (name, by[name, "yes"][2] / by[name, "no"][2]) for name, _, _ in cases) + (
        ". Above 1 the history made decisions worse on that trace.\n\n")
    return text + table(["trace", "history", "lost, VM-s", "migrations", "back within 1 h", "kWh"], rows)


@section("Consolidation on and off")
def consolidation(lab):
    trace = lab.generated(200, 24)
    folder = traces_folder()
    runs = [("generated, 28 hosts", c, lab.run(trace, "ballast", hosts=28, policy_consolidate=c, **SMALL)) for c in ("no", "yes")]
    if folder:
        day = os.path.join(folder, "planetlab-20110303.csv.xz")
        runs += [("planetlab 20110303", c, lab.run(day, "ballast", base="planetlab", policy_consolidate=c))
                 for c in ("no", "yes")]
    rows = []
    for name, c, f in runs:
        r = f.result()
        rows.append([name, c, r["energy_kwh"], r["hosts_used_mean"], r["lost_vm_s"], "%.6f" % r["score"], r["migrations"],
                     r["host_shutdowns"]])
    return table(["trace", "consolidate", "kWh", "hosts on, mean", "lost, VM-s", "score", "migrations", "host shutdowns"],
                 rows)


CLASSES = ["steady", "daily", "bursty", "batch", "idle"]


@section("Score by class of workload")
def classes(lab):
    trace = lab.generated(200, 24)
    runs = {(n, p): lab.run(trace, p, hours=LOAD_HOURS, hosts=n, vms=True, **SMALL) for n in (8, 6)
            for p in ("none", "ballast", "drs", "sandpiper")}
    rows = []
    for (n, p), f in runs.items():
        row = [n, p]
        for c in CLASSES:
            of = [v for v in f.result()["per_vm"] if v["vm"].startswith(c + "-")]
            lived, lost = (sum(float(v[k]) for v in of) for k in ("lived_vm_s", "lost_vm_s"))
            row.append("%.6f" % (1 - lost / lived))
        rows.append(row)
    return ("200 generated VMs, %d hours, hosts as above; 1 - lost / lived VM-seconds over the VMs of each class.\n\n" % LOAD_HOURS
            + table(["hosts", "policy", *CLASSES], rows))


def heavy_trace(lab, vms, hours, factor):
    """A generated trace whose VMs use factor times as much of their memory, at most 95 % of it."""
    source = lab.generated(vms, hours)[:-len(".vms.csv")]
    name = "%s-mem%g" % (source, factor)
    with open(source + ".vms.csv", encoding="utf-8") as file:
        text = file.read()
    with open(name + ".vms.csv", "w", encoding="utf-8") as file:
        file.write(text)
    size = {row["vm"]: float(row["mem_mb"]) for row in csv.DictReader(text.splitlines())}
    with open(source + ".usage.csv", encoding="utf-8") as file, open(name + ".usage.csv", "w", encoding="utf-8") as to:
        to.write(file.readline())
        for line in file:
            vm, interval, cpu, mem = line.rstrip("\n").split(",")
            to.write("%s,%s,%s,%.0f\n" % (vm, interval, cpu, min(0.95 * size[vm], factor * float(mem))))
    return name + ".vms.csv"


OVERCOMMIT = [1.0, 1.2, 1.4, 1.6, 1.8, 2.0]


@section("Memory overcommitment from 1.0 to 2.0")
def overcommitment(lab):
    trace = heavy_trace(lab, 100, 6, 9)
    cases = [("ballast", "yes"), ("ballast", "no"), ("drs", "no"), ("none", "no")]
    runs = {(o, p, b): lab.run(trace, p, world_overcommit=o, policy_ballooning=b) for o in OVERCOMMIT for p, b in cases}
    runs = {k: f.result() for k, f in runs.items()}
    used = sum(float(s["mem_used_mib"]) for s in lab.run(trace, "none", world_overcommit=1.0, policy_ballooning="no",
                                                       timeline=True).result()["per_slot"])
    configured = 0
    with open(trace, encoding="utf-8") as file:
        configured = sum(float(row["mem_mb"]) for row in csv.DictReader(file))

    def draw(axes):
        for (p, b), style in zip(cases, ("-", "--", "-", ":")):
            label = p + (" with ballooning" if b == "yes" else " without" if p == "ballast" else "")
            for a, key in ((axes[0], "lost_vm_s"), (axes[1], "guest_swap_gib")):
                a.plot(OVERCOMMIT, [runs[o, p, b][key] for o in OVERCOMMIT], color=COLOR[p], marker=MARK[p],
                       linestyle=style, label=label)
        axes[0].set(xlabel="configured memory / memory of the hosts", ylabel="lost VM-seconds", yscale="symlog")
        axes[1].set(xlabel="configured memory / memory of the hosts", ylabel="guests' swap, GiB", ylim=(0, None))
        axes[0].legend(fontsize=8)

    rows = [[o, p, b, r["n_hosts"] if "n_hosts" in r else r["hosts"], "%.6f" % r["score"], r["lost_vm_s"],
             r["guest_swap_gib"], r["mem_short_mib_h"], r["balloon_moved_gib"], r["migrations"]]
            for (o, p, b), r in runs.items()]
    text = ("100 generated VMs for 6 hours, their memory nine times what the generator says (at most 95 %% of what is "
            "configured), so that on average %.0f %% of configured memory is used. "
            "The simulated host swaps memory that guests do not use before any that they use, at no loss, which a real host cannot tell apart; so runs without ballooning are flattered here.\n\n"
            % (100 * used / 72 / configured))
    text += table(["overcommitment", "policy", "ballooning", "hosts", "score", "lost, VM-s", "guest swap, GiB",
                   "memory short, MiB-h", "balloons moved, GiB", "migrations"], rows)
    return text + plot("overcommitment", "loss and swap against overcommitment", draw, size=(8.4, 3.4), columns=2)


def stuck_trace(lab, name, vms):
    """VMs (vCPUs, configured MiB, used MiB, cores wanted at first, after half an hour), six hours."""
    base = os.path.join(lab.folder, name)
    with open(base + ".vms.csv", "w", encoding="utf-8") as file:
        file.write("vm,vcpus,cap_mhz,mem_mb,first,last\n")
        for v, (vcpus, mem, _, _, _) in enumerate(vms):
            file.write("v%d,%d,%d,%d,0,71\n" % (v, vcpus, vcpus * 2600, mem))
    with open(base + ".usage.csv", "w", encoding="utf-8") as file:
        file.write("vm,interval,cpu_pct,mem_mb\n")
        for v, (vcpus, _, used, at_first, later) in enumerate(vms):
            for slot, cores in ((0, at_first), (6, later)):
                file.write("v%d,%d,%.1f,%d\n" % (v, slot, 100 * cores / vcpus, used))
    return base + ".vms.csv"


@section("Underloaded, and still no destination")
def underloaded(lab):
    # Two VMs a host: the placement goes round the four hosts, then round again.
    memory = [(8, 65536, 61000, 1.6, 7.6 if v == 0 else 1.6) for v in range(4)]
    memory += [(8, 49152, 45000, 1.6, 7.6 if v == 0 else 1.6) for v in range(4)]
    cpu = [(8, 32768, 16000, 4, 7.6 if v == 0 else 4) for v in range(4)]
    cpu += [(8, 32768, 16000, 4, 7.6 if v == 0 else 4) for v in range(4)]
    cases = [("memory", stuck_trace(lab, "stuck-memory", memory)), ("CPU", stuck_trace(lab, "stuck-cpu", cpu))]
    runs = [(name, p, lab.run(t, p, hosts=4, host_cores=12)) for name, t in cases
            for p in ("none", "drs", "ballast-immediate", "ballast-longterm", "ballast")]
    rows = []
    for name, p, f in runs:
        r = f.result()
        rows.append([name, p, r["lost_vm_s"], r["migrations"], "%.6f" % r["score"], r["mem_short_mib_h"]])
    return ("Four hosts of 12 cores and 128 GiB with two VMs each. After half an hour both VMs of the first host want 7.6 cores. "
            "*memory*: the others want 1.6 cores each, so that the cluster is loaded to %.0f %% and every host has CPU to "
            "give; but each holds a VM that uses 60 GiB and one that uses 44, and no host has memory for a third, not even for the "
            "time of an exchange. *CPU*: memory is no concern, the others want 4 cores each, the cluster is loaded to %.0f %%; a host "
            "that took a VM of 7.6 beside its 8 would be as overloaded as the first, only an exchange of a VM of 7.6 for one of 4 "
            "helps.\n\n" % (100 * (2 * 7.6 + 6 * 1.6) / 48, 100 * (2 * 7.6 + 6 * 4) / 48)
            + table(["short of", "policy", "lost, VM-s", "migrations", "score", "memory short, MiB-h"], rows))


@section("Bitbrains: 80, 100, 130 and 160 % of configured memory")
def bitbrains(lab):
    folder = traces_folder()
    path = os.path.join(folder, "bitbrains-rnd-2013-7.vms.csv") if folder else ""
    if not os.path.exists(path):
        return "skipped: the Bitbrains trace is not here.\n"
    hours = 24
    runs = {}
    for percent in (80, 100, 130, 160):
        for p in ("none", "ballast", "drs", "sandpiper", "lr-mmt"):
            for b in ("yes", "no") if p == "ballast" else ("no",):
                runs[percent, p, b] = lab.run(path, p, base="bitbrains-%d" % percent, hours=hours, policy_ballooning=b)
    rows = []
    for (percent, p, b), f in runs.items():
        r = f.result()
        rows.append([percent, p, b, r["hosts"], "%.6f" % r["score"], r["lost_vm_s"], r["guest_swap_gib"],
                     r["mem_short_mib_h"], r["cpu_unmet_core_h"], r["migrations"], r["migrations_per_vm_max"],
                     r["returns_1h"]])
    text = ("The first %d hours of Bitbrains rnd 2013-7 (of 336; bounded to keep the evaluation short), 431 VMs; three that "
            "are larger than a host are left out. Ballooning is ballast's own; the yardsticks have none.\n\n" % hours)
    return text + table(["%", "policy", "ballooning", "hosts", "score", "lost, VM-s", "guest swap, GiB",
                         "memory short, MiB-h", "CPU unmet, core-h", "migrations", "most of one VM", "back within 1 h"], rows)


@section("PlanetLab")
def planetlab(lab):
    folder = traces_folder()
    rows = []
    for day in ("20110303", "20110325"):
        path = os.path.join(folder, "planetlab-%s.csv.xz" % day) if folder else ""
        if not os.path.exists(path):
            continue
        for p, i in (("lr-mmt", "same-slot"), ("ballast", "same-slot"), ("ballast", "late")):
            rows.append((day, p, i, lab.run(path, p, base="planetlab", information=i)))
        for p in ("drs", "sandpiper"):
            rows.append((day, p + ", packed", "same-slot", lab.run(path, p, base="planetlab", policy_packed_start="yes")))
    if not rows:
        return "skipped: the PlanetLab traces are not here.\n"
    out = []
    for day, p, i, f in rows:
        r = f.result()
        out.append([day, p, i, r["energy_kwh"], "%.3g" % (1e3 * r["esv"]), "%.2f" % (100 * r["slatah"]), r["unmet_pct"],
                    r["migrations"], r["migrations_per_vm_max"], r["returns_1h"], "%.6f" % r["score"]])
    text = ("The set-up of Beloglazov and Buyya (docs/simulation.md). `packed` starts where ballast's first packing leaves "
            "the VMs, as these two do not consolidate. SLATAH is the part of active host time with less given than asked; "
            "ESV, energy x SLATAH x PDM, is 0 for who packs once and never moves again, whatever the VMs then miss, so unmet work "
            "stands beside it.\n\n")
    text += table(["day", "policy", "information", "kWh", "ESV, 1e-3", "SLATAH, %", "CPU unmet, %", "migrations",
                   "most of one VM", "back within 1 h", "score"], out)
    goals = {"same-slot": (135, 0.10, 2000, 0.05), "late": (143, 0.20, 1600, 0.28)}
    text += "\nAgainst the goals for 20110303 (ballast / goal; at most 1 is reached):\n\n"
    lines = []
    for day, p, i, f in rows:
        if day == "20110303" and p == "ballast":
            r, g = f.result(), goals[i]
            lines.append([i] + ["%.2f" % (v / limit) for v, limit in
                                zip((r["energy_kwh"], 1e3 * r["esv"], r["migrations"], r["unmet_pct"]), g)])
    return text + table(["information", "energy", "ESV", "migrations", "unmet"], lines)


def describe(path_base, rows):
    """Statistics of a long trace, each sample counted for as long as it holds."""
    opener = ["xz", "-dc", path_base + ".usage.csv.xz"] if os.path.exists(path_base + ".usage.csv.xz") else \
        ["cat", path_base + ".usage.csv"]
    with open(path_base + ".vms.csv", encoding="utf-8") as file:
        last = {row["vm"]: int(row["last"]) for row in csv.DictReader(file)}
    usage = subprocess.run(opener, check=True, capture_output=True, text=True).stdout
    held, series = {}, {}
    for row in csv.reader(usage.splitlines()[1:]):
        vm, slot, cpu = row[0], int(row[1]), min(100.0, float(row[2]))
        series.setdefault(vm, []).append((slot, cpu))
    r1, means, total = [], [], 0
    for vm, points in series.items():
        ends = [p[0] for p in points[1:]] + [last[vm] + 1]
        dense = []
        for (slot, cpu), end in zip(points, ends):
            n = max(0, end - slot)
            held[round(cpu, 1)] = held.get(round(cpu, 1), 0) + n
            dense += [cpu] * n
        total += len(dense)
        mean = sum(dense) / len(dense)
        means.append(mean)
        var = sum((x - mean) ** 2 for x in dense)
        if var > 1e-9:
            r1.append(sum((a - mean) * (b - mean) for a, b in zip(dense, dense[1:])) / var)
    mean = sum(v * n for v, n in held.items()) / total
    sd = (sum((v - mean) ** 2 * n for v, n in held.items()) / total) ** 0.5
    out, seen, wanted = [mean, sd], 0, [0.5, 0.9, 0.95, 0.99]
    for v in sorted(held):
        seen += held[v]
        while wanted and seen >= wanted[0] * total:
            out.append(v)
            wanted.pop(0)
    above = sum(n for v, n in held.items() if v > 90) / total
    means.sort()
    return out + [100 * above] + [means[int(q * (len(means) - 1))] for q in (0.1, 0.5, 0.9)] + [sum(r1) / len(r1)]


@section("Fit of the generator")
def fit(lab):
    names = ["mean, %", "standard deviation", "50 % of samples at most", "90 %", "95 %", "99 %", "samples above 90 %, %",
             "VM means, lowest tenth", "middle", "highest tenth", "autocorrelation at one slot, mean"]
    generated = describe(lab.generated(434, 336)[:-len(".vms.csv")], None)
    folder = traces_folder()
    real = None
    if folder and os.path.exists(os.path.join(folder, "bitbrains-rnd-2013-7.vms.csv")):
        real = describe(os.path.join(folder, "bitbrains-rnd-2013-7"), None)
    rows = [[n, "%.3g" % g, "%.3g" % real[k] if real else "skipped"] for k, (n, g) in enumerate(zip(names, generated))]
    return ("CPU of 434 VMs over 14 days, seed 1, beside Bitbrains rnd 2013-7, in percent of each VM's capacity.\n\n"
            + table(["", "generated", "real"], rows))


# What real guests on the lab did is measured by scripts of its own and kept; here it is only shown.


@section("A guest that has less memory than it needs")
def shortage(_):
    return lab_figures.shortage(plot)


@section("How much buffer cache to keep")
def cache_keep(_):
    return lab_figures.cache_keep(plot)


HEAD = """# Evaluation

What the balancer is worth, in figures. `make evaluation` writes this page and its plots; nothing here is typed by hand. Lost
VM-seconds are the currency: a VM that gets half of what it wants for two seconds has lost one. [The simulator](simulation.md)
says what its world is like, and what of reality is not in it. Under each title is the command
that measures that section alone.

"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ballast", default=os.path.join(ROOT, "build", "src", "command", "ballast"))
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        print("\n".join("%-16s %s" % (name, title) for name, title, _ in SECTIONS))
        return
    only = [n for n in options.only.split(",") if n]
    unknown = [n for n in only if n not in [s[0] for s in SECTIONS]]
    if unknown:
        sys.exit("no such section: %s; --list shows them" % ", ".join(unknown))
    page = os.path.join(ROOT, "docs", "evaluation.md")
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(options.ballast, folder, options.jobs)
        for name, title, function in SECTIONS:
            if only and name not in only:
                continue
            started = time.monotonic()
            body = function(lab)
            print("%-16s %.0f s" % (name, time.monotonic() - started), file=sys.stderr, flush=True)
            write(page, {title: "\n`bench/evaluation.py --only %s`\n\n%s" % (name, body)})


def write(page, new):
    """Puts new sections into the page, in the order of this file; what was never measured says so."""
    old = {}
    if os.path.exists(page):
        with open(page, encoding="utf-8") as file:
            for part in file.read().split("\n## ")[1:]:
                title, _, body = part.partition("\n")
                old[title] = body
    text = HEAD.rstrip("\n") + "\n"
    for name, title, _ in SECTIONS:
        body = new.get(title, old.get(title, "\nNot measured yet: `bench/evaluation.py --only %s`.\n" % name))
        text += "\n## %s\n%s\n" % (title, body.rstrip("\n"))
    with open(page + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(page + ".new", page)


if __name__ == "__main__":
    main()
