FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/build.txt requirements/service.txt requirements/
RUN python -m venv /build && /build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt \
    && python -m venv --without-pip /opt/reactor \
    && /build/bin/uv pip install --no-cache --python /opt/reactor/bin/python --require-hashes -r requirements/service.txt
COPY . .
RUN /build/bin/python -m hatchling build --target wheel --directory /wheel \
    && /build/bin/uv pip install --no-cache --python /opt/reactor/bin/python --no-deps --compile-bytecode /wheel/*.whl

FROM python:3.13-slim
COPY --from=build /opt/reactor /opt/reactor
RUN useradd --uid 10001 --create-home --home-dir /data reactor
ENV PATH=/opt/reactor/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    REACTOR_HOST=0.0.0.0 \
    REACTOR_STORE=sqlite:////data/reactor.db
USER reactor
# All that is written is in /data and /tmp: the root file system may be read-only.
WORKDIR /data
VOLUME /data
EXPOSE 8321
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8321/healthz', timeout=2)"]
ENTRYPOINT ["reactor"]
CMD ["--help"]
