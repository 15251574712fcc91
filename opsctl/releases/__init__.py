"""Releases: what a release contains, and the way from a commit to healthy tasks."""
