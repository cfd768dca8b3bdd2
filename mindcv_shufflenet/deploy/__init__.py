"""Networks put to use: predictions, converted weights, files for other runtimes, their speed."""
