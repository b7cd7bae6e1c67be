"""What a Keras user would write to classify one image with a saved model.

Usage: python benchmarks/plain_predict.py MODEL IMAGE
"""

import sys

import keras
import numpy as np

model = keras.models.load_model(sys.argv[1])
height, width, channels = model.input_shape[1:]
mode = "grayscale" if channels == 1 else "rgb"
image = keras.utils.load_img(sys.argv[2], color_mode=mode, target_size=(height, width))
print(model.predict(keras.utils.img_to_array(image)[None].astype(np.uint8), verbose=0))
