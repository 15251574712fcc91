"""The present state of the system in AWS as frozen values, and the only code that reads it."""
