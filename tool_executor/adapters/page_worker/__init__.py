"""The process that reads HTML.

Parsers of hostile pages take long and much, and nothing can end a thread: a process has bounds and can be killed.
"""
