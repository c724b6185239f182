#!/usr/bin/env python3
"""ballast plan against its peers, on the same snapshots in one run: ratios, one table per comparison.

  plan_peers.py [--ballast build/src/command/ballast] [--seeds N] [--hbal-seeds N] [--large] [--only NAME]

  hbal     --goal balance --mem-overcommit 1.0 with as many moves as hbal made: cpu_sd, mem_sd, hbal's own score of
           both plans, CPU seconds per move (20x200 uniform and --hetero; --large adds 100x1000, which takes hbal
           half an hour)
  optimum  --balance cpu --measure mad with K = 5 and 10 moves against the optimum that cbc proves (20x200)
  greedy   whole process with --max-moves 500 against a plain greedy in Python, 1,000x15,000 and 4,000x60,000, and the
           growth from 100x1,000 as an exponent

The peers run as external programs. They are looked for in the folder BALLAST_PEERS, else in ../*/peers beside the project.
"""
import argparse
import glob
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"


def peers_folder():
    if os.environ.get("BALLAST_PEERS"):
        return os.environ["BALLAST_PEERS"]
    found = sorted(glob.glob(os.path.join(HERE, "..", "..", "*", "peers", "gen_snapshot.py")))
    return os.path.dirname(found[0]) if found else None


def run(command, stdout=subprocess.PIPE):
    """Runs a command; returns its output, CPU seconds, wall seconds and peak memory in MiB."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.DEVNULL)
    out = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit("failed (%d): %s" % (process.returncode, " ".join(command)))
    return out, usage.ru_utime + usage.ru_stime, time.monotonic() - started, usage.ru_maxrss / 1024


class Bench:
    def __init__(self, ballast, peers, folder):
        self.ballast, self.peers, self.folder = ballast, peers, folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def peer(self, name):
        return [PYTHON, os.path.join(self.peers, name)]

    def snapshot(self, hosts, vms, seed, hetero=False):
        path = self.path("%s-%dx%d-s%d.json" % ("h" if hetero else "u", hosts, vms, seed))
        if not os.path.exists(path):
            with open(path, "wb") as file:
                command = self.peer("gen_snapshot.py")
                command += ["--hosts", str(hosts), "--vms", str(vms), "--seed", str(seed)]
                run(command + (["--hetero"] if hetero else []), stdout=file)
        return path

    def plan(self, snapshot, *options):
        """The plan, its CPU and wall seconds and peak memory; the plan's file is left beside the snapshot."""
        out, cpu, wall, rss = run([self.ballast, "plan", snapshot, "--json", *options])
        moves = self.path("ballast.moves.json")
        with open(moves, "wb") as file:
            file.write(out)
        return json.loads(out), moves, cpu, wall, rss

    def judge(self, snapshot, moves):
        result = json.loads(run(self.peer("score_moves.py") + [snapshot, moves])[0])
        if not result["valid"]:
            sys.exit("invalid plan for %s: %s" % (snapshot, result["why"]))
        return result

    def hbal_score(self, snapshot, moves):
        after = self.path("after.json")
        with open(after, "wb") as file:
            run(self.peer("apply_moves.py") + [snapshot, moves], stdout=file)
        command = self.peer("hbal_adapter.py") + [after, self.path("none.json"), "--max-moves", "0"]
        return json.loads(run(command)[0])["score_before"]


def mad_of(snapshot, plan):
    """Mean absolute deviation of demand / cores from the cluster's load, after a plan."""
    with open(snapshot) as file:
        s = json.load(file)
    host = {v["name"]: v["host"] for v in s["vms"]}
    host.update({m["vm"]: m["to"] for m in plan["moves"]})
    demand = dict.fromkeys((h["name"] for h in s["hosts"]), 0.0)
    for v in s["vms"]:
        demand[host[v["name"]]] += v["cpu_demand_cores"]
    mean = sum(demand.values()) / sum(h["cpu_cores"] for h in s["hosts"])
    return sum(abs(demand[h["name"]] / h["cpu_cores"] - mean) for h in s["hosts"]) / len(s["hosts"])


def against_hbal(bench, seeds, large):
    print("hbal: equal moves; lower is better")
    print("%-16s %5s %8s %8s %8s %8s %9s %9s %12s %10s" % ("snapshot", "moves", "cpu_sd", "hbal's", "mem_sd",
          "hbal's", "score", "hbal's", "CPU s/move", "ratio"))
    cases = [(20, 200, s, h) for s in range(1, seeds + 1) for h in (False, True)]
    cases += [(100, 1000, 1, False)] if large else []
    worse = 0
    for hosts, vms, seed, hetero in cases:
        snapshot = bench.snapshot(hosts, vms, seed, hetero)
        moves = bench.path("hbal.moves.json")
        _, hbal_cpu, _, _ = run(bench.peer("hbal_adapter.py") + [snapshot, moves, "--timeout", "3600"])
        theirs = bench.judge(snapshot, moves)
        if theirs["moves"] == 0:
            continue
        plan, mine, cpu, _, _ = bench.plan(snapshot, "--goal", "balance", "--mem-overcommit", "1.0",
                                           "--max-moves", str(theirs["moves"]))
        ours = bench.judge(snapshot, mine)
        per_move = cpu / max(1, ours["moves"])
        ratio = per_move / (hbal_cpu / theirs["moves"])
        a, b = ours["after"], theirs["after"]
        worse += a["cpu_sd"] >= b["cpu_sd"] or a["mem_sd"] >= b["mem_sd"] or ours["moves"] > theirs["moves"]
        print("%-16s %2d/%2d %8.4f %8.4f %8.4f %8.4f %9.3f %9.3f %12.6f    1/%d" %
              (os.path.basename(snapshot)[:-5], ours["moves"], theirs["moves"], a["cpu_sd"], b["cpu_sd"], a["mem_sd"],
               b["mem_sd"], bench.hbal_score(snapshot, mine), bench.hbal_score(snapshot, moves), per_move,
               round(1 / ratio) if ratio > 0 else 0))
    print("cases in which hbal is not beaten in both: %d of %d\n" % (worse, len(cases)))
    return worse == 0


def against_optimum(bench, seeds):
    print("optimum: mean absolute deviation of CPU load, K moves; gap to what cbc proves")
    print("%-16s %3s %9s %9s %8s" % ("snapshot", "K", "ours", "optimum", "gap %"))
    gaps = []
    for seed in range(1, seeds + 1):
        for k in (5, 10):
            snapshot = bench.snapshot(20, 200, seed)
            command = bench.peer("optimal_balance.py") + [snapshot, bench.path("opt.json"), "--max-moves", str(k)]
            best = json.loads(run(command + ["--metric", "mad"])[0])
            plan, _, _, _, _ = bench.plan(snapshot, "--goal", "balance", "--balance", "cpu", "--measure", "mad",
                                          "--mem-overcommit", "1.0", "--max-moves", str(k))
            mad = mad_of(snapshot, plan)
            if not best["proven"]:
                print("%-16s %3d not proven in time, left out" % (os.path.basename(snapshot)[:-5], k))
                continue
            gaps.append(100 * (mad / best["objective"] - 1))
            print("%-16s %3d %9.5f %9.5f %8.2f" %
                  (os.path.basename(snapshot)[:-5], k, mad, best["objective"], gaps[-1]))
    print("gap: median %.2f %%, largest %.2f %%\n" % (statistics.median(gaps), max(gaps)))
    return max(gaps) <= 5 and statistics.median(gaps) <= 1


def against_greedy(bench):
    print("greedy: whole process, --max-moves 500, best of 3")
    print("%-16s %-8s %8s %8s %7s %8s" % ("snapshot", "goal", "ours s", "greedy s", "ratio", "RSS MiB"))
    good, sizes = True, {}
    for hosts, vms in ((100, 1000), (1000, 15000), (4000, 60000)):
        snapshot = bench.snapshot(hosts, vms, 1)
        greedy = min(run(bench.peer("greedy_ref.py") + [snapshot, bench.path("g.json"), "--max-moves", "500"])[2]
                     for _ in range(3))
        for goal in ("relieve", "balance"):
            runs = [bench.plan(snapshot, "--goal", goal, "--max-moves", "500") for _ in range(3)]
            wall, rss = min(r[3] for r in runs), max(r[4] for r in runs)
            sizes[goal, vms] = min(r[2] for r in runs)
            print("%-16s %-8s %8.3f %8.3f %7.2f %8.0f" %
                  (os.path.basename(snapshot)[:-5], goal, wall, greedy, wall / greedy, rss))
            good = good and (vms == 1000 or wall / greedy <= 0.4) and rss < 100
    for goal in ("relieve", "balance"):
        print("%s grows from 1,000 to 60,000 VMs as n^%.2f" %
              (goal, math.log(sizes[goal, 60000] / sizes[goal, 1000]) / math.log(60)))
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ballast", default=os.path.join(HERE, "..", "build", "src", "command", "ballast"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--hbal-seeds", type=int, default=3)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--only", choices=("hbal", "optimum", "greedy"))
    a = parser.parse_args()
    peers = peers_folder()
    if not peers:
        print("skipped: no peers' adapters in BALLAST_PEERS or ../*/peers")
        return 0
    good = True
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(a.ballast, peers, folder)
        if a.only in (None, "hbal"):
            good = against_hbal(bench, a.hbal_seeds, a.large) and good
        if a.only in (None, "optimum"):
            good = against_optimum(bench, a.seeds) and good
        if a.only in (None, "greedy"):
            good = against_greedy(bench) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
