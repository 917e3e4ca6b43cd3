"""How long a training is: its steps, epochs and batches."""

import math
from dataclasses import dataclass, replace

#: Passes of an image in a step of a fine-tuning, where once forward is one and once backward two.
FINE_TUNING_PASSES = 3


@dataclass(frozen=True)
class Plan:
    """Length of a training, in steps.

    An epoch is a pass over the FULL training split, also where fewer labels are used, so that
    rows with few labels take as many steps as the others.
    """

    batch_size: int
    steps: int
    steps_per_epoch: int

    @property
    def epochs(self) -> int:
        """Number of epochs; the last may be cut short."""
        return math.ceil(self.steps / self.steps_per_epoch)

    def steps_of(self, epoch: int) -> range:
        """Steps of an epoch, both counted from 0."""
        start = epoch * self.steps_per_epoch
        return range(start, min(start + self.steps_per_epoch, self.steps))


def plan_training(settings: dict, images: int, full_split: int) -> Plan:
    """Work out the plan of a training.

    Args:
        settings: `batch_size`, and `epochs` (of the full split) or, where not None, `steps`.
        images: images that are trained on; a batch never holds more.
        full_split: images of the full training split.
    """
    batch_size = min(settings["batch_size"], images)
    steps_per_epoch = max(full_split // settings["batch_size"], 1)
    steps = settings["steps"] or settings["epochs"] * steps_per_epoch
    return Plan(batch_size, steps, steps_per_epoch)


def plan_fine_tuning(settings: dict, images: int, full_split: int, pretrained_on: int) -> Plan:
    """Work out the plan of a fine-tuning, which may have to match a pretraining.

    Args:
        settings: those of `plan_training`; `match_steps_of` and `match_compute_of`, None or the
            same of a pretraining, whose steps are taken as well, or as many as compute as much as
            it does with the same encoder. It then has `encoder_passes` too.
        images, full_split: as `plan_training`.
        pretrained_on: images of the full split of a pretraining, which needs no labels and so may
            have more.
    """
    plan = plan_training(settings, images, full_split)
    more = 0
    if (other := settings["match_steps_of"]) is not None:
        more = plan_training(other, pretrained_on, pretrained_on).steps
    if (other := settings["match_compute_of"]) is not None:
        matched = plan_training(other, pretrained_on, pretrained_on)
        passes = matched.steps * matched.batch_size * other["encoder_passes"]
        more = round(passes / (FINE_TUNING_PASSES * max(plan.batch_size, 1)))
    return replace(plan, steps=plan.steps + more)
