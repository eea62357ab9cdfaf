# syntax=docker/dockerfile:1
# The connector as a container. The last stage begins with nothing: it holds Python, the locked packages, the
# libraries that these load, and a user; no shell, no package tool, no setuid file, no certificate authorities.
#
#   docker build -t connector .
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     -p 2575:2575 -p 8443:8443 -v ./etc:/etc/connector:ro -v connector:/var/lib/connector connector
#
# /etc/connector holds connector.toml and what it names: profiles, certificates, private keys and the
# key-encryption key, the keys readable by user 10001 alone. Nothing of it is ever in the image. In
# connector.toml the store lies under /var/lib/connector and the listeners have host = "0.0.0.0".
# For a release, name the base image by its digest: --build-arg PYTHON=python:3.11-slim@sha256:...

ARG PYTHON=python:3.11-slim

# --- the wheel of this repository, by the locked build tools -----------------------------------------------------
FROM ${PYTHON} AS wheel
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /source
COPY requirements-dev.lock ./
RUN python -m venv /tools && /tools/bin/python -m pip install --require-hashes -r requirements-dev.lock
COPY pyproject.toml README.md LICENSE ./
COPY connector ./connector
COPY audit ./audit
COPY profiles ./profiles
RUN /tools/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheel .

# --- what runs: the locked dependencies and that wheel, compiled, owned by root ----------------------------------
FROM ${PYTHON} AS installed
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements.lock /
RUN python -m venv /opt/connector \
    && /opt/connector/bin/python -m pip install --require-hashes -r /requirements.lock
COPY --from=wheel /wheel /wheel
RUN /opt/connector/bin/python -m pip install --no-deps --no-index /wheel/*.whl \
    && /opt/connector/bin/python -m pip uninstall --yes pip setuptools \
    && /opt/connector/bin/python -m compileall -q /opt/connector/lib
COPY scripts/image_root.py /
RUN python /image_root.py /image /usr/local/bin /usr/local/lib /opt/connector \
    && chown 10001:10001 /image/var/lib/connector

# --- the image -------------------------------------------------------------------------------------------------
FROM scratch
LABEL org.opencontainers.image.title="connector" \
      org.opencontainers.image.description="HL7 v2 over MLLP and FHIR R4 over HTTPS, point to point, both ways" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/connector/bin:/usr/local/bin \
    LD_LIBRARY_PATH=/usr/local/lib \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=installed /image /
USER 10001:10001
WORKDIR /var/lib/connector
VOLUME ["/var/lib/connector"]
EXPOSE 2575 8443
STOPSIGNAL SIGTERM
# over mutual TLS like everybody: with the service's own certificate, which must also serve as a client's
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s --retries=3 \
    CMD ["connector", "health", "--config", "/etc/connector/connector.toml"]
ENTRYPOINT ["connector"]
CMD ["serve", "--config", "/etc/connector/connector.toml"]
