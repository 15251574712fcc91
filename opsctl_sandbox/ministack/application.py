"""ministack as an ASGI application. Importing it takes a third of a second and reads the process's
environment: only the server does it, late, with the environment that `lifecycle` gave it."""

from ministack.app import app as _app

from opsctl_sandbox.wire.http import Application

application: Application = _app
