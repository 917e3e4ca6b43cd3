"""A process that loads TensorFlow once for the jobs of a run; see `sslens/jobs/warm_start.py`.

The workflow starts it, with the path of a socket.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from sslens.jobs import warm_start

if job := warm_start.Server(sys.argv[1]).serve():
    warm_start.run(job)
