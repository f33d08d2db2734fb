"""What the dashboard is about: calendars, windows of time, and a context put together from many sources."""
