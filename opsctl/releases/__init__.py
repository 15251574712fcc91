"""Releases: what a release is made of, and the way from a commit to healthy tasks."""
