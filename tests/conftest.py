"""For every test: hypothesis measures no wall time, because a busy machine is no slow program."""

from hypothesis import settings

settings.register_profile("opsctl", deadline=None)
settings.load_profile("opsctl")
