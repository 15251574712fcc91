"""The alarms: what is watched, from when on it is bad, and what a gap means."""
