"""Which accelerator guests can use, found out by starting one.

libvirt and /dev/kvm promise KVM on machines where a stock kernel then hangs, so neither is asked. The same small
guest is started under KVM and under emulation at once; KVM is good when its guest comes up, and has not when the
emulated guest came up and KVM's did not in five times that time (and BALLAST_TEST_PATIENCE times that): under an
emulated processor KVM is no faster than emulation, and a busy machine treats the two unequally.
"""
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from .image import image
from .paths import CACHE, LabError, boot_id, run
from .xml import KERNEL_ARGS

READY = b"agent ready"
PATIENCE = float(os.environ.get("BALLAST_TEST_PATIENCE", "1"))
LONGEST_S = 300 * PATIENCE  # emulation inside emulation takes minutes


def tsc_khz():
    return _remembered()["tsc_khz"]


def accel():
    """"kvm" or "tcg"; BALLAST_LAB_ACCEL decides where it is set. Found out once per boot of the machine."""
    given = os.environ.get("BALLAST_LAB_ACCEL", "")
    if given not in ("", "kvm", "tcg"):
        raise LabError(f"BALLAST_LAB_ACCEL={given}: must be kvm or tcg")
    return given or _remembered()["accel"]


def _remembered():
    path = CACHE / "machine.json"
    try:
        known = json.loads(path.read_text())
        if known["boot_id"] == boot_id() and {"accel", "tsc_khz"} <= known.keys():
            return known
    except (OSError, ValueError, KeyError):
        pass
    frequency = int(run(image().tsckhz).stdout)
    known = {"boot_id": boot_id(), "tsc_khz": frequency, "accel": _race(frequency)}
    CACHE.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(known))
    part.rename(path)
    return known


def _start(kind, frequency, console):
    extra = f" tsc_early_khz={frequency} tsc=reliable" if kind == "tcg" else ""
    return subprocess.Popen(
        ["qemu-system-x86_64", "-accel", kind, "-cpu", "max", "-m", "128", "-display", "none", "-nodefaults",
         "-no-user-config", "-no-reboot", "-kernel", image().kernel, "-initrd", image().initrd,
         "-append", KERNEL_ARGS + extra, "-serial", f"file:{console}", "-device", "virtio-serial",
         "-chardev", "null,id=c", "-device", "virtserialport,chardev=c,name=lab.0"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _race(frequency):
    kinds = ["tcg"] + (["kvm"] if os.access("/dev/kvm", os.R_OK | os.W_OK) else [])
    if kinds == ["tcg"]:
        return "tcg"
    with tempfile.TemporaryDirectory() as work:
        consoles = {k: Path(work) / k for k in kinds}
        start = time.monotonic()
        guests = {k: _start(k, frequency, consoles[k]) for k in kinds}
        emulated_after = None
        try:
            while True:
                elapsed = time.monotonic() - start
                up = {k for k in kinds if consoles[k].exists() and READY in consoles[k].read_bytes()}
                if "kvm" in up:
                    return "kvm"
                if guests["kvm"].poll() is not None or elapsed > LONGEST_S:
                    return "tcg"
                if "tcg" in up and emulated_after is None:
                    emulated_after = elapsed
                    guests["tcg"].kill()  # the other has the machine for itself now
                if emulated_after is not None and elapsed > 5 * PATIENCE * emulated_after + 2:
                    return "tcg"
                time.sleep(0.05)
        finally:
            for guest in guests.values():
                guest.kill()
                guest.wait()
