"""Looking into a network: layers, shapes, receptive fields, gradients."""
