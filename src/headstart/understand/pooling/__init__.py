"""What pooling keeps and loses."""
