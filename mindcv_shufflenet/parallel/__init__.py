"""The machine and the ranks: who launched how many of them, how they talk, and what they compute together."""
