"""Views: ``(pictures) -> [(weight, pictures), ...]``, what a model is asked besides the picture.

Pictures are (N, C, H, W) in floats, standardised; the weights of a view's answers add up to 1.
Several views follow one another: each is taken of all pictures that the one before returned. They
serve validation and test, and no training step. ``answer.py`` puts them together.
"""
