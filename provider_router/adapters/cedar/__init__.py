"""Cedar policies of routing: their schema, how they are read, and what they are asked."""
