"""Every option: the schema, the values, the recipes."""
