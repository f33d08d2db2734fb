"""The sandbox: runs untrusted code in isolation, or not at all."""
