"""Measurements: printed, never asserted. See README.md beside this file."""
