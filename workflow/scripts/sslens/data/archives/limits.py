"""How much of an archive's file is unpacked."""

MAX_CHUNK_BYTES = 2**28  # of an HDF5 or FITS file, that are unpacked at once
MAX_COMPRESSION_RATIO = 250  # what shrinks more has no images, but would keep a job busy for days
