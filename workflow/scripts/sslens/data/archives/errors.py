"""Why a file of an archive is not read."""


class Unusable(ValueError):
    """A file, or an image in it, that cannot be used; the message says why."""


class Ambiguous(ValueError):
    """A file with several readings; the message names it, them, and the key that decides."""
