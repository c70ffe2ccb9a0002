"""Calibration, thresholds and confidence intervals, fitted on annotated data."""
