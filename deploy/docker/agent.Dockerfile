# The agent of one device. Build from the root of the source tree:
#   docker build -f deploy/docker/agent.Dockerfile -t shoal-agent .
FROM python:3.11-slim

ARG PIP_ARGS=""
COPY . /src
RUN python -m venv /opt/shoal \
    && /opt/shoal/bin/pip install --no-cache-dir -c /src/requirements/constraints.txt ${PIP_ARGS} \
        "/src[agent]" \
    && rm -rf /src

RUN useradd --system --create-home --home-dir /var/lib/shoal-agent shoal
USER shoal
ENV PATH=/opt/shoal/bin:$PATH
VOLUME /var/lib/shoal-agent
EXPOSE 8000
ENTRYPOINT ["shoal-agent", "run"]
CMD ["--state", "/var/lib/shoal-agent/state", "--serve", "0.0.0.0:8000"]
