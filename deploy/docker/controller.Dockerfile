# The controller with its compressor and a broker. Build from the root of the source tree:
#   docker build -f deploy/docker/controller.Dockerfile -t shoal-controller .
# PIP_ARGS is handed to pip, for example to choose PyTorch's CPU build.
FROM python:3.11-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends mosquitto \
    && rm -rf /var/lib/apt/lists/*

ARG PIP_ARGS=""
COPY . /src
RUN python -m venv /opt/shoal \
    && /opt/shoal/bin/pip install --no-cache-dir -c /src/requirements/constraints.txt ${PIP_ARGS} \
        "/src[controller,compressor]" \
    && rm -rf /src

RUN useradd --system --create-home --home-dir /var/lib/shoal shoal
USER shoal
ENV PATH=/opt/shoal/bin:$PATH
VOLUME /var/lib/shoal
EXPOSE 8470 8471 1883
HEALTHCHECK --interval=10s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8470/readyz', timeout=5)"]
ENTRYPOINT ["shoal", "serve"]
CMD ["--data", "/var/lib/shoal/data", "--listen", "0.0.0.0:8470", "--listen-devices", "0.0.0.0:8471", "--mqtt", "mosquitto", "--mqtt-listen", "0.0.0.0:1883"]
