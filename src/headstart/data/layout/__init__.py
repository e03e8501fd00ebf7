"""Which folder is a class and which is a part."""
