"""The machine: device, cores, precision."""
