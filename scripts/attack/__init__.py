"""Attacks on what gkd-runner writes: damaged files, killed jobs, jobs that race."""
