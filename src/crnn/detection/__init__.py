"""Anomaly detection: choosing calibration texts, setting a threshold, and explaining a score."""
