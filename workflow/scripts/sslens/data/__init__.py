"""Images, from catalogues to TFRecords: what every data set has, simulated or imported."""
