"""Figures: one module each, pure functions of frames and arrays to a matplotlib figure.

Built on matplotlib's object-oriented interface with the Agg canvas: no pyplot, no global figure,
no display. Files are written bit for bit the same for the same input (`style.save_figure`).

This module imports none of them, so that a change of one figure draws that figure anew alone.
"""
