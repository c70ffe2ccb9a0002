"""Vector engines that store an index: Qdrant Edge, PostgreSQL with pgvector, and a Qdrant server."""
