"""What a training that goes on elsewhere must have in common with where it began."""

from sslens.digests import fingerprint
from sslens.tools import tools

VERSIONS = {"python": "3.11", "tensorflow-cpu": "2.21.0", "keras": "3.0", "numpy": "2.0"}


def test_versions_and_the_kind_of_device_tell_trainings_apart():
    here = tools(VERSIONS, "CPU (x86_64)")
    assert here == {"tensorflow-cpu": "2.21.0", "keras": "3.0", "numpy": "2.0", "device": "CPU"}
    assert tools(VERSIONS | {"python": "3.12"}, "CPU (another)") == here
    others = [tools(VERSIONS, "NVIDIA A100"), tools(VERSIONS | {"keras": "3.1"}, "CPU (x86_64)")]
    assert len({fingerprint([found], []) for found in (here, *others)}) == 3
    assert "device" not in tools(VERSIONS, None)
