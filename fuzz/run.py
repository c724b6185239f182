#!/usr/bin/python3
"""Build the fuzzers and run each for some seconds from its corpus, as many at a time as there are processors.

A crash is a failure, and so is a fuzzer that reaches next to nothing; the input that caused a crash is kept in
build-fuzz/ and named.
  run.py [--seconds 60] [--junit FILE] [NAME ...]
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build-fuzz")
LEAST_REACHED = 100  # branches; fewer say that the code is not built to tell the fuzzer what it reaches


def build():
    env = {**os.environ, "CC": "clang"}
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        subprocess.run(["meson", "setup", BUILD, "-Dfuzz=true", "-Dtests=false", "-Dbench=false",
                        "-Db_sanitize=address,undefined", "-Db_lundef=false"], cwd=ROOT, env=env, check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", BUILD, "--quiet"], env=env, check=True)
    folder = os.path.join(BUILD, "fuzz")
    return sorted(n for n in os.listdir(folder) if n.startswith("fuzz_") and "." not in n)


def fuzz(name, seconds):
    corpus = os.path.join(ROOT, "fuzz", "corpus", name)
    work = tempfile.mkdtemp(prefix="ballast-fuzz-")
    try:
        done = subprocess.run([os.path.join(BUILD, "fuzz", name), work, corpus, "-max_total_time=%d" % seconds,
                               "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
                               "-artifact_prefix=%s/" % BUILD],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    runs = re.findall(r"number_of_executed_units: *(\d+)", done.stderr)
    reached = re.findall(r"\bcov: (\d+)", done.stderr)
    return (done.returncode, int(runs[-1]) if runs else 0, int(reached[-1]) if reached else 0,
            done.stderr[-4000:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--junit")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    names = args.names or build()
    if args.names:
        build()
    suite = ET.Element("testsuite", name="fuzz")
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, (status, runs, reached, tail) in zip(names, pool.map(lambda n: fuzz(n, args.seconds), names)):
            good = status == 0 and runs > 0 and reached >= LEAST_REACHED
            print("%s: %d inputs reached %d branches, %s" % (name, runs, reached, "ok" if good else "FAILED"), flush=True)
            case = ET.SubElement(suite, "testcase", classname="fuzz", name=name)
            if not good:
                failed += 1
                print(tail, flush=True)
                ET.SubElement(case, "failure", message="exit status %d, %d branches" % (status, reached)).text = tail
    if args.junit:
        ET.ElementTree(suite).write(args.junit)
    print("%d fuzzers, %d failed" % (len(names), failed))
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
