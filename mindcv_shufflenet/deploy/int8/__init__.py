"""Networks in int8: what calibration measures, and how a model is quantised by it."""
