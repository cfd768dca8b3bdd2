"""From a folder of photos to a working model."""
