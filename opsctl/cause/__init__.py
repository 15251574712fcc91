"""Why something is wrong: ranked causes from snapshots and what a command met. Pure, no client."""
