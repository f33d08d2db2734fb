"""Chats: what is asked, what comes back, and how much of it."""
