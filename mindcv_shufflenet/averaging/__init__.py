"""The average of several checkpoints."""
