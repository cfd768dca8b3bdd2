"""Checkpoints and downloads."""
