"""Training: one step, the loop around it, and what it leaves on the disk."""
