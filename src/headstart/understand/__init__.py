"""What a network sees: convolution, receptive fields, features; for any ``torch.nn.Module`` and plain tensors."""
