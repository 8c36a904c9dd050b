# The wheel is built in one stage; the image that runs holds no compiler, no source and no cache.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY pyproject.toml README.md constraints.txt ./
COPY rag rag
COPY index index
COPY api api
COPY eval eval
COPY articles articles
# torch first and pinned: the registry's newest brings gigabytes of CUDA libraries.
RUN python -m venv /opt/wenju \
 && /opt/wenju/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt torch \
 && /opt/wenju/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[otel,postgres]'

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --create-home --home-dir /home/wenju --shell /usr/sbin/nologin wenju \
 && install -d -o wenju -g wenju -m 0700 /data /cache
COPY --from=build /opt/wenju /opt/wenju
ENV PATH=/opt/wenju/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    WENJU_HOME=/data \
    WENJU_CACHE=/cache \
    WENJU_HOST=0.0.0.0
USER 10001:10001
WORKDIR /data
VOLUME ["/data", "/cache"]
EXPOSE 8000
# Ready means that a question was answered; the first start builds the model, for half a minute.
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=9)"]
ENTRYPOINT ["wenju"]
CMD ["serve"]
