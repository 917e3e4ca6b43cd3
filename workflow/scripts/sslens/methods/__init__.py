"""Self-supervised methods: one file each with its schema, loaded by name."""
