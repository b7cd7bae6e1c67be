"""What a Keras user would write to serve a saved model with FastAPI.

Usage: python benchmarks/plain_serve.py predict|call MODEL CLASSES PORT

`predict` is model.predict, as most people write it; `call` is model(pixels), which is quicker for single images.
"""

import io
import json
import sys
from pathlib import Path

import keras
import numpy as np
import uvicorn
from fastapi import FastAPI, UploadFile
from PIL import Image

model = keras.models.load_model(sys.argv[2])
classes = json.loads(Path(sys.argv[3]).read_text())
height, width, channels = model.input_shape[1:]
app = FastAPI()


@app.post("/v1/predict")
def predict(image: UploadFile) -> dict[str, str | float]:
    """The class of an image."""
    picture = Image.open(io.BytesIO(image.file.read())).convert("RGB" if channels == 3 else "L")
    pixels = np.asarray(picture.resize((width, height))).reshape(1, height, width, channels)
    if sys.argv[1] == "predict":
        probabilities = model.predict(pixels, verbose=0)[0]
    else:
        probabilities = np.asarray(model(pixels, training=False))[0]
    best = int(probabilities.argmax())
    return {"label": classes[best], "probability": float(probabilities[best])}


uvicorn.run(app, port=int(sys.argv[4]), log_level="warning")
