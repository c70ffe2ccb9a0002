"""Calibration, thresholds and intervals, fitted on what is known to be true."""
