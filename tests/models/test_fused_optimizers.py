"""The optimizers by TensorFlow's kernels take the steps of Keras' own."""

import numpy as np
import pytest

SETTINGS = {
    "Adam": [{}, {"beta_1": 0.8, "epsilon": 0.1}, {"amsgrad": True}, {"clipnorm": 0.5}, {"weight_decay": 0.1}],
    "AdamW": [{}, {"weight_decay": 0.3, "use_ema": True, "ema_momentum": 0.5}],
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.8, "nesterov": True, "weight_decay": 0.1}, {"global_clipnorm": 0.1}],
}
CASES = [(kind, settings) for kind, all_settings in SETTINGS.items() for settings in all_settings]


@pytest.mark.parametrize(("kind", "settings"), CASES)
@pytest.mark.parametrize("planned", [False, True])
def test_steps_are_those_of_keras(keras, kind: str, settings: dict[str, object], planned: bool) -> None:
    import tensorflow as tf

    from cnnctl.models import fused_optimizers

    rate = keras.optimizers.schedules.ExponentialDecay(0.05, 1, 0.7) if planned else 0.05

    def walk(optimizer):
        generator = np.random.default_rng(0)
        shapes = ((7, 5), (5,))
        variables = [keras.Variable(generator.normal(size=shape), dtype="float32") for shape in shapes]
        optimizer.build(variables)

        @tf.function
        def step(gradients):
            optimizer.apply(gradients, variables)

        for _ in range(6):
            step([tf.constant(generator.normal(size=shape), tf.float32) for shape in shapes])
        return [np.asarray(variable) for variable in (*variables, *optimizer.variables)]

    expected = walk(getattr(keras.optimizers, kind)(rate, **settings))
    seen = walk(getattr(fused_optimizers, kind)(rate, **settings))
    assert len(seen) == len(expected)
    for one, other in zip(seen, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=5e-6)  # 1 - 0.999 is rounded to 32 bits before


def test_trainings_take_them(keras) -> None:
    from cnnctl.config.training import TrainSettings
    from cnnctl.models import fused_optimizers
    from cnnctl.training.optimizers import make_optimizer
    from cnnctl.training.schedules import learning_rates

    settings = TrainSettings()
    rates = learning_rates(settings.schedule, 0.001, 1, 1)
    assert type(make_optimizer(settings, rates)) is fused_optimizers.Adam
