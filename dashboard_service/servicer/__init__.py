"""The service's face: RPCs to use cases and back."""
