"""Telemetry of the service: the contract as data, and the engines that carry it out."""
