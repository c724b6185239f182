"""Take a lab down, from what its directory and its names tell. Works on labs that are half up, twice, and from
another process than the one that made the lab."""
import fcntl
import json
import os
import shutil
import signal
import time
from pathlib import Path

from . import cgroups
from .network import Network
from .paths import DISKS, RUN, boot_id, run, start_time


def labs():
    """Tags of all labs that have a directory."""
    return sorted(p.parent.name for p in RUN.glob("*/state.json"))


def read_state(tag):
    try:
        return json.loads((RUN / tag / "state.json").read_text())
    except (OSError, ValueError):
        return None


def is_stale(state):
    """Whether nobody will take this lab down any more: its owner died, or the machine booted since."""
    if state["boot_id"] != boot_id():
        return True
    owner = state.get("owner")
    return bool(owner) and start_time(owner[0]) != owner[1]


def _kill(process):
    """SIGKILL a process that is named by id and start time; wait until it is gone."""
    if not process or start_time(process[0]) != process[1] or process[1] is None:
        return
    os.kill(process[0], signal.SIGKILL)
    end = time.monotonic() + 10
    while start_time(process[0]) == process[1] and time.monotonic() < end:
        time.sleep(0.01)


def teardown(tag):
    """Take the lab down. Returns what could not be removed (nothing, normally)."""
    directory = RUN / tag
    try:
        lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return []
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = read_state(tag)
        if state is None:
            shutil.rmtree(directory, ignore_errors=True)
            return []
        for host in state["hosts"].values():
            _kill(host.get("outer"))
        groups = state["cgroups"]
        left = cgroups.load(groups["kind"], tag, groups["base"], groups["holder"]).destroy() if groups else []
        run("umount", "-l", directory / "lxcfs", check=False)
        _kill(state.get("lxcfs"))
        Network(tag, state["index"]).destroy()
        cgroups.reset_failed(tag)
        shutil.rmtree(state.get("disks", ""), ignore_errors=True)
        if not left:
            shutil.rmtree(directory, ignore_errors=True)
            if directory.exists():
                left.append(str(directory))
        watchdog = state.get("watchdog")  # last: it ends what we have begun if we are killed on the way
        if watchdog and watchdog[0] != os.getpid():
            _kill(watchdog)
        return left
    finally:
        os.close(lock)
        try:
            RUN.rmdir()
        except OSError:
            pass


def remove_stale():
    for tag in labs():
        state = read_state(tag)
        if state and is_stale(state):
            teardown(tag)
    for path in DISKS.glob("*"):  # /run is empty after the machine booted, this is not
        if not (RUN / path.name).exists():
            shutil.rmtree(path, ignore_errors=True)


def traces(tag):
    """What a lab of this tag has left on the machine; an empty list when nothing."""
    directory = RUN / tag
    found = [str(path) for path in (directory, DISKS / tag) if path.exists()]
    found += [n for n in Network.list() if n.startswith(f"ballast-lab-{tag}-")]
    found += [str(p) for p in [*cgroups.ROOT.glob(f"*/ballast-lab-{tag}"), *cgroups.ROOT.glob(f"ballast-lab-{tag}"),
                               *cgroups.ROOT.glob(f"*/ballast-lab-{tag}.scope")]]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"{directory}/" in line]
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if f"{directory}".encode() + b"/" in words or f"{directory}".encode() + b"\0" in words:
            found.append(f"process {entry.name}: {words.replace(bytes(1), b' ').decode(errors='replace')[:200]}")
    return found
