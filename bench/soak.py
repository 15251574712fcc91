"""Memory of one worker under reads and writes for ten minutes: flat, or this fails.

`python -m bench.soak [SECONDS]`. Not part of `make bench`: it takes its time.
"""

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench import service_processes as processes

SECONDS = 600
WARM_UP = 30
ALLOWED_MB = 1.0
_LUA = """
local n = 0
function request()
  n = n + 1
  local path = wrk.path .. (n * 7919 % 5000)
  local kind = n % 8
  if kind == 0 then return wrk.format('PUT', path .. '?a=' .. n .. '&l=[x,,y]') end
  if kind == 1 then return wrk.format('POST', path .. '?n=$INCR&l=$APPEND[z]') end
  if kind == 2 then return wrk.format('GET', path .. ',nobody?fields=a,l') end
  if kind == 3 then return wrk.format('GET', '/nothing/' .. n) end
  return wrk.format('GET', path)
end
"""


def main(seconds: int) -> int:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(processes.redis())
        auth = stack.enter_context(processes.auth())
        service = stack.enter_context(processes.service(folder, redis, auth))
        script = folder / "soak.lua"
        script.write_text(_LUA)
        command = ["wrk", "-t1", "-c64", f"-d{seconds}s", "-s", str(script), service.url]
        command += ["-H", "Authorization: Bearer bench-client-token"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as wrk:
            time.sleep(WARM_UP)
            warm = service.memory()
            while wrk.poll() is None:
                sys.stdout.write(f"{service.memory():.1f} ")
                sys.stdout.flush()
                time.sleep(10)
            last = service.memory()
            assert wrk.stdout is not None
            sys.stdout.write(f"\n{wrk.stdout.read()}")
    grown = last - warm
    sys.stdout.write(f"memory {warm:.1f} -> {last:.1f} MB, grown {grown:+.2f} MB in {seconds} s\n")
    return 0 if grown <= ALLOWED_MB else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else SECONDS))
