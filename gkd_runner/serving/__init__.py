"""Trained models answering requests for a few nodes, and what an answer takes."""
