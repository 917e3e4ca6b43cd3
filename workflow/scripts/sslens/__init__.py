"""Self-supervised learning on strong-lensing images: the library behind the workflow's scripts."""
