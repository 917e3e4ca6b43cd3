"""What the tests share."""

import os

# as `sslens.runtime` does for the workflow's scripts, before anything imports TensorFlow
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
