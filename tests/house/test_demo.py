"""How the demo judges: a miss is told apart from a machine that others had."""
import os
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "lab"))
pytest.importorskip("libvirt")
from ballast_lab import story  # noqa: E402


class Host:
    """Used so much of a CPU in the ten seconds that pass between any two looks."""

    def __init__(self, pct):
        self.used_ms = [0, pct * 100]

    def cpu_ms(self):
        return self.used_ms.pop(0)


@pytest.fixture
def starvation(monkeypatch):
    def measured(used_pct, idle_pct):
        times, ticks = [0.0, 10.0], [(0, 0), (idle_pct, 100)]
        monkeypatch.setattr(story.time, "monotonic", lambda: times.pop(0))
        monkeypatch.setattr(story, "machine_idle", lambda: ticks.pop(0))
        return story.Starvation([Host(p) for p in used_pct], 30).text()

    yield measured


def test_a_host_that_got_less_than_wanted_on_a_full_machine_was_starved(starvation):
    assert "a host used 16 % of a CPU, its guests want 30 %" in starvation([30, 16], 1)


def test_with_idle_cpus_nobody_was_starved(starvation):
    assert starvation([30, 16], 20) is None


def test_hosts_that_got_what_they_want_were_not_starved(starvation):
    assert starvation([30, 29], 0) is None


@pytest.mark.parametrize("came, too_busy, failed, unjudged", [
    (True, "full", 0, 0), (False, None, 1, 0), (False, "full", 0, 1)])
def test_a_miss_counts_as_failed_unless_the_machine_was_too_busy(came, too_busy, failed, unjudged):
    voice = story.Voice.__new__(story.Voice)
    voice.colours, voice.start, voice.act, voice.failed, voice.unjudged = False, 0.0, "d", [], []
    assert voice.expect(came, "each has its own", too_busy) is came
    assert (len(voice.failed), len(voice.unjudged)) == (failed, unjudged)


@pytest.mark.parametrize("acts", ["e", "be", "abe", "", "x"])
def test_acts_that_would_judge_nothing_are_refused(acts):
    done = subprocess.run([sys.executable, os.path.join(ROOT, "lab/demo.py"), "--act", acts], capture_output=True,
                          text=True)
    assert done.returncode == 2 and f"--act {acts}: " in done.stderr


def test_a_word_that_is_not_known_is_refused():
    done = subprocess.run([sys.executable, os.path.join(ROOT, "lab/demo.py"), "KEPT=1"], capture_output=True, text=True)
    assert done.returncode == 2 and "KEPT=1: " in done.stderr
