# syntax=docker/dockerfile:1
# The gateway with its local engine, its default model and its detector pack: nothing is fetched when it runs.

FROM python:3.12-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
ENV PATH=/opt/slm-gateway/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/slm-gateway
WORKDIR /src
COPY requirements requirements
RUN pip install --require-hashes -r requirements/build.txt \
    && pip install --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY policies policies
COPY gateway gateway
RUN pip install --no-deps --no-build-isolation .
# llama.cpp is compiled with portable flags; the kept wheel makes the next build of this image quick.
RUN --mount=type=cache,target=/var/cache/build XDG_CACHE_HOME=/var/cache/build GATEWAY_ACCEL=portable python -m gateway.setup \
    && pip uninstall --yes cmake ninja scikit-build-core hatchling editables

FROM python:3.12-slim-bookworm
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin gateway \
    # Named volumes take over this ownership. Log and keys lie apart: who can rewrite one must not be able to sign with the other.
    && install -d -o gateway -g gateway -m 0700 /var/lib/slm-gateway /var/lib/slm-gateway/audit /var/lib/slm-gateway/keys
COPY --from=build /opt/slm-gateway /opt/slm-gateway
COPY policies /etc/slm-gateway/policies
ENV PATH=/opt/slm-gateway/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# Where the configuration is mounted: commands find it there as `serve` does.
WORKDIR /etc/slm-gateway
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=90s --retries=4 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/readyz', timeout=4)"]
ENTRYPOINT ["gateway"]
CMD ["serve", "--config", "/etc/slm-gateway/gateway.yaml"]
