"""OpenAI's Responses, as callers speak it. Nothing is stored: each request brings its whole conversation."""
