"""The planner beside other planners, a proven optimum and an exhaustive search; a part of evaluation.py."""
import os
import subprocess
import sys

from evaluation_lab import ROOT, section

CLUSTERS_OF_A_SHAPE = 500  # of six


def output_of(command, **environment):
    return subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False).stdout


@section("The planner beside its peers and the optimum")
def peers(lab):
    rows = output_of([sys.executable, os.path.join(ROOT, "bench", "plan_peers.py"), "--ballast", lab.ballast]).strip()
    oracle = os.path.join(os.path.dirname(lab.ballast), "..", "..", "tests", "unit", "decide", "test_plan_oracle")
    gaps = [line[2:] for line in output_of([oracle], BALLAST_ORACLE_CLUSTERS=str(CLUSTERS_OF_A_SHAPE)).splitlines()
            if line.startswith("# gap")]
    return ("hbal is ganeti-htools'; it weighs other things as well (its own score is printed beside). Times vary from run "
            "to run.\n\n```\n" + rows + "\n```\n\nThe remaining loss of small clusters beside the least that exhaustive "
            "enumeration finds with as many moves, relative to it or to a thousandth of the loss before: with a horizon of a "
            "day, so that no move is too dear; loss and cost of the moves together at the usual half an hour; and what remains "
            "there, where it is more than 5 % above the least counted with the cost of the moves that would prevent it: "
            "`relieve` makes no move that costs more than it prevents, however little is left.\n\n```\n"
            + "\n".join(gaps) + "\n```\n")
