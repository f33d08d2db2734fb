"""Cedar policies of tools: their schema, their files, and what they are asked."""
