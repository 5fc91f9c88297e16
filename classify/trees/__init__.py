"""Boosted trees and the calibration of their log-odds."""
