"""`python -m tests.servers`: install the servers that the tests need and that are missing here."""

import sys

from tests.servers import apt, browser, kafka, pgbouncer, postgres, prometheus, registry
from tests.servers.errors import ServerError, ServerMissing
from tests.servers.kafka import apache

_NEEDED = (
    ("PostgreSQL", postgres.PACKAGES, postgres.installed),
    ("pgbouncer", pgbouncer.PACKAGES, pgbouncer.installed),
    ("Prometheus", prometheus.PACKAGES, prometheus.installed),
    ("Chromium", browser.PACKAGES, browser.installed),
)


def main() -> int:
    """Install what is missing; say what still is, and how to get it."""
    failed = False
    lacking = [packages for _, packages, here in _NEEDED if not here()]
    if lacking and apt.may_install():
        try:
            apt.install([package for packages in lacking for package in packages])
        except ServerError as error:
            print(error, file=sys.stderr)
    for name, packages, here in _NEEDED:
        if not here():
            failed = True
            print(ServerMissing(name, packages), file=sys.stderr)
    try:
        apache.install()
    except ServerError as error:
        print(f"Apache Kafka is not used, {kafka.chosen().name} is: {error}", file=sys.stderr)
    try:
        registry.install()
    except ServerError as error:
        failed = True
        print(f"There is no schema registry: {error}", file=sys.stderr)
    return 1 if failed else 0


sys.exit(main())
