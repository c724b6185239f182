"""Where things are, and the few helpers that everything else uses."""
import os
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent

# Running labs. Short on purpose: unix socket paths end at 107 characters. Each lab has one directory here.
RUN = Path("/run/ballast-lab")

# What is slow to make and safe to keep: guest kernel, helper programs, templates of guests, the KVM verdict.
CACHE = Path(os.environ.get("BALLAST_LAB_CACHE", "/var/cache/ballast-lab"))

# Disks of guests and what else must not be memory: /run is memory on a usual machine.
DISKS = CACHE / "disks"


class LabError(RuntimeError):
    """What failed, on which object, and what to do about it."""


def run(*argv, check=True, **kw):
    """Run a program to its end; LabError with its words when it fails."""
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, **kw)
    if check and done.returncode != 0:
        words = (done.stderr or done.stdout).strip()
        raise LabError(f"{' '.join(map(str, argv))}: exit status {done.returncode}: {words}")
    return done


def start_time(pid):
    """When a process was started, in clock ticks since boot; None when there is none (or a zombie). With the
    id it names a process for good: ids are used again."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def boot_id():
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
