"""Anomaly detection: which clean texts set a threshold, the threshold itself, and what explains a score."""
