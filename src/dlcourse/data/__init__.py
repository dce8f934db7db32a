"""Data sets: ``(*, root, seed, **options) -> Dataset``.

``root`` is the folder that holds the files or to which they are downloaded; ``seed`` is the seed of
generated data. A data set that needs neither ignores them. Images are uint8 (N, C, H, W), features
float32 or float64 (N, D), with NaN for missing values that each fold fills, classes int64 (N,), and
the values of a regression float32 (N, K). The test part is the same in every run, except that
generated data depend on the seed.

The modules without a data set of their own: ``download`` (files with checksums), ``cache`` (decoded
data), ``scan`` (which images a folder holds), ``image_file`` (one image out of a file),
``streamed`` and ``workers`` (images read batch by batch), ``table`` and ``cells`` (a CSV file),
``table_dataset`` (a user's own table with its targets, by ``table_targets``), ``column_kinds`` and
``encoding`` (its columns as features), ``impute`` (missing values and standardisation of a table),
``test_split`` (a test part for sets without one), ``transforms`` (fewer examples, random labels,
standardisation).
"""
