# One image for every process of the platform; the command selects the process.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /app

# The emulator's packages are the last ones of requirements.txt; the image has no emulator.
COPY requirements.txt .
RUN sed '/^# The emulator/,$d' requirements.txt > /tmp/production.txt \
    && pip install -r /tmp/production.txt \
    && rm /tmp/production.txt

COPY manage.py ./
COPY spot_optimizer spot_optimizer
COPY accounts accounts
COPY sandbox sandbox
COPY lab lab
COPY streaming streaming
RUN python -m compileall -q . \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin spot \
    && install -d -o spot -g spot -m 0700 /var/lib/spot-optimizer

USER spot
ENV VAR_DIR=/var/lib/spot-optimizer API_HOST=0.0.0.0
VOLUME /var/lib/spot-optimizer
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=8s --start-period=30s \
    CMD ["python", "-m", "spot_optimizer.worker.healthcheck", "http://127.0.0.1:8000/health/ready"]
CMD ["python", "-m", "spot_optimizer.server"]
