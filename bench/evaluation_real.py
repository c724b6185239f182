"""Sections of bench/evaluation.py about recorded traces and real guests."""
import csv
import os
import subprocess

import lab_figures
from evaluation_lab import plot, section, table, traces_folder


@section("Bitbrains: 80, 100, 130 and 160 % of configured memory")
def bitbrains(lab):
    folder = traces_folder()
    path = os.path.join(folder, "bitbrains-rnd-2013-7.vms.csv") if folder else ""
    if not os.path.exists(path):
        return "skipped: the Bitbrains trace is not here.\n"
    runs = {}
    for percent in (80, 100, 130, 160):
        for p in ("none", "ballast", "drs", "sandpiper", "lr-mmt"):
            for b in ("yes", "no") if p == "ballast" else ("no",):
                runs[percent, p, b] = lab.run(path, p, base="bitbrains-%d" % percent, policy_ballooning=b)
    rows = []
    for (percent, p, b), f in runs.items():
        r = f.result()
        rows.append([percent, p, b, r["hosts"], "%.6f" % r["score"], r["lost_vm_s"], r["guest_swap_gib"],
                     r["mem_short_mib_h"], r["cpu_unmet_core_h"], r["migrations"], r["migrations_per_vm_max"],
                     r["returns_1h"]])
    text = ("Bitbrains rnd 2013-7, all 14 days, 431 VMs; three that are larger than a host are left out. Ballooning is "
            "ballast's own; the yardsticks have none.\n\n")
    return text + table(["%", "policy", "ballooning", "hosts", "score", "lost, VM-s", "guest swap, GiB",
                         "memory short, MiB-h", "CPU unmet, core-h", "migrations", "most of one VM", "back within 1 h"], rows)


DAYS = ("20110303", "20110306", "20110309", "20110325")
GOALS = {"same-slot": (135, 0.10, 2000, 0.05), "late": (143, 0.20, 1600, 0.28)}
VM_MIPS = (2500, 2000, 1000, 500)  # of the quarters of the file
BEST_HOST = (2 * 2660, 135)        # MIPS and watts of an ML110 G5 at full load


def least_kwh(path):
    """Energy if in every slot all demand could be cut to pieces that fill ML110 G5 hosts to the brim."""
    text = subprocess.run(["xz", "-dc", path], check=True, capture_output=True, text=True).stdout
    rows = list(csv.reader(text.splitlines()))[1:]
    quarter = -(-len(rows) // 4)
    work = sum(VM_MIPS[i // quarter] * float(pct) / 100 for i, row in enumerate(rows) for pct in row[2:] if pct)
    return work * 300 / BEST_HOST[0] * BEST_HOST[1] / 3.6e6


@section("PlanetLab")
def planetlab(lab):
    folder = traces_folder()
    runs, least = [], {}
    for day in DAYS:
        path = os.path.join(folder, "planetlab-%s.csv.xz" % day) if folder else ""
        if not os.path.exists(path):
            continue
        least[day] = least_kwh(path)
        for information in GOALS:
            runs.append((day, "ballast", information, lab.run(path, "ballast", base="planetlab", information=information)))
            for p in ("none", "drs", "sandpiper", "lr-mmt"):
                runs.append((day, p + ", packed", information, lab.run(path, p, base="planetlab", information=information,
                                                                       policy_packed_start="yes")))
        runs.append((day, "lr-mmt", "same-slot", lab.run(path, "lr-mmt", base="planetlab", information="same-slot")))
    if not runs:
        return "skipped: the PlanetLab traces are not here.\n"
    runs = [(day, p, i, f.result()) for day, p, i, f in runs]
    rows = [[day, p, i, r["energy_kwh"], "%.3g" % (1e3 * r["esv"]), "%.2f" % (100 * r["slatah"]), r["unmet_pct"],
             r["migrations"], r["migrations_per_vm_max"], r["returns_1h"], "%.6f" % r["score"]]
            for day, p, i, r in runs]
    text = ("The set-up of Beloglazov and Buyya (docs/simulation.md). `packed` starts where ballast's first packing leaves "
            "the VMs; `none` then stays there, `drs` and `sandpiper` do not consolidate. SLATAH is the part of active host "
            "time with less given than asked; ESV, energy x SLATAH x PDM, is 0 for who packs once and never moves again, "
            "whatever the VMs then miss, so unmet work stands beside it.\n\n")
    text += table(["day", "policy", "information", "kWh", "ESV, 1e-3", "SLATAH, %", "CPU unmet, %", "migrations",
                   "most of one VM", "back within 1 h", "score"], rows)
    text += ("\nAgainst the goals, which are those of 20110303 (ballast / goal; at most 1 is reached), and the least energy "
             "there can be, all demand in pieces on full ML110 G5:\n\n")
    lines = []
    for day, p, i, r in runs:
        if p == "ballast":
            values = (r["energy_kwh"], 1e3 * r["esv"], r["migrations"], r["unmet_pct"])
            lines.append([day, i, *("%.2f" % (v / limit) for v, limit in zip(values, GOALS[i])),
                          "%.1f kWh" % least[day], "%.2f" % (r["energy_kwh"] / least[day])])
    return text + table(["day", "information", "energy", "ESV", "migrations", "unmet", "least energy", "energy / least"], lines)


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
