# Two images from one file: `service` is what ECS runs, `opsctl` is the CLI.
# Plain instructions only, so that every engine, the classic builder included, can build it.
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS python
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# A fixed number, so that volumes and read-only mounts can be given to it.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin app

# The classic builder builds every stage before its target, so the service comes first.
FROM python AS service
WORKDIR /app
COPY requirements/service.txt requirements.txt
RUN pip install --requirement requirements.txt && rm requirements.txt
COPY service service
# Byte code now, because a read-only root cannot keep it later: a quicker start, and less memory.
RUN python -m compileall -q service
ARG CADDYFILE=Caddyfile
# The pattern lets the file of secret references be absent; see docs/update-tasks.md.
COPY ${CADDYFILE} .secrets.ym[l] ./
RUN [ "${CADDYFILE}" = Caddyfile ] || mv "$(basename "${CADDYFILE}")" Caddyfile
# A file that the service would refuse cannot become an image.
RUN python -m service check Caddyfile
ARG COMMIT=unknown
ENV SERVICE_COMMIT=${COMMIT} HEALTH_PORT=80
USER 10001:10001
EXPOSE 80 8082
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['HEALTH_PORT']}/health.txt\", timeout=4)"]
# Held back until the service hears it: the kernel drops what PID 1 of a container does not hear.
CMD ["env", "--block-signal=TERM,INT", "python", "-m", "service", "run", "--config", "Caddyfile"]

FROM python AS opsctl
COPY pyproject.toml README.md LICENSE opsctl.example.yaml Caddyfile_template Dockerfile /src/
COPY .dockerignore /src/.dockerignore
COPY requirements /src/requirements
COPY templates /src/templates
COPY opsctl /src/opsctl
COPY opsctl_sandbox /src/opsctl_sandbox
COPY service /src/service
RUN pip install "/src[service]" && rm -r /src
USER 10001:10001
WORKDIR /work
ENTRYPOINT ["opsctl"]
CMD ["--help"]
