"""timm networks without their classifier: settings, starting weights, model cards, export."""
