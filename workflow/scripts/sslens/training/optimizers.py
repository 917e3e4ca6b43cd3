"""Optimisers and learning-rate schedules, chosen by name."""

from collections.abc import Sequence

import keras
import tensorflow as tf


class _OfWholeGradients(keras.Optimizer):
    """For a Keras optimiser that is given gradients already summed over the replicas.

    Keras would sum them itself, but only after it has cut them to a norm, each share for itself.

    Attributes:
        rate_scales: what the learning rate of each variable is multiplied by, or None.
    """

    rate_scales: Sequence[float] | None = None

    def own_rate(self, variable, learning_rate):
        """The learning rate of a variable, which its weight decay follows."""
        if self.rate_scales is None:
            return learning_rate
        return learning_rate * self.rate_scales[self._get_variable_index(variable)]

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return grads_and_vars


class SGD(_OfWholeGradients, keras.optimizers.SGD):
    """Keras's SGD."""

    def update_step(self, gradient, variable, learning_rate):
        """Update a variable; `learning_rate` is that of this step."""
        super().update_step(gradient, variable, self.own_rate(variable, learning_rate))

    def _apply_weight_decay(self, variables):
        if self.rate_scales is None:
            super()._apply_weight_decay(variables)
            return
        for variable in variables if self.weight_decay else ():
            if self._use_weight_decay(variable):
                rate = tf.cast(self.own_rate(variable, self.learning_rate), variable.dtype)
                variable.assign_sub(variable * (self.weight_decay * rate))


class Adam(_OfWholeGradients, keras.optimizers.Adam):
    """Keras's Adam and decoupled weight decay, by one kernel for a variable.

    Keras composes an update of some twenty small operations, and works the schedule's rate out
    anew for every variable that decays. In a small network they take longer than some layers, and
    seconds to trace. The numbers agree to 2e-5, as the kernel rounds 1 - beta_2 to float32.
    """

    def update_step(self, gradient, variable, learning_rate):
        """Update a variable; `learning_rate` is that of this step."""
        learning_rate = self.own_rate(variable, learning_rate)
        if self.weight_decay and self._use_weight_decay(variable):
            variable.assign_sub(variable * (self.weight_decay * learning_rate))
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=tf.cast(self.beta_1, variable.dtype),
            beta2=tf.cast(self.beta_2, variable.dtype),
            epsilon=tf.cast(self.epsilon, variable.dtype),
            grad=gradient,
        )

    def _apply_weight_decay(self, variables):
        """Nothing: each variable decays in its `update_step`."""


#: Adam's weight decay is decoupled (Loshchilov & Hutter 2019, arXiv:1711.05101) under both names.
OPTIMIZERS = {"adam": Adam, "adamw": Adam, "sgd": SGD}
# what weight decay leaves out: the gains and offsets of normalisations, and biases. Keras matches
# the variable's own name, not its layer's.
NOT_DECAYED = ["gamma", "beta", "bias"]


def build_optimizer(
    settings: dict,
    steps: int,
    variables: list,
    not_decayed: Sequence = (),
    rate_scales: Sequence[float] | None = None,
) -> keras.Optimizer:
    """Build an optimiser on exactly the variables it will train.

    Built on others, it would drop its state when a checkpoint is restored. It is given gradients
    summed over the replicas.

    Args:
        settings: `name` (a key of `OPTIMIZERS`), `learning_rate` (the peak), `schedule`
            ("cosine" to zero, or "constant"), `warmup` (fraction of the steps over which the rate
            rises linearly from zero), `weight_decay`, `momentum` (of SGD), `clip_norm` (to which
            the norm of all gradients together is cut, or None).
        steps: length of the training.
        variables: what it trains.
        not_decayed: those without weight decay, besides gains, offsets and biases.
        rate_scales: what the learning rate of each is multiplied by, or None.
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
        optimizer.exclude_from_weight_decay(var_list=list(not_decayed), var_names=NOT_DECAYED)
    optimizer.rate_scales = rate_scales
    if keras.config.dtype_policy().compute_dtype == "float16":
        # gradients that are too small for float16 are scaled up, by as much as fits
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(variables)
    return optimizer


def current_rate(optimizer: keras.Optimizer) -> float:
    """The learning rate of the next step."""
    return float(tf.convert_to_tensor(optimizer.learning_rate))


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
