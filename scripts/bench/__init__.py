"""The benchmark: time and memory of teachers, students and everything around them.

``make bench`` runs it; docs/speed.md says what it measures and has the figures.
"""
