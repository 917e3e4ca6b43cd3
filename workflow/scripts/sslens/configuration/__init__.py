"""The configuration: loading, checks, and the settings of every job."""
