#!/usr/bin/python3
"""Prove the lab where this machine cannot: on Debian 12 with systemd and control groups of version 2, with KVM.

An emulated machine (QEMU's "max" processor has SVM) boots a Debian 12 that debootstrap makes once; in it the tests of
the lab run, on guests that KVM carries. They assert confinement, pressure figures, live migration and steal. The
whole takes some 17 minutes on two cores.

  nested.py             build what is missing, boot, run the tests, print what they say; exit status 0 when all passed
  nested.py --only "steal or crashed"     some of them only
  nested.py --shell     boot it with a root shell on this terminal instead (poweroff ends it)
"""
import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from ballast_lab.accel import tsc_khz  # noqa: E402
from ballast_lab.image import image  # noqa: E402
from ballast_lab.paths import CACHE, SOURCE, LabError, run  # noqa: E402

PACKAGES = ["systemd-sysv", "linux-image-amd64", "udev", "gcc", "libc6-dev", "libvirt-daemon",
            "libvirt-daemon-driver-qemu", "libvirt-clients", "qemu-system-x86", "kmod", "iproute2", "util-linux",
            "procps", "lxcfs", "python3", "python3-libvirt", "python3-pytest", "python3-pytest-timeout"]


def mirror():
    """Where this machine itself gets Debian 12's packages, or BALLAST_LAB_MIRROR."""
    if "BALLAST_LAB_MIRROR" in os.environ:
        return os.environ["BALLAST_LAB_MIRROR"]
    lines = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)"], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    for line in lines:
        uri, _, release = line.partition(" ")
        if release == "bookworm" and "security" not in uri:
            return uri.rstrip("/")
    raise LabError("apt knows no source of bookworm: name one in BALLAST_LAB_MIRROR")


# Which tests of the lab are worth their time there.
TESTS = ("confined or pressure or sees_its_own_memory or own_name or live_migration or steal or balloon_takes "
         "or crashed or reads_a_disk or down_leaves_nothing")

UNIT = """\
[Unit]
Description=Tests of the lab
After=multi-user.target
[Service]
Type=oneshot
StandardOutput=tty
TTYPath=/dev/ttyS1
ExecStart=/bin/sh /payload/run.sh
ExecStopPost=/bin/systemctl poweroff
[Install]
WantedBy=default.target
"""

RUN = """\
exec > /dev/ttyS1 2>&1
export HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin BALLAST_LAB_CACHE=/var/cache/ballast-lab BALLAST_TEST_PATIENCE=6
mkdir -p /var/cache/ballast-lab
cp -r /payload/cache/. /var/cache/ballast-lab/
cp -r /payload/project /root/project
cd /root/project
[ -e /etc/hosts ] || echo "127.0.0.1 localhost" > /etc/hosts
uname -r; systemctl --version | head -1; findmnt -n -o FSTYPE /sys/fs/cgroup
/usr/bin/python3 -c '
import sys; sys.path.insert(0, "lab")
from ballast_lab import cgroups
from ballast_lab.accel import accel
assert cgroups.version() == 2, cgroups.version()
assert accel() == "kvm", accel()
print("control groups of version 2, KVM carries guests")' &&
/usr/bin/python3 -m pytest -p no:cacheprovider --color=no -v --tb=short --durations=0 tests/system/test_lab.py \\
    tests/system/test_lab_life.py -o timeout=900 -k '{tests}'
echo "NESTED EXIT STATUS $?"
"""


def machine():
    """The folder with the root file system, kernel and initial ramdisk; built when missing."""
    key = hashlib.sha256(repr((PACKAGES, UNIT)).encode()).hexdigest()[:12]
    folder = CACHE / f"nested-{key}"
    if (folder / "complete").exists():
        return folder
    if not shutil.which("debootstrap"):
        raise LabError("debootstrap is missing: apt-get install debootstrap")
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / "root"
    if not (folder / "installed").exists():
        shutil.rmtree(root, ignore_errors=True)
        print("installing Debian 12 into a folder; minutes", flush=True)
        subprocess.run(["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", "bookworm", root,
                        mirror()], check=True, stdout=open(folder / "debootstrap.log", "w"))
        (folder / "installed").touch()
    (root / "etc/hostname").write_text("nested\n")
    (root / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n/dev/vdb /payload ext4 ro 0 0\n")
    (root / "payload").mkdir(exist_ok=True)
    (root / "etc/systemd/system/lab-tests.service").write_text(UNIT)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    for unit in ["lxcfs.service", "libvirtd.service", "virtlogd.service", "apt-daily.timer"]:
        (root / "etc/systemd/system" / unit).unlink(missing_ok=True)
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    run("chroot", root, "passwd", "-d", "root")
    for name in ["vmlinuz", "initrd.img"]:
        shutil.copyfile(next((root / "boot").glob(f"{name}-*")), folder / name)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", root, folder / "root.img", "4G")
    shutil.rmtree(root)
    (folder / "complete").touch()
    return folder


def payload(path, work, tests):
    """A disk with the project's lab and tests, and the guest image that is in the cache already."""
    tree = Path(work) / "payload"
    built = image()
    kernel = next(CACHE.glob("kernel-*/complete")).parent.name
    for what in ["lab", "tests/system"]:
        shutil.copytree(SOURCE.parent / what, tree / "project" / what,
                        ignore=shutil.ignore_patterns("__pycache__", "out"))
    shutil.copytree(built.directory, tree / "cache" / built.directory.name)
    (tree / "cache" / kernel).mkdir()
    (tree / "cache" / kernel / "complete").touch()
    (tree / "run.sh").write_text(RUN.format(tests=tests))
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, path, "256M")


def command(folder, disk, append, serials):
    argv = ["qemu-system-x86_64", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max", "-smp", "2", "-m", "4096",
            "-display", "none", "-nodefaults", "-no-user-config", "-no-reboot",
            "-kernel", folder / "vmlinuz", "-initrd", folder / "initrd.img",
            "-drive", f"file={folder}/root.img,format=raw,if=virtio,snapshot=on,cache=unsafe",
            "-drive", f"file={disk},format=raw,if=virtio,snapshot=on",
            "-append", f"root=/dev/vda rw console=ttyS0 quiet mitigations=off tsc_early_khz={tsc_khz()} tsc=reliable "
                       f"no_timer_check {append}"]
    for serial in serials:
        argv += ["-serial", serial]
    return [str(a) for a in argv]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shell", action="store_true")
    parser.add_argument("--only", metavar="TESTS", default=TESTS, help="an expression as of pytest -k")
    parser.add_argument("--limit-s", type=int, default=3600, help="give up after so many seconds (3600)")
    args = parser.parse_args()
    folder = machine()
    with tempfile.TemporaryDirectory(prefix="nested-", dir="/var/tmp") as work:
        disk, said, console = (Path(work) / n for n in ("payload.img", "said", "console"))
        payload(disk, work, args.only)
        if args.shell:
            return subprocess.run(command(folder, disk, "", ["stdio"])).returncode
        start = time.monotonic()
        process = subprocess.Popen(command(folder, disk, "systemd.wants=lab-tests.service",
                                           [f"file:{console}", f"file:{said}"]), stdin=subprocess.DEVNULL)
        shown = 0
        try:
            while process.poll() is None and time.monotonic() - start < args.limit_s:
                time.sleep(1)
                text = said.read_bytes() if said.exists() else b""
                sys.stdout.write(text[shown:].decode(errors="replace").replace("\r", ""))
                sys.stdout.flush()
                shown = len(text)
        finally:
            process.kill()
            process.wait()
        text = said.read_text(errors="replace") if said.exists() else ""
        print(f"{time.monotonic() - start:.0f} s")
        if "NESTED EXIT STATUS 0" in text:
            return 0
        if "NESTED EXIT STATUS" not in text:
            print("it did not come to its end; its console says:", console.read_text(errors="replace")[-3000:])
        return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as e:
        sys.exit(f"nested: {e}")
