"""Drawings as inline SVG: one canvas, and a file for each kind of chart."""
