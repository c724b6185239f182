"""Fixtures of the whole-system tests: one lab for all of them, clean for each.

BALLAST_LAB_TAG=NAME uses a lab that is up already (lab/lab --tag NAME up) and leaves it up, which saves time when
one test is run again and again.
"""
import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "lab"))


def why_no_lab():
    if os.geteuid() != 0:
        return "the lab needs root"
    for program in ["libvirtd", "qemu-system-x86_64", "ip", "nsenter", "gcc"]:
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            return f"the lab needs {program}, which is not installed"
    return None


@pytest.fixture(scope="session")
def session_lab():
    reason = why_no_lab()
    if reason:
        pytest.skip(reason)
    from ballast_lab import Lab
    tag = os.environ.get("BALLAST_LAB_TAG")
    if tag:
        yield Lab.attach(tag)
        return
    with Lab(hosts=3, mem_mib=2048) as lab:
        yield lab


@pytest.fixture
def lab(session_lab):
    """Three hosts without guests, all up, at their first limits."""
    session_lab.clean()
    yield session_lab
    session_lab.clean()


@pytest.fixture
def hosts(lab):
    return lab.hosts
