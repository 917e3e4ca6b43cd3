"""Places that the tests need."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "workflow" / "scripts" / "sslens"
