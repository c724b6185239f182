"""Sections of bench/evaluation.py about the loops: which of them, how often, on what they decide."""
import os
import random

from evaluation_lab import (ALL, COLOR, LOAD_HOURS, LOADS, MARK, SEEDS, SMALL, mean, number, plot, section, table,
                            traces_folder)


@section("Decentralised, centralised, or both")
def loops(lab):
    runs = {(n, p, s): lab.run(lab.generated(200, 24, s), p, hours=LOAD_HOURS, hosts=n, timeline=p == "none", **SMALL)
            for n in LOADS for p in ALL for s in SEEDS}
    runs = {k: f.result() for k, f in runs.items()}
    load = {n: sum(max(float(slot["cpu_demand_cores"]) for slot in runs[n, "none", s]["per_slot"]) for s in SEEDS)
            / (8 * n * len(SEEDS)) for n in LOADS}
    lost = {(n, p): [runs[n, p, s]["lost_vm_s"] for s in SEEDS] for n in LOADS for p in ALL}

    def draw(a):
        for p in ALL:
            a.plot([100 * load[n] for n in LOADS], [max(mean(lost[n, p]), 0.5) for n in LOADS],
                   color=COLOR[p], marker=MARK[p], label=p)
        a.set(xlabel="highest demand of the cluster in the half day, % of its cores", ylabel="lost VM-seconds",
              yscale="log")
        a.axvline(100, color="#999999", linewidth=1, linestyle=":")
        a.legend(ncols=2, fontsize=8)

    text = ("200 generated VMs, %d hours, on fewer and fewer hosts of 8 cores and 64 GiB: from a cluster with room to "
            "one that is overloaded as a whole. Peak is the highest demand of a slot in percent of all cores. "
            "`ballast-immediate` is the decentralised half alone (a loop on each host, every 10 s while something is "
            "wrong there), `ballast-longterm` the central one alone (a plan every 300 s), `ballast` both.\n\n" % LOAD_HOURS)
    text += ("%d seeds of the generator; the figures are means over them, but for the loss of each seed, the most moves "
             "of one VM and what came back within the hour, which are the largest.\n\n" % len(SEEDS))
    rows = []
    for n in LOADS:
        for p in ALL:
            of = [runs[n, p, s] for s in SEEDS]
            rows.append([n, "%.0f %%" % (100 * load[n]), p, "%.6f" % mean([r["score"] for r in of]), mean(lost[n, p]),
                         " / ".join(number(v) for v in lost[n, p]), mean([r["lost_to_migration_vm_s"] for r in of]),
                         mean([r["migrations"] for r in of]), max(r["migrations_per_vm_max"] for r in of),
                         max(r["returns_1h"] for r in of), mean([r["mem_short_mib_h"] for r in of])])
    text += table(["hosts", "peak", "policy", "score", "lost, VM-s", "by seed", "to migration", "migrations",
                   "most of one VM", "back within 1 h", "memory short, MiB-h"], rows)
    best = {n: min(ALL[1:], key=lambda p: mean(lost[n, p])) for n in LOADS}
    text += "\nLeast loss of all: " + ", ".join("%d hosts: `%s`" % (n, best[n]) for n in LOADS) + ".\n"
    text += "\n`ballast` against the better of its halves and against `drs` (at most 1: no worse): " + ", ".join(
        "%d hosts: %.2f, %.2f" % (n, mean(lost[n, "ballast"]) / max(1, min(mean(lost[n, p]) for p in ALL[2:4])),
                                  mean(lost[n, "ballast"]) / max(1, mean(lost[n, "drs"]))) for n in LOADS) + ".\n"
    return text + plot("loops", "loss against load, by policy", draw)


def seconds_trace(lab, vms, hours, seed):
    """VMs of 4 vCPUs whose demand changes by the second: low, with bursts of 5 s to an hour, short ones most often."""
    name = os.path.join(lab.folder, "seconds%d" % seed)
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
SECONDS_SEEDS = [7, 8, 9, 10]
PERIODS = [10, 30, 60, 120, 300, 600, 1800]


def over_seeds(futures):
    """Means of what several runs give; returns are the largest."""
    of = [f.result() for f in futures]
    keys = ("lost_vm_s", "lost_to_contention_vm_s", "lost_to_migration_vm_s", "migrations")
    return {**{k: mean([r[k] for r in of]) for k in keys}, "returns_1h": max(r["returns_1h"] for r in of),
            "range": "%s to %s" % (number(min(r["lost_vm_s"] for r in of)), number(max(r["lost_vm_s"] for r in of)))}


@section("Is five minutes too long?")
def period(lab):
    base = {"hosts": SECONDS_HOSTS, "world_slot_s": 1}
    traces = [seconds_trace(lab, 48, SECONDS_HOURS, seed) for seed in SECONDS_SEEDS]
    cases = [(p, s, "policy_sample_s" if p == "ballast-immediate" else "policy_longterm_s")
             for p in ("ballast-longterm", "drs", "ballast-immediate") for s in PERIODS]
    runs = {(p, s): [lab.run(t, p, **{knob: s}, **base) for t in traces] for p, s, knob in cases}
    fixed = {p: [lab.run(t, p, **base) for t in traces] for p in ("none", "ballast")}
    free = over_seeds([lab.run(t, "ballast-longterm", policy_longterm_s=PERIODS[0], policy_bars="no", **base) for t in traces])
    runs = {k: over_seeds(f) for k, f in runs.items()}
    fixed = {k: over_seeds(f) for k, f in fixed.items()}
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

    rows = [["`%s`" % p, s, runs[p, s]["lost_vm_s"], runs[p, s]["range"], runs[p, s]["lost_to_contention_vm_s"],
             runs[p, s]["lost_to_migration_vm_s"], runs[p, s]["migrations"], runs[p, s]["returns_1h"]]
            for p in names for s in PERIODS]
    rows += [["`%s`" % p, "-", f["lost_vm_s"], f["range"], f["lost_to_contention_vm_s"], f["lost_to_migration_vm_s"],
              f["migrations"], f["returns_1h"]] for p, f in fixed.items()]
    text = ("48 VMs of 4 vCPUs on %d hosts of 16 cores for two hours, demand by the second: bursts to 70 to 100 %% that last 5 s "
            "to an hour (Pareto, exponent 0.7), 1 to 15 minutes apart on average, each VM in its own measure. The trace is made up by this script, the "
            "simulator runs it with `slot_s = 1`. The period is that of the central plan, of `drs`, or of the hosts' own "
            "loops; migrations are paid for as everywhere. Means over %d seeds.\n\n" % (SECONDS_HOSTS, len(SECONDS_SEEDS)))
    text += table(["policy", "period, s", "lost, VM-s", "of a seed", "to contention", "to migration", "migrations", "back within 1 h"], rows)
    barred = runs["ballast-longterm", PERIODS[0]]
    text += ("\nNo VM of ballast's returns to a host within the hour, whatever that would bring; with the periods of seconds "
             "that costs most. Without the bar `ballast-longterm` loses %s with %d s (%s with it; `drs` %s), and up to %d "
             "migrations of a run are returns.\n" % (number(free["lost_vm_s"]), PERIODS[0], number(barred["lost_vm_s"]),
                                                  number(runs["drs", PERIODS[0]]["lost_vm_s"]), free["returns_1h"]))
    for p in names:
        best = min(PERIODS, key=lambda s: runs[p, s]["lost_vm_s"])
        text += ("\n`%s` loses least with %d s; with 300 s it loses %.2f times that, with 1800 s %.2f times.\n"
                 % (p, best, runs[p, 300]["lost_vm_s"] / max(runs[p, best]["lost_vm_s"], 1),
                    runs[p, 1800]["lost_vm_s"] / max(runs[p, best]["lost_vm_s"], 1)))
    return text + plot("period", "loss against the period of decisions", draw, size=(8.4, 3.6), columns=2)


def on_both_traces(lab, cases, knobs):
    """(case, name of the trace, result) of ballast on the trace by the second, then on the generated one."""
    trace = lab.generated(200, 24)
    second = seconds_trace(lab, 48, SECONDS_HOURS, 7)
    runs = [(c, lab.run(second, "ballast", hosts=SECONDS_HOSTS, world_slot_s=1, **knobs(c)),
             lab.run(trace, "ballast", hours=LOAD_HOURS, hosts=6, **SMALL, **knobs(c))) for c in cases]
    return ([(c, "by the second", fast.result()) for c, fast, _ in runs]
            + [(c, "generated, 6 hosts", slow.result()) for c, _, slow in runs])


@section("The price of earlier migrations")
def penalty(lab):
    shapes = [("none", "no"), ("linear", "no"), ("quadratic", "no"), ("exponential", "no"), ("none", "yes"),
              ("quadratic", "yes")]
    rows = [[s, b, name, r["lost_vm_s"], r["migrations"], r["migrations_per_vm_max"], r["returns_1h"]]
            for (s, b), name, r in on_both_traces(lab, shapes, lambda c: {"policy_penalty": c[0], "policy_bars": c[1]})]
    return ("A chain is one VM that moves again and again, ping-pong a return within the hour. With n the count of a VM's "
            "migrations, halved every hour, the price of the next is multiplied by 1 + n² (`quadratic`, what ballastd "
            "does), 1 + n, 2ⁿ or 1. The bars are apart from that: no return to a host within 65 minutes, no more than 6 "
            "migrations a day unless the whole cluster was short within it; the last row of each trace is ballastd as it is. Without bars the long-term balancer's own "
            "limit of 6 a day still holds.\n\n"
            + table(["shape", "bars", "trace", "lost, VM-s", "migrations", "most of one VM", "back within 1 h"], rows))


@section("What threshold reporting saves and costs")
def reports(lab):
    rows = [[p, name, r["rows_sampled"], r["rows_reported"],
             "%.1f %%" % (100 * r["rows_reported"] / r["rows_sampled"]), r["lost_vm_s"], r["migrations"]]
            for p, name, r in on_both_traces(lab, [0, 0.5, 1, 2, 4], lambda p: {"policy_report_part": p})]
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
