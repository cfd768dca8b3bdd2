"""Networks: their layers, their names, what they cost."""
