"""The real servers that tests run against: how to get them, start them and end them.

`python -m tests.servers` installs what is missing. Importing this package is cheap and starts
nothing; each server's client library is imported when that server starts.
"""
