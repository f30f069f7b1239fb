"""The same model behind FastAPI and one worker of uvicorn, for bench_server.py.

    server_peer.py MODEL SOCKET
"""
import sys

import numpy
import uvicorn
import xgboost
from fastapi import FastAPI
from pydantic import BaseModel

booster = xgboost.Booster(model_file=sys.argv[1])
booster.set_param({"nthread": 1})
app = FastAPI()


class Rows(BaseModel):
    rows: list[list[float]]


@app.post("/predict")
def predict(given: Rows):
    found = booster.inplace_predict(numpy.asarray(given.rows, dtype=numpy.float32))
    return {"predictions": found.tolist()}


uvicorn.run(app, uds=sys.argv[2], log_level="error", access_log=False)
