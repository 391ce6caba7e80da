"""Fillpath's Grafana dashboards as code; `python -m dashboards` writes their JSON into `dashboards/json/`."""
