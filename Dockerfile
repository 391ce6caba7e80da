# The execution service: no root, no package manager's leftovers, one writable folder, /var/lib/fillpath.
#
# Tag shown by docker-library/official-images, library/python, commit 01732a42e52ea2aca4809bd272fc38002f19006a.
FROM python:3.11.14-slim-trixie AS build

WORKDIR /src
COPY requirements/run.txt requirements/run.txt
# Without pip of its own: nothing is installed into it later.
RUN python -m venv --without-pip /opt/fillpath \
    && pip --python /opt/fillpath install --no-cache-dir --no-compile --require-hashes --requirement requirements/run.txt
COPY pyproject.toml README.md CHANGELOG.md LICENSE ./
COPY service service
COPY telemetry telemetry
RUN pip --python /opt/fillpath install --no-cache-dir --no-compile --no-deps --no-build-isolation . \
    && pip --python /opt/fillpath uninstall --yes hatchling trove-classifiers \
    # Byte code of what a start needs; it cannot be written later, and all of ccxt's would double the image.
    && /opt/fillpath/bin/python -I -c "import service.__main__, service.app"

FROM python:3.11.14-slim-trixie

RUN groupadd --system --gid 10001 fillpath \
    && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/fillpath --shell /usr/sbin/nologin fillpath \
    && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/fillpath
COPY --from=build /opt/fillpath /opt/fillpath

# Beyond loopback inside the container only: what is reachable from outside is decided by who publishes the ports.
ENV PATH=/opt/fillpath/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FILLPATH_DATA_DIR=/var/lib/fillpath \
    FILLPATH_HOST=0.0.0.0 \
    FILLPATH_OPERATOR_HOST=0.0.0.0

WORKDIR /var/lib/fillpath
VOLUME /var/lib/fillpath
USER 10001:10001
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["fillpath"]
CMD ["serve"]
