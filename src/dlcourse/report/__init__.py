"""Results of many runs: found in their folders, put together as points, ranked, told, drawn.

A point is what was varied (``model=mlp optim.lr=0.1``); its repeats are the runs or folds that
differ in nothing but the seed or the fold. ``write.write_report`` does it all. Nothing here needs
torch, and numpy, scipy and matplotlib are imported when something is computed or drawn.
"""
