"""The recipe of the built-in model: ResNet50V2's trunk, distilled into the same layers with narrower bottlenecks."""
