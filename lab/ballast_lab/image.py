"""The guest's kernel and initramfs, and the small programs of the lab, built once and kept in the cache.

The kernel is unpacked from Debian's package, never installed. The initramfs holds one static program of ours and
the kernel modules it loads: no shell, no libraries. It is not compressed: unpacking costs an emulated guest more
time than reading.
"""
import fcntl
import hashlib
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

from .paths import CACHE, SOURCE, LabError, run

MODULES = ["virtio_pci", "virtio_balloon", "virtio_console", "virtio_blk", "lzo-rle", "zram"]
CFLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-Os", "-Wall", "-Wextra", "-Werror"]
KERNEL_PACKAGE = "linux-image-cloud-amd64"


class Image:
    """Paths of one built image; `key` changes with its content."""

    def __init__(self, directory):
        self.directory = directory
        self.key = directory.name
        self.kernel = directory / "vmlinuz"
        self.initrd = directory / "initramfs.img"
        self.tsckhz = directory / "tsckhz"


def image():
    """The image for the present sources, built when it is not in the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "image.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kernel = _kernel_directory()
        directory = CACHE / f"image-{_digest(kernel.name)}"
        if not (directory / "complete").exists():
            _build(kernel, directory)
        return Image(directory)


def _sources():
    return sorted(SOURCE.glob("guest/*.[ch]")) + [SOURCE / "host/tsckhz.c", Path(__file__)]


def _digest(kernel_name):
    digest = hashlib.sha256(kernel_name.encode())
    for path in _sources():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _kernel_directory():
    """The unpacked kernel package: one that is there already, else the one apt offers now."""
    given = os.environ.get("BALLAST_LAB_KERNEL_DEB")
    if given:
        return _unpack(Path(given))
    present = sorted(CACHE.glob("kernel-*/complete"))
    if present:
        return present[-1].parent
    listing = run("apt-cache", "depends", KERNEL_PACKAGE, check=False).stdout
    found = re.search(r"Depends: (linux-image-[0-9]\S*)", listing)
    if not found:
        raise LabError(f"apt knows no {KERNEL_PACKAGE}: run apt-get update, or set BALLAST_LAB_KERNEL_DEB "
                       "to the package of a Debian cloud kernel")
    with tempfile.TemporaryDirectory() as work:
        run("apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", found.group(1), cwd=work)
        return _unpack(next(Path(work).glob("*.deb")))


def _unpack(deb):
    directory = CACHE / f"kernel-{deb.stem.replace('%', '-')}"
    if not (directory / "complete").exists():
        shutil.rmtree(directory, ignore_errors=True)
        run("dpkg", "-x", deb, directory)
        release = next((directory / "lib/modules").iterdir()).name
        run("depmod", "-b", directory, release)
        (directory / "complete").touch()
    return directory


def _build(kernel, directory):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    run("gcc", *CFLAGS, "-static", "-s", "-o", directory / "init", *SOURCE.glob("guest/*.c"))
    run("gcc", *CFLAGS, "-o", directory / "tsckhz", SOURCE / "host/tsckhz.c")
    shutil.copyfile(next(kernel.glob("boot/vmlinuz-*")), directory / "vmlinuz")
    modules = _modules(kernel)
    order = "".join(m.name + "\n" for m in modules).encode()
    with open(directory / "initramfs.img", "wb") as out:
        number = 0
        for name, mode, data in [
                ("dev", stat.S_IFDIR | 0o755, b""), ("modules", stat.S_IFDIR | 0o755, b""),
                *((f"modules/{m.name}", stat.S_IFREG | 0o644, m.read_bytes()) for m in modules),
                ("modules/order", stat.S_IFREG | 0o644, order),
                ("init", stat.S_IFREG | 0o755, (directory / "init").read_bytes()),
                # the first process wants a console before devtmpfs is there
                ("dev/console", stat.S_IFCHR | 0o600, b""), ("TRAILER!!!", 0, b"")]:
            number += 1
            _cpio_entry(out, number, name, mode, data)
    (directory / "complete").touch()


def _modules(kernel):
    """Files of the wanted modules and all they depend on, in load order."""
    release = next((kernel / "lib/modules").iterdir()).name
    files = []
    for module in MODULES:
        shown = run("modprobe", "-d", kernel, "-S", release, "--show-depends", module).stdout
        for line in shown.splitlines():
            words = line.split()
            if words[0] == "insmod" and Path(words[1]) not in files:
                files.append(Path(words[1]))
    return files


def _cpio_entry(out, inode, name, mode, data):
    """One entry of a "newc" cpio archive, the format the kernel unpacks."""
    console = (5, 1) if stat.S_ISCHR(mode) else (0, 0)
    fields = [inode, mode, 0, 0, 1, 0, len(data), 0, 0, *console, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
    out.write(head + b"\0" * (-len(head) % 4))
    out.write(data + b"\0" * (-len(data) % 4))
