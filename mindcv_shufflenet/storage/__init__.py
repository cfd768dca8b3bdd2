"""Files: atomic writes, downloads, archives, the run directory."""
