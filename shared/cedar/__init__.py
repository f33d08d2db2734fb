"""Cedar policies as people write them: read one by one against a schema, with the place of each mistake."""
