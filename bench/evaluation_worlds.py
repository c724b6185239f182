"""Sections of bench/evaluation.py about kinds of clusters and workloads."""
import csv
import os

from evaluation_lab import COLOR, LOAD_HOURS, MARK, SMALL, plot, section, table, traces_folder


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
WAYS = {"yes": ("yes", "yes", "-"), "no": ("no", "yes", "--"), "no, host knows": ("no", "no", ":")}


@section("Memory overcommitment from 1.0 to 2.0")
def overcommitment(lab):
    trace = heavy_trace(lab, 200, 6, 12)
    cases = [("ballast", way) for way in WAYS] + [(p, way) for p in ("drs", "none") for way in ("yes", "no")]
    runs = {(o, p, way): lab.run(trace, p, world_overcommit=o, policy_ballooning=WAYS[way][0], world_swap_blind=WAYS[way][1])
            for o in OVERCOMMIT for p, way in cases}
    runs = {k: f.result() for k, f in runs.items()}
    used = sum(float(s["mem_used_mib"]) for s in lab.run(trace, "none", world_overcommit=1.0, policy_ballooning="no",
                                                       timeline=True).result()["per_slot"])
    configured = 0
    with open(trace, encoding="utf-8") as file:
        configured = sum(float(row["mem_mb"]) for row in csv.DictReader(file))

    def draw(axes):
        for a, key, what in ((axes[0], "lost_vm_s", "lost VM-seconds"), (axes[1], "mem_short_mib_h", "used memory missing, MiB-h")):
            for p, way in cases:
                label = p + {"yes": ", ballooning", "no": ", host swaps", "no, host knows": ", host swaps knowingly"}[way]
                a.plot(OVERCOMMIT, [runs[o, p, way][key] for o in OVERCOMMIT], color=COLOR[p], marker=MARK[p],
                       linestyle=WAYS[way][2], label=label)
            a.set_yscale("symlog", linthresh=1)
            a.set(xlabel="configured memory / memory of the hosts", ylabel=what, ylim=(0, None))
        figure = axes[0].figure
        figure.get_layout_engine().set(rect=(0, 0.12, 1, 0.88))  # the legend stands below
        figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=4, fontsize=7)

    rows = [[o, p, way, r["hosts"], "%.6f" % r["score"], r["lost_vm_s"], r["mem_short_mib_h"], r["guest_swap_gib"],
             r["balloon_moved_gib"], r["migrations"]] for (o, p, way), r in runs.items()]
    text = ("200 generated VMs for 6 hours, their memory twelve times what the generator says (at most 95 %% of what is "
            "configured), so that on average %.0f %% of configured memory is used; the rest fills with page cache at 0.25 MiB/s a "
            "VM. Without ballooning the host swaps what does not fit, blind to what its guests use ([the model]"
            "(simulation.md#the-world)); *host knows* is a host that swaps only what no guest uses as long as there is such "
            "memory, which none can: the bound of what can be had. The real host lies between the two.\n\n"
            % (100 * used / 72 / configured))
    text += table(["overcommitment", "policy", "ballooning", "hosts", "score", "lost, VM-s", "used memory missing, MiB-h",
                   "guest swap, GiB", "balloons moved, GiB", "migrations"], rows)
    most = [o for o in OVERCOMMIT if runs[o, "ballast", "no"]["lost_vm_s"] > 0]

    def ratios(p, way):
        return ", ".join("%g: %.3g" % (o, runs[o, "ballast", "yes"]["lost_vm_s"] / max(1, runs[o, p, way]["lost_vm_s"])) for o in most)

    text += "\nLoss of `ballast` with ballooning / without: " + ratios("ballast", "no") + ".\n"
    text += ("\nThe same / loss where only balloons move (`none`, ballooning): " + ratios("none", "yes") + ". Where balloons alone "
             "suffice its moves cost more than they bring: a squeeze that the balloons end within a minute is taken for a "
             "contention.\n")
    return text + plot("overcommitment", "loss and missing memory against overcommitment", draw, size=(8.4, 3.4), columns=2)


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
