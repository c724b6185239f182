"""What the experiments on the lab measured, kept as CSV, and how docs/evaluation.md shows it.

A measurement needs root, guests and a quiet machine, so the page is made from what was kept:
docs/evaluation/shortage.csv (bench/shortage.py) and docs/evaluation/cache_keep.csv (bench/cache_keep.py).
"""
import argparse
import csv
import os
import statistics
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "evaluation"
SHORTAGE = FOLDER / "shortage.csv"
ABLE_LEAST = 0.5
CACHE_KEEP = FOLDER / "cache_keep.csv"


class Figures:
    """Rows of one CSV; "series" and "run" name where a row belongs."""

    def __init__(self, path):
        self.path, self.rows = path, []
        if path.exists():
            with open(path, newline="", encoding="utf-8") as file:
                self.rows = list(csv.DictReader(file))

    def drop(self, names):
        self.rows = [r for r in self.rows if r["series"] not in names]

    def next_run(self, name):
        return 1 + max((int(r["run"]) for r in self.rows if r["series"] == name), default=0)

    def add(self, **row):
        self.rows.append({k: str(v) for k, v in row.items()})

    def save(self):
        part = self.path.with_suffix(".part")
        with open(part, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(self.rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(sorted(self.rows, key=lambda r: r["series"]))
        os.replace(part, self.path)


class Meter:
    """Counts what a guest does, per second in which the machine did not keep its vCPU waiting (vcpu.N.delay)."""

    def __init__(self, guest):
        self.guest = guest
        self.before = guest.stat(60)
        self.delay_ms = guest.vcpu_stats()["delay"]
        self.began = time.monotonic()

    def end(self, **facts):
        """{name: fact per second} of facts of the guest's stat; able_part of the time it could run; oom_kills."""
        after, ended = self.guest.stat(60), time.monotonic()
        able_s = ended - self.began - (self.guest.vcpu_stats()["delay"] - self.delay_ms) / 1000
        rates = {name: (after[fact] - self.before[fact]) / able_s for name, fact in facts.items()}
        return {**rates, "able_part": able_s / (ended - self.began),
                "oom_kills": after["oom_kills"] - self.before["oom_kills"]}


def cell(values, form="%.2f"):
    """Median (least to most)."""
    if not values:
        return "-"
    middle = form % statistics.median(values)
    return middle if len(values) == 1 else "%s (%s to %s)" % (middle, form % min(values), form % max(values))


def columns(figures, key, name):
    """{series: {value of key: [values of name, one a run]}}, in the order of the file.

    Where the machine kept a vCPU waiting for most of the time it kept QEMU's other threads waiting too, which the delay
    does not tell; such samples count only where there is no better one.
    """
    out = {}
    for row in figures.rows:
        better = [r for r in figures.rows if (r["series"], r[key]) == (row["series"], row[key])
                  and float(r["able_part"]) >= ABLE_LEAST]
        if row in better or not better:
            out.setdefault(row["series"], {}).setdefault(row[key], []).append(float(row[name]))
    return out


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


# -- the curve f

CURVE = ("uniform-zram", "skewed-zram", "uniform-disk", "skewed-disk")
CURVE_TEXT = {"uniform-zram": "uniform, swap in zram", "skewed-zram": "80/20, swap in zram",
              "uniform-disk": "uniform, swap on disk", "skewed-disk": "80/20, swap on disk",
              "bare-zram": "uniform, zram, bare touches"}


def curve(figures):
    """[(percent of what is needed, mean of the four medians)], of which decide/loss.c has its table."""
    parts = columns(figures, "percent", "part")
    percents = [p for p in next(iter(parts.values())) if p != "open"]
    return [(int(p), statistics.fmean(statistics.median(parts[s].get(p, [0.0])) for s in CURVE if s in parts))
            for p in percents]


def shortage(plot=None):
    figures = Figures(SHORTAGE)
    if not figures.rows:
        return "Not measured yet: `bench/shortage.py`.\n"
    parts, runs = columns(figures, "percent", "part"), columns(figures, "percent", "run")
    names = [s for s in CURVE_TEXT if s in parts]
    mean = curve(figures)
    rows = [[f"{p} %", f"{f:.2f}", *(cell(parts[s].get(str(p), [])) for s in names)] for p, f in mean]
    ops = {s: statistics.median(v["open"]) for s, v in columns(figures, "percent", "ops_s").items()}
    faults = columns(figures, "percent", "major_faults_s")
    short = {s: statistics.median(faults[s].get("90", [0.0])) for s in names}
    text = (
        "A guest of 256 MiB on the lab (emulated) holds 140 MiB and serves one request after the other: each takes a page "
        "of them, computes over it and changes it; uniformly, or 80 % of them in a fifth of the pages. The balloon leaves "
        "it a part of usedmem as measured with the balloon open. Throughput relative to the open balloon, median (least "
        f"to most) of {max(len(v['open']) for v in runs.values())} run(s), less the samples in which the machine was busy; f is the mean of the medians of the four "
        "kinds of guest that serve requests.\n\n")
    text += table(["left of usedmem", "f", *(CURVE_TEXT[s] for s in names)], rows)
    text += "\n" + table(["", *(CURVE_TEXT[s] for s in names)], [
        ["time of a request with the balloon open, us", *("%.3g" % (1e6 / ops[s]) for s in names)],
        ["major faults/s at 90 %", *("%.0f" % short[s] for s in names)],
        ["requests/s at 90 %", *("%.0f" % (ops[s] * statistics.median(parts[s].get("90", [0.0]))) for s in names)]])
    if plot:
        def draw(a):
            for s in names:
                points = [(int(p), statistics.median(v)) for p, v in parts[s].items() if p != "open"]
                a.plot(*zip(*points), marker=".", label=CURVE_TEXT[s], linewidth=1)
            a.plot(*zip(*mean), color="black", linewidth=2, label="f: mean of the first four")
            a.invert_xaxis()
            a.set_xlabel("balloon, percent of what the guest needs (usedmem)")
            a.set_ylabel("throughput")
            a.legend(fontsize=8)
        text += plot("shortage", "throughput against shortage of memory", draw)
    return text


# -- the page cache

KEEP_TEXT = {"fits": "file smaller than the cache", "exceeds": "file larger than the cache"}


def answer(part, cached, faults, reads):
    """How much buffer cache to keep, in figures of the table."""
    def kept(keep):
        return " and ".join("%.2f" % statistics.median(part[s][keep]) for s in KEEP_TEXT if s in part)
    again = max(1000 * statistics.median(f / r for f, r in zip(faults[s]["50 again"], reads[s]["50 again"]))
                for s in part)
    left = min(statistics.median(c["50 again"]) for c in cached.values())
    return (
        f"**How much buffer cache to keep?** Cache in use is memory in use: a guest that lives on its files keeps {kept('100')} "
        f"of its throughput with cache_keep 100 %, {kept('75')} with 75 %, {kept('50')} with 50 %, {kept('0')} with none: "
        "about what the same MiB of its other memory would cost it (the curve above). Cache that nobody reads "
        "costs nothing to take, and `usable` and `disk_caches` do not tell the two apart. So the default stays at 50 %, "
        "half-way between the two, and a host of file servers should be set to 100 % (`cache_keep_permille = 1000`). That is for taking once: a "
        f"manager that is short for long applies it to what is left, and after six times {left:.0f} MiB of cache were left and "
        f"{again:.0f} of 1000 requests went to the disk. So ballastd heeds major faults that are not swap: where a guest reads its files from disk again and again, all its cache counts as used ([design](design.md#the-memory-manager)).\n")


def cache_keep(plot=None):
    figures = Figures(CACHE_KEEP)
    if not figures.rows:
        return "Not measured yet: `bench/cache_keep.py`.\n"
    names = [s for s in KEEP_TEXT if any(r["series"] == s for r in figures.rows)]
    part, faults, refaults, cached, balloon, reads = (columns(figures, "keep", c) for c in (
        "part", "major_faults_s", "refaults_s", "cached_mib", "balloon_mib", "reads_s"))
    keeps = ["open", "100", "75", "50", "25", "0", "50 again"]
    rows = []
    for s in names:
        for k in keeps:
            per_request = [1000 * f / r for f, r in zip(faults[s][k], reads[s][k])]
            rows.append([KEEP_TEXT[s], k if not k.isdigit() else k + " %", cell(balloon[s][k], "%.0f"),
                         cell(cached[s][k], "%.0f"), cell(part[s][k]), cell(faults[s][k], "%.0f"),
                         cell(refaults[s][k], "%.0f"), cell(per_request, "%.0f")])
    runs = max(len(v) for s in part.values() for v in s.values())
    text = (
        "A guest of 256 MiB on the lab (emulated) holds 60 MiB and serves one request after the other: each reads a page of "
        "a file through the page cache and computes over it, 80 % of them in a fifth of the file. The balloon is set to "
        "usedmem with the given cache_keep, of the figures with the balloon open. \"50 again\": the formula with 50 % "
        f"applied six times, every 3 s. Median (least to most) of {runs} run(s).\n\n")
    text += table(["", "cache_keep", "balloon, MiB", "cache then, MiB", "throughput", "major faults/s", "refaults/s",
                   "faults of 1000 requests"], rows)
    text += "\n" + answer(part, cached, faults, reads)
    if plot:
        def draw(a):
            for s in names:
                points = [(int(k), statistics.median(v)) for k, v in part[s].items() if k.isdigit()]
                a.plot(*zip(*points), marker="o", label=KEEP_TEXT[s])
            a.set_xlabel("cache_keep, percent")
            a.set_ylabel("throughput")
            a.set_ylim(bottom=0)
            a.legend(fontsize=8)
        text += plot("cache_keep", "throughput against the part of the cache that is kept", draw)
    return text


def experiment(about, series, path, measure, page):
    """The command of one experiment: measure(host, name, run, figures) for each series, kept after each run."""
    from ballast_lab import Lab  # needs root's tools; evaluation.py reads this file without them
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default=",".join(series))
    parser.add_argument("--again", action="store_true", help="forget what was measured of these series before")
    parser.add_argument("--tag", help="tag of the lab")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        return print("\n".join(series))
    names = [n for n in options.only.split(",") if n]
    if unknown := [n for n in names if n not in series]:
        parser.error(f"no series {unknown[0]}; --list shows them")
    os.nice(-10)  # the guest inherits it: what else the machine does costs it little
    figures = Figures(path)
    if options.again:
        figures.drop(names)
    with Lab(hosts=1, mem_mib=4096, cpu_percent=0, tag=options.tag) as lab:
        for name in names:
            for _ in range(options.runs):
                measure(lab.hosts[0], name, figures.next_run(name), figures)
                if figures.rows:
                    figures.save()
    return print(page())
