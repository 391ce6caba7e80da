"""Hostile input against a running service: bytes, bodies, headers and connections made to break it, and a judge."""
