"""How many seeds and test images a difference between methods needs, by a finished run.

    python workflow/scripts/seeds.py [FOLDER] [--marks]

Prints the seeds that find a true difference of 0.002, 0.005 and 0.01 of the macro AUC with a power
of 80 %, by the variances of a finished run with several seeds, and the CPU time that they cost.
docs/reading-tables.md explains them.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # not there with PYTHONSAFEPATH
from sslens.jobs.sample_size import report

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument(
    "folder", nargs="?", default=".", type=Path, help="of the run; here if not given"
)
parser.add_argument(
    "--marks",
    action="store_true",
    help="the differences are to be marked in the table, not only found by a single test",
)
options = parser.parse_args()
try:
    print(report(options.folder, options.marks))
except (OSError, ValueError) as error:
    sys.exit(f"{options.folder}: {error}")
