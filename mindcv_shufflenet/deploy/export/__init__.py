"""Networks as files for other runtimes: written, proved, packed, checked."""
