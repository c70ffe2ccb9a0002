"""From predictions on validation images to calibration, threshold profiles and scores."""
