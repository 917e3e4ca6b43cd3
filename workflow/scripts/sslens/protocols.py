"""The protocols by which an arm learns the labels."""

#: All layers are trained.
FINE_TUNE = "fine_tune"
#: Logistic regression on the features of a frozen encoder.
LINEAR_PROBE = "linear_probe"
#: The share of each class among the nearest training images, by a frozen encoder's features.
NEAREST_NEIGHBOURS = "nearest_neighbours"
#: Those that leave the encoder as it is: they ask what it has learned without labels.
FROZEN = (LINEAR_PROBE, NEAREST_NEIGHBOURS)
#: What each of these is called in its table.
FROZEN_TITLES = {LINEAR_PROBE: "Linear probe", NEAREST_NEIGHBOURS: "Nearest neighbours"}
#: Titles of the figures of all methods.
FIGURE_TITLES = {
    FINE_TUNE: "Fine-tuned networks",
    LINEAR_PROBE: "Linear probes of frozen encoders",
    NEAREST_NEIGHBOURS: "Nearest neighbours by frozen encoders",
}
