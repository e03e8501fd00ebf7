"""The parts of the explanation, one file each: ``chapter(subject, tell)`` measures and says what it found."""
