"""Images by lenstronomy's own simulation API: what the tests and the benchmark compare against."""

import numpy as np
from lenstronomy.SimulationAPI.sim_api import SimAPI


def sim_api_image(row, instrument, scale=1.0, **planes):
    """The image of a row by lenstronomy's SimAPI, which knows nothing of this project.

    scale multiplies deflections through the lens parameters; planes are SimAPI's multi-plane
    settings, given the number of deflectors.
    """
    masses = len(row["subhalo_x"])
    models = ["SIE", "SHEAR"] + ["POINT_MASS"] * masses
    lens = [
        {
            "theta_E": scale * row["sie_einstein_radius"],
            "e1": row["lens_e1"],
            "e2": row["lens_e2"],
            "center_x": row["lens_x"],
            "center_y": row["lens_y"],
        },
        {"gamma1": scale * row["gamma1"], "gamma2": scale * row["gamma2"]},
    ] + [
        {"theta_E": np.sqrt(scale) * theta, "center_x": x, "center_y": y}
        for theta, x, y in zip(
            row["subhalo_einstein_radius"], row["subhalo_x"], row["subhalo_y"], strict=True
        )
    ]
    source = {
        "R_sersic": row["source_R_sersic"],
        "n_sersic": row["source_n_sersic"],
        "e1": row["source_e1"],
        "e2": row["source_e2"],
        "center_x": row["source_x"],
        "center_y": row["source_y"],
    }
    band = {
        "pixel_scale": instrument["pixel_scale"],
        "exposure_time": row["exposure_time"],
        "magnitude_zero_point": instrument["zero_point"],
        "background_noise": 0.0,
        "seeing": instrument["psf_fwhm"],
        "psf_type": "GAUSSIAN",
        "truncation": instrument["psf_truncation"],
    }
    if planes:
        planes = planes | {"lens_redshift_list": [0.5] * len(models)}
    api = SimAPI(
        instrument["pixels"],
        band,
        {"lens_model_list": models, "source_light_model_list": ["SERSIC_ELLIPSE"], **planes},
    )
    if np.isnan(row["source_amplitude"]):
        _, light, _ = api.magnitude2amplitude(
            kwargs_source_mag=[source | {"magnitude": row["source_magnitude"]}]
        )
    else:
        light = [source | {"amp": row["source_amplitude"]}]
    return api.image_model_class().image(lens, light)
