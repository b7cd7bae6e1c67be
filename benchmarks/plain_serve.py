"""What a Keras user would write to serve a saved model with FastAPI.

Usage: python benchmarks/plain_serve.py MODEL CLASSES PORT
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

model = keras.models.load_model(sys.argv[1])
classes = json.loads(Path(sys.argv[2]).read_text())
height, width, channels = model.input_shape[1:]
app = FastAPI()


@app.post("/v1/predict")
async def predict(image: UploadFile) -> dict[str, str | float]:
    """The class of an image."""
    picture = Image.open(io.BytesIO(await image.read())).convert("RGB" if channels == 3 else "L")
    pixels = np.asarray(picture.resize((width, height))).reshape(1, height, width, channels)
    probabilities = model.predict(pixels, verbose=0)[0]
    best = int(probabilities.argmax())
    return {"label": classes[best], "probability": float(probabilities[best])}


uvicorn.run(app, port=int(sys.argv[3]), log_level="warning")
