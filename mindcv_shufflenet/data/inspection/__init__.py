"""What a data set has, and what is wrong with it."""
