"""What numbers depend on beside settings and code: packages, and the kind of device."""

from collections.abc import Mapping

#: Packages whose other versions may give other numbers.
NUMERICAL = ("tensorflow", "tensorflow-cpu", "keras", "numpy")


def tools(versions: Mapping[str, str], device: str | None) -> dict[str, str]:
    """Versions of the packages in `NUMERICAL`, and whether it was a CPU or a GPU.

    Args:
        versions: of packages, by name.
        device: as `networks.replicas` describes it, or None where it was not recorded.
    """
    found = {package: versions[package] for package in NUMERICAL if package in versions}
    if device:
        found["device"] = "CPU" if device.startswith("CPU") else "GPU"
    return found
