"""What the sections of bench/evaluation.py share: running simulations, tables, plots."""
import concurrent.futures
import csv
import glob
import json
import os
import subprocess

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


def mean(values):
    return sum(values) / len(values)


LOADS = [28, 12, 8, 6, 5]
ALL = ["none", "ballast", "ballast-immediate", "ballast-longterm", "drs", "sandpiper"]
LOAD_HOURS = 12
SEEDS = [1, 2, 3]
SMALL = {"host_cores": 8, "host_mem_mib": 65536}  # half a host, so that half the VMs fill as many
