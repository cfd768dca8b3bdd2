"""What is told of a training before it starts, and while it does not learn."""
