"""The report on many runs: read from their folders, grouped into points, ranked and plotted.

A point is a configuration (``model=mlp optim.lr=0.1``); its repeats are the runs or folds that
differ only in the seed or the fold. ``write_report.write_report`` makes the whole report. Nothing
here imports torch; numpy, scipy and matplotlib are imported when they are needed.
"""
