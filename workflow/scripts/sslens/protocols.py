"""The protocols by which an arm learns the labels."""

#: All layers are trained.
FINE_TUNE = "fine_tune"
#: Logistic regression on the features of a frozen encoder.
LINEAR_PROBE = "linear_probe"
