"""What AWS says of the system now, as frozen values: the only readers of state."""
