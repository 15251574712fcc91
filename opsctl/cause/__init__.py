"""Rank the causes of a failure, from snapshots and from what a command recorded. No clients."""
