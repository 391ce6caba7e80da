"""`scripts/validate.py`: whether a running Fillpath, its servers, its tests and its documents are what they should be.

Each check is a function that returns what it found, or raises CheckError with what to do.
"""
