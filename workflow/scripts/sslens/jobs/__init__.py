"""Jobs: processes, GPUs, resources, provenance, and the state of a run."""
