"""What a network sees: convolution, receptive fields, features; for any ``torch.nn.Module`` and plain tensors.

    from headstart.understand.run_chapters import explained
    from headstart.understand.subject import Subject

    chapters = explained(Subject.of(network, images, labels), only=["receptive_field"])

The functions behind the chapters stand on their own, one idea a file:
``receptive_field.receptive_fields(network, (3, 224, 224))``, ``effective.effective(network, images, fields)``,
``cka.cka(one, other)``, ``cam.grad_cam(network, images, classes, layer)``, ``convolution.convolved(image, kernel)`` and
others.
"""
