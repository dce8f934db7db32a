"""Data sets: ``(*, root, seed, **options) -> Dataset``.

``root`` is the folder where files lie or are downloaded to, ``seed`` drives what is made up; a set
that needs neither ignores them. Images are uint8 (N, C, H, W), features float32 (N, D), classes
int64 (N,), values of a regression float32 (N, K). The test part is the same in every run.
"""
