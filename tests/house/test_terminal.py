"""score, plan and place as a person sees them: within the width of the terminal, in colour there alone."""
import fcntl
import json
import os
import re
import struct
import subprocess
import termios

import pytest

from test_formats import BUILD, PLACE, crowded, told

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
PROGRAM = os.path.join(BUILD, "src", "command", "ballast")


def on_terminal(words, snapshot_file, columns, **environment):
    """What appears on a terminal of so many columns, line by line."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    process = subprocess.Popen([PROGRAM, *(str(snapshot_file) if w == "-" else w for w in words)], stdout=slave,
                               stderr=slave, stdin=subprocess.DEVNULL, env={**env, "TERM": "xterm", **environment})
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        seen += part
    os.close(master)
    assert process.wait(timeout=60) in (0, 1)
    return seen.decode().replace("\r\n", "\n").splitlines()


@pytest.fixture(name="file")
def snapshot_file(tmp_path):
    path = tmp_path / "snapshot.json"
    path.write_text(json.dumps(crowded()))
    return path


@pytest.mark.parametrize("columns", [80, 100])
def test_tables_stay_within_the_terminal(file, columns):
    for words in (["plan", "-"], ["score", "-"], [*PLACE, "--count", "2"]):
        rows = [ESCAPE.sub("", line) for line in on_terminal(words, file, columns)]
        table = [row for row in rows if not re.match("(Still short|Stuck|Not h|Nor |Benefit)", row)]
        assert len(table) > 3 and max(map(len, table)) <= columns, words


def test_a_narrow_terminal_loses_no_word(file):
    reasons = " ".join(move["reason"] for move in told(["plan", "-"], crowded())["moves"])
    narrow = "\n".join(ESCAPE.sub("", line) for line in on_terminal(["plan", "-"], file, 80))
    for word in reasons.split():
        assert word in narrow


def test_colour_is_for_terminals_that_want_it(file):
    assert any(ESCAPE.search(line) for line in on_terminal(["plan", "-"], file, 80))
    assert not any("\x1b" in line for line in on_terminal(["plan", "-"], file, 80, NO_COLOR="1"))
    assert not any("\x1b" in line for line in on_terminal(["plan", "-"], file, 80, TERM="dumb"))
    piped = subprocess.run([PROGRAM, "plan", str(file)], capture_output=True, check=True, timeout=60)
    assert b"\x1b" not in piped.stdout


@pytest.mark.parametrize("verb", ["plan", "place", "score", "simulate", "generate"])
def test_help_fits_eighty_columns(verb):
    done = subprocess.run([PROGRAM, verb, "--help"], capture_output=True, text=True, check=True, timeout=60)
    lines = done.stdout.splitlines()
    assert len(lines) > 5 and max(map(len, lines)) <= 80
    assert not [line for line in lines if line != line.rstrip()]
