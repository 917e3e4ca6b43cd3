"""What a run is doing: `python workflow/scripts/status.py [FOLDER] [--every SECONDS]`.

No rule runs this; people do, beside a run or after it.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # not there with PYTHONSAFEPATH
from sslens.jobs.status import report

parser = argparse.ArgumentParser(description="What a run is doing, and how it is getting on.")
parser.add_argument(
    "folder", nargs="?", default=".", type=Path, help="of the run; here if not given"
)
parser.add_argument("--every", type=float, metavar="SECONDS", help="show it again and again")
options = parser.parse_args()
try:
    while True:
        try:
            text = report(options.folder)
        except FileNotFoundError as error:  # no run yet, or a log that its next attempt removed
            if not options.every:
                sys.exit(str(error))
            text = str(error)
        clear = "\033[2J\033[H" if options.every and sys.stdout.isatty() else ""
        print(f"{clear}{text}", flush=True)
        if not options.every:
            break
        time.sleep(options.every)
except KeyboardInterrupt:
    pass
