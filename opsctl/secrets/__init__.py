"""The secrets that a config refers to: who reads them, what is wrong with them, writing values."""
