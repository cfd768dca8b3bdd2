"""The record of a training: its state, its files, and how it is resumed."""
