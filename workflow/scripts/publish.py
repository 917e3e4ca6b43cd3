"""Put a finished run's tables and figures into a document, between its markers.

    python workflow/scripts/publish.py README.md [--run FOLDER]

A marker is a line `<!-- sslens: FILE -->`, FILE of the run's `results/comparison`, or for one table
of a file `<!-- sslens: FILE, table 2 -->`; what stands between it and `<!-- sslens: end -->` is
replaced. No rule does this, since Snakemake deletes the
outputs of a rule before it runs, and nothing should be copied by hand.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # not there with PYTHONSAFEPATH
from sslens.comparison.publish import publish
from sslens.jobs.outdated import current_files

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("document", type=Path, help="such as README.md")
parser.add_argument("--run", type=Path, default=Path(), help="folder of the run (this one)")
options = parser.parse_args()
comparison = options.run / "results" / "comparison"
try:
    files = publish(comparison, options.document, current_files(comparison))
except (OSError, ValueError) as error:
    sys.exit(str(error))
print(f"{options.document}: {', '.join(files)}")
