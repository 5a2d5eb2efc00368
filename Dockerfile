# gristmill on CPUs; docs/install.md has the commands.
#   docker build --tag gristmill .
#   docker run --rm --volume "$PWD:/work" --user "$(id -u):$(id -g)" gristmill check recipe.yaml
FROM python:3.13-slim-trixie AS wheel
WORKDIR /source
RUN pip install --no-cache-dir build==1.3.0
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY curate curate
COPY train train
COPY cli cli
RUN python -m build --wheel --outdir /dist

FROM python:3.13-slim-trixie AS installed
# What is installed beside the core. With models and trainers, 2.4 GB: --build-arg EXTRAS=demo,view, and for torch's
# build for CPUs --build-arg PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
ARG EXTRAS=curate,hub,view
ARG PIP_EXTRA_INDEX_URL
COPY --from=wheel /dist /dist
RUN python -m venv /opt/gristmill && \
    /opt/gristmill/bin/pip install --no-cache-dir "$(echo /dist/gristmill-*.whl)[${EXTRAS}]"

FROM python:3.13-slim-trixie
# Bubblewrap runs model-written code. Debian keeps one version of it for a release, so none is named.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends bubblewrap && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --create-home --uid 1000 gristmill && \
    install --directory --owner=gristmill --mode=1777 /work
COPY --from=installed /opt/gristmill /opt/gristmill
# The home of whoever --user names, who has none: caches of weights and of compiled loops.
ENV PATH=/opt/gristmill/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1
USER 1000
WORKDIR /work
# A batch program has no port to ask: it is healthy where it starts, and its folder can be written.
HEALTHCHECK --interval=60s --timeout=20s --start-period=10s --retries=3 \
    CMD ["sh", "-c", "gristmill --version >/dev/null && test -w /work"]
ENTRYPOINT ["gristmill"]
CMD ["--help"]
