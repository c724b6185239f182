"""The curve of satisfaction in decide/loss.c is the one that was measured."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
from lab_figures import SHORTAGE, Figures, curve  # noqa: E402

TOLERANCE = 0.08  # another run on another day differs by so much


def test_the_curve_of_satisfaction_is_the_measured_one():
    source = (ROOT / "src/decide/loss.c").read_text()
    table = re.search(r"memory_curve\[\] = \{(.*?)\};", source, re.S)[1]
    points = {round(100 - 100 * float(x)): float(f) for x, f in re.findall(r"\{([\d.]+), ([\d.]+)\}", table)}
    measured = {percent: f for percent, f in curve(Figures(SHORTAGE)) if percent < 100}
    assert sorted(measured) == [70, 75, 80, 85, 90, 95, 98]
    assert set(points) == {100, *measured, 0}
    for percent, f in measured.items():
        assert abs(points[percent] - f) <= TOLERANCE, f"{percent} % of what is needed: {points[percent]}, measured {f:.3f}"
