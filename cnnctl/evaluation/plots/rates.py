"""The learning rates that a schedule plans."""

import numpy as np
from numpy.typing import NDArray

from cnnctl.pictures import style


def learning_rate_png(rates: NDArray[np.float32], steps_per_epoch: int, title: str) -> bytes:
    """The learning rate over the epochs.

    Args:
        rates: (steps,), the rate of each step.
        steps_per_epoch: Steps of an epoch.
        title: What is planned.

    Returns:
        A PNG file.
    """
    with style.drawing():
        figure = style.new_figure(7.0, 4.2)
        axes = style.panel(figure, 0.9, 0.6, 5.8, 4.2 - 0.6 - style.HEAD)
        epochs = np.arange(len(rates) + 1) / steps_per_epoch
        axes.step(epochs, np.append(rates, rates[-1:]), where="post", color=style.BLUE)
        highest = int(rates.argmax())
        facts = f"highest {rates[highest]:.3g} in epoch {highest // steps_per_epoch + 1}, last {rates[-1]:.3g}"
        style.heading(figure, "Learning rate", title, facts)
        axes.set_xlabel(f"epochs done (of {steps_per_epoch:,} steps)")
        axes.set_ylabel("learning rate")
        axes.set_xlim(0, len(rates) / steps_per_epoch)
        axes.set_ylim(bottom=0)
        style.plain(axes.yaxis)
        axes.grid()
        return style.png(figure)
