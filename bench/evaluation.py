#!/usr/bin/env python3
"""Every figure and plot of docs/evaluation.md, measured anew.

  evaluation.py [--ballast build/src/command/ballast] [--only NAME,...] [--jobs N] [--list]

Writes docs/evaluation.md and docs/evaluation/*.svg; with --only the named
sections of it, the others stay as they are. Real traces are looked for in the folder
BALLAST_TRACES, else in ../*/traces/open beside the project; where there are none, their sections say so. Equal code and
traces give equal files, but for the times of the peers. The sections of real guests show what bench/shortage.py and
bench/cache_keep.py measured.
"""
import argparse
import os
import sys
import tempfile
import time

# Each registers its sections, in the order of the page.
import evaluation_loops  # noqa: F401
import evaluation_worlds  # noqa: F401
import evaluation_peers  # noqa: F401
import evaluation_real  # noqa: F401
from evaluation_lab import ROOT, SECTIONS, Lab

HEAD = """# Evaluation

What the balancer is worth, in figures. `make evaluation` writes this page and its plots; nothing here is typed by hand but
what was tried on PlanetLab (end of that section). Lost VM-seconds are the currency: a VM that gets half of what it wants for two seconds has lost one. [The simulator](simulation.md)
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
