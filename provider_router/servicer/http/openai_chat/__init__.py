"""OpenAI's chat completions, embeddings and models, as callers speak them."""
