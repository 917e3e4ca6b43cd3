"""Time the rendering of images against a plain loop over lenstronomy's SimAPI.

    python benchmarks/simulation.py

Prints one JSON object: per data set (150 pixels for model_1, 64 for the others) and class, the
milliseconds an image of both on one core, the fastest of several rounds that take turns, and their
ratio. Noise is left out: SimAPI knows no double Poisson noise.
"""

import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "workflow" / "scripts"), str(ROOT / "tests")]

from sslens.jobs import environment

environment.settle(os.environ)
for library in ("OMP", "OPENBLAS", "MKL"):  # one core: before NumPy is imported
    os.environ[f"{library}_NUM_THREADS"] = "1"

from sim_api import sim_api_image

from sslens.classes import CLASSES
from sslens.configuration.loading import load
from sslens.data.simulation.rendering import render_all
from sslens.data.simulation.sampling import draw_catalogue

IMAGES, ROUNDS = 20, 5


def main() -> None:
    """Measure every data set and class."""
    recipes = load(ROOT / "config", {})["datasets"]
    results = {}
    for name, recipe in recipes.items():
        noiseless = recipe | {"noise": "none"}
        drawn = draw_catalogue(name, noiseless, "test", len(CLASSES) * IMAGES)
        results[name] = {
            "pixels": recipe["instrument"]["pixels"],
            **{label: compare(drawn[drawn["label"] == label], noiseless) for label in CLASSES},
        }
    print(json.dumps(results, indent=1))


def compare(rows, recipe) -> dict:
    """Milliseconds an image of both, and how many times faster this library is."""

    def library():
        list(render_all(rows, recipe))

    def sim_api():
        for _, row in rows.iterrows():
            sim_api_image(row, recipe["instrument"], recipe["deflection_scale"])

    fastest = {"library": float("inf"), "sim_api": float("inf")}
    for _ in range(ROUNDS):
        for name, function in (("library", library), ("sim_api", sim_api)):
            began = time.perf_counter()
            function()
            seconds = time.perf_counter() - began
            fastest[name] = min(fastest[name], 1000 * seconds / len(rows))
    ratio = fastest["sim_api"] / fastest["library"]
    return {name: round(value, 2) for name, value in fastest.items()} | {"ratio": round(ratio, 2)}


if __name__ == "__main__":
    main()
