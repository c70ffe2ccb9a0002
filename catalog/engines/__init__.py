"""Vector engines that store an index: a folder, PostgreSQL with pgvector, and a Qdrant server."""
