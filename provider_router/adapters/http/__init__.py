"""HTTP towards providers: connections, deadlines, server-sent events, and faults as the router's errors."""
