"""Optimisers and learning-rate schedules, chosen by name."""

import keras

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": keras.optimizers.SGD,
}
# what weight decay leaves out: the gains and offsets of normalisations, and biases. Keras matches
# the variable's own name, not its layer's.
NOT_DECAYED = ["gamma", "beta", "bias"]


def build_optimizer(settings: dict, steps: int, variables: list) -> keras.Optimizer:
    """Build an optimiser on exactly the variables it will train.

    Built on others, it would drop its state when a checkpoint is restored.

    Args:
        settings: `name` (a key of `OPTIMIZERS`), `learning_rate` (the peak), `schedule`
            ("cosine" to zero, or "constant"), `warmup` (fraction of the steps over which the rate
            rises linearly from zero), `weight_decay`, `momentum` (of SGD), `clip_norm` (to which
            the norm of all gradients together is cut, or None).
        steps: length of the training.
        variables: what it trains.
    """
    rate = _schedule(settings, steps)
    options = {
        "weight_decay": settings["weight_decay"],
        "global_clipnorm": settings["clip_norm"],
    }
    if settings["name"] == "sgd":
        options["momentum"] = settings["momentum"]
    optimizer = OPTIMIZERS[settings["name"]](rate, **options)
    if settings["weight_decay"]:
        optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
    optimizer.build(variables)
    return optimizer


def _schedule(settings: dict, steps: int):
    peak, warmup = settings["learning_rate"], round(settings["warmup"] * steps)
    if settings["schedule"] == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else peak,
            max(steps - warmup, 1),
            warmup_target=peak if warmup else None,
            warmup_steps=warmup,
        )
    if warmup:
        return keras.optimizers.schedules.PolynomialDecay(0.0, warmup, end_learning_rate=peak)
    return peak
