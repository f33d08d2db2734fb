"""Identity: who calls, how a service proves it to another, and which permission an RPC needs."""
