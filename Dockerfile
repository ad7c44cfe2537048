# The image of every process of the portal: web, worker, beat and the commands that cron runs.

FROM python:3.11-slim-bookworm AS packages
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt

FROM python:3.11-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PORTAL_DATA_DIR=/data \
    STATIC_MANIFEST=1 \
    STATIC_ROOT=/srv/static
RUN useradd --system --uid 10001 --home-dir /srv/portal portal \
    && install --directory --owner portal /data
COPY --from=packages /opt/venv /opt/venv
WORKDIR /srv/portal
COPY . .
# Needs no database; it is named so that the embedded one is out of the question.
RUN DATABASE_URL=postgres://portal@none.invalid/portal python manage.py collectstatic --noinput
USER portal
EXPOSE 8000
# gunicorn takes the number of its workers from WEB_CONCURRENCY. It keeps no access log: that would name addresses, paths
# and the links that set a password; the portal logs each request itself.
CMD ["gunicorn", "credentials_portal.wsgi", "--bind", "0.0.0.0:8000", "--threads", "4", "--worker-tmp-dir", "/dev/shm"]
