"""The process's metrics in Prometheus' text form. Metrics are defined beside the code that moves them."""

from prometheus_client import Gauge

BUILD = Gauge("huifang_build_info", "Version of the running service", ["version"])
