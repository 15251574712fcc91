"""The alarms: what is watched, when it is bad, and what missing data means."""
