"""The process's metrics in Prometheus' text form. Metrics are defined beside the code that moves them."""

from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest

BUILD = Gauge("huifang_build_info", "Version of the running service", ["version"])


def exposition() -> tuple[bytes, str]:
    """Return the metrics page and its content type."""
    return generate_latest(), CONTENT_TYPE_LATEST
