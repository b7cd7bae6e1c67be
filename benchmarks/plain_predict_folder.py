"""What a Keras user would write to classify a folder with a saved model.

Usage: python benchmarks/plain_predict_folder.py MODEL FOLDER ANSWERS
"""

import sys

import keras
import pandas as pd

model = keras.models.load_model(sys.argv[1])
images = keras.utils.image_dataset_from_directory(
    sys.argv[2], labels=None, image_size=model.input_shape[1:3], batch_size=128, shuffle=False
)
paths = images.file_paths
probabilities = model.predict(images.prefetch(2), verbose=0)
answers = {"path": paths, "label": probabilities.argmax(1), "probability": probabilities.max(1)}
pd.DataFrame(answers).to_csv(sys.argv[3], index=False)
