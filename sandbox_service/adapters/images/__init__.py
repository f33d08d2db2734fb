"""Images on disk: what they consist of, how they are described and checked, and what they look like from inside."""
