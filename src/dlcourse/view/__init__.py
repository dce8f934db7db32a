"""Views: ``(images) -> [(weight, images), ...]``, what a model is asked besides the image.

Images are (N, C, H, W) in floats, standardised; the weights of a view's answers add up to 1.
Several views follow one another: each is taken of all images that the one before returned. They
serve validation and test, and no training step. ``answer.py`` puts them together.
"""
