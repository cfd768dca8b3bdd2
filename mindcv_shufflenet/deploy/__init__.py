"""Prediction and conversion."""
