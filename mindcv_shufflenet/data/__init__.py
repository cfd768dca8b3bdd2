"""Data sets, image sources, transforms and the loader: from files to batches."""
