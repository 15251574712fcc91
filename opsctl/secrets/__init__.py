"""The secrets that a config refers to: who reads each, what is wrong with it, writing its value."""
