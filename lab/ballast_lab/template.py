"""Templates: a guest is booted once and saved; its clones are restored under other names, in about two seconds.

A save file of libvirt is a header, the domain's XML with a cookie, and QEMU's state, read in this order as one
stream. A clone's file has another name and UUID in the XML, and a header that states the new length.
"""
import fcntl
import hashlib
import json
import os
import re
import shutil
import struct
import time
import uuid
from pathlib import Path

from .paths import CACHE, LabError, run
from .xml import TEMPLATE_NAME, TEMPLATE_UUID, domain

HEADER = struct.Struct("<16s5I56x")  # magic, version, length of XML and cookie, running, compressed, cookie's place
MAGIC = b"LibvirtQemudSave"
KEPT_S = 14 * 86400  # templates that nobody used for so long are removed
TSC_TOLERANCE = 0.005  # a clock that is wrong by more would show


def _key(options, image, accel):
    versions = run("qemu-system-x86_64", "--version").stdout + run("virsh", "--version").stdout
    cpu = re.search(r"^flags.*$", Path("/proc/cpuinfo").read_text(), re.M)
    text = repr((options, image.key, accel, versions, accel == "kvm" and cpu and cpu.group(0),
                 domain("x", options, image, accel, 0)))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def template(host, options, image, accel, tsc_khz):
    """The save file of a guest with these options; built on `host` when it is not in the cache."""
    folder = CACHE / "templates"
    folder.mkdir(parents=True, exist_ok=True)
    base = folder / _key(options, image, accel)
    save, facts = base.with_suffix(".save"), base.with_suffix(".json")
    with open(base.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _usable(save, facts, tsc_khz):
            _prune(folder)
            _build(host, options, image, accel, tsc_khz, save, facts)
        os.utime(save)
    return save


def _usable(save, facts, tsc_khz):
    try:
        built = json.loads(facts.read_text())["tsc_khz"]
    except (OSError, ValueError, KeyError):
        return False
    return save.exists() and abs(built - tsc_khz) <= TSC_TOLERANCE * tsc_khz


def _prune(folder):
    for save in folder.glob("*.save"):
        if time.time() - save.stat().st_mtime > KEPT_S:
            save.with_suffix(".json").unlink(missing_ok=True)
            save.unlink(missing_ok=True)


def _build(host, options, image, accel, tsc_khz, save, facts):
    from .guest import Guest
    host.make_disks(TEMPLATE_NAME, options)
    raw = host.dir / "template.save"
    with host.unconfined():
        host.conn.createXML(domain(TEMPLATE_NAME, options, image, accel, tsc_khz, TEMPLATE_UUID), 0)
        guest = Guest(host, TEMPLATE_NAME)
        try:
            guest.wait_ready(240)
            guest.ask("drop", 30)
            guest.dom.save(str(raw))
        except BaseException:
            guest.destroy()
            raise
    part = save.with_suffix(f".{os.getpid()}")
    shutil.copyfile(raw, part)
    raw.unlink()
    facts.unlink(missing_ok=True)
    part.rename(save)
    facts.write_text(json.dumps({"tsc_khz": tsc_khz, "options": repr(options), "accel": accel}))


def clone(host, name, save, stats_period_s):
    """Restore a copy of the template on `host` as `name`, running."""
    own = host.dir / f"{name}.save"
    with open(save, "rb") as source, open(own, "wb") as target:
        magic, version, length, running, compressed, cookie_at = HEADER.unpack(source.read(HEADER.size))
        if magic != MAGIC:
            raise LabError(f"{save}: not a save file of libvirt; remove it and start again")
        data = source.read(length)
        xml = data[:cookie_at or length].split(b"\0")[0].decode()
        cookie = data[cookie_at:].split(b"\0")[0] + b"\0" if cookie_at else b""
        xml = xml.replace(TEMPLATE_NAME, name).replace(TEMPLATE_UUID, str(uuid.uuid4()))
        xml = re.sub(r"<stats period='\d+'/>", f"<stats period='{stats_period_s}'/>", xml).encode() + b"\0"
        target.write(HEADER.pack(magic, version, len(xml) + len(cookie), running, compressed,
                                 len(xml) if cookie else 0))
        target.write(xml + cookie)
        target.flush()
        shutil.copyfileobj(source, target, 1 << 20)
    try:
        import libvirt
        host.conn.restoreFlags(str(own), None, libvirt.VIR_DOMAIN_SAVE_RUNNING)
    finally:
        own.unlink()
