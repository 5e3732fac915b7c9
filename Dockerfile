# freshkb with its model and parsers inside: it needs no network but its sources, store and ledger.
# The build takes torch for the CPU. For a GPU: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130

FROM python:3.12.13-slim-bookworm AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/freshkb
WORKDIR /src
COPY requirements.lock ./
RUN /opt/freshkb/bin/pip install --extra-index-url "$TORCH_INDEX" --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY connectors connectors
COPY index index
COPY flows flows
COPY freshkb freshkb
RUN /opt/freshkb/bin/pip install --no-deps --no-build-isolation .

FROM python:3.12.13-slim-bookworm
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tesseract-ocr \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home --shell /usr/sbin/nologin freshkb \
    && install --directory --owner freshkb --group freshkb /var/lib/freshkb /etc/freshkb
COPY --from=build /opt/freshkb /opt/freshkb
ENV PATH=/opt/freshkb/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HF_HUB_OFFLINE=1 \
    TRANSFORMERS_OFFLINE=1 \
    TOKENIZERS_PARALLELISM=false \
    DO_NOT_TRACK=1 \
    SCARF_NO_ANALYTICS=1 \
    UNSTRUCTURED_DISABLE_NOTICE=1 \
    XDG_CACHE_HOME=/var/lib/freshkb/cache \
    PREFECT_HOME=/var/lib/freshkb/prefect \
    PREFECT_SERVER_ANALYTICS_ENABLED=false
USER freshkb
# Commands look for freshkb.yaml in the working directory.
WORKDIR /etc/freshkb
HEALTHCHECK --interval=60s --timeout=20s --start-period=300s CMD ["freshkb", "status", "--check", "--quiet"]
CMD ["freshkb", "serve"]
