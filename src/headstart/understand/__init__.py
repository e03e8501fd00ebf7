"""Measures what a network sees: convolution, receptive fields, features, transfer; for any ``nn.Module``.

Example:
    >>> from headstart.understand.chapters import build_chapters
    >>> from headstart.understand.subject import Subject
    >>> subject = Subject.from_network(network, images, labels)
    >>> chapters = build_chapters(subject, only=["receptive_field"])

The functions behind the chapters can be used on their own: ``receptive_fields(network, (3, 224, 224))``,
``cka(features, other_features)``, ``grad_cam(network, images, classes, layer)``, ``convolve(image, kernel)`` and
others.
"""
