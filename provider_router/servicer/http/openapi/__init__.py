"""What the HTTP surfaces take and give, as an OpenAPI document: `openapi.json` beside this package, made by it."""
