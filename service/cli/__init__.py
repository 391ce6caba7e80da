"""The command line: one module a command, over HTTP, never the journal's file."""
