"""OpenTelemetry's declarative configuration: a file that says what is exported, where to and how.

The file is parsed, completed from the environment, held to the schema and turned into typed objects by OpenTelemetry's
own library (`opentelemetry-configuration`). What it asks for is then judged here (`rules`) and built here (`building`):
the library's pipelines know no bounded queues that count what they drop, and pass over what they do not implement.
"""
