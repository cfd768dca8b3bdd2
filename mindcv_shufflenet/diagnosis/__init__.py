"""Whether all that this package does works on a machine."""
