"""Tools for any torch.nn.Module: hooks, stages, copies, modes."""
