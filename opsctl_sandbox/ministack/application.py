"""ministack as an ASGI application.

Importing it takes a third of a second and reads the process's environment. Only the server imports
it, late, with the environment that `lifecycle` sets.
"""

from ministack.app import app as _app

from opsctl_sandbox.wire.http import Application

application: Application = _app
