"""A picture of a dashboard, drawn from live answers of Prometheus; not Grafana's own rendering."""
